"""The figure of stage=instability, from its file."""

from pathlib import Path
from typing import Any

import pandas as pd

from mc import plots
from mc.evaluation import metrics, stability
from mc.lab.graph import Run


def figures(run: Run, path: Path) -> dict[str, Any]:
    """Barriers of the error, or the loss, against the step at which trainings part."""
    table = pd.read_csv(path)
    columns = stability.deciding(table)
    lines = {
        metrics.label(name.removesuffix(stability.ENDING)): stability.by_step(table, name)
        for name in columns
    }
    return {"instability": plots.instability(lines, "barrier", run["instability.threshold"])}
