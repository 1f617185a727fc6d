"""Maps of the loss and the error over a surface, and over a plane through networks."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mc import plots
from mc.evaluation import metrics, over
from mc.lab.graph import Run
from mc.lab.stages.curve import SQUARE
from mc.lab.work.drawings import titles

log = logging.getLogger(__name__)


def surface(run: Run, path: Path) -> dict[str, Any]:
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


def planes(run: Run, path: Path) -> dict[str, Any]:
    """A plane for each of the main metrics; files of before have no names and distances."""
    with np.load(path) as file:
        arrays = dict(file)
    given = {key: arrays[key] for key in ("names", "bends", "off") if key in arrays}
    given["told"] = titles.told("a plane", run)
    x, y, corners = (arrays[key] for key in ("x", "y", "corners"))
    return {
        f"plane_{column.replace('/', '_')}": plots.plane(
            x, y, arrays[column], corners, arrays.get("curve"), metrics.label(column), **given
        )
        for column in metrics.shown(arrays)
    }
