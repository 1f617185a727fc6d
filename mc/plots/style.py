"""What all figures share: size, colours, axes, and legend."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from numpy.typing import ArrayLike

COLUMN_WIDTH = 3.4  # inches: one column of a two-column paper
TEXT, SMALL = 9, 8  # points: axis labels; ticks and legends

# Okabe and Ito's palette tells lines apart for every kind of colour vision; with line style and
# marker they stay apart in grey. Yellow is left out: it vanishes on white paper.
CURVE: dict[str, Any] = {"color": "#0072B2", "linestyle": "-", "marker": "o"}
SEGMENT: dict[str, Any] = {"color": "#D55E00", "linestyle": (0, (4, 1.6)), "marker": "s"}
# One thing has one look in all figures; the first two are those of nothing else.
LOOKS: dict[str, dict[str, Any]] = {
    "curve": CURVE,
    "straight segment": SEGMENT,
    "chain of straight segments": SEGMENT,
    "straight segment, unaligned": {"color": "#E69F00", "linestyle": ":", "marker": "D"},
    "straight segment, repaired": {"color": "#009E73", "linestyle": (0, (8, 2)), "marker": "v"},
    "before training": {"color": "#009E73", "linestyle": "-.", "marker": "^"},
    "ensemble": {"color": "#CC79A7", "linestyle": "-", "marker": "D"},
    "average of weights": {"color": "#E69F00", "linestyle": (0, (8, 2)), "marker": "P"},
}
OTHERS: tuple[dict[str, Any], ...] = (
    {"color": "#009E73", "linestyle": "-.", "marker": "^"},
    {"color": "#CC79A7", "linestyle": ":", "marker": "D"},
    {"color": "#56B4E9", "linestyle": (0, (5, 1, 1, 1, 1, 1)), "marker": "v"},
    {"color": "#E69F00", "linestyle": (0, (8, 2)), "marker": "P"},
    {"color": "#000000", "linestyle": (0, (1, 3)), "marker": "X"},
)
# A single network is a black ring: it shows what it stands on.
NETWORK: dict[str, Any] = {
    "linestyle": "none",
    "marker": "o",
    "markersize": 7.5,
    "markerfacecolor": "none",
    "markeredgecolor": "black",
    "markeredgewidth": 1.1,
    "zorder": 4,
}
LETTER, HANDLE = 0.06, 0.6  # inches, in legends: of a letter, and of a line with its spaces
LOG_RATIO = 50  # above this ratio of extremes, a linear axis flattens the low end into one line

PLAIN = FuncFormatter(lambda value, _: f"{value:g}")  # 0.01 reads faster than a power of ten


class PaperFigure(Figure):
    """A figure that saves at 300 dpi, with fonts that stay text in PDF and PostScript."""

    def savefig(self, fname: Any, **options: Any) -> None:
        """Saves the figure, as `matplotlib.figure.Figure.savefig` does."""
        # Type 42 embeds TrueType: publishers refuse matplotlib's default, Type 3. The setting is
        # read while saving, so it is lent for that time only.
        with matplotlib.rc_context({"pdf.fonttype": 42, "ps.fonttype": 42}):
            super().savefig(fname, **({"dpi": 300} | options))


def looks(names: Sequence[str]) -> dict[str, dict]:
    """The look of each named thing: its own (`LOOKS`), or one that none of the others has."""
    taken = [LOOKS[name] for name in names if name in LOOKS]
    free = [look for look in OTHERS if look not in taken] or OTHERS
    rest = [name for name in names if name not in LOOKS]
    return {**LOOKS, **{name: free[i % len(free)] for i, name in enumerate(rest)}}


def vectors(name: str, x: ArrayLike, y: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Two float64 vectors of one length.

    Raises:
        ValueError: they are not; `name` says which line they are of.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape:
        raise ValueError(
            f"{name!r} must be two vectors of one length; received shapes {x.shape} and {y.shape}."
            " Pass one value a point."
        )
    return x, y


def wants_log(series: Sequence) -> bool:
    """Whether all values are positive and their extremes far apart."""
    values = np.concatenate([np.ravel(np.asarray(v, dtype=np.float64)) for v in series])
    values = values[np.isfinite(values)]
    return values.size > 0 and values.min() > 0 and values.max() > LOG_RATIO * values.min()


def log_scale(axes: Axes) -> None:
    """A logarithmic y axis with ticks in plain numbers."""
    axes.set_yscale("log")
    decades = np.diff(np.log10(axes.get_ylim()))[0]
    # Few decades need ticks between them.
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0,) if decades > 3 else (1.0, 3.0)))
    axes.yaxis.set_major_formatter(PLAIN)
    axes.yaxis.set_minor_formatter(NullFormatter())


def dress(axes: Axes, x_label: str, y_label: str) -> None:
    """Labels, ticks and grid."""
    axes.set_xlabel(x_label, fontsize=TEXT)
    axes.set_ylabel(y_label, fontsize=TEXT)
    axes.tick_params(which="both", labelsize=SMALL, width=0.6)
    axes.grid(True, linewidth=0.4, color="0.85")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _columns(labels: Sequence[str], width: float) -> int:
    """How many columns of a legend fit into a width, in inches; two in a paper's column."""
    if width <= COLUMN_WIDTH:
        return min(2, len(labels))
    for columns in range(min(4, len(labels)), 2, -1):
        parts = np.array_split(np.array([len(label) for label in labels]), columns)
        if sum(LETTER * letters.max() + HANDLE for letters in parts) <= width:
            return columns
    return min(2, len(labels))


def legend_of(figure: Figure, panels: Iterable[Axes], told: str | None = None) -> None:
    """One legend for all panels, above them, under what is told of all."""
    entries: dict[str, Any] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    # The ends explain the lines, so they come last whichever path was drawn first.
    labels = sorted(entries, key=lambda label: label.endswith("networks"))
    figure.legend(
        [entries[label] for label in labels],
        labels,
        loc="outside upper center",
        ncols=_columns(labels, figure.get_figwidth()),
        fontsize=SMALL,
        frameon=False,
        handlelength=2.8,
        title=told,
        title_fontsize=TEXT,
    )
