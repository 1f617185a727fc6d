"""What pairs of networks have between them, as matrices."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike

from mc.plots.style import SMALL, TEXT, PaperFigure, dress, legend_of

WRITTEN = 10  # up to so many networks, the values are written into the cells
SIDE, CELL = 1.9, 0.27  # inches: the least of a matrix, and of a cell
LETTER, MOST_LETTERS = 0.065, 30  # inches of a letter; how much of a name is shown
# One hue from pale to dark: read by every kind of colour vision, and in grey.
COLOURS = colormaps["Blues"]
NO_PAIR = "0.85"  # the colour of the diagonal
NOT_FINITE: dict[str, Any] = {
    "facecolor": "white",
    "hatch": "/////",
    "edgecolor": "0.5",
    "linewidth": 0,
}


def pairs(names: Sequence[str], panels: Mapping[str, ArrayLike], told: str | None = None) -> Figure:
    """Symmetric matrices side by side, a row and a column a network, a matrix a measure.

    Colours begin at 0, the pale end. The diagonal, where there is no pair, is grey; what is not
    finite is hatched.

    Args:
        names: of the n networks.
        panels: what the colour bar says -> values `[n, n]`, none below 0; the diagonal is not
            shown.
        told: what stands above, if anything.

    Raises:
        ValueError: no panel, or a matrix of another shape.
    """
    matrices = {label: np.asarray(values, np.float64) for label, values in panels.items()}
    shapes = [values.shape for values in matrices.values()]
    if not shapes or set(shapes) != {(len(names), len(names))}:
        raise ValueError(
            f"pairs needs matrices [n, n] for {len(names)} names; received shapes {shapes}."
        )
    names = [_short(name) for name in names]
    side = max(SIDE, CELL * len(names))
    letters = LETTER * max(map(len, names))
    size = (len(matrices) * (side + letters + 1.3), side + letters + 0.55)
    figure = PaperFigure(size, layout="constrained")
    grid = figure.subplots(1, len(matrices), squeeze=False)[0]
    for axes, (label, values) in zip(grid, matrices.items(), strict=True):
        _matrix(axes, names, values, label)
    if any(axes.get_legend_handles_labels()[1] for axes in grid):
        legend_of(figure, grid, told)
    elif told:
        figure.suptitle(told, fontsize=TEXT)
    return figure


def _matrix(axes: Axes, names: Sequence[str], values: np.ndarray, label: str) -> None:
    pair = ~np.eye(len(values), dtype=bool)
    shown = pair & np.isfinite(values)
    top = float(values[shown].max(initial=0.0)) or 1.0
    axes.set_facecolor(NO_PAIR)
    image = axes.imshow(np.ma.masked_where(~shown, values), norm=Normalize(0, top), cmap=COLOURS)
    for row, column in np.argwhere(pair & ~shown):
        corner = (column - 0.5, row - 0.5)
        axes.add_patch(Rectangle(corner, 1, 1, label="not finite", **NOT_FINITE))
    if len(names) <= WRITTEN:
        decimals = int(np.clip(2 - np.floor(np.log10(top)), 0, 5))
        for row, column in np.argwhere(shown):
            value = values[row, column]
            colour = "white" if value > 0.6 * top else "black"
            text = _written(value, decimals)
            axes.text(column, row, text, ha="center", va="center", fontsize=6, color=colour)
    dress(axes, "network", "network")
    axes.grid(False)
    axes.set_xticks(range(len(names)), names, rotation=90 if max(map(len, names)) > 2 else 0)
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(length=0)
    bar = axes.figure.colorbar(image, ax=axes, shrink=0.9, pad=0.03)
    letters = int(0.9 * max(SIDE, CELL * len(names)) / LETTER)
    bar.set_label(textwrap.fill(label, letters, break_on_hyphens=False), fontsize=TEXT)
    bar.ax.tick_params(labelsize=SMALL)


def _written(value: float, decimals: int) -> str:
    """A number without the zero before its point; of many digits in powers of ten."""
    text = f"{value:.{decimals}f}"
    if value == 0 or "." not in text:
        return f"{value:.0f}" if len(text) <= 6 else f"{value:.0e}"
    return text.removeprefix("0") if decimals > 1 else text


def _short(name: str) -> str:
    """A name, or its end, since the beginnings of long names are often one folder."""
    return name if len(name) <= MOST_LETTERS else f"…{name[1 - MOST_LETTERS :]}"
