"""Figures of the files of runs; which files a stage draws, it says itself."""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix

from mc import plots
from mc.ensembles import soups
from mc.evaluation import metrics, over, passes, uncertainty
from mc.lab import files, labels
from mc.lab.graph import Run
from mc.lab.job import Job
from mc.lab.stages.curve import SQUARE
from mc.lab.work import bands, curvatures, graphs, instabilities, landscapes
from mc.network.predictions import labels_of, log_probabilities

log = logging.getLogger(__name__)

# Of classifiers, what the first figure leaves out.
ALIKE = tuple(f"{how}_{end}" for how in ("disagreement", "js_distance") for end in ("start", "end"))
SCORES = ("test/loss", "train/accuracy", "test/accuracy", "test/f1")
BARRIER = "/barrier_max"  # that figures show
JOINING = ("error", "nll", "mse")


def draw(job: Job) -> None:
    """Draw the figures of a run at work, and show them the tracker."""
    job.tracker.figures(of_run(job.run))


def of_run(run: Run) -> dict[str, Path]:
    """Draw the figures of a run into its folder; returns the path of each PNG."""
    return files.save_figures(run.folder, run.figures())


def of_files(run: Run) -> dict[str, Any]:
    """The figures of those files that a run draws and that are there."""
    made: dict[str, Any] = {}
    for name in run.drawn_from():
        if name not in DRAWN:
            raise TypeError(
                f"draws: no figure of {name} is known, only of {', '.join(DRAWN)}. A stage that "
                "makes another file has a method figures() -> {name: matplotlib figure} of its own."
            )
        if (run.folder / name).exists():
            made |= DRAWN[name](run, run.folder / name)
    return made


def _functions(run: Run, path: Path) -> dict[str, Any]:
    with np.load(path) as f:
        train, test = ((f[f"{split}_x"], f[f"{split}_y"]) for split in ("train", "test"))
        return {"functions": plots.function_fan(train, test, f["x"], f["t"], f["y"])}


def _surface(run: Run, path: Path) -> dict[str, Any]:
    """A map of each of the main metrics over the surface that the run looks at."""
    table = pd.read_csv(path)
    t, networks = over.positions_of(table), [network.title for network in run.networks]
    made = {}
    for column in metrics.shown(table.columns):
        values, label = table[column].to_numpy(), metrics.label(column)
        if not np.isfinite(values).any():
            log.warning("not drawn: %s over the surface, nowhere finite", column)
            continue
        if run["curve"].get("_target_") in SQUARE:
            figure = plots.square(t, values, networks, label)
        else:
            free = range(len(networks) + 1, t.shape[1] + 1)
            names = [*networks, *(f"vertex {k}" for k in free)]
            figure = plots.simplex(t, values, names, label, len(networks))
        made[f"surface_{column.replace('/', '_')}"] = figure
    return made


def _planes(run: Run, path: Path) -> dict[str, Any]:
    """A plane for each of the main metrics; files of before have no names and distances."""
    with np.load(path) as file:
        arrays = dict(file)
    given = {key: arrays[key] for key in ("names", "bends", "off") if key in arrays}
    given["told"] = _told("a plane", run)
    x, y, corners = (arrays[key] for key in ("x", "y", "corners"))
    return {
        f"plane_{column.replace('/', '_')}": plots.plane(
            x, y, arrays[column], corners, arrays.get("curve"), metrics.label(column), **given
        )
        for column in metrics.shown(arrays)
    }


def _predictions(run: Run, path: Path) -> dict[str, Any]:
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


def _members(run: Run, path: Path) -> dict[str, Any]:
    table, panels = pd.read_csv(path), {}
    for metric in table.columns:
        split, _, name = metric.partition("/")
        found = metrics.found(name) if split == "test" else None
        if found and found.name in JOINING:
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


def _uncertainty(run: Run, path: Path) -> dict[str, Any]:
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


def _along_t(run: Run, path: Path) -> dict[str, Any]:
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
    given = {"networks": networks, "x_label": f"t, position on the path {_way(run)}".strip()}
    return {n: plots.along_t(found, **given) for n, found in panels.items() if found}


def _layers(run: Run, path: Path) -> dict[str, Any]:
    """The barrier of each layer alone, of each of the main metrics."""
    table = pd.read_csv(path)
    panels = {
        f"barrier of {metrics.label(name)}": table[f"{name}{BARRIER}"].to_numpy()
        for name in metrics.shown(_with_barriers(table))
    }
    return {"layers": plots.layers(table["layer"].tolist(), panels)} if panels else {}


def _with_barriers(table: pd.DataFrame) -> list[str]:
    """The `<split>/<metric>` of which a table has barriers."""
    return [name.removesuffix(BARRIER) for name in table if name.endswith(BARRIER)]


def _pairs(run: Run, path: Path) -> dict[str, Any]:
    """The matrix of the barrier of each of the main metrics."""
    table = pd.read_csv(path)
    there = _with_barriers(table)
    graph = path.with_name("networks.csv")  # which runs of before have not
    points = path.with_name("points.csv")
    of_curves = not points.exists()
    measured = pd.read_csv(graph if graph.exists() else points, nrows=0).columns
    panels = {
        f"barrier of {metrics.label(name)}": passes.matrix(table, f"{name}{BARRIER}")
        for name in _main(measured)
        if name in there
    }
    names, told = passes.names_of(table), _told("paths" if of_curves else "segments", run)
    made = {"barriers": plots.pairs(names, panels, told)}
    return made | (graphs.figures(table, pd.read_csv(graph)) if graph.exists() else {})


def _steps(run: Run, path: Path) -> dict[str, Any]:
    """Each member of a soup alone, and the soup as it is made; first by what chose it."""
    table = pd.read_csv(path)
    columns = _main(table.columns)
    if (table["what"] == "soup").sum() > 1 or not table["kept"].all():
        columns = list(dict.fromkeys([soups.chosen_by(table.columns), *columns]))
    labels = {name: metrics.label(name) for name in columns}
    return {"soup": plots.soup(table, labels, _told("averages", run))}


def _main(columns: Iterable[str]) -> list[str]:
    """Of `<split>/<metric>` what figures of several networks show, the loss if there is no other.

    Of the test data, if they were looked at; of tokens no error.
    """
    there = metrics.without_errors_of_tokens(columns)
    for wanted in (JOINING, ("loss",)):
        for split in ("test", "valid", "train"):
            own = [name for name in there if name.startswith(f"{split}/")]
            named = [(metrics.found(name.partition("/")[2]), name) for name in own]
            if found := [n for kind in wanted for m, n in named if m and m.name == kind]:
                return found
    return []


def _way(run: Run) -> str:
    """In which weights paths of networks with adapters are straight; nothing of others."""
    if not any(network.adapters for network in run.networks):
        return ""
    return f"in the {'merged weights' if run['lora.paths'] == 'merged' else 'factors of adapters'}"


def _told(what: str, run: Run) -> str | None:
    way = _way(run)
    return f"{what} {way}" if way else None


def _posterior(run: Run, path: Path) -> dict[str, Any]:
    """The samples, and the density where quadrature has taken it."""
    with np.load(path) as file:
        arrays = dict(file)
    samples = arrays["samples"].reshape(-1, arrays["samples"].shape[-1])
    log_density = arrays.get("log_density")
    axes = [arrays[f"axis_{k}"] for k in range(2) if f"axis_{k}" in arrays]
    line = run["posterior.subspace"] == "line"
    names = ("t, position on the curve",) if line else ("$z_1$", "$z_2$")
    return {"posterior": plots.posterior(samples, log_density, axes, names)}


def _band(run: Run, path: Path) -> dict[str, Any]:
    with np.load(path) as f:
        train, test = ((f[f"{split}_x"], f[f"{split}_y"]) for split in ("train", "test"))
        x, mean, low, high = (f[name] for name in ("x", "mean", "low", "high"))
        return {"predictive_band": plots.predictive_band(x, mean, low, high, train, test)}


DRAWN = {
    "points.csv": _along_t,
    "surface.csv": _surface,
    "posterior.npz": _posterior,
    "band.npz": _band,
    "layers.csv": _layers,
    "pairs.csv": _pairs,
    "steps.csv": _steps,
    "functions.npz": _functions,
    "plane.npz": _planes,
    "predictions.npz": _predictions,
    "members.csv": _members,
    "uncertainty.npz": _uncertainty,
    "spectrum.npz": curvatures.densities,
    "curvature.csv": curvatures.at_places,
    "landscape.npz": landscapes.figures,
    "instability.csv": instabilities.figures,
    "band.csv": bands.figures,
}
