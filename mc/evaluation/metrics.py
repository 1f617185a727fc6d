"""The metrics that there are: one row each, from which barriers, axes and tables follow.

A new one is its formula, in `scoring` (along paths) or `scores` (of ensembles), and its row here.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """One number of a network's outputs.

    Attributes:
        name: as in `test/<name>`.
        label: what an axis says of it.
        higher: whether higher is better. Where it is not, paths have barriers of it: how much
            worse they get than their ends.
        along: whether it is taken along paths.
        ensemble: whether it is taken of ensembles and their members.
        training: whether Keras shows it while a curve trains.
    """

    name: str
    label: str
    higher: bool = False
    along: bool = True
    ensemble: bool = True
    training: bool = False


METRICS = (
    Metric("loss", "loss", ensemble=False, training=True),
    Metric("nll", "negative log-likelihood"),
    Metric("error", "error (fraction)"),
    Metric("accuracy", "accuracy (fraction)", higher=True, training=True),
    Metric("f1", "F1 (weighted)", higher=True),
    Metric("ece", "expected calibration error", along=False),
    Metric("brier", "Brier score", along=False),
    Metric("mse", "MSE", training=True),
)
NAMED = {metric.name: metric for metric in METRICS}
BARRIERS = tuple(metric.name for metric in METRICS if metric.along and not metric.higher)
# What figures and pages show first, where it is there: the paper's, or regression's counterpart.
SHOWN = ("train/loss", "test/error", "test/mse")


def label(column: str) -> str:
    """What an axis says of `<split>/<metric>`: `test/error` is "test error (fraction)"."""
    split, name = column.split("/")
    return f"{split} {NAMED[name].label if name in NAMED else name}"
