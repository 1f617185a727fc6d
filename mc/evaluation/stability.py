"""When in training two runs part for good (Frankle et al. 2020, "Linear Mode Connectivity")."""

import numpy as np
import pandas as pd

SPREAD = ("mean", "min", "max")
# Of which barriers the onset is: of errors, or of losses where there are none.
DECIDING = ("error/barrier_mean", "mse/barrier_mean", "loss/barrier_mean")


def instability(table: pd.DataFrame) -> pd.Series:
    """Of every step the mean over parents and pairs of the worst split's barrier; by step.

        max over splits of  mean of  max_t E(w(t)) - (E(w(0)) + E(w(1))) / 2

    Args:
        table: a row a pair of children: `parent, step`, and `<split>/<metric>/barrier_mean`.
    """
    for ending in DECIDING:
        columns = [name for name in table if name.endswith(f"/{ending}")]
        if columns:
            return table.groupby("step")[columns].mean().max(axis=1)
    raise ValueError(f"Instability is of barriers; received columns {', '.join(table)}.")


def onset(table: pd.DataFrame, threshold: float) -> float:
    """The first step from which on `instability` stays below a threshold; nan if it never does."""
    values = instability(table)
    stays = (values < threshold)[::-1].cummin()[::-1]
    return float(stays.idxmax()) if stays.any() else float("nan")


def summary(table: pd.DataFrame, threshold: float) -> dict[str, float]:
    """The onset; and means and extremes over all steps, parents and pairs of each barrier."""
    found = {"instability/onset": onset(table, threshold)}
    for name in (c for c in table if "/barrier_" in c):
        for how in SPREAD:
            found[f"instability/{name}/{how}"] = float(getattr(table[name], how)(skipna=False))
    return found


def shown(table: pd.DataFrame) -> list[str]:
    """The columns that a figure shows: the deciding barriers of train and test."""
    for ending in DECIDING:
        both = [f"{split}/{ending}" for split in ("train", "test")]
        if columns := [name for name in both if name in table]:
            return columns
    return []


def by_step(table: pd.DataFrame, column: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Steps `[k]`, the mean of a column at each, and all of its values, `[k, pairs]`."""
    groups = table.groupby("step")[column]
    values = np.stack([group.to_numpy() for _, group in groups])
    return np.array(list(groups.groups)), values.mean(1), values
