"""Figures of networks that predict together: as they join, how sure they are, and of which t."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mc import plots
from mc.evaluation import metrics, uncertainty
from mc.lab import labels
from mc.lab.graph import Run
from mc.lab.work.drawings import titles

log = logging.getLogger(__name__)


def as_they_join(run: Run, path: Path) -> dict[str, Any]:
    """The main metrics of the test data, of single members and of the first so many together."""
    table, panels = pd.read_csv(path), {}
    for metric in table.columns:
        split, _, name = metric.partition("/")
        found = metrics.found(name) if split == "test" else None
        if found and found.name in titles.JOINING:
            lines = {"single members": table[metric], "ensemble": table[f"ensemble/{metric}"]}
            if f"swa/{metric}" in table:
                lines["average of weights"] = table[f"swa/{metric}"]
            if f"start/{metric}" in table:
                lines["network at the start"] = table[f"start/{metric}"]
            panels[metrics.label(metric)] = {
                name: values.to_numpy() for name, values in lines.items()
            }
    made = plots.as_members_join(table["members"].to_numpy(), panels) if panels else None
    return {"as_members_join": made} if made else {}


def reliability(run: Run, path: Path) -> dict[str, Any]:
    """How confidence is earned, and how unsure networks are of the test data, and of others."""
    with np.load(path) as file:
        arrays = dict(file)
    if not all(np.isfinite(array).all() for array in arrays.values()):
        log.warning("not drawn: uncertainty, since some predictions are not finite")
        return {}
    bins = uncertainty.reliability(*(arrays[k] for k in ("confidence", "right", "weight")))
    entropies = {"test data": arrays["entropy"]}
    if "ood_entropy" in arrays:
        entropies[f"other data ({labels.name_of_data(run['ood'])})"] = arrays["ood_entropy"]
    return {"reliability": plots.reliability(*bins), "entropy": plots.entropies(entropies)}


def posterior(run: Run, path: Path) -> dict[str, Any]:
    """The samples, and the density where quadrature has taken it."""
    with np.load(path) as file:
        arrays = dict(file)
    samples = arrays["samples"].reshape(-1, arrays["samples"].shape[-1])
    log_density = arrays.get("log_density")
    axes = [arrays[f"axis_{k}"] for k in range(2) if f"axis_{k}" in arrays]
    line = run["posterior.subspace"] == "line"
    names = ("t, position on the curve",) if line else ("$z_1$", "$z_2$")
    return {"posterior": plots.posterior(samples, log_density, axes, names)}


def predictive_band(run: Run, path: Path) -> dict[str, Any]:
    """Mean and central 95 % of a regression of one input, with the data."""
    with np.load(path) as f:
        train, test = ((f[f"{split}_x"], f[f"{split}_y"]) for split in ("train", "test"))
        x, mean, low, high = (f[name] for name in ("x", "mean", "low", "high"))
        return {"predictive_band": plots.predictive_band(x, mean, low, high, train, test)}
