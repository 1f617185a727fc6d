"""What of the configuration was typed on the command line, where that matters."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from mc.lab.fingerprints import NULL
from mc.lab.variants import CALLED, plain, select

OmegaConf.register_new_resolver("mc.null", lambda: None, replace=True)


def typed_groups(
    cfg: DictConfig, overrides: Sequence[str], options: Callable[[], Mapping] | None = None
) -> DictConfig:
    """The configuration with what was typed of its callables told from what YAML files say.

    Where `model._target_=my.net` is typed, the other keys of the option of that group belong to the
    option's own callable: of the group remain the keys that were typed, nested ones too (and
    `dataset.valid_size`, which is no argument).

    A null that was typed of a callable's argument becomes `NULL`, which is null and counts in
    a fingerprint: `+model.activation=null` is not the function's default. Where the option's own
    YAML says null as well, it does not count.

    Args:
        cfg: the composed configuration.
        overrides: as typed.
        options: the configuration by the YAML of each group's option alone, asked for where a null
            was typed; without it no YAML says null.

    Raises:
        ValueError: `num_bends` was typed for a curve that does not take it.
    """
    values = dict(_typed_values(overrides))
    keys = {leaf for key, value in values.items() for leaf in _leaves(key, value)}
    composed, cfg = cfg, cfg.copy()
    OmegaConf.set_struct(cfg, False)
    replaced = [group for group in CALLED if _replaces(values, group)]
    for group in replaced:
        # Unresolved: ${seed} is another network's own in that network's run.
        section = plain(cfg[group], resolve=False)
        cfg[group] = _only(section, keys | {"dataset.valid_size"}, group)
    nulls = [leaf for key, value in values.items() for leaf in _null_leaves(key, value)]
    said = options() if nulls and options else {}
    for key in nulls:
        if key.partition(".")[0] in replaced or not _says_null(said, key):
            OmegaConf.update(cfg, key, NULL)
    OmegaConf.set_struct(cfg, True)
    if "num_bends" in values and "num_bends" not in cfg.curve:
        plus = "" if "num_bends" in composed.curve else "+"
        raise ValueError(
            f"num_bends={cfg.num_bends} does not reach curve._target_={cfg.curve._target_}. If it "
            f"takes num_bends, type {plus}curve.num_bends={cfg.num_bends}; else leave it out."
        )
    return cfg


def _typed_values(overrides: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """Key and value of what was typed of callables, and of `num_bends`; of choices nothing."""
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        first, dot, _ = override.key_or_group.partition(".")
        whole = first in CALLED and (dot or isinstance(override.value(), dict))
        if (whole or override.key_or_group == "num_bends") and not override.is_delete():
            yield override.key_or_group, override.value()


def _replaces(values: Mapping, group: str) -> bool:
    given = values.get(group)
    inside = given.get("_target_") if isinstance(given, dict) else None
    return (inside or values.get(f"{group}._target_")) is not None


def _leaves(key: str, value: Any) -> Iterator[str]:
    """The keys that a value sets: `model.block.width` of `model.block={width: 3}`."""
    if not isinstance(value, dict) or not value:
        yield key
        return
    for inner, v in value.items():
        yield from _leaves(f"{key}.{inner}", v)


def _null_leaves(key: str, value: Any) -> Iterator[str]:
    """The keys that a value sets to null, those of mappings in lists too."""
    if value is None:
        yield key
    elif isinstance(value, dict):
        for inner, v in value.items():
            yield from _null_leaves(f"{key}.{inner}", v)
    elif isinstance(value, list):
        for n, v in enumerate(value):
            if isinstance(v, dict | list):  # a null in a list counts by itself
                yield from _null_leaves(f"{key}.{n}", v)


def _only(section: dict, keys: set[str], prefix: str) -> dict:
    """The settings of a section that are among the keys, or below one of them."""
    kept = {}
    for name, value in section.items():
        key = f"{prefix}.{name}"
        if key in keys:
            kept[name] = value
        elif any(typed.startswith(f"{key}.") for typed in keys):
            kept[name] = _only(value, keys, key) if isinstance(value, dict) else value
    return kept


def _says_null(said: Mapping, key: str) -> bool:
    """Whether a configuration states null at a key."""
    path, _, last = key.rpartition(".")
    section: Any = select(said, path, None)
    return isinstance(section, Mapping) and last in section and section[last] is None
