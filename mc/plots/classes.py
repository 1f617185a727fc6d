"""What classifiers confuse, and how sure they are of the truth."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from mc.plots.style import (
    COLUMN_WIDTH,
    PLAIN,
    SMALL,
    TEXT,
    PaperFigure,
    dress,
    legend_of,
    log_scale,
    looks,
)

WRITTEN = 12  # up to so many classes, the fractions are written into the cells
BINS = 25
LEAST = 1e-3  # fraction from which on a cell has a colour


def confusion(matrices: Mapping[str, np.ndarray]) -> Figure:
    """Confusion matrices side by side: of each true class, the fraction predicted as each class.

    Args:
        matrices: title -> `[C, C]` counts, row the true class, column the predicted one.

    Raises:
        ValueError: no matrix, or one that is not square.
    """
    matrices = {title: np.asarray(m, np.float64) for title, m in matrices.items()}
    shapes = [m.shape for m in matrices.values()]
    if not shapes or any(len(s) != 2 or s[0] != s[1] for s in shapes):
        raise ValueError(f"confusion needs matrices [classes, classes]; received shapes {shapes}.")
    figure = PaperFigure((COLUMN_WIDTH * len(matrices), COLUMN_WIDTH), layout="constrained")
    grid = figure.subplots(1, len(matrices), squeeze=False)[0]
    norm, colours = LogNorm(LEAST, 1), colormaps["Blues"]
    for axes, (title, counts) in zip(grid, matrices.items(), strict=True):
        fractions = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        image = axes.imshow(np.maximum(fractions, LEAST), norm=norm, cmap=colours)
        if len(counts) <= WRITTEN:
            _write(axes, fractions)
            axes.set_xticks(range(len(counts)))
            axes.set_yticks(range(len(counts)))
        dress(axes, "predicted class", "true class")
        axes.grid(False)
        axes.set_title(title, fontsize=TEXT)
    bar = figure.colorbar(image, ax=list(grid), shrink=0.8, pad=0.02)
    bar.set_label("fraction of the true class", fontsize=TEXT)
    bar.ax.yaxis.set_major_formatter(PLAIN)
    bar.ax.tick_params(labelsize=SMALL)
    return figure


def _write(axes: Axes, fractions: np.ndarray) -> None:
    for (row, column), value in np.ndenumerate(fractions):
        if value >= 0.005:
            text = f"{value:.2f}".removeprefix("0")
            colour = "white" if value > 0.2 else "black"
            axes.text(column, row, text, ha="center", va="center", fontsize=6, color=colour)


def true_class_density(panels: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """Densities of the probability given to the true class: a panel a position, a line a path.

    Args:
        panels: `{title: {path label: probabilities [n]}}`.

    Raises:
        ValueError: no panel, or values outside [0, 1].
    """
    values = [v for paths in panels.values() for v in paths.values()]
    if not values or any(np.min(v) < 0 or np.max(v) > 1 for v in values):
        raise ValueError("true_class_density needs panels of probabilities, from 0 to 1.")
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    figure = PaperFigure((COLUMN_WIDTH * columns, 2.3 * rows + 0.3), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    names = list(dict.fromkeys(name for paths in panels.values() for name in paths))
    edges = np.linspace(0, 1, BINS + 1)
    for axes, (title, paths) in zip(grid, panels.items(), strict=False):
        for name, probabilities in paths.items():
            density, _ = np.histogram(probabilities, edges, density=True)
            style = {k: v for k, v in looks(names)[name].items() if k != "marker"}
            axes.stairs(density, edges, label=name, linewidth=1.4, **style)
        log_scale(axes)
        axes.set_xlim(0, 1)
        axes.set_title(title, fontsize=TEXT)
        dress(axes, "probability of the true class", "" if axes is not grid[0] else "density")
    for axes in grid[len(panels) :]:
        axes.set_visible(False)
    legend_of(figure, grid[: len(panels)])
    return figure
