"""The figures of the passes between networks, from the files of stage=pairs."""

import logging
from typing import Any

import numpy as np
import pandas as pd

from mc import plots
from mc.evaluation import metrics, modes, passes

log = logging.getLogger(__name__)


def figures(table: pd.DataFrame, networks: pd.DataFrame) -> dict[str, Any]:
    """The dendrogram of the lowest passes, and their tree; nothing if some are not finite."""
    height = passes.height_of(networks)
    names, floors = networks["network"].astype(str).tolist(), networks[height].to_numpy()
    if not (np.isfinite(table["height"]).all() and np.isfinite(floors).all()):
        log.warning("not drawn: the tree and the dendrogram, since some losses are not finite")
        return {}
    label = metrics.label(height)
    found = modes.merges(passes.matrix(table, "height"))
    edges = table[table["in_tree"]]
    index = {name: k for k, name in enumerate(names)}
    ends = edges[["start", "end"]].astype(str).map(index.__getitem__).to_numpy()
    given = {"clusters": networks["cluster"].to_numpy(), "label": f"largest {label} on the pass"}
    return {
        "dendrogram": plots.dendrogram(names, floors, found, label),
        "tree": plots.tree(names, ends, edges["height"].to_numpy(), **given),
    }
