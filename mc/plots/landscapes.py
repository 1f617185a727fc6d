"""The landscape of a metric around a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from mc.plots.planes import HALO, contours
from mc.plots.style import (
    COLUMN_WIDTH,
    CURVE,
    NETWORK,
    SEGMENT,
    SMALL,
    PaperFigure,
    dress,
    legend_of,
    log_scale,
    wants_log,
)


def landscape(
    x: np.ndarray,
    y: np.ndarray,
    values: ArrayLike,
    label: str,
    axes_labels: Sequence[str],
    points: Mapping[str, tuple[float, float]],
    path: ArrayLike | None = None,
    told: str | None = None,
) -> Figure:
    """A map of a metric in two directions from a network.

    Args:
        x, y: `[m]`, `[n]`, positions along both.
        values: `[n, m]`, the metric.
        label: what it is.
        axes_labels: of both axes.
        points: networks, by what they are called, at their positions.
        path: `[e, 2]`, where a training went along, or None.
        told: what stands above, if anything.

    Raises:
        ValueError: shapes that do not fit.
    """
    values = np.asarray(values, float)
    if values.shape != (len(y), len(x)):
        raise ValueError(
            f"values must be [n, m] for y [n] and x [m]; received {values.shape} for {len(y)} and "
            f"{len(x)}. Pass a row for each y."
        )
    figure = PaperFigure((COLUMN_WIDTH, 3.0 + 0.2 * bool(told)), layout="constrained")
    axes = figure.subplots()
    contours(axes, x, y, values, label)
    if path is not None:
        look = {"color": SEGMENT["color"], "linewidth": 1.3, "markersize": 2.5, "marker": "o"}
        axes.plot(*np.asarray(path).T, label="training", path_effects=HALO, zorder=3, **look)
    ring = NETWORK | {"markerfacecolor": "white", "markersize": 6}
    for name, point in points.items():
        axes.plot(*point, label="networks" if len(points) > 1 else "network", **ring)
        text = axes.annotate(name, point, (0, 6), textcoords="offset points")
        text.set(ha="center", va="bottom", zorder=5, fontsize=SMALL, path_effects=HALO)
    axes.set_xlim(x[0], x[-1])
    axes.set_ylim(y[0], y[-1])
    dress(axes, *axes_labels)
    axes.grid(False)
    legend_of(figure, [axes], told)
    return figure


def profile(
    x: np.ndarray, panels: Mapping[str, ArrayLike], x_label: str, told: str | None = None
) -> Figure:
    """Metrics in one direction from a network, a panel each: a line a direction, and their mean.

    Args:
        x: `[m]`, positions along it.
        panels: `{label: values [directions, m]}`.
        x_label: of the axis.
        told: what stands above, if anything.

    Raises:
        ValueError: no panel, or shapes that do not fit.
    """
    given = {label: np.asarray(values, float) for label, values in panels.items()}
    if not given or any(v.ndim != 2 or v.shape[1] != len(x) for v in given.values()):
        raise ValueError(
            f"panels must be {{label: [directions, m]}} for x [m] = [{len(x)}]; received "
            f"{ {label: v.shape for label, v in given.items()} }."
        )
    size = (COLUMN_WIDTH * len(given), 2.7 + 0.2 * bool(told))
    figure = PaperFigure(size, layout="constrained")
    grid = figure.subplots(1, len(given), squeeze=False).ravel()
    thin: dict[str, Any] = {"color": CURVE["color"], "linewidth": 0.7, "alpha": 0.45}
    for axes, (label, values) in zip(grid, given.items(), strict=True):
        several = len(values) > 1
        for k, line in enumerate(values if several else ()):
            axes.plot(x, line, label="directions" if k == 0 else None, **thin)
        style = {"color": CURVE["color"], "linewidth": 1.7}
        axes.plot(x, values.mean(0), label="mean" if several else None, **style)
        log = wants_log(list(values))
        if log:
            log_scale(axes)
        axes.axvline(0, color="black", linewidth=0.6, linestyle=":")
        dress(axes, x_label, f"{label}, log scale" if log else label)
        axes.set_xlim(x[0], x[-1])
        axes.xaxis.set_major_locator(MaxNLocator(5))
    if any(len(values) > 1 for values in given.values()) or told:
        legend_of(figure, grid, told)
    return figure
