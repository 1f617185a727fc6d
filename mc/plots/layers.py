"""The barrier of each layer alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from mc.plots.style import COLUMN_WIDTH, CURVE, SMALL, PaperFigure, dress

MOST_LETTERS = 30


def layers(names: Sequence[str], panels: Mapping[str, ArrayLike]) -> Figure:
    """A bar a layer, from the first at the top to the last; a panel a metric.

    Args:
        names: of the n layers.
        panels: what the axis says -> barriers `[n]`.

    Raises:
        ValueError: no panel, or another number of barriers.
    """
    bars = {label: np.asarray(values, float) for label, values in panels.items()}
    if not bars or {values.shape for values in bars.values()} != {(len(names),)}:
        raise ValueError(
            f"layers needs panels of {len(names)} barriers, one a name; received shapes "
            f"{[values.shape for values in bars.values()]}."
        )
    names = [
        name if len(name) <= MOST_LETTERS else f"…{name[1 - MOST_LETTERS :]}" for name in names
    ]
    size = (COLUMN_WIDTH * max(1, 0.75 * len(bars)), 0.2 * len(names) + 1.0)
    figure = PaperFigure(size, layout="constrained")
    grid = figure.subplots(1, len(bars), sharey=True, squeeze=False)[0]
    for axes, (label, values) in zip(grid, bars.items(), strict=True):
        shown = np.where(np.isfinite(values), values, 0.0)
        axes.barh(range(len(names)), shown, height=0.7, color=CURVE["color"])
        for place in np.flatnonzero(~np.isfinite(values)):
            axes.text(0, place, " not finite", va="center", fontsize=SMALL, style="italic")
        dress(axes, label, "layer that moves" if axes is grid[0] else "")
        axes.grid(False, axis="y")
    grid[0].set_yticks(range(len(names)), names)
    grid[0].invert_yaxis()
    return figure
