"""A setting in one line: its default, what it means, what it may be, and whether it counts."""

from collections.abc import Iterator
from copy import copy
from dataclasses import MISSING, Field, field, fields, is_dataclass
from typing import Any, cast


def setting(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    above: float | None = None,
    of: tuple[str, ...] | None = None,
    smoke: float | None = None,
    counts: bool = True,
    added: bool = False,
    repeats: bool = False,
    names: str | None = None,
    alike: tuple = (),
) -> Any:
    """A field of a section of the configuration.

    Args:
        default: its value where nothing is said.
        help: what it means, for `--help`.
        low, above: it is a number at least, or greater than this.
        of: it is one of these words.
        smoke: the most that `smoke=true` leaves of it.
        counts: whether results depend on it; of one that does not, folders do not either.
        added: whether it came after the first results: it counts where it is not its default, so
            that no folder made before is renamed.
        repeats: whether runs that differ in it alone repeat one another: tables take means of them.
        names: that it names networks: `network`, one; `networks`, some; `lists`, some of which may
            be lists, such as `fge:1`.
        alike: other values that mean the same as the default.
    """
    told = {"help": help, "low": low, "above": above, "of": of, "smoke": smoke, "counts": counts}
    told |= {"added": added, "repeats": repeats, "names": names, "alike": alike}
    if isinstance(default, list | dict):
        return field(default_factory=lambda: copy(default), metadata=told)
    return field(default=default, metadata=told)


def default_of(f: Field) -> Any:
    """The default of a setting."""
    return f.default if f.default_factory is MISSING else f.default_factory()


def is_silent(f: Field, value: Any) -> bool:
    """Whether a value leaves folders named as they were before there was the setting."""
    told = f.metadata
    return value in told["alike"] or (told["added"] and value == default_of(f))


def walk(schema: type, prefix: str = "") -> Iterator[tuple[str, Field]]:
    """The full key and the field of every setting of a schema, sections spelt out."""
    for f in fields(schema):
        if is_dataclass(f.type):
            yield from walk(cast(type, f.type), f"{prefix}{f.name}.")
        else:
            yield prefix + f.name, f


def refusal(f: Field, value: Any) -> str | None:
    """The rule that a value of a setting breaks, as "must be ..."; None if it breaks none."""
    told = f.metadata
    if (words := told.get("of")) and value not in words:
        return f"must be one of {', '.join(words)}"
    low, above = told.get("low"), told.get("above")
    if (low is None and above is None) or value is None:
        return None
    rule = f"at least {low}" if above is None else f"greater than {above}"
    number = isinstance(value, int | float) and not isinstance(value, bool)
    fits = number and value < float("inf") and (value >= low if above is None else value > above)
    return None if fits else f"must be a number {rule}"


def as_typed(value: Any) -> str:
    """A value as the command line takes it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list):
        return f"[{','.join(map(as_typed, value))}]"
    return str(value)


def check_declared(schema: type, whose: str) -> None:
    """Raise unless every setting of a section says what it means, and allows its own default.

    Raises:
        TypeError: names the class `whose` section it is, and the setting.
    """
    for key, f in walk(schema):
        if not f.metadata.get("help"):
            raise TypeError(
                f"{whose}: the setting {key} has no help. Write setting(default, help)."
            )
        default = default_of(f)
        if isinstance(default, str) and default.startswith("${"):  # another setting's
            continue
        if told := refusal(f, default):
            raise TypeError(f"{whose}: the setting {key} {told}, but its default is {default!r}.")
