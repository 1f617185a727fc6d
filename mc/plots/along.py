"""Metrics along paths."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from mc.plots.style import (
    COLUMN_WIDTH,
    STYLES,
    PaperFigure,
    dress,
    legend_of,
    log_scale,
    vectors,
    wants_log,
)

MARKS = 10  # markers along a line; one a point would hide the line


def along_t(
    panels: Mapping[str, Mapping[str, tuple]],
    x_label: str = "t, position on the path",
    networks=(0, 1),
) -> Figure:
    """Metrics along paths: a panel a metric, a line a path, a ring at every path's end.

    A panel whose values are all positive and span a ratio above 50 gets a logarithmic axis,
    named in its label.

    Args:
        panels: `{y label: {path label: (t [n], values [n])}}`. A path keeps its colour, line and
            marker in all panels.
        x_label: label of every x axis.
        networks: the t of the networks that a path joins, which get a ring.

    Raises:
        ValueError: no panel, a panel without a path, or `t` and values of different shapes.
    """
    if not panels or not all(panels.values()):
        raise ValueError(
            "panels must hold at least one panel, and each panel one path; received"
            f" { ({label: list(paths) for label, paths in panels.items()}) }."
            " Pass {y label: {path label: (t, values)}}."
        )
    names = list(dict.fromkeys(name for paths in panels.values() for name in paths))
    styles = {name: STYLES[i % len(STYLES)] for i, name in enumerate(names)}
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    figure = PaperFigure((COLUMN_WIDTH * columns, 2.35 * rows + 0.3), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.08)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, (label, paths) in zip(grid, panels.items(), strict=False):
        for name, (t, values) in paths.items():
            _line(axes, name, *vectors(name, t, values), styles[name], networks)
        log = wants_log([values for _, values in paths.values()])
        if log:
            log_scale(axes)
        dress(axes, x_label, f"{label}, log scale" if log else label)
        axes.set_xlim(-0.03, 1.03)
    for axes in grid[len(panels) :]:
        axes.set_visible(False)
    legend_of(figure, grid[: len(panels)])
    return figure


def _line(axes, name: str, t, values, style: Mapping, networks) -> None:
    marked = np.unique(np.linspace(0, len(t) - 1, MARKS + 1).round().astype(int))
    axes.plot(
        t, values, label=name, linewidth=1.5, markersize=3.5, markevery=marked.tolist(), **style
    )
    ends = np.isclose(t[:, np.newaxis], networks, atol=1e-6).any(axis=1)
    if ends.any():
        axes.plot(
            t[ends],
            values[ends],
            label="endpoint networks" if len(networks) == 2 else "networks",
            linestyle="none",
            marker="o",
            markersize=7.5,
            markerfacecolor="none",
            markeredgecolor="black",
            markeredgewidth=1.1,
            clip_on=False,
            zorder=4,
        )
