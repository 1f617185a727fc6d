"""Figures of stages that look along a path: its points, its layers, what is predicted there."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix

from mc import plots
from mc.evaluation import metrics
from mc.lab.graph import Run
from mc.lab.work.drawings import titles
from mc.network.predictions import labels_of, log_probabilities

log = logging.getLogger(__name__)

# Of classifiers, what the first figure leaves out.
ALIKE = tuple(f"{how}_{end}" for how in ("disagreement", "js_distance") for end in ("start", "end"))
SCORES = ("test/loss", "train/accuracy", "test/accuracy", "test/f1")


def points(run: Run, path: Path) -> dict[str, Any]:
    """The main metrics along paths; beside them further scores, and how alike predictions are."""
    points = pd.read_csv(path)
    figures: dict[str, tuple[str, ...] | None] = {"along_t": None}
    if "test/f1" in points:
        figures["scores_along_t"] = SCORES
    if alike := tuple(name for name in points if name.endswith(ALIKE)):
        of_test = tuple(name for name in alike if name.startswith("test/"))
        figures["likeness_along_t"] = of_test or alike
    networks: Any = (0, 1)
    if "chain" in set(points["path"]):
        names = [network.title for network in run.networks]
        networks = dict(zip(np.linspace(0, 1, len(names)).tolist(), names, strict=True))
    panels = {name: plots.panels_of(points, columns) for name, columns in figures.items()}
    given = {"networks": networks, "x_label": f"t, position on the path {titles.way(run)}".strip()}
    return {n: plots.along_t(found, **given) for n, found in panels.items() if found}


def layers(run: Run, path: Path) -> dict[str, Any]:
    """The barrier of each layer alone, of each of the main metrics."""
    table = pd.read_csv(path)
    panels = {
        f"barrier of {metrics.label(name)}": table[f"{name}{titles.BARRIER}"].to_numpy()
        for name in metrics.shown(titles.with_barriers(table))
    }
    return {"layers": plots.layers(table["layer"].tolist(), panels)} if panels else {}


def predictions(run: Run, path: Path) -> dict[str, Any]:
    """Confusion matrices at each t, and densities of the probability of the true class.

    Nothing of a regression, of an ensemble, or of tokens and pixels, which have too many of each.
    """
    with np.load(path) as file:
        if not file["num_classes"] or not {"t", "curve"} <= set(file):
            return {}
        targets = file["targets"]
        if targets.ndim > 2 or (targets.ndim == 2 and targets.dtype.kind in "iu"):
            return {}
        arrays = dict(file)
    if not all(np.isfinite(arrays[name]).all() for name in ("linear", "curve")):
        log.warning("not drawn: predictions, of which some are not finite")
        return {}
    labels = labels_of(arrays["targets"]).numpy()
    made: dict[str, Any] = {}
    densities: dict[str, Any] = {}
    for i, t in enumerate(arrays["t"]):
        matrices, given = {}, {}
        for of_path in ("linear", "curve"):
            log_p = log_probabilities(arrays[of_path][i])
            there = (labels >= 0) & (labels < log_p.shape[1])  # others are ignored
            log_p, true = log_p[there], labels[there]
            classes = range(log_p.shape[1])
            name = plots.PATHS[of_path]
            matrices[f"{name}, t = {t:g}"] = confusion_matrix(
                true, log_p.argmax(axis=1), labels=classes
            )
            given[name] = np.exp(log_p[np.arange(len(true)), true])
        made[f"confusion_t{t:g}"] = plots.confusion(matrices)
        densities[f"t = {t:g}"] = given
    return made | {"true_class_density": plots.true_class_density(densities)}


def functions(run: Run, path: Path) -> dict[str, Any]:
    """The functions of one input that networks along a path are, with the data."""
    with np.load(path) as f:
        train, test = ((f[f"{split}_x"], f[f"{split}_y"]) for split in ("train", "test"))
        return {"functions": plots.function_fan(train, test, f["x"], f["t"], f["y"])}
