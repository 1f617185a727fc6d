"""The curvature of the loss: eigenvalues at places, and their density."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from mc.curvature.spectrum import density
from mc.plots.style import (
    COLUMN_WIDTH,
    CURVE,
    OTHERS,
    SEGMENT,
    SMALL,
    PaperFigure,
    dress,
    legend_of,
)

GRID = 2000  # positions at which densities are drawn
LOWEST = 1e-6  # of the highest density: what is drawn
LINES = (CURVE, SEGMENT, *OTHERS)


def curvature(
    places: ArrayLike | Sequence[str],
    largest: ArrayLike,
    smallest: ArrayLike,
    trace: ArrayLike,
    trace_error: ArrayLike,
    loss: ArrayLike,
    x_label: str = "t, position on the path",
) -> Figure:
    """Eigenvalues at both ends, trace and loss along a path, or at networks, below one another.

    Args:
        places: t `[n]`, or names of networks.
        largest, smallest: eigenvalues `[n, k]`, the outermost first.
        trace, trace_error: `[n]`, and its standard error, or nan.
        loss: `[n]`, the mean over the same examples.
        x_label: of the lowest axis.

    Raises:
        ValueError: shapes that do not fit.
    """
    largest, smallest = np.asarray(largest, float), np.asarray(smallest, float)
    rows = [np.asarray(part, float) for part in (trace, trace_error, loss)]
    n = len(rows[0])
    if {len(part) for part in (places, largest, smallest, *rows)} != {n} or largest.ndim != 2:  # type: ignore[arg-type]  # arrays have a length
        raise ValueError(
            "curvature needs a value for each place, and of eigenvalues [n, k]; received shapes "
            f"{largest.shape}, {smallest.shape} and {[part.shape for part in rows]}."
        )
    named = isinstance(places[0], str)  # type: ignore[index]
    x = np.arange(n) if named else np.asarray(places, float)
    figure = PaperFigure((COLUMN_WIDTH, 4.6), layout="constrained")
    panels = figure.subplots(3, 1, sharex=True, height_ratios=(2, 1, 1))
    look: dict[str, Any] = {"linestyle": "none" if named else "-", "linewidth": 1.3}
    look["markersize"] = 4
    for k in reversed(range(largest.shape[1])):
        shade = {"alpha": 1 if k == 0 else 0.35}
        of = {"largest eigenvalues": (largest, CURVE), "smallest eigenvalues": (smallest, SEGMENT)}
        for label, (values, style) in of.items():
            own = {"color": style["color"], "marker": style["marker"]}
            own |= {"label": label} if k == 0 else {}
            panels[0].plot(x, values[:, k], **(look | own | shade))
    panels[0].axhline(0, color="0.6", linewidth=0.6)
    color = OTHERS[0]["color"]
    bars = np.nan_to_num(rows[1])
    panels[1].errorbar(x, rows[0], bars, color=color, marker="^", capsize=2, **look)
    panels[2].plot(x, rows[2], color="black", marker="o", **look)
    for axes, label in zip(panels, ("eigenvalue", "trace", "train loss"), strict=True):
        dress(axes, x_label if axes is panels[2] and not named else "", label)
    if named:
        panels[2].set_xticks(x, [str(name) for name in places], fontsize=SMALL)  # type: ignore[union-attr]
        panels[2].set_xlim(-0.5, n - 0.5)
    legend_of(figure, panels[:1])
    return figure


def spectra(given: Mapping[str, tuple[ArrayLike, ArrayLike]]) -> Figure:
    """The density of eigenvalues, a line a place, on a logarithmic axis.

    Args:
        given: `{name: (nodes [probes, m], weights [probes, m])}`, as of `curvature.Spectrum`.

    Raises:
        ValueError: there is none.
    """
    if not given:
        raise ValueError("spectra needs the nodes and weights of a spectrum; received none.")
    nodes = [np.asarray(own, float) for own, _ in given.values()]
    low, high = min(n.min() for n in nodes), max(n.max() for n in nodes)
    room = 0.05 * max(high - low, 1e-12)
    x = np.linspace(low - room, high + room, GRID)
    figure = PaperFigure((COLUMN_WIDTH, 2.8), layout="constrained")
    axes: Axes = figure.subplots()
    highest = 0.0
    for i, (name, (own, weights)) in enumerate(given.items()):
        values = density(x, np.asarray(own, float), np.asarray(weights, float), 0.2 * room)
        highest = max(highest, values.max())
        look = LINES[i % len(LINES)]
        style = {"color": look["color"], "linestyle": look["linestyle"]}
        axes.plot(x, values, label=name, linewidth=1.1, **style)
    axes.set_yscale("log")
    axes.set_ylim(LOWEST * highest, 3 * highest)
    axes.set_xlim(x[0], x[-1])
    dress(axes, "eigenvalue", "density")
    legend_of(figure, [axes])
    return figure
