"""A metric on a plane of weight space."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps, patheffects
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from mc.plots.style import (
    COLUMN_WIDTH,
    CURVE,
    NETWORK,
    SEGMENT,
    SMALL,
    TEXT,
    PaperFigure,
    dress,
    legend_of,
)

STEPS = 8  # between levels
SMALLEST = 1e-290  # of spans: below, the digits of floats run out
SHAPES = 0.6, 1.1  # height over width; planes of other shapes are stretched to these
BOX = 2.05  # inches: what labels and colour bar leave of the column for the plane's width
# Light valleys, dark walls, and no hue of the paths that are drawn upon them; without the darkest
# shades, on which the paths would drown.
COLOURS = ListedColormap(colormaps["bone_r"](np.linspace(0.0, 0.8, 256)), name="walls")
HALO: list[patheffects.AbstractPathEffect] = [
    patheffects.withStroke(linewidth=2.6, foreground="white")
]
NOT_FINITE: dict[str, Any] = {
    "facecolor": "white",
    "hatch": "////",
    "edgecolor": "0.6",
    "linewidth": 0,
}
NOTICED = 0.005  # of the plane's extent: how far off it a curve must lie to be told


def plane(
    x: np.ndarray,
    y: np.ndarray,
    values: ArrayLike,
    points: ArrayLike,
    curve: ArrayLike | None,
    label: str,
    *,
    names: Sequence[str] | None = None,
    bends: Sequence[int] = (1,),
    off: ArrayLike | None = None,
    told: str | None = None,
) -> Figure:
    """A metric on a plane through three networks: filled contours, the networks, the curve.

    Levels are dense above the minimum, where the valleys are, and end at the one that nine tenths
    of the grid stay under; what is higher has one colour, what is not finite is hatched. Both axes
    have one scale, unless that makes the plane a strip: the axis that is stretched says so.

    Args:
        x, y: `[m]`, `[n]`, coordinates of the grid, in units of weight distance.
        values: `[n, m]`, the metric.
        points: `[3, 2]`, the networks that span the plane.
        curve: `[k, 2]`, the projected curve, or None.
        label: what the metric is.
        names: of the three points, written beside them (an empty one is not); None for none.
        bends: with a curve, the positions among the points of those that are no networks but bends.
            If the first and last are not among them, the straight segment between them is drawn.
        off: `[k]`, how far the curve's points lie off the plane; the legend says the largest.
        told: what stands above, if anything.

    Raises:
        ValueError: shapes that do not fit.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.shape != (len(y), len(x)):
        raise ValueError(
            f"values must be [n, m] for y [n] and x [m]; received {values.shape} for {len(y)} and"
            f" {len(x)}. Pass a row for each y."
        )
    shape = (y[-1] - y[0]) / (x[-1] - x[0])
    stretch = float(np.clip(shape, *SHAPES)) / shape
    rows = 1 if curve is None else 2  # of the legend
    height = BOX * shape * stretch + 0.55 + 0.2 * (rows + bool(told))
    figure = PaperFigure((COLUMN_WIDTH, height), layout="constrained")
    axes = figure.subplots()
    axes.set_aspect(stretch)
    contours(axes, x, y, values, label)
    axes.set_xlim(x[0], x[-1])
    axes.set_ylim(y[0], y[-1])
    points = np.asarray(points)
    if curve is not None:
        _paths(axes, points, np.asarray(curve), bends, off, NOTICED * (x[-1] - x[0]))
    _networks(axes, points, names, () if curve is None else bends)
    across = ("distance along the chord", "distance across it")
    texts = across if curve is not None else ("distance in weight space",) * 2
    factors = (1 / stretch, stretch)
    dress(axes, *(_enlarged(text, by) for text, by in zip(texts, factors, strict=True)))
    axes.grid(False)
    legend_of(figure, [axes], told)
    return figure


def _enlarged(text: str, factor: float) -> str:
    return f"{text}\n(enlarged {factor:.2g} times)" if factor > 1.01 else text


def contours(axes: Axes, x: np.ndarray, y: np.ndarray, values: np.ndarray, label: str) -> None:
    """A map of `values [n, m]` with its colour bar; what is not finite is hatched."""
    finite = np.isfinite(values)
    if not finite.all():
        x_range, y_range = (x[0], x[-1]), (y[0], y[-1])
        axes.fill_between(x_range, *y_range, label="not finite", zorder=0, **NOT_FINITE)
    if not finite.any():
        return
    chosen = levels(values[finite])
    shown = np.ma.masked_where(~finite, values)
    norm = BoundaryNorm(chosen, COLOURS.N, extend="max")
    filled = axes.contourf(x, y, shown, chosen, cmap=COLOURS, norm=norm, extend="max")
    axes.contour(x, y, shown, chosen[1:], colors="0.35", linewidths=0.35)
    # An inset, so that it is as high as the plane.
    bar = axes.figure.colorbar(filled, cax=axes.inset_axes((1.04, 0, 0.05, 1)), ticks=chosen)
    bar.ax.set_yticklabels([f"{level:.6g}" for level in chosen])
    bar.ax.tick_params(labelsize=SMALL - 1, length=2)
    bar.ax.minorticks_off()
    bar.set_label(label, fontsize=TEXT)


def levels(values: np.ndarray) -> np.ndarray:
    """Round numbers from the minimum of finite values to what nine tenths of them stay under.

    Every step is a constant factor larger than the one before, as well as round numbers can be.
    """
    low, high = np.min(values), np.quantile(values, 0.9)
    if not high - low > max(1e-9 * max(abs(low), abs(high)), SMALLEST):
        high = low + max(abs(low), 1.0)  # flat: one colour
    span = high - low
    # Where walls are hundreds of times as high as the valley, the first step follows the valley,
    # unless the valley is zero in all but name.
    first = max(min(0.02 * span, 0.1 * low), 1e-9 * span) if low > 0 else 0.02 * span
    gaps = first * _factor(span / first) ** np.arange(STEPS)
    ideal = low + np.cumsum(gaps)
    rounded = [_round(level, gap, np.round) for level, gap in zip(ideal, gaps, strict=True)]
    start = min(_round(low, gaps[0], np.floor), low)  # what underflows is not below
    return np.unique([start, *(level for level in rounded if level > start)])


def _factor(ratio: float) -> float:
    """By what `STEPS` steps grow that together are so many times the first; more than STEPS."""
    return brentq(lambda q: (q**STEPS - 1) / (q - 1) - ratio, 1 + 1e-9, ratio)


def _round(value: float, gap: float, how: Callable[[float], float]) -> float:
    """A value in steps of 1, 2 or 5 of a digit, at most half its distance from the one before."""
    unit = 10.0 ** np.floor(np.log10(gap / 2))
    unit *= max(step for step in (1, 2, 5) if step * unit <= gap / 2 or step == 1)
    return float(f"{how(value / unit) * unit:.12g}")


def _paths(
    axes: Axes,
    points: np.ndarray,
    curve: np.ndarray,
    bends: Sequence[int],
    off: ArrayLike | None,
    least: float,
) -> None:
    off = 0.0 if off is None else float(np.max(off))
    name = f"curve (up to {off:.2g} off the plane)" if off > least else "curve"
    lines = {name: (curve, CURVE)}
    if not {0, 2} & set(bends):
        lines["straight segment"] = (points[[0, 2]], SEGMENT)
    for name, (path, look) in lines.items():
        style = {"color": look["color"], "linestyle": look["linestyle"]}
        axes.plot(*path.T, **style, linewidth=1.5, label=name, zorder=3, path_effects=HALO)


def _networks(
    axes: Axes, points: np.ndarray, names: Sequence[str] | None, bends: Sequence[int]
) -> None:
    bent = np.isin(range(len(points)), bends)
    ring = NETWORK | {"markerfacecolor": "white", "markersize": 6}
    axes.plot(*points[~bent].T, label="networks", **ring)
    if bent.any():
        style: dict[str, Any] = {
            "marker": "D",
            "markersize": 4.5,
            "color": "black",
            "linestyle": "none",
        }
        axes.plot(*points[bent].T, label="bend", zorder=4, **style)
    middle = np.mean(axes.get_ylim())
    for point, name in () if names is None else zip(points, names, strict=True):
        below = point[1] > middle  # where there is room
        text = axes.annotate(name, point, (0, -5 if below else 5), textcoords="offset points")
        text.set(ha="center", va="top" if below else "bottom", zorder=5, fontsize=SMALL)
        text.set_path_effects(HALO)
