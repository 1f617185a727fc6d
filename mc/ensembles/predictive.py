"""Predictive means: what an ensemble predicts, as its members join one by one."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mc import curve_file, losses, metrics
from mc.predictions import labels_of, predictor, targets_of
from mc.weights import FlatNetwork


@dataclass(frozen=True, eq=False)
class Member:
    """A network of an ensemble: its name, weights `w: [P]`, and state, an array a variable."""

    name: str
    w: np.ndarray
    state: list


def saved(path: Path) -> Member:
    """The network that a saved epoch holds; named by its run and epoch."""
    file = curve_file.read(path)
    name = f"{path.parent.parent.name}@{path.stem}"
    return Member(name, file["control_points"][0], file["state"])


def join(
    network: FlatNetwork, members: Iterable[Member], splits: dict, num_classes: int | None
) -> pd.DataFrame:
    """Metrics of every member, and of the predictive mean of it and all before it.

    The predictive mean of k classifiers is the mean of their probabilities,

        p(c | x) = 1/k sum_j softmax(f_j(x))_c;

    that of regressions the mean of their outputs. Of the members, one weight vector and one
    split's outputs are in memory at a time.

    Args:
        network: the plain network of all members.
        members: an iterable, at least one, read once.
        splits: name -> batches (x, y), read once a member.
        num_classes: None for regression.

    Returns:
        A row a member: `members` (1, 2, ...), `name`, and for every split `<split>/<metric>` of the
        member itself and `ensemble/<split>/<metric>` of the first so many together: nll, error,
        accuracy, f1, ece, brier, or mse for regression.

    Raises:
        ValueError: there is no member.
    """
    outputs, rows = predictor(network), []
    targets = {name: targets_of(batches) for name, batches in splits.items()}
    if num_classes is not None:
        targets = {name: labels_of(y).numpy() for name, y in targets.items()}
    measure = metrics.of_logits if num_classes is not None else _mse
    together = {}
    for count, member in enumerate(members, 1):
        row = {"members": count, "name": member.name}
        for name, batches in splits.items():
            own = outputs(member.w, member.state, batches)
            if num_classes is None:
                total = together.get(name, 0.0) + own.astype(np.float64)
                mean = total / count
            else:
                own = log_probabilities(own)
                total = np.logaddexp(together.get(name, -np.inf), own)
                mean = total - np.log(count)
            together[name] = total
            for prefix, values in (("", own), ("ensemble/", mean)):
                found = measure(values, targets[name])
                row |= {f"{prefix}{name}/{metric}": value for metric, value in found.items()}
        rows.append(row)
    if not rows:
        raise ValueError("An ensemble needs at least one member; received none.")
    return pd.DataFrame(rows)


def summary(table) -> dict:
    """Of each metric: of the whole ensemble, of its members (mean, min, max), and of the average.

    Names: `ensemble/<split>/<metric>`, `member/<split>/<metric>/mean`, `swa/<split>/<metric>`, and
    of members as their training left them `moving/<split>/<metric>/mean`.
    """
    result = {"num_members": len(table)}
    for column in (name for name in table.columns if "/" in name):
        values = table[column]
        if column.startswith(("ensemble/", "swa/")):
            result[column] = float(values.iloc[-1])
        else:
            name = column if column.startswith("moving/") else f"member/{column}"
            for statistic in ("mean", "min", "max"):
                result[f"{name}/{statistic}"] = float(getattr(values, statistic)())
    return result


def log_probabilities(outputs: np.ndarray) -> np.ndarray:
    """log p of outputs `[n, C]`, which are logits, or probabilities where rows are; float64."""
    if losses.are_probabilities(outputs[:500]):
        return np.log(np.maximum(outputs.astype(np.float64), 1e-7))
    shifted = outputs.astype(np.float64) - outputs.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def _mse(outputs, targets) -> dict[str, float]:
    return {"mse": float(np.mean((outputs - np.reshape(targets, outputs.shape)) ** 2))}
