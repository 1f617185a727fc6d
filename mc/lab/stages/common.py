"""What several stages declare alike."""

from dataclasses import dataclass

from mc.lab.graph import Run
from mc.lab.settings import setting
from mc.schedules import SCHEDULES

BATCHNORM = ("eval.bn_batch_size", "eval.bn_batches")  # of points of curves, planes and chains
# Of every report of a network, whatever `eval.bn_*` says of points of a curve.
REPORT_BATCH = 500
REPORT_STATISTICS = {"bn_batch_size": REPORT_BATCH, "bn_batches": None}


@dataclass
class Training:
    """How networks are trained."""

    epochs: int = setting(20, "how often the data are passed", low=1, smoke=2)
    steps_per_epoch: int | None = setting(
        None, "steps between two saved states; null: a pass over the data", low=1, smoke=2
    )
    batch_size: int = setting(64, "examples of a step", low=1, smoke=16)
    learning_rate: float = setting(0.05, "the first, and highest", above=0)
    schedule: str = setting("garipov", "how it falls: drbayes to 5 %, not 1 %", of=tuple(SCHEDULES))
    weight_decay: float = setting(5e-4, "of the L2 penalty 0.5 * weight_decay * ||w||^2", low=0)


def statistics(own: dict) -> dict:
    """The settings of BatchNorm statistics, as they lie in fingerprints."""
    return {key.removeprefix("eval."): own[key] for key in BATCHNORM}


def splits(own: dict) -> list[str] | None:
    """The splits that are looked at, in one order."""
    return sorted(set(own["eval.splits"])) if own["eval.splits"] else None


def common(own: dict) -> dict:
    """Of the values that count, those that every stage depends on."""
    return {key: own[key] for key in Run.depends}
