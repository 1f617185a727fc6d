"""Figures of stage=hessian, from its files."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mc import plots
from mc.lab.graph import Run

MOST = 5  # spectra in one figure: those of places spread over all


def at_places(run: Run, path: Path) -> dict[str, Any]:
    """Eigenvalues, trace and loss along t, or at networks; nothing at a single place."""
    table = pd.read_csv(path)
    if len(table) < 2:
        return {}
    top = sum(name.startswith("largest_") for name in table)
    largest, smallest = (
        table[[f"{end}_{k + 1}" for k in range(top)]] for end in ("largest", "smallest")
    )
    places = table["t"] if "t" in table else table["name"].astype(str).tolist()
    label = f"t, position on the {'segment' if run['hessian.path'] == 'linear' else 'curve'}"
    trace, error, loss = (table[name] for name in ("trace", "trace_error", "train/loss"))
    figure = plots.curvature(places, largest, smallest, trace, error, loss, label)
    return {"curvature": figure}


def densities(run: Run, path: Path) -> dict[str, Any]:
    """The densities at some of the places."""
    with np.load(path) as file:
        names, nodes, weights = (file[name] for name in ("names", "nodes", "weights"))
    chosen = np.unique(np.linspace(0, len(names) - 1, MOST).round().astype(int))
    finite = [n for n in chosen if np.isfinite(nodes[n]).all()]
    given = {str(names[n]): (nodes[n], weights[n]) for n in finite}
    return {"spectrum": plots.spectra(given)} if given else {}
