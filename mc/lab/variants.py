"""A configuration, and the same with some values changed: read in plain values, made once each."""

from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from mc.lab.fingerprints import NULL

GROUPS = ("dataset", "model", "curve", "optimizer")
CALLABLES = (*GROUPS, "loss")
OOD = "ood"  # a second data set, if there is one: other data beside those of networks
CALLED = (*CALLABLES, OOD)


class Variants:
    """A composed configuration; what follows from a changed value by interpolation changes too.

    Args:
        cfg: composed by Hydra, or plain values, as `config.yaml` of a run has them.
    """

    def __init__(self, cfg: DictConfig | dict):
        self._cfg = cfg
        self._configurations: dict[str, DictConfig] = {}
        self._values: dict[str, dict] = {}

    @property
    def is_composed(self) -> bool:
        """Whether it is of a command, and not of the `config.yaml` of a run."""
        return isinstance(self._cfg, DictConfig)

    def cfg(self, changes: Mapping[str, Any]) -> DictConfig:
        """The configuration with some values changed, by their full keys; not to be written to."""
        key = repr(sorted(changes.items()))
        if key not in self._configurations:
            cfg = self._cfg.copy() if self.is_composed else OmegaConf.create(self._cfg)
            assert isinstance(cfg, DictConfig)
            for name, value in changes.items():
                OmegaConf.update(cfg, name, value)
            self._configurations[key] = cfg
        return self._configurations[key]

    def changed(self, changes: Mapping[str, Any]) -> "Variants":
        """The variants of the configuration with some values changed."""
        return Variants(self.cfg(changes))

    def values(self, changes: Mapping[str, Any]) -> dict:
        """The same, resolved to plain values; typed nulls of callables are `NULL`."""
        key = repr(sorted(changes.items()))
        if key not in self._values:
            self._values[key] = self._resolved(changes)
        return self._values[key]

    def _resolved(self, changes: Mapping[str, Any]) -> dict:
        if isinstance(self._cfg, DictConfig):
            cfg = self.cfg(changes)
            values = plain(cfg)
            for name in CALLED:
                if values[name] is not None:
                    _mark_typed_nulls(values[name], plain(cfg[name], resolve=False))
            return values
        values = self._cfg
        for key, value in changes.items():
            values = _with(values, key.split("."), value)
        return values


def plain(cfg: DictConfig, resolve: bool = True) -> dict:
    """A configuration as plain values."""
    values: Any = OmegaConf.to_container(cfg, resolve=resolve)
    return values


def select(values: Mapping[str, Any], key: str, default: Any = KeyError) -> Any:
    """The value of a full key, such as `train.curve.epochs`.

    Raises:
        KeyError: there is none, and no default.
    """
    for name in key.split("."):
        if not isinstance(values, Mapping) or name not in values:
            if default is KeyError:
                raise KeyError(key)
            return default
        values = values[name]
    return values


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested values by their full keys."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        inner = isinstance(value, Mapping)
        found |= flat(value, f"{prefix}{key}.") if inner else {f"{prefix}{key}": value}
    return found


def _with(values: dict, path: list[str], value: Any) -> dict:
    """A copy of nested values in which one is another."""
    first, *rest = path
    return values | {first: _with(values.get(first) or {}, rest, value) if rest else value}


def _mark_typed_nulls(resolved: Any, unresolved: Any) -> None:
    """Set the nulls that were typed for a callable's argument to `NULL`, in place."""
    items = unresolved.items() if isinstance(unresolved, dict) else enumerate(unresolved)
    for key, value in items:
        if value == NULL:
            resolved[key] = value
        elif isinstance(value, dict | list):
            _mark_typed_nulls(resolved[key], value)
