"""The typed configuration: its schema, and its keys.

Values live in conf/; here is what type they have. Whether they are allowed is for `checks`.
"""

import difflib
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

from omegaconf import MISSING, DictConfig, OmegaConf

STAGES = ("base", "curve", "eval", "plane", "chain", "fge", "ensemble", "figures", "report", "all")


@dataclass
class Base:
    """How a base network is trained."""

    epochs: int = MISSING
    steps_per_epoch: int | None = MISSING
    batch_size: int = MISSING
    learning_rate: float = MISSING
    schedule: str = MISSING
    weight_decay: float = MISSING
    save_every: int | None = MISSING


@dataclass
class Curve(Base):
    """How a curve is trained."""

    init: str = MISSING
    fix_start: bool = MISSING
    fix_end: bool = MISSING


@dataclass
class Train:
    """A section for each stage that trains."""

    base: Base = field(default_factory=Base)
    curve: Curve = field(default_factory=Curve)


@dataclass
class Eval:
    """Where along the curve to evaluate, and on what."""

    num_points: int = MISSING
    t: list[float] | None = MISSING
    splits: list[str] | None = MISSING
    batch_size: int = MISSING
    bn_batch_size: int = MISSING
    bn_batches: int | None = MISSING
    initial: bool = MISSING
    predictions: list[float] | None = MISSING


@dataclass
class Chain:
    """Which networks the straight segments join."""

    networks: list[Any] | None = MISSING
    num_points: int = MISSING
    min_points: int = MISSING


@dataclass
class Plane:
    """Which plane, and how fine a grid."""

    points: list[int] | None = MISSING
    networks: list[Any] | None = MISSING
    grid_points: int = MISSING
    margins: list[float] = MISSING


@dataclass
class Fge:
    """Fast geometric ensembling: where it starts, and its cyclical learning rate."""

    start: Any = MISSING
    epochs: int = MISSING
    steps_per_epoch: int | None = MISSING
    cycle: int = MISSING
    lr_1: float = MISSING
    lr_2: float = MISSING
    batch_size: int = MISSING
    weight_decay: float = MISSING


@dataclass
class Ensemble:
    """Which networks predict together."""

    networks: list[Any] | None = MISSING
    num_points: int = MISSING
    spacing: str = MISSING
    predictions: bool = MISSING


@dataclass
class Wandb:
    """Weights & Biases."""

    mode: str = MISSING
    project: str | None = MISSING
    entity: str | None = MISSING
    tags: list[str] = MISSING
    group: str | None = MISSING


@dataclass
class Config:
    """All of it. The groups and the loss are open: their keys are arguments of a callable."""

    stage: str = MISSING
    seed: int = MISSING
    endpoints: list[Any] = MISSING
    num_bends: int = MISSING
    precision: str = MISSING
    devices: Any = MISSING
    smoke: bool = MISSING
    force: bool = MISSING
    output_dir: str = MISSING
    objective: str | None = MISSING
    dataset: Any = MISSING
    model: Any = MISSING
    curve: Any = MISSING
    optimizer: Any = MISSING
    loss: Any = MISSING
    train: Train = field(default_factory=Train)
    eval: Eval = field(default_factory=Eval)
    chain: Chain = field(default_factory=Chain)
    plane: Plane = field(default_factory=Plane)
    fge: Fge = field(default_factory=Fge)
    ensemble: Ensemble = field(default_factory=Ensemble)
    wandb: Wandb = field(default_factory=Wandb)


GROUPS = ("dataset", "model", "curve", "optimizer")
CALLABLES = (*GROUPS, "loss")


def check_keys(cfg, schema=Config, prefix: str = "") -> None:
    """Nothing, if a configuration has all keys of the schema and no other.

    Raises:
        ValueError: names the key, and those that it may be meant for.
    """
    known = {f.name: f.type for f in fields(schema)}
    for key in known:
        section = is_dataclass(known[key]) or key in CALLABLES
        if key not in cfg or (section and not OmegaConf.is_dict(cfg[key])):
            raise ValueError(
                f"{prefix}{key} must be {'a section' if section else 'there'}; received "
                f"{prefix}{key}={cfg.get(key)}. Leave it out of the command."
            )
    for key in cfg:
        if key not in known:
            raise ValueError(unknown_key(f"{prefix}{key}"))
        if is_dataclass(known[key]):
            check_keys(cfg[key], known[key], f"{prefix}{key}.")


def typed_groups(cfg: DictConfig, overrides) -> DictConfig:
    """The configuration without the settings of callables that were replaced.

    Where `model._target_=my.net` is typed, the other keys of the option of that group belong to the
    option's own callable: of the group remain the keys that were typed (and `dataset.valid_size`,
    which is no argument).
    """
    typed = [o.lstrip("+~").partition("=")[0] for o in overrides]
    cfg = cfg.copy()
    OmegaConf.set_struct(cfg, False)
    for group in CALLABLES:
        if f"{group}._target_" in typed:
            kept = {k for k in cfg[group] if f"{group}.{k}" in typed} | {"valid_size"}
            cfg[group] = {k: cfg[group][k] for k in cfg[group] if k in kept}
    OmegaConf.set_struct(cfg, True)
    return cfg


def known_keys(schema=Config, prefix: str = "") -> list[str]:
    """Every key of the schema, sections spelt out: `train.base.epochs`."""
    keys = []
    for f in fields(schema):
        inner = known_keys(f.type, f"{prefix}{f.name}.") if is_dataclass(f.type) else []
        keys += inner or [prefix + f.name]
    return keys


def unknown_key(key: str) -> str:
    """What to say of a key that is none: the known ones that look like it, or those beside it."""
    if key.startswith("hydra."):
        section = key.rpartition(".")[0]
        return (
            f"Unknown key {key}. The known ones are shown by the same command, without -m, with "
            f"--cfg hydra --package {section}."
        )
    if near := _nearest_keys(key):
        return f"Unknown key {key}. Did you mean {' or '.join(near)}?"
    first, dot, rest = key.partition(".")
    sections = [f.name for f in fields(Config)]
    if first not in sections and (meant := difflib.get_close_matches(first, sections, n=1)):
        return f"Unknown key {key}. Did you mean {meant[0]}{dot}{rest}?"
    beside = [k for k in known_keys() if k.rpartition(".")[0] == key.rpartition(".")[0]]
    names = ", ".join(k.rpartition(".")[2] for k in beside)
    return f"Unknown key {key}. " + (
        f"Known: {names}." if names else "--help shows the known keys."
    )


def _nearest_keys(key: str) -> list[str]:
    """Known keys that look like this one: by the whole of it, or else by its last part."""
    known = [k for k in known_keys() if "." not in key or "." in k]
    last = key.rpartition(".")[2]
    ends = difflib.get_close_matches(last, {k.rpartition(".")[2] for k in known}, n=1, cutoff=0.75)
    by_end = [k for k in known if ends and k.rpartition(".")[2] == ends[0]]
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.8)
    return near or by_end
