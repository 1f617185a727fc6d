"""Metrics of an ensemble as its members join."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from mc.plots.style import COLUMN_WIDTH, NETWORK, PaperFigure, dress, legend_of, looks, vectors


def as_members_join(members: ArrayLike, panels: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """A panel a metric: each member alone as points, and lines of what the first so many give.

    Args:
        members: `[n]`, how many have joined.
        panels: `{y label: {name: values [n]}}`; the first name is that of single
            members.

    Raises:
        ValueError: no panel, or values of another length than `members`.
    """
    if not panels or not all(panels.values()):
        raise ValueError("as_members_join needs at least one panel with values.")
    figure = PaperFigure((COLUMN_WIDTH * len(panels), 2.6), layout="constrained")
    grid = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (label, lines) in zip(grid, panels.items(), strict=True):
        for i, (name, values) in enumerate(lines.items()):
            # Rings around what they may coincide with: the first member is the first ensemble.
            style = NETWORK if i == 0 else looks(list(lines)[1:])[name] | {"markersize": 4}
            every = 1 if i == 0 else max(1, len(values) // 10)  # or many marks would hide a line
            axes.plot(*vectors(name, members, values), label=name, markevery=every, **style)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        dress(axes, "number of members", label)
    legend_of(figure, grid)
    return figure
