"""Metrics along paths."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mc.evaluation import metrics
from mc.plots.style import (
    COLUMN_WIDTH,
    NETWORK,
    PaperFigure,
    dress,
    legend_of,
    log_scale,
    looks,
    vectors,
    wants_log,
)

if TYPE_CHECKING:
    from pandas import DataFrame

MARKS = 10  # markers along a line; one a point would hide the line
MOST_LETTERS = 40  # of the names of networks, for which there is room below an axis
# What figures call the paths of a table of points; others keep their names.
PATHS = {
    "curve": "curve",
    "linear": "straight segment",
    "unaligned": "straight segment, unaligned",
    "repaired": "straight segment, repaired",
    "initial": "before training",
    "chain": "chain of straight segments",
}


def panels_of(
    points: DataFrame, columns: Iterable[str] | None = None
) -> dict[str, dict[str, tuple]]:
    """`{label: {path: (t, values)}}`, a panel for each of those columns that the points have.

    Args:
        points: a row a point, as `mc.evaluate` returns them and `points.csv` has them: `path, t`,
            then `<split>/<metric>`.
        columns: which of them; default: those that `metrics.shown` chooses.
    """
    return {
        metrics.label(column): {
            PATHS.get(path, path): (rows["t"].to_numpy(), rows[column].to_numpy())
            for path, rows in points.groupby("path", sort=False)
        }
        for column in (metrics.shown(points.columns) if columns is None else columns)
        if column in points
    }


def along_t(
    panels: DataFrame | Mapping[str, Mapping[str, tuple]],
    x_label: str = "t, position on the path",
    networks: Collection[float] | Mapping[float, str] = (0, 1),
) -> Figure:
    """Metrics along paths: a panel a metric, a line a path, a ring at every network of a path.

    A panel whose values are all positive and span a ratio above 50 gets a logarithmic axis,
    named in its label.

    Args:
        panels: `{y label: {path label: (t [n], values [n])}}`, or the table that `mc.evaluate`
            returns, of which `panels_of` takes the main metrics. A path keeps its colour, line and
            marker in all panels; the curve and the straight segment have theirs in all figures.
        x_label: label of every x axis.
        networks: the t of the networks that a path joins, which get a ring; if a mapping, with
            their names.

    Raises:
        ValueError: no panel, a panel without a path, or `t` and values of different shapes.
    """
    if not isinstance(panels, Mapping):
        panels = panels_of(panels)
    if not panels or not all(panels.values()):
        raise ValueError(
            "panels must hold at least one panel, and each panel one path; received"
            f" { ({label: list(paths) for label, paths in panels.items()}) }."
            " Pass {y label: {path label: (t, values)}}."
        )
    styles = looks(list(dict.fromkeys(name for paths in panels.values() for name in paths)))
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    figure = PaperFigure((COLUMN_WIDTH * columns, 2.35 * rows + 0.3), layout="constrained")
    engine: Any = figure.get_layout_engine()  # the constrained one
    engine.set(w_pad=0.08)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, (label, paths) in zip(grid, panels.items(), strict=False):
        for name, (t, values) in paths.items():
            _line(axes, name, *vectors(name, t, values), styles[name], list(networks))
        log = wants_log([values for _, values in paths.values()])
        if log:
            log_scale(axes)
        dress(axes, x_label, f"{label}, log scale" if log else label)
        axes.set_xlim(-0.03, 1.03)
        if isinstance(networks, Mapping):
            _name_networks(axes, networks)
    for axes in grid[len(panels) :]:
        axes.set_visible(False)
    legend_of(figure, grid[: len(panels)])
    return figure


def _name_networks(axes: Axes, networks: Mapping[float, str]) -> None:
    """A tick at each network, with its name where there is room for all names."""
    for text in ("network {}", "{}"):
        names = [text.format(name) for name in networks.values()]
        if sum(map(len, names)) <= MOST_LETTERS:
            named = zip(networks, names, strict=True)
            axes.set_xticks(list(networks), [f"{t:.2g}\n{name}" for t, name in named])
            return


def _line(
    axes: Axes,
    name: str,
    t: np.ndarray,
    values: np.ndarray,
    style: Mapping,
    networks: list[float],
) -> None:
    marked = np.unique(np.linspace(0, len(t) - 1, MARKS + 1).round().astype(int))
    axes.plot(
        t, values, label=name, linewidth=1.5, markersize=3.5, markevery=marked.tolist(), **style
    )
    ends = np.isclose(t[:, np.newaxis], networks, atol=1e-6).any(axis=1)
    if ends.any():
        name = "endpoint networks" if len(networks) == 2 else "networks"
        axes.plot(t[ends], values[ends], label=name, clip_on=False, **NETWORK)
