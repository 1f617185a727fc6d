"""Networks whose weights are averages, as they are made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mc.plots.style import COLUMN_WIDTH, NETWORK, PaperFigure, dress, legend_of, looks

if TYPE_CHECKING:
    from pandas import DataFrame

MOST_TICKS = 6
MOST_LETTERS = 40  # of the names of networks, for which there is room below an axis
LEFT_OUT: dict[str, Any] = {"linestyle": "none", "marker": "x", "color": "0.45", "markersize": 6}
CHOSEN: dict[str, Any] = {"linestyle": "none", "marker": "*", "color": "black", "markersize": 9}


def soup(steps: DataFrame, labels: Mapping[str, str], told: str | None = None) -> Figure:
    """A panel a metric: each member alone as a ring, and the soup as a line.

    Of a greedy soup members stand in the order in which they were tried; the line is the soup so
    far, and crosses are what it would have been with a member that was left out. Of task vectors
    the line is the soup at every scale, with a star at the one that was chosen, and the members
    stand beside it.

    Args:
        steps: of `stage=soup`, as `steps.csv` has them.
        labels: column -> what its axis says.
        told: what stands above, if anything.

    Raises:
        ValueError: no panel.
    """
    if not labels:
        raise ValueError("soup needs at least one metric to show.")
    size = (COLUMN_WIDTH * len(labels), 2.9 if told else 2.7)
    figure = PaperFigure(size, layout="constrained")
    grid = figure.subplots(1, len(labels), squeeze=False)[0]
    panel = _at_scales if "scale" in steps else _joining
    for axes, (column, label) in zip(grid, labels.items(), strict=True):
        dress(axes, panel(axes, steps, column), label)
    legend_of(figure, grid, told)
    return figure


def _joining(axes: Axes, steps: DataFrame, column: str) -> str:
    """Members and their averages; returns what the x axis says."""
    members, soups = (steps[steps["what"] == what] for what in ("member", "soup"))
    greedy = len(soups) > 1
    order = soups["name"].tolist() if greedy else members["name"].tolist()
    x = np.arange(1, len(order) + 1)
    axes.plot(x, members.set_index("name").loc[order, column], label="single members", **NETWORK)
    values, kept = soups[column].to_numpy(), soups["kept"].to_numpy()
    latest = np.maximum.accumulate(np.where(kept, np.arange(len(kept)), 0))
    line = values[latest] if greedy else np.repeat(values, len(order))
    axes.plot(x, line, label="average of weights", **_look())
    if not kept.all():
        axes.plot(x[~kept], values[~kept], label="tried and left out", **LEFT_OUT)
    if sum(map(len, map(str, order))) <= MOST_LETTERS:
        axes.set_xticks(x, list(map(str, order)))
        return "member, in the order tried" if greedy else "member"
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return "number of members tried" if greedy else "number of the member"


def _at_scales(axes: Axes, steps: DataFrame, column: str) -> str:
    """The soup at every scale, and members beside it; returns what the x axis says."""
    soups = steps[steps["what"] == "soup"].sort_values("scale", kind="stable")
    scales, values = soups["scale"].to_numpy(), soups[column].to_numpy()
    axes.plot(scales, values, label="average of weights", **_look())
    kept = soups["kept"].to_numpy()
    axes.plot(scales[kept], values[kept], label="chosen", **CHOSEN)
    start, members = (steps.loc[steps["what"] == what, column] for what in ("start", "member"))
    axes.plot(np.zeros(len(start)), start, label="start", **NETWORK | {"marker": "s"})
    low, high = min(0.0, scales.min()), max(0.0, scales.max())
    beside = high + 0.15 * ((high - low) or 1.0)
    axes.plot(np.full(len(members), beside), members, label="single members", **NETWORK)
    every = -(-len(scales) // MOST_TICKS)
    ticks = [*np.unique(scales)[::every], beside]
    axes.set_xticks(ticks, [*(f"{tick:g}" for tick in ticks[:-1]), "alone"])
    return "scale of the sum of task vectors"


def _look() -> dict[str, Any]:
    return looks(["average of weights"])["average of weights"] | {"markersize": 4}
