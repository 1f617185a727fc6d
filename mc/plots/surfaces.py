"""A metric over a surface of networks: a ternary map of a triangle, or a map of a square."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure
from matplotlib.tri import Triangulation

from mc.plots.planes import COLOURS, HALO, levels
from mc.plots.style import COLUMN_WIDTH, CURVE, NETWORK, SMALL, TEXT, PaperFigure, dress, legend_of

TRIANGLE = np.array([[0, 0], [1, 0], [0.5, np.sqrt(3) / 2]])
SQUARE = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])  # the order of the corners
MOST = 4  # faces that are drawn


def simplex(
    t: np.ndarray, values: np.ndarray, names: Sequence[str], label: str, num_corners: int
) -> Figure:
    """A metric over a simplex: along it, or on its triangular faces, in barycentric coordinates.

    Of more than four vertices the faces of the first four are shown, and the figure says so.

    Args:
        t: `[m, n]`, the grid, of n vertices.
        values: `[m]`, the metric; what is not finite leaves a gap.
        names: of the vertices; the first `num_corners` are networks that were given.
        label: what the metric is.
    """
    n = t.shape[1]
    if n == 2:
        return _line(t, values, names, label)
    shown = min(n, MOST)
    faces = list(combinations(range(shown), 3))
    rows = -(-len(faces) // 2)
    height = 0.5 + 1.35 * rows if rows > 1 else 2.6
    figure = PaperFigure((COLUMN_WIDTH, height), layout="constrained")
    grid = figure.subplots(rows, min(len(faces), 2), squeeze=False).ravel()
    on_faces = [np.flatnonzero(np.isclose(t[:, face].sum(axis=1), 1)) for face in faces]
    every = values[np.concatenate(on_faces)]
    chosen = levels(every[np.isfinite(every)] if np.isfinite(every).any() else np.zeros(1))
    filled = None
    for axes, face, rows_on in zip(grid, faces, on_faces, strict=True):
        where = t[rows_on][:, face] @ TRIANGLE
        filled = _filled(axes, where, values[rows_on], chosen) or filled
        axes.plot(*TRIANGLE[[0, 1, 2, 0]].T, color="0.3", linewidth=0.7)
        _corners(axes, TRIANGLE, [names[k] for k in face], [k < num_corners for k in face])
        axes.set_axis_off()
        axes.set_aspect("equal")
        axes.set_xlim(-0.08, 1.08)
        axes.set_ylim(-0.22, 1.06)
    _bar(figure, list(grid), filled, chosen, label)
    told = f"faces of the first {MOST} of {n} vertices" if n > MOST else None
    legend_of(figure, grid, told)
    return figure


def square(t: np.ndarray, values: np.ndarray, names: Sequence[str], label: str) -> Figure:
    """A metric over the unit square of t = (u, v), with the networks at its corners.

    `t: [m, 2]`, the grid; `values: [m]`; `names`: of (0, 0), (0, 1), (1, 0) and (1, 1).
    """
    figure = PaperFigure((COLUMN_WIDTH, 2.8), layout="constrained")
    axes = figure.subplots()
    chosen = levels(values[np.isfinite(values)])
    filled = _filled(axes, t, values, chosen)
    axes.set_box_aspect(1)
    _corners(axes, SQUARE, names, [True] * len(SQUARE))
    dress(axes, "u", "v")
    axes.grid(False)
    axes.set_xlim(-0.08, 1.08)
    axes.set_ylim(-0.13, 1.13)
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    _bar(figure, [axes], filled, chosen, label)
    return figure


def _line(t: np.ndarray, values: np.ndarray, names: Sequence[str], label: str) -> Figure:
    figure = PaperFigure((COLUMN_WIDTH, 2.3), layout="constrained")
    axes = figure.subplots()
    order = np.argsort(t[:, 1])
    look = {key: CURVE[key] for key in ("color", "linestyle", "marker")}
    axes.plot(t[order, 1], values[order], markersize=3.5, **look)
    dress(axes, f"part of {names[1]}, the rest {names[0]}", label)
    return figure


def _filled(axes: Axes, where: np.ndarray, values: np.ndarray, chosen: np.ndarray) -> Any:
    mesh = Triangulation(*where.T)
    broken = ~np.isfinite(values)[mesh.triangles].all(axis=1)
    if broken.all():
        return None
    mesh.set_mask(broken)
    norm = BoundaryNorm(chosen, COLOURS.N, extend="max")
    shown = np.where(np.isfinite(values), values, chosen[0])
    filled = axes.tricontourf(mesh, shown, chosen, cmap=COLOURS, norm=norm, extend="max")
    axes.tricontour(mesh, shown, chosen[1:], colors="0.35", linewidths=0.35)
    return filled


def _corners(axes: Axes, where: np.ndarray, names: Sequence[str], given: Sequence[bool]) -> None:
    ring = NETWORK | {"markerfacecolor": "white", "markersize": 6, "clip_on": False}
    free = {**ring, "marker": "D", "markersize": 4.5, "markerfacecolor": "black"}
    labelled = {True: "networks", False: "free vertex"}
    middle = where[:, 1].mean()
    for point, name, is_given in zip(where, names, given, strict=True):
        axes.plot(*point, label=labelled.pop(is_given, None), **(ring if is_given else free))
        below = point[1] < middle
        text = axes.annotate(name, point, (0, -6 if below else 6), textcoords="offset points")
        text.set(ha="center", va="top" if below else "bottom", zorder=5, fontsize=SMALL)
        text.set_path_effects(HALO)


def _bar(figure: Figure, axes: list[Axes], filled: Any, chosen: np.ndarray, label: str) -> None:
    if filled is None:  # there is nothing but gaps
        return
    bar = figure.colorbar(filled, ax=axes, ticks=chosen, shrink=0.85, aspect=22)
    bar.ax.set_yticklabels([f"{level:.6g}" for level in chosen])
    bar.ax.tick_params(labelsize=SMALL - 1, length=2)
    bar.ax.minorticks_off()
    bar.set_label(label, fontsize=TEXT)
