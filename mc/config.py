"""The typed configuration: its schema and its checks.

Values live in conf/; here is what type they have and what is allowed. Nothing here imports
TensorFlow, so a mistake on the command line is answered at once.
"""

import difflib
from dataclasses import dataclass, field, fields, is_dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from omegaconf import MISSING, DictConfig, OmegaConf

from mc.schedules import SCHEDULES
from mc.tracking import MODES

STAGES = ("base", "curve", "eval", "figures", "all")


@dataclass
class Base:
    """How a base network is trained."""

    epochs: int = MISSING
    batch_size: int = MISSING
    learning_rate: float = MISSING
    schedule: str = MISSING
    weight_decay: float = MISSING


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
    smoke: bool = MISSING
    force: bool = MISSING
    output_dir: str = MISSING
    dataset: Any = MISSING
    model: Any = MISSING
    curve: Any = MISSING
    optimizer: Any = MISSING
    loss: Any = MISSING
    train: Train = field(default_factory=Train)
    eval: Eval = field(default_factory=Eval)
    wandb: Wandb = field(default_factory=Wandb)


# Smallest value allowed, and whether it may itself be taken.
LIMITS = {
    "seed": (0, True),
    "num_bends": (0, True),
    "dataset.valid_size": (0, True),
    "train.base.epochs": (1, True),
    "train.base.batch_size": (1, True),
    "train.base.learning_rate": (0, False),
    "train.base.weight_decay": (0, True),
    "train.curve.epochs": (1, True),
    "train.curve.batch_size": (1, True),
    "train.curve.learning_rate": (0, False),
    "train.curve.weight_decay": (0, True),
    "eval.num_points": (2, True),
    "eval.batch_size": (1, True),
    "eval.bn_batch_size": (1, True),
}

CHOICES = {
    "stage": STAGES,
    "precision": ("float32", "mixed_bfloat16", "mixed_float16"),
    "train.base.schedule": tuple(SCHEDULES),
    "train.curve.schedule": tuple(SCHEDULES),
    "train.curve.init": ("linear", "random"),
    "wandb.mode": MODES,
}


def check(cfg: DictConfig) -> None:
    """Nothing, if every key is known and every value allowed.

    Raises:
        ValueError: names the key, the rule, what was received, and what to type instead.
    """
    _check_keys(cfg, Config, "")
    for key, known in CHOICES.items():
        if (value := OmegaConf.select(cfg, key)) not in known:
            near = difflib.get_close_matches(str(value), known, n=1) or known[:1]
            raise ValueError(
                f"{key} must be one of {', '.join(known)}; received {key}={value}. "
                f"Type for example {key}={near[0]}."
            )
    for key, (low, included) in LIMITS.items():
        value = OmegaConf.select(cfg, key)
        if value is None or (
            isinstance(value, int | float) and (value > low or (included and value == low))
        ):
            continue
        rule = f"at least {low}" if included else f"greater than {low}"
        raise ValueError(f"{key} must be a number {rule}; received {key}={value}.")
    t = cfg.eval.t
    if t is not None and (
        not t or any(not 0 <= v <= 1 for v in t) or any(a >= b for a, b in pairwise(t))
    ):
        raise ValueError(
            f"eval.t must be increasing positions in [0, 1]; received eval.t={list(t)}. "
            "Type for example 'eval.t=[0,0.5,1]'."
        )
    unknown = set(cfg.eval.splits or ()) - {"train", "valid", "test"}
    if unknown or cfg.eval.splits == []:
        raise ValueError(
            "eval.splits must be some of train, valid, test; "
            f"received eval.splits={list(cfg.eval.splits)}."
        )
    _check_endpoints(cfg.endpoints)
    for group in ("dataset", "model", "curve", "optimizer"):
        target = OmegaConf.select(cfg, f"{group}._target_")
        if not isinstance(target, str) or "." not in target:
            raise ValueError(
                f"{group}._target_ must be the import path of a callable, such as "
                f"package.module.name; received {target!r}."
            )


def _check_keys(cfg, schema, prefix: str) -> None:
    known = {f.name: f.type for f in fields(schema)}
    for key in cfg:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"Did you mean {prefix}{near[0]}?" if near else f"Known: {', '.join(known)}."
            raise ValueError(f"Unknown key {prefix}{key}. {hint}")
        if is_dataclass(known[key]):
            _check_keys(cfg[key], known[key], f"{prefix}{key}.")


def _check_endpoints(endpoints) -> None:
    if len(endpoints) != 2:
        raise ValueError(
            "endpoints must be two networks, the start and the end of the curve; received "
            f"endpoints={list(endpoints)}. Type for example 'endpoints=[1,2]'."
        )
    for endpoint in endpoints:
        if isinstance(endpoint, bool) or not isinstance(endpoint, int | str):
            raise ValueError(
                "endpoints must be seeds of base networks or paths of saved Keras models; "
                f"received {endpoint!r} in endpoints={list(endpoints)}."
            )
        if isinstance(endpoint, str) and not Path(endpoint).is_file():
            raise FileNotFoundError(f"endpoints: there is no saved Keras model at {endpoint!r}.")
