"""stage=figures: draw the figures of a finished evaluation again, from its files."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
from omegaconf import DictConfig, OmegaConf
from sklearn.metrics import confusion_matrix

from mc import metrics, naming, plots, runs, stale, store
from mc.ensembles.predictive import log_probabilities
from mc.predictions import labels_of

log = logging.getLogger(__name__)

# Of classifiers, what the first figure leaves out.
SCORES = ("test/loss", "train/accuracy", "test/accuracy", "test/f1")
JOINING = ("test/error", "test/nll", "test/mse")


def run(cfg: DictConfig, folder: Path, tracker=None) -> dict:
    """The summary of the evaluation, if there is one; all figures with these settings are new.

    Raises:
        ValueError: some results are of inputs that were made again since; all others are drawn.
    """
    outdated = []
    for of_stage in (runs.variant(cfg, stage=stage, force=False) for stage in runs.FIGURES):
        made = runs.folder(of_stage)
        if store.summary(made) is None:
            log.info("not made with these settings, so not drawn: %s", made)
            continue
        if told := stale.changed(of_stage):
            outdated.append(f"not drawn: {made}. {told}")
            continue
        if told := stale.other_source(of_stage):
            log.warning("%s", told)
        for path in draw(made).values():
            log.info("drawn: %s and .pdf", path)
    if outdated:
        raise ValueError("\n".join(outdated))
    return store.summary(folder) or {}


def draw(folder: Path) -> dict[str, Path]:
    """Figures of the folder of a run; returns the path of each PNG."""
    made = _along_t(folder) if (folder / "points.csv").exists() else {}
    if (folder / "functions.npz").exists():
        with np.load(folder / "functions.npz") as f:
            made["functions"] = plots.function_fan(
                (f["train_x"], f["train_y"]), (f["test_x"], f["test_y"]), f["x"], f["t"], f["y"]
            )
    if (folder / "plane.npz").exists():
        with np.load(folder / "plane.npz") as f:
            made |= _planes(dict(f))
    if (folder / "predictions.npz").exists():
        with np.load(folder / "predictions.npz") as f:
            made |= _of_predictions(dict(f))
    if (folder / "members.csv").exists():
        made |= _as_members_join(pd.read_csv(folder / "members.csv"))
    return store.save_figures(folder, made)


def _planes(arrays: dict) -> dict:
    """A plane for each of the main metrics; files of before have no names and distances."""
    given = {key: arrays[key] for key in ("names", "bends", "off") if key in arrays}
    where = [arrays.get(key) for key in ("x", "y")]
    drawn = arrays["corners"], arrays.get("curve")
    return {
        f"plane_{column.replace('/', '_')}": plots.plane(
            *where, arrays[column], *drawn, metrics.label(column), **given
        )
        for column in metrics.SHOWN
        if column in arrays
    }


def _of_predictions(arrays: dict) -> dict:
    """Confusion matrices at each t, and densities of the probability of the true class."""
    if not arrays["num_classes"] or "t" not in arrays:  # of a regression, or of an ensemble
        return {}
    if not all(np.isfinite(arrays[path]).all() for path in ("linear", "curve")):
        log.warning("not drawn: predictions, of which some are not finite")
        return {}
    labels = labels_of(arrays["targets"]).numpy()
    made, densities = {}, {}
    for i, t in enumerate(arrays["t"]):
        matrices, given = {}, {}
        for path in ("linear", "curve"):
            log_p = log_probabilities(arrays[path][i])
            classes = range(log_p.shape[1])
            name = plots.PATHS[path]
            matrices[f"{name}, t = {t:g}"] = confusion_matrix(
                labels, log_p.argmax(axis=1), labels=classes
            )
            given[name] = np.exp(log_p[np.arange(len(labels)), labels])
        made[f"confusion_t{t:g}"] = plots.confusion(matrices)
        densities[f"t = {t:g}"] = given
    return made | {"true_class_density": plots.true_class_density(densities)}


def _as_members_join(table: pd.DataFrame) -> dict:
    panels = {}
    for metric in JOINING:
        if metric in table:
            lines = {"single members": table[metric], "ensemble": table[f"ensemble/{metric}"]}
            if f"swa/{metric}" in table:
                lines["average of weights"] = table[f"swa/{metric}"]
            panels[metrics.label(metric)] = {
                name: values.to_numpy() for name, values in lines.items()
            }
    made = plots.as_members_join(table["members"].to_numpy(), panels) if panels else None
    return {"as_members_join": made} if made else {}


def _along_t(folder: Path) -> dict:
    points = pd.read_csv(folder / "points.csv")
    figures = {"along_t": metrics.SHOWN}
    if "test/f1" in points:
        figures["scores_along_t"] = SCORES
    networks = (0, 1)
    if "chain" in set(points["path"]):
        settings = OmegaConf.load(folder / "config.yaml")
        names = [naming.read(n).title for n in settings.chain.networks or settings.endpoints]
        networks = dict(zip(np.linspace(0, 1, len(names)).tolist(), names, strict=True))
    panels = {name: plots.panels_of(points, columns) for name, columns in figures.items()}
    return {n: plots.along_t(found, networks=networks) for n, found in panels.items() if found}
