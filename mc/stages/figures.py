"""stage=figures: draw the figures of a finished evaluation again, from its files."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
from omegaconf import DictConfig

from mc import plots, store

log = logging.getLogger(__name__)

PATHS = {"curve": "curve", "linear": "straight segment"}
# What to draw where a split is there: the paper's figure, or its counterpart for regression.
PANELS = {
    "train/loss": "train loss",
    "test/error": "test error (fraction)",
    "test/mse": "test MSE",
}


def run(cfg: DictConfig, folder: Path, tracker=None) -> dict:
    """The summary of the evaluation, as it is; its figures are new."""
    for path in draw(folder).values():
        log.info("drawn: %s and .pdf", path)
    return store.summary(folder)


def draw(folder: Path) -> dict[str, Path]:
    """Figures of an evaluation's folder; returns the path of each PNG."""
    points = pd.read_csv(folder / "points.csv")
    panels = {}
    for column, label in PANELS.items():
        if column in points:
            panels[label] = {
                PATHS[path]: (rows["t"].to_numpy(), rows[column].to_numpy())
                for path, rows in points.groupby("path", sort=False)
            }
    made = {"along_t": plots.along_t(panels)} if panels else {}
    if (folder / "functions.npz").exists():
        with np.load(folder / "functions.npz") as f:
            made["functions"] = plots.function_fan(
                (f["train_x"], f["train_y"]), (f["test_x"], f["test_y"]), f["x"], f["t"], f["y"]
            )
    return store.save_figures(folder, made)
