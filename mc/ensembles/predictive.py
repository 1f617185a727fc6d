"""Predictive means: what an ensemble predicts, as its members join one by one."""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mc import curve_file
from mc.evaluation import scores, tasks
from mc.network import losses
from mc.network.predictions import labels_of, predictor, targets_of
from mc.network.weights import FlatNetwork

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Member:
    """A network of an ensemble: its name, weights `w: [P]`, and state, an array a variable."""

    name: str
    w: np.ndarray
    state: list


def saved(files: Iterable[Path], run: str) -> Iterator[Member]:
    """The networks that saved epochs hold, named as settings name them: `fge:1/1`, `fge:1/2`, ...

    `run`: the name of them all, `fge:1`.
    """
    for number, path in enumerate(files, 1):
        file = curve_file.read(path)
        yield Member(f"{run}/{number}", file["control_points"][0], file["state"])


def join(
    network: FlatNetwork,
    members: Iterable[Member],
    splits: dict,
    num_classes: int | None,
    loss: Any = None,
    at_end: Callable[[Callable], None] | None = None,
) -> pd.DataFrame:
    """Metrics of every member, and of the predictive mean of it and all before it.

    The predictive mean of k classifiers is the mean of their probabilities,

        p(c | x) = 1/k sum_j softmax(f_j(x))_c;

    that of regressions the mean of their outputs. Other tasks have no metrics of an ensemble yet,
    which is said. Of the members, one weight vector and one split's outputs are in memory at a
    time.

    Args:
        network: the plain network of all members.
        members: an iterable, at least one, read once.
        splits: name -> batches (x, y), read once a member.
        num_classes: None for a regression, or where the loss says more.
        loss: what the networks were trained with; None: as `num_classes` says.
        at_end: called once, with a function from the name of a split to what all of them predict
            together: `[n, C]` log-probabilities of classes, or `[n, d]` outputs of a regression;
            not for a task that has no metrics of ensembles.

    Returns:
        A row a member: `members` (1, 2, ...), `name`, and for every split `<split>/<metric>` of the
        member itself and `ensemble/<split>/<metric>` of the first so many together: nll, error,
        accuracy, f1, ece, brier of classes, or mse of a regression; nan of outputs that are not
        finite.

    Raises:
        ValueError: there is no member.
    """
    outputs, rows = predictor(network), []
    targets = {name: targets_of(batches) for name, batches in splits.items()}
    ignored = losses.argument(loss, "ignore_class")
    if num_classes is not None:
        targets = {name: labels_of(y).numpy() for name, y in targets.items()}
    measure = scores.of_logits if num_classes is not None else _mse
    together: dict[str, np.ndarray] = {}
    unknown = False
    for count, member in enumerate(members, 1):
        row = {"members": count, "name": member.name}
        for name, batches in {} if unknown else splits.items():
            own = outputs(member.w, member.state, batches)
            if unknown := _is_unknown(loss, targets[name], own, num_classes):
                break
            if num_classes is None:
                total = together.get(name, 0.0) + own.astype(np.float64)
            else:
                own = log_probabilities(own)
                with np.errstate(invalid="ignore"):  # of outputs that are not finite
                    total = np.logaddexp(together.get(name, -np.inf), own)
            together[name] = total
            mean = _mean(total, count, num_classes)
            for prefix, values in (("", own), ("ensemble/", mean)):
                found = measure(*_counting(values, targets[name], ignored))
                row |= {f"{prefix}{name}/{metric}": value for metric, value in found.items()}
        rows.append(row)
    if not rows:
        raise ValueError("An ensemble needs at least one member; received none.")
    if at_end and not unknown:
        at_end(lambda name: _mean(together[name], count, num_classes))
    return pd.DataFrame(rows)


def _is_unknown(
    loss: Any, targets: np.ndarray, outputs: np.ndarray, num_classes: int | None
) -> bool:
    """Whether a task has no metrics of ensembles; says so."""
    task = tasks.of("mse" if loss is None else loss, targets, outputs, num_classes)
    if task.left_out:
        log.warning("This is a task of kind %r: ensembles have no metrics of it.", task.name)
    return bool(task.left_out)


def _counting(values: np.ndarray, targets: np.ndarray, ignored: int | None) -> tuple:
    """The examples that count, without those of an ignored class."""
    counts = slice(None) if ignored is None else targets != ignored
    return values[counts], targets[counts]


def _mean(total: np.ndarray, count: int, num_classes: int | None) -> np.ndarray:
    """The predictive mean of so many members, of the sum of their outputs or log-probabilities."""
    return total / count if num_classes is None else total - np.log(count)


def summary(table: pd.DataFrame) -> dict:
    """Of each metric: of the whole ensemble, of its members (mean, min, max), and of the average.

    Names: `ensemble/<split>/<metric>`, `member/<split>/<metric>/mean`, `swa/<split>/<metric>`, and
    of members as their training left them `moving/<split>/<metric>/mean`.
    """
    result: dict[str, float] = {"num_members": len(table)}
    for column in (name for name in table.columns if "/" in name):
        values = table[column]
        if column.startswith(("ensemble/", "swa/")):
            result[column] = float(values.iloc[-1])
        else:
            name = column if column.startswith("moving/") else f"member/{column}"
            for statistic in ("mean", "min", "max"):
                value = getattr(values, statistic)(skipna=False)  # of nan there is no mean
                result[f"{name}/{statistic}"] = float(value)
    return result


def log_probabilities(outputs: np.ndarray) -> np.ndarray:
    """log p of outputs `[n, C]`, which are logits, or probabilities where rows are; float64."""
    if losses.are_probabilities(outputs[:500]):
        return np.log(np.maximum(outputs.astype(np.float64), 1e-7))
    with np.errstate(invalid="ignore"):  # of outputs that are not finite
        shifted = outputs.astype(np.float64) - outputs.max(axis=1, keepdims=True)
        return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def _mse(outputs: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    with np.errstate(over="ignore", invalid="ignore"):
        mse = np.mean((outputs - np.reshape(targets, outputs.shape)) ** 2)
    return {"mse": float(mse) if np.isfinite(outputs).all() else float("nan")}
