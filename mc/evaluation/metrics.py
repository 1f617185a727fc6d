"""The metrics that there are: one row each, from which barriers, axes and tables follow.

A new one is its formula, in the tasks that have it (`tasks`), and its row here.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """One number of a network's outputs.

    Attributes:
        name: as in `test/<name>`.
        label: what an axis says of it.
        higher: whether higher is better.
        barrier: whether paths have barriers of it: how much worse they get than their ends.
        along: whether it is taken along paths.
        ensemble: whether it is taken of ensembles and their members.
        training: whether Keras shows it while a curve trains.
        together: whether it is taken only of several networks that predict together.
        apart: whether it says how well other data are told from those of a network.
        compared: whether it compares predictions with those at an end of a path.
    """

    name: str
    label: str
    higher: bool = False
    barrier: bool = False
    along: bool = True
    ensemble: bool = True
    training: bool = False
    together: bool = False
    apart: bool = False
    compared: bool = False


OF_MEMBERS = {"along": False, "ensemble": False, "together": True}
OF_PATHS = {"along": False, "ensemble": False, "compared": True}
OF_OTHERS = {"along": False, "ensemble": False, "apart": True}
METRICS = (
    Metric("loss", "loss", barrier=True, ensemble=False, training=True),
    Metric("nll", "negative log-likelihood", barrier=True),
    Metric("error", "error (fraction)", barrier=True),
    Metric("accuracy", "accuracy (fraction)", higher=True, training=True),
    Metric("f1", "F1 (weighted)", higher=True),
    Metric("perplexity", "perplexity (a token)"),
    Metric("bits_per_character", "bits a character", barrier=True),
    Metric("iou", "mean intersection over union", higher=True),
    Metric("ece", "expected calibration error", along=False),
    Metric("ece_adaptive", "expected calibration error, adaptive bins", along=False),
    Metric("brier", "Brier score", along=False),
    Metric("entropy", "predictive entropy (nats)", along=False, apart=True),
    Metric("mutual_information", "mutual information (nats)", **OF_MEMBERS),
    Metric("disagreement", "disagreement (fraction of pairs)", **OF_MEMBERS),
    Metric("lppd", "log pointwise predictive density", higher=True, **OF_MEMBERS),
    Metric("auroc", "AUROC of other data", higher=True, **OF_OTHERS),
    Metric("aupr", "AUPR of other data", higher=True, **OF_OTHERS),
    Metric("fpr95", "FPR at 95 % of other data", **OF_OTHERS),
    Metric("disagreement_start", "disagreement with start", **OF_PATHS),
    Metric("disagreement_end", "disagreement with end", **OF_PATHS),
    Metric("js_distance_start", "JS distance to start", **OF_PATHS),
    Metric("js_distance_end", "JS distance to end", **OF_PATHS),
    Metric("mse", "MSE", barrier=True, training=True),
    Metric("rmse", "RMSE", along=False),
    Metric("coverage", "coverage of the central 95 % (fraction)", higher=True, along=False),
    Metric("interval_width", "width of the central 95 %", along=False),
)
NAMED = {metric.name: metric for metric in METRICS}
BARRIERS = tuple(metric.name for metric in METRICS if metric.barrier)


def found(name: str) -> Metric | None:
    """The metric of a name, or of `<output>_<name>`; None if it is not known."""
    ends = (own for own in METRICS if name.endswith(f"_{own.name}"))
    return NAMED.get(name) or next(ends, None)


def has_barrier(column: str) -> bool:
    """Whether paths have barriers of `<split>/<metric>`."""
    metric = found(column.rpartition("/")[2])
    return metric is not None and metric.barrier


def shown(columns: Iterable[str]) -> list[str]:
    """Of columns `<split>/<metric>`, what figures and pages show first, in that order.

    The training loss and the test error, as in the paper; of tokens nll in place of the error, of a
    regression mse, and nll where it has a likelihood; of several outputs each output's.
    """
    there = [column for column in without_errors_of_tokens(columns) if may_be_shown(column)]
    order = [name for kind in ("loss", "nll", "error", "mse") for name in there if _is(name, kind)]
    numbers = {name.removesuffix("mse") for name in there if _is(name, "mse")}
    shown_by_nll = _of_tokens(there) | numbers
    return [n for n in order if not _is(n, "nll") or n.removesuffix("nll") in shown_by_nll]


def without_errors_of_tokens(columns: Iterable[str]) -> list[str]:
    """The columns `<split>/<metric>` without the errors beside which there is a perplexity."""
    there = list(columns)
    tokens = _of_tokens(there)
    return [n for n in there if not (_is(n, "error") and n.removesuffix("error") in tokens)]


def _of_tokens(columns: Iterable[str]) -> set[str]:
    """The beginnings of the names of columns that are of tokens, `test/` or `test/<output>_`."""
    return {name.removesuffix("perplexity") for name in columns if _is(name, "perplexity")}


def may_be_shown(column: str) -> bool:
    """Whether `shown` looks at a column, whatever the others are."""
    kinds = ("nll", "error", "mse", "perplexity")
    of_test = column.startswith("test/") and any(_is(column, kind) for kind in kinds)
    return column == "train/loss" or of_test


def _is(column: str, kind: str) -> bool:
    metric = found(column.rpartition("/")[2])
    return metric is not None and metric.name == kind


def label(column: str) -> str:
    """What an axis says of `<split>/<metric>`: `test/error` is "test error (fraction)"."""
    split, name = column.split("/")
    metric = found(name)
    output = name.removesuffix(metric.name).rstrip("_") if metric else ""
    return " ".join(word for word in (split, output, metric.label if metric else name) if word)
