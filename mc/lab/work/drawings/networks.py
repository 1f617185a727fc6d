"""Figures of many networks: the barriers between all pairs, and what a soup is made of."""

from pathlib import Path
from typing import Any

import pandas as pd

from mc import plots
from mc.ensembles import soups
from mc.evaluation import metrics, passes
from mc.lab.graph import Run
from mc.lab.work.drawings import graphs, titles


def pairs(run: Run, path: Path) -> dict[str, Any]:
    """The matrix of the barrier of each of the main metrics."""
    table = pd.read_csv(path)
    there = titles.with_barriers(table)
    graph = path.with_name("networks.csv")  # which runs of before have not
    points = path.with_name("points.csv")
    of_curves = not points.exists()
    measured = pd.read_csv(graph if graph.exists() else points, nrows=0).columns
    panels = {
        f"barrier of {metrics.label(name)}": passes.matrix(table, f"{name}{titles.BARRIER}")
        for name in titles.main(measured)
        if name in there
    }
    names, told = passes.names_of(table), titles.told("paths" if of_curves else "segments", run)
    made = {"barriers": plots.pairs(names, panels, told)}
    return made | (graphs.figures(table, pd.read_csv(graph)) if graph.exists() else {})


def soup(run: Run, path: Path) -> dict[str, Any]:
    """Each member of a soup alone, and the soup as it is made; first by what chose it."""
    table = pd.read_csv(path)
    columns = titles.main(table.columns)
    if (table["what"] == "soup").sum() > 1 or not table["kept"].all():
        columns = list(dict.fromkeys([soups.chosen_by(table.columns), *columns]))
    labels = {name: metrics.label(name) for name in columns}
    return {"soup": plots.soup(table, labels, titles.told("averages", run))}
