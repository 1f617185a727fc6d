"""How values are typed so that Hydra's grammar reads them, such as train[:80%]."""

import re
import shlex
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from mc.lab.settings import as_typed

UNREAD: Any = object()  # of what Hydra's grammar cannot read
BRACKETS = ("[]", "()", "{}")


def typed(value: Any) -> str:
    """A value as the command line takes it, with quotes wherever Hydra would read another one."""
    if isinstance(value, list):
        return f"[{','.join(map(typed, value))}]"
    text = as_typed(value)
    # Between commas, a backslash is a sign of the grammar too.
    if not isinstance(value, str) or (text and _read(f"key=[{text},{text}]") == [value, value]):
        return text
    return _in_quotes(text)


def remedy(override: str) -> str | None:
    """What to say of an override that Hydra cannot read, if quotes are all that it lacks."""
    key, equals, value = override.partition("=")
    in_list = len(value) > 1 and value[0] == "[" and value[-1] == "]"
    parts = _parts(value[1:-1] if in_list else value)
    quoted = ",".join(part if _is_read(f"{key}={part}") else _in_quotes(part) for part in parts)
    suggested = f"{key}=[{quoted}]" if in_list else f"{key}={quoted}"
    whole = (
        key and equals and all(value.count(a) == value.count(b) for a, b in map(tuple, BRACKETS))
    )
    if not whole or suggested == override or not _is_read(suggested):
        return None
    return (
        f"Hydra cannot read {override}: a value with brackets, spaces or other signs of its "
        f"grammar needs quotes that reach it. Type {shlex.quote(suggested)}"
    )


def _parts(text: str) -> list[str]:
    """The text split at its commas, but for those inside brackets."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "[({") - (letter in "])}")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def _in_quotes(text: str) -> str:
    """A text in quotes; before a quote, backslashes are signs of the grammar, and come in pairs."""
    escaped = re.sub(r"(\\*)(\"|$)", lambda found: 2 * found[1] + (found[2] and '\\"'), text)
    return f'"{escaped}"'


def _is_read(override: str) -> bool:
    return _read(override) is not UNREAD


def _read(override: str) -> Any:
    """The value of an override, or `UNREAD`."""
    try:
        return OverridesParser.create().parse_override(override).value()
    except HydraException:
        return UNREAD
