"""Functions of networks along a path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib
import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from mc.plots.style import COLUMN_WIDTH, SMALL, TEXT, PaperFigure, dress, legend_of, vectors

# Viridis without its palest end, which is hard to see on white.
COLOURS_OF_T = ListedColormap(colormaps["viridis"](np.linspace(0.0, 0.92, 256)), name="t")


def function_fan(
    train: tuple,
    test: tuple | None,
    positions: ArrayLike,
    t: ArrayLike,
    functions: ArrayLike,
    train_label: str = "train data",
    test_label: str = "test data",
    x_label: str = "x",
    y_label: str = "y",
) -> Figure:
    """The functions of the networks along a path over the data: a line a network, coloured by t.

    The networks at t = 0 and t = 1 are drawn heavier, solid and dashed.

    Args:
        train: `(x [n], y [n])`.
        test: the same, or None for none.
        positions: `[m]`, where the functions are evaluated, ascending.
        t: `[k]`, the networks' positions on the path.
        functions: `[k, m]`, their values.
        train_label, test_label: names in the legend.
        x_label, y_label: axis labels.

    Raises:
        ValueError: shapes that do not fit.
    """
    positions, t, functions = (np.asarray(a, dtype=np.float64) for a in (positions, t, functions))
    if functions.shape != t.shape + positions.shape or functions.ndim != 2:
        raise ValueError(
            "functions must be [k, m] for t [k] and positions [m]; received shapes"
            f" {functions.shape}, {t.shape} and {positions.shape}. Pass a row a network."
        )
    figure = PaperFigure((1.5 * COLUMN_WIDTH, 3.0), layout="constrained")
    axes = figure.subplots()
    scale = Normalize(0, 1)
    for position, values in zip(t, functions, strict=True):
        colour = COLOURS_OF_T(scale(position))
        if position in (0, 1):
            dashes = "-" if position == 0 else (0, (5, 1.5))
            style: dict[str, Any] = {
                "linewidth": 2.4,
                "linestyle": dashes,
                "label": f"t = {position:g}",
            }
            axes.plot(positions, values, color=colour, zorder=3, **style)
        else:
            axes.plot(positions, values, color=colour, linewidth=0.9, zorder=2)
    _points(axes, train_label, train, {"marker": "o", "facecolors": "none", "edgecolors": "0.25"})
    if test is not None:
        _points(axes, test_label, test, {"marker": "x", "color": "0.55"})
    dress(axes, x_label, y_label)
    bar = figure.colorbar(matplotlib.cm.ScalarMappable(scale, COLOURS_OF_T), ax=axes, pad=0.02)
    bar.set_label("t, position on the path", fontsize=TEXT)
    bar.ax.tick_params(labelsize=SMALL)
    legend_of(figure, [axes])
    return figure


def _points(axes: Axes, label: str, data: tuple, style: Mapping) -> None:
    x, y = vectors(label, *data)
    axes.scatter(x, y, s=11, linewidths=0.7, label=label, zorder=1, **style)
