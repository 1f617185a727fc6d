"""A metric on a plane of weight space."""

from __future__ import annotations

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure

from mc.plots.style import COLUMN_WIDTH, SMALL, TEXT, PaperFigure, dress, legend_of


def plane(x, y, values, points, curve, label: str) -> Figure:
    """A metric on a plane through three networks: filled contours, the networks, the curve.

    Levels are logarithmic above the minimum, where the valleys are, and end at the level that the
    ninth tenth of the grid stays under; what is higher has one colour.

    Args:
        x, y: `[m]`, `[n]`, coordinates of the grid, in units of weight distance.
        values: `[n, m]`, the metric.
        points: `[3, 2]`, the networks that span the plane; the first and last are the ends.
        curve: `[k, 2]`, the projected curve, or None.
        label: what the metric is.

    Raises:
        ValueError: shapes that do not fit.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.shape != (len(y), len(x)):
        raise ValueError(
            f"values must be [n, m] for y [n] and x [m]; received {values.shape} for {len(y)} and"
            f" {len(x)}. Pass a row for each y."
        )
    low, high = np.nanmin(values), np.nanquantile(values, 0.9)
    span = max(high - low, 1e-12)
    # Where walls are hundreds of times as high as the valley, the first step follows the valley.
    first = min(0.005 * span, 0.05 * low) if low > 0 else 0.005 * span
    levels = low + np.concatenate([[0.0], np.geomspace(first, span, 10)])
    # The axes have one scale, so the figure takes the plane's shape.
    shape = (y[-1] - y[0]) / (x[-1] - x[0])
    height = float(np.clip(2.6 * shape + 1.0, 1.9, 3.6))
    figure = PaperFigure((COLUMN_WIDTH * 1.15, height), layout="constrained")
    axes = figure.subplots()
    colours = colormaps["cividis_r"]
    norm = BoundaryNorm(levels, colours.N, extend="max")
    filled = axes.contourf(x, y, values, levels, cmap=colours, norm=norm, extend="max")
    axes.contour(x, y, values, levels[1:], colors="0.25", linewidths=0.4)
    if curve is not None:
        axes.plot(*np.asarray(curve).T, color="#D55E00", linewidth=1.6, label="curve")
    points = np.asarray(points)
    name = "endpoint networks" if curve is not None else "networks"
    ends = points[[0, 2]] if curve is not None else points
    axes.plot(*ends.T, "o", color="black", markersize=6, label=name)
    if curve is not None:
        axes.plot(*points[1], "D", color="black", markersize=5, label="bend")
    axes.set_aspect("equal")
    dress(axes, "distance in weight space", "distance in weight space")
    axes.grid(False)
    bar = figure.colorbar(filled, ax=axes, pad=0.02, ticks=levels[::2])
    bar.ax.set_yticklabels([f"{level:.3g}" for level in levels[::2]])
    bar.set_label(label, fontsize=TEXT)
    bar.ax.tick_params(labelsize=SMALL)
    legend_of(figure, [axes])
    return figure
