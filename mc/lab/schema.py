"""The schema of the configuration, put together from what the stages say of their settings."""

from dataclasses import Field, dataclass, field, fields, make_dataclass
from functools import lru_cache
from typing import Any

from mc.lab import stages  # noqa: F401 (registers them)
from mc.lab.graph import Run
from mc.lab.settings import check_declared, setting, walk
from mc.lab.stages.neb import Neb
from mc.lab.tracking import MODES
from mc.lab.view import View
from mc.lab.words import TASKS

LARGEST_SEED = 2**31 - 1


@dataclass
class Wandb:
    """Weights & Biases."""

    mode: str = setting(
        "${oc.env:WANDB_MODE,offline}", "online, offline (synced later) or disabled", of=MODES
    )
    project: str | None = setting("${oc.env:WANDB_PROJECT,mc}", "the project of the runs")
    entity: str | None = setting(None, "null: WANDB_ENTITY, or your default")
    tags: list[str] = setting([], "tags of the runs")
    group: str | None = setting(
        "${oc.env:WANDB_RUN_GROUP,null}", "the experiment; null: <dataset>-<model>"
    )


@dataclass
class Lora:
    """Adapters of low rank: W + (alpha/r) A B, in Dense, EinsumDense and Embedding layers."""

    rank: int | None = setting(
        None, "train adapters of this rank, and nothing else; null: none", low=1, added=True
    )
    alpha: float | None = setting(None, "of the factor alpha/rank; null: rank", above=0, added=True)
    paths: str = setting(
        "factors",
        "paths between networks with adapters go straight in their factors A and B, so that the "
        "update is quadratic in t, or in the merged weights W",
        of=("factors", "merged"),
        added=True,
    )


@dataclass
class Shared:
    """What belongs to no stage alone. Groups and the loss are open: keys are arguments."""

    stage: str = setting("all", "what is done: see the stages above")
    seed: int = setting(
        1, "of the stage's own randomness; for base: which network", low=0, repeats=True
    )
    endpoints: list[Any] = setting(
        [1, 2],
        "seeds of base networks (1@160: after epoch 160), saved Keras models, or of stage=fge or "
        "swag from 1 a member or the average: fge:1/3, fge:1/swa, swag:1/3",
        repeats=True,
        names="networks",
    )
    num_bends: int = setting(1, "inner control points of the curve", low=0)
    precision: str = setting(
        "float32",
        "Keras' dtype policy; control points are always float32",
        of=("float32", "mixed_bfloat16", "mixed_float16"),
    )
    trainable: str | None = setting(
        None,
        "a regular expression over paths of weights, such as 'logits': w is made of these, and all "
        "else is constant; null: all",
        added=True,
    )
    devices: Any = setting(
        None, "of this machine to train on: a number, all, or null for one", alike=(1,)
    )
    smoke: bool = setting(False, "a few batches of everything: does it run at all?")
    force: bool = setting(False, "set a finished run's folder aside and run again")
    build: bool = setting(False, "make what is missing below a run first")
    plan: bool = setting(False, "say which runs a command stands for, and make nothing")
    output_dir: str = setting("outputs", "where runs lie")
    imports: list[str] = setting(
        [], "modules that register layers, options or stages of yours, such as [my_lab.layers]"
    )
    objective: str | None = setting(
        None, "of the summary, what a sweeper such as Optuna gets: curve/test/error/max"
    )
    dataset: Any = setting({}, "a group: what networks are trained on")
    ood: Any = setting(
        None,
        "other data for ensembles and posteriors to tell from the test data, an option of the "
        "group dataset: +dataset@ood=cifar10 ood.image_size=28 ood.grey=true",
        added=True,
    )
    model: Any = setting({}, "a group: the architecture of base networks")
    curve: Any = setting({}, "a group: the family of curves")
    optimizer: Any = setting({}, "a group: what trains, without its learning rate")
    loss: Any = setting(
        {"_target_": None}, "any Keras loss; null: cross-entropy of logits, or mean squared error"
    )
    loss_weights: Any = setting(
        None, "of the losses of several outputs, a list or a dict by name, as Keras' compile has it"
    )
    task: str = setting(
        "auto",
        "what outputs are evaluated as, where the loss and the shapes do not say it",
        of=("auto", *TASKS),
        added=True,
    )


def make() -> type:
    """The schema of all stages that are registered now."""
    return _made(tuple(Run.stages.values()))


@lru_cache  # one class as long as no stage joins: configurations that are sent away name it
def _made(declared: tuple[type[Run], ...]) -> type:
    sections: dict[str, Any] = {}
    for stage in declared:
        if stage.Settings is not None:
            outer, _, last = stage.section.rpartition(".")
            (sections.setdefault(outer, {}) if outer else sections)[last] = stage.Settings
    kinds = {k: _section(k, v) if isinstance(v, dict) else v for k, v in sections.items()}
    parts = [(key, kind, field(default_factory=kind)) for key, kind in kinds.items()]
    parts.append(("lora", Lora, field(default_factory=Lora)))
    parts.append(("neb", Neb, field(default_factory=Neb)))
    parts.append(("wandb", Wandb, field(default_factory=Wandb)))
    return _found_by_pickle(make_dataclass("Config", parts, bases=(Shared,)))


def _section(name: str, parts: dict[str, type]) -> type:
    """A dataclass whose fields are sections: `train` of `base` and `curve`."""
    inner = [(key, kind, field(default_factory=kind)) for key, kind in parts.items()]
    return _found_by_pickle(make_dataclass(name.title(), inner))


def _found_by_pickle(made: type) -> type:
    made.__module__ = __name__
    globals()[made.__name__] = made
    return made


def known() -> dict[str, Field]:
    """Every setting that is declared, by its full key."""
    return dict(walk(make()))


def stage_names() -> list[str]:
    """The stages, in the order in which they are registered."""
    return [*Run.stages, *View.views]


check_declared(Shared, "Shared")
check_declared(Wandb, "Wandb")
check_declared(Lora, "Lora")
check_declared(Neb, "Neb")
Run.fields |= (
    {f.name: f for f in fields(Shared)} | dict(walk(Lora, "lora.")) | dict(walk(Neb, "neb."))
)
make()
