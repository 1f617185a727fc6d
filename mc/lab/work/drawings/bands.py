"""The figure of a chain that AutoNEB has found, from its files."""

from pathlib import Path
from typing import Any

import pandas as pd

from mc import plots
from mc.evaluation import metrics
from mc.lab.graph import Run
from mc.neb.cycles import HEIGHT


def figures(run: Run, path: Path) -> dict[str, Any]:
    """The train loss along the bands of all cycles, and the straight segment."""
    table, cycles = pd.read_csv(path), pd.read_csv(path.with_name("cycles.csv"))
    lines = {
        int(number): (own["arc_length"], own[HEIGHT], own["is_pivot"])
        for number, own in table.groupby("cycle")
    }
    best = int(cycles.loc[cycles["is_best"], "cycle"].iloc[0])
    return {"band": plots.band(lines, best, metrics.label(HEIGHT))}
