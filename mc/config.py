"""The typed configuration: its schema, its checks, and which settings a result depends on.

Values live in conf/; here is what type they have and what is allowed. Nothing here imports
TensorFlow, so a mistake on the command line is answered at once.
"""

import difflib
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from omegaconf import MISSING, DictConfig, OmegaConf

from mc import store
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


def variant(cfg: DictConfig, **changes) -> DictConfig:
    """The same configuration with some top-level values changed."""
    cfg = cfg.copy()
    for key, value in changes.items():
        OmegaConf.update(cfg, key, value)
    return cfg


def settings(cfg: DictConfig) -> dict:
    """All that the result of `cfg.stage` depends on; what it builds on enters by fingerprint."""
    own = OmegaConf.to_container(cfg, resolve=True)
    common = {key: own[key] for key in ("dataset", "loss", "precision", "smoke")}
    common["dataset"] = _dataset_settings(own["dataset"])
    if cfg.stage == "base":
        parts = {key: own[key] for key in ("model", "optimizer", "seed")}
        return common | parts | {"train": own["train"]["base"]}
    if cfg.stage == "curve":
        parts = {key: own[key] for key in ("curve", "optimizer", "seed")}
        ends = [_endpoint_fingerprint(cfg, e) for e in cfg.endpoints]
        return common | parts | {"train": own["train"]["curve"], "endpoints": ends}
    # Evaluation is deterministic: it depends on its curve and on where and on what it looks.
    return {"curve": store.fingerprint(settings(variant(cfg, stage="curve"))), "eval": own["eval"]}


def _dataset_settings(dataset: Mapping) -> dict:
    kept = {k: v for k, v in dataset.items() if k != "data_dir"}
    path = kept.get("path")
    if path is not None:
        if not Path(path).is_file():
            raise FileNotFoundError(f"dataset.path: there is no file {path!r}.")
        kept["path"] = store.file_fingerprint(path)
    return kept


def _endpoint_fingerprint(cfg: DictConfig, endpoint) -> str:
    if isinstance(endpoint, str):
        return store.file_fingerprint(endpoint)
    return store.fingerprint(settings(variant(cfg, stage="base", seed=endpoint)))


def folder(cfg: DictConfig) -> Path:
    """Where the run of `cfg` keeps its results: `<output_dir>/<stage>/<label>-<hash8>`."""
    if cfg.stage == "figures":  # draws again in the folder of the evaluation
        cfg = variant(cfg, stage="eval")
    name = store.folder_name(label(cfg), settings(cfg))
    return Path(cfg.output_dir) / cfg.stage / name


def base_folder(cfg: DictConfig, seed: int) -> Path:
    """The folder of the base network with that seed, all else as in `cfg`."""
    return folder(variant(cfg, stage="base", seed=seed))


def experiment(cfg: DictConfig) -> str:
    """What runs on the same data with the same model have in common, such as `digits-cnn`."""
    dataset = OmegaConf.select(cfg, "dataset.tfds_name") or _name(cfg.dataset)
    return f"{dataset}-{_name(cfg.model)}"


def label(cfg: DictConfig) -> str:
    """A readable name of the run, such as `digits-cnn-1-2-bezier-bends1-seed1`."""
    if cfg.stage == "base":
        return f"{experiment(cfg)}-seed{cfg.seed}"
    ends = [Path(e).stem if isinstance(e, str) else str(e) for e in cfg.endpoints]
    curve = [_name(cfg.curve), f"bends{cfg.num_bends}", f"seed{cfg.seed}"]
    return "-".join([experiment(cfg), *ends, *curve])


def _name(group) -> str:
    return group["_target_"].rpartition(".")[2].lower()


def check_made(cfg: DictConfig, overrides=()) -> None:
    """Nothing, if everything that the stage of `cfg` builds on is finished.

    Raises:
        ValueError: names what is missing and the commands that make it, in order.
    """
    same = [o for o in overrides if o.partition("=")[0] not in ("stage", "seed", "force")]
    own_seed = [] if cfg.stage == "base" else [o for o in overrides if o.startswith("seed=")]
    missing = []
    if cfg.stage in ("curve", "eval", "figures"):
        for endpoint in dict.fromkeys(cfg.endpoints):
            if isinstance(endpoint, int) and store.summary(base_folder(cfg, endpoint)) is None:
                missing.append(("base", [f"seed={endpoint}"]))
    for stage, needs in (("curve", ("eval", "figures")), ("eval", ("figures",))):
        if cfg.stage in needs and store.summary(folder(variant(cfg, stage=stage))) is None:
            missing.append((stage, own_seed))
    if missing:
        commands = [
            "  " + shlex.join(["python", "-m", "mc.run", f"stage={stage}", *seed, *same])
            for stage, seed in missing
        ]
        raise ValueError(
            f"stage={cfg.stage} builds on runs that are not finished. Make them first:\n"
            + "\n".join(commands)
        )
