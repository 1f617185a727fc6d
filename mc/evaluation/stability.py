"""When in training two runs part for good (Frankle et al. 2020, "Linear Mode Connectivity")."""

import numpy as np
import pandas as pd

from mc.evaluation import metrics, statistics

ENDING = "/barrier_mean"  # the barrier that the onset is of
KINDS = ("error", "mse", "loss")  # of what: the first that there is


def instability(table: pd.DataFrame) -> pd.Series:
    """Of every step the mean over parents and pairs of the worse split's barrier; by step.

        max over train and test of  mean of  max_t E(w(t)) - (E(w(0)) + E(w(1))) / 2

    E is the error, of a regression the mean squared error, or else the loss; see `deciding`.

    Args:
        table: a row a pair of children: `parent, step`, and `<split>/<metric>/barrier_mean`.
    """
    return table.groupby("step")[deciding(table)].mean().max(axis=1)


def deciding(table: pd.DataFrame) -> list[str]:
    """The columns of barriers that decide: of errors, or mse, or losses, of train and test.

    Of several outputs each output's; of validation data where there are no others.

    Raises:
        ValueError: there are no barriers.
    """
    there = [name for name in table if name.endswith(ENDING)]
    split = [name for name in there if name.startswith(("train/", "test/"))] or there
    for kind in KINDS:
        own = [name for name in split if _kind(name) == kind]
        if own:
            return own
    raise ValueError(f"Instability is of barriers; received columns {', '.join(table)}.")


def _kind(column: str) -> str:
    metric = metrics.found(column.removesuffix(ENDING).partition("/")[2])
    return metric.name if metric else ""


def onset(table: pd.DataFrame, threshold: float) -> float:
    """The first step from which on `instability` stays below a threshold; nan if it never does."""
    values = instability(table)
    stays = (values < threshold)[::-1].cummin()[::-1]
    return float(stays.idxmax()) if stays.any() else float("nan")


def summary(table: pd.DataFrame, threshold: float) -> dict[str, float]:
    """The onset; and means and extremes over all steps, parents and pairs of each barrier."""
    found = {"instability/onset": onset(table, threshold)}
    for name in (c for c in table if "/barrier_" in c):
        found |= statistics.spread(f"instability/{name}", table[name])
    return found


def by_step(table: pd.DataFrame, column: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Steps `[k]`, the mean of a column at each, and all of its values, `[k, pairs]`."""
    groups = table.groupby("step")[column]
    values = np.stack([group.to_numpy() for _, group in groups])
    return np.array(list(groups.groups)), values.mean(1), values
