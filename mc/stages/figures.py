"""stage=figures: draw the figures of a finished evaluation again, from its files."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
from omegaconf import DictConfig

from mc import plots, runs, store

log = logging.getLogger(__name__)

PATHS = {"curve": "curve", "linear": "straight segment", "chain": "chain of straight segments"}
# What to draw where a split is there: the paper's figure, or its counterpart for regression.
PANELS = {
    "train/loss": "train loss",
    "test/error": "test error (fraction)",
    "test/mse": "test MSE",
}


def run(cfg: DictConfig, folder: Path, tracker=None) -> dict:
    """The summary of the evaluation, as it is; figures of it, its plane and chain are new."""
    others = [runs.folder(runs.variant(cfg, stage=stage)) for stage in ("plane", "chain")]
    for made in [folder, *others]:
        if store.summary(made) is None:
            log.info("not made with these settings, so not drawn: %s", made)
            continue
        for path in draw(made).values():
            log.info("drawn: %s and .pdf", path)
    return store.summary(folder)


def draw(folder: Path) -> dict[str, Path]:
    """Figures of an evaluation's or a plane's folder; returns the path of each PNG."""
    made = _along_t(folder) if (folder / "points.csv").exists() else {}
    if (folder / "functions.npz").exists():
        with np.load(folder / "functions.npz") as f:
            made["functions"] = plots.function_fan(
                (f["train_x"], f["train_y"]), (f["test_x"], f["test_y"]), f["x"], f["t"], f["y"]
            )
    if (folder / "plane.npz").exists():
        with np.load(folder / "plane.npz") as f:
            curve = f.get("curve")
            for column, label in PANELS.items():
                if column in f:
                    name = f"plane_{column.replace('/', '_')}"
                    made[name] = plots.plane(f["x"], f["y"], f[column], f["corners"], curve, label)
    return store.save_figures(folder, made)


def _along_t(folder: Path) -> dict:
    points = pd.read_csv(folder / "points.csv")
    panels = {}
    for column, label in PANELS.items():
        if column in points:
            panels[label] = {
                PATHS[path]: (rows["t"].to_numpy(), rows[column].to_numpy())
                for path, rows in points.groupby("path", sort=False)
            }
    return {"along_t": plots.along_t(panels)} if panels else {}
