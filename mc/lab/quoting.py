"""What to type where Hydra's grammar cannot read a value, such as train[:80%]."""

import shlex

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

BRACKETS = ("[]", "()", "{}")


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
    return '"' + text.replace('"', '\\"') + '"'


def _is_read(override: str) -> bool:
    try:
        OverridesParser.create().parse_override(override)
    except HydraException:
        return False
    return True
