"""Figures of stage=landscape, from its file."""

from pathlib import Path
from typing import Any

import numpy as np

from mc import plots
from mc.evaluation import metrics
from mc.lab.graph import Run

KINDS = {
    "random": "random direction",
    "hessian": "eigenvector",
    "principal": "principal component",
    "networks": "towards network",
}


def figures(run: Run, path: Path) -> dict[str, Any]:
    """A map of each of the main metrics, or a profile of them in one direction."""
    with np.load(path) as file:
        arrays = dict(file)
    columns = metrics.shown([name for name in arrays if "/" in name])
    labels = [_label(run, arrays, k) for k in range(run["landscape.dims"])]
    told = _told(run, arrays)
    if len(labels) == 1:
        panels = {metrics.label(name): arrays[name] for name in columns}
        return {"profile": plots.profile(arrays["x"], panels, labels[0], told)}
    points = dict(zip(arrays["names"].tolist(), arrays["points"].tolist(), strict=True))
    made = {}
    for name in columns:
        several = len(arrays[name]) > 1
        for k, values in enumerate(arrays[name], 1):
            figure = plots.landscape(
                *(arrays["x"], arrays["y"], values, metrics.label(name), labels, points),
                path=arrays.get("path"),
                told=told,
            )
            made[f"landscape_{name.replace('/', '_')}{f'_{k}' * several}"] = figure
    return made


def _label(run: Run, arrays: dict, k: int) -> str:
    directions = run["landscape.directions"]
    what = KINDS[directions]
    if directions == "networks":
        return f"{what} {arrays['names'][k + 1]}"
    what = f"{what} {k + 1}" if run["landscape.dims"] > 1 else what
    if directions == "principal":
        return f"{what} ({100 * arrays['shares'][k]:.0f} %)"
    lengths = arrays["lengths"][:, k]
    return what if directions == "hessian" else f"{what}\n(1 is {lengths.mean():.3g} in weights)"


def _told(run: Run, arrays: dict) -> str | None:
    """What of the view a reader must know: BatchNorm statistics, and how far off a training is."""
    told = []
    if run["landscape.batchnorm"] == "fixed":
        told.append("BatchNorm statistics of the middle")
    if "off" in arrays:
        told.append(f"training up to {arrays['off'].max():.2g} off the plane")
    return ", ".join(told) or None
