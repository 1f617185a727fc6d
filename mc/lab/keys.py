"""The keys of the configuration: which there are, and which one is meant by one that is none."""

import difflib
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from typing import cast

from omegaconf import DictConfig, OmegaConf

from mc.lab import schema
from mc.lab.variants import CALLABLES, OOD


def check_keys(cfg: DictConfig, kind: type | None = None, prefix: str = "") -> None:
    """Raise unless a configuration has all keys of the schema and no other.

    Raises:
        ValueError: names the key, and those that it may be meant for.
    """
    known = {f.name: f.type for f in fields(kind or schema.make())}
    for key in known:
        section = is_dataclass(known[key]) or key in CALLABLES
        if key not in cfg or (section and not OmegaConf.is_dict(cfg[key])):
            raise ValueError(
                f"{prefix}{key} must be {'a section' if section else 'there'}; received "
                f"{prefix}{key}={cfg.get(key)}. Leave it out of the command."
            )
    for key in map(str, cfg):
        if key not in known:
            raise ValueError(unknown_key(f"{prefix}{key}"))
        if is_dataclass(known[key]):
            check_keys(cfg[key], cast(type, known[key]), f"{prefix}{key}.")


def unknown_key(key: str, value: str = "VALUE", beside: Iterable[str] = ()) -> str:
    """What to say of a key that is none: the known ones that look like it, or those beside it.

    Args:
        key: as typed.
        value: that was typed for it.
        beside: the keys that there are in its section.
    """
    if key.startswith("hydra."):
        section = key.rpartition(".")[0]
        return (
            f"Unknown key {key}. The known ones are shown by the same command, without -m, with "
            f"--cfg hydra --package {section}."
        )
    first, dot, rest = key.partition(".")
    if first == OOD and dot and not beside:
        return f"Unknown key {key}: there are no other data. Type +dataset@ood=cifar10 too."
    if first in (*CALLABLES, OOD) and dot:
        return _unknown_argument(key, value, [name for name in beside if name != "_target_"])
    if near := _nearest_keys(key):
        return f"Unknown key {key}. Did you mean {' or '.join(near)}?"
    sections = [f.name for f in fields(schema.make())]
    if first not in sections and (meant := difflib.get_close_matches(first, sections, n=1)):
        return f"Unknown key {key}. Did you mean {meant[0]}{dot}{rest}?"
    return f"Unknown key {key}. Known: {', '.join(_known_beside(key))}."


def _unknown_argument(key: str, value: str, beside: list[str]) -> str:
    """Of a key below a group, whose keys are arguments of a callable."""
    group, _, name = key.partition(".")
    known = f"{group} has {', '.join(beside)}" if beside else f"{group} has no other settings"
    meant = difflib.get_close_matches(name, beside, n=1, cutoff=0.75)
    near = f" Did you mean {group}.{meant[0]}?" if meant else ""
    return (
        f"Unknown key {key}: {known}.{near} Another argument of its callable is given as "
        f"+{key}={value}."
    )


def _known_beside(key: str) -> list[str]:
    """The keys of the section of a key, or of the nearest one above that there is.

    Sections end in `.*`; the keys of callables are for their options to say.
    """
    kind, prefix = schema.make(), ""
    for name in key.split(".")[:-1]:
        inner = {f.name: f.type for f in fields(kind)}.get(name)
        if not is_dataclass(inner):
            break
        kind, prefix = cast(type, inner), f"{prefix}{name}."
    sections = (is_dataclass(f.type) or f.name in CALLABLES for f in fields(kind))
    names = zip(fields(kind), sections, strict=True)
    return [f"{prefix}{f.name}" + ".*" * section for f, section in names]


def _nearest_keys(key: str) -> list[str]:
    """Known keys that look like this one: by the whole of it, or else by its last part."""
    known = [k for k in schema.known() if "." not in key or "." in k]
    last = key.rpartition(".")[2]
    ends = difflib.get_close_matches(last, {k.rpartition(".")[2] for k in known}, n=1, cutoff=0.75)
    by_end = [k for k in known if ends and k.rpartition(".")[2] == ends[0]]
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.8)
    at_top = [k for k in by_end if "." not in k and "." not in key]
    return near or at_top or by_end
