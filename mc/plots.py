"""Figures for print: arrays in, a matplotlib figure out. No other room imports matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib import colormaps
from matplotlib.colors import BoundaryNorm, ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

COLUMN_WIDTH = 3.4  # inches: one column of a two-column paper
TEXT, SMALL = 9, 8  # points: axis labels; ticks and legends

# Okabe and Ito's palette tells lines apart for every kind of colour vision; with line style and
# marker they stay apart in grey. Yellow is left out: it vanishes on white paper.
STYLES = (
    {"color": "#0072B2", "linestyle": "-", "marker": "o"},
    {"color": "#D55E00", "linestyle": "--", "marker": "s"},
    {"color": "#009E73", "linestyle": "-.", "marker": "^"},
    {"color": "#CC79A7", "linestyle": ":", "marker": "D"},
    {"color": "#56B4E9", "linestyle": (0, (5, 1, 1, 1, 1, 1)), "marker": "v"},
    {"color": "#E69F00", "linestyle": (0, (8, 2)), "marker": "P"},
    {"color": "#000000", "linestyle": (0, (1, 3)), "marker": "X"},
)
LOG_RATIO = 50  # above this ratio of extremes, a linear axis flattens the low end into one line
MARKS = 10  # markers along a line; one a point would hide the line

# Viridis without its palest end, which is hard to see on white.
COLOURS_OF_T = ListedColormap(colormaps["viridis"](np.linspace(0.0, 0.92, 256)), name="t")


class PaperFigure(Figure):
    """A figure that saves at 300 dpi, with fonts that stay text in PDF and PostScript."""

    def savefig(self, fname, **options):
        """Saves the figure, as `matplotlib.figure.Figure.savefig` does."""
        # Type 42 embeds TrueType: publishers refuse matplotlib's default, Type 3. The setting is
        # read while saving, so it is lent for that time only.
        with matplotlib.rc_context({"pdf.fonttype": 42, "ps.fonttype": 42}):
            super().savefig(fname, **({"dpi": 300} | options))


def along_t(
    panels: Mapping[str, Mapping[str, tuple]], x_label: str = "t, position on the path"
) -> Figure:
    """Metrics along paths: a panel a metric, a line a path, a ring at every path's end.

    A panel whose values are all positive and span a ratio above 50 gets a logarithmic axis,
    named in its label.

    Args:
        panels: `{y label: {path label: (t [n], values [n])}}`. A path keeps its colour, line and
            marker in all panels.
        x_label: label of every x axis.

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
            _line(axes, name, *_vectors(name, t, values), styles[name])
        log = _wants_log([values for _, values in paths.values()])
        if log:
            _log_scale(axes)
        _dress(axes, x_label, f"{label}, log scale" if log else label)
        axes.set_xlim(-0.03, 1.03)
    for axes in grid[len(panels) :]:
        axes.set_visible(False)
    _legend_of(figure, grid[: len(panels)])
    return figure


def _line(axes, name: str, t, values, style: Mapping) -> None:
    marked = np.unique(np.linspace(0, len(t) - 1, MARKS + 1).round().astype(int))
    axes.plot(
        t, values, label=name, linewidth=1.5, markersize=3.5, markevery=marked.tolist(), **style
    )
    ends = np.isin(t, (0, 1))
    if ends.any():
        axes.plot(
            t[ends],
            values[ends],
            label="endpoint networks",
            linestyle="none",
            marker="o",
            markersize=7.5,
            markerfacecolor="none",
            markeredgecolor="black",
            markeredgewidth=1.1,
            clip_on=False,
            zorder=4,
        )


def _wants_log(series: Sequence) -> bool:
    values = np.concatenate([np.ravel(np.asarray(v, dtype=np.float64)) for v in series])
    values = values[np.isfinite(values)]
    return values.size > 0 and values.min() > 0 and values.max() > LOG_RATIO * values.min()


def _log_scale(axes) -> None:
    axes.set_yscale("log")
    decades = np.diff(np.log10(axes.get_ylim()))[0]
    # 0.01 reads faster than a power of ten, and few decades need ticks between them.
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0,) if decades > 3 else (1.0, 3.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def function_fan(
    train: tuple,
    test: tuple | None,
    positions,
    t,
    functions,
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
            style = {"linewidth": 2.4, "linestyle": dashes, "label": f"t = {position:g}"}
            axes.plot(positions, values, color=colour, zorder=3, **style)
        else:
            axes.plot(positions, values, color=colour, linewidth=0.9, zorder=2)
    _points(axes, train_label, train, {"marker": "o", "facecolors": "none", "edgecolors": "0.25"})
    if test is not None:
        _points(axes, test_label, test, {"marker": "x", "color": "0.55"})
    _dress(axes, x_label, y_label)
    bar = figure.colorbar(matplotlib.cm.ScalarMappable(scale, COLOURS_OF_T), ax=axes, pad=0.02)
    bar.set_label("t, position on the path", fontsize=TEXT)
    bar.ax.tick_params(labelsize=SMALL)
    _legend_of(figure, [axes])
    return figure


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
    levels = low + span * np.concatenate([[0.0], np.geomspace(0.005, 1.0, 10)])
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
    _dress(axes, "distance in weight space", "distance in weight space")
    axes.grid(False)
    bar = figure.colorbar(filled, ax=axes, pad=0.02, ticks=levels[::2])
    bar.ax.set_yticklabels([f"{level:.3g}" for level in levels[::2]])
    bar.set_label(label, fontsize=TEXT)
    bar.ax.tick_params(labelsize=SMALL)
    _legend_of(figure, [axes])
    return figure


def _points(axes, label: str, data: tuple, style: Mapping) -> None:
    x, y = _vectors(label, *data)
    axes.scatter(x, y, s=11, linewidths=0.7, label=label, zorder=1, **style)


def _vectors(name: str, x, y) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape:
        raise ValueError(
            f"{name!r} must be two vectors of one length; received shapes {x.shape} and {y.shape}."
            " Pass one value a point."
        )
    return x, y


def _dress(axes, x_label: str, y_label: str) -> None:
    axes.set_xlabel(x_label, fontsize=TEXT)
    axes.set_ylabel(y_label, fontsize=TEXT)
    axes.tick_params(which="both", labelsize=SMALL, width=0.6)
    axes.grid(True, linewidth=0.4, color="0.85")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _legend_of(figure, panels: Sequence) -> None:
    entries = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    # The ends explain the lines, so they come last whichever path was drawn first.
    labels = sorted(entries, key=lambda label: label == "endpoint networks")
    figure.legend(
        [entries[label] for label in labels],
        labels,
        loc="outside upper center",
        ncols=min(4 if figure.get_figwidth() > COLUMN_WIDTH else 2, len(labels)),
        fontsize=SMALL,
        frameon=False,
        handlelength=2.8,
    )
