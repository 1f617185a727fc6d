"""How sure networks are, and whether they should be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from mc.plots.style import (
    COLUMN_WIDTH,
    CURVE,
    SEGMENT,
    PaperFigure,
    dress,
    legend_of,
    log_scale,
    vectors,
    wants_log,
)

BINS = 30  # of entropies
BAND: dict[str, Any] = {"color": CURVE["color"], "alpha": 0.22, "linewidth": 0}


def reliability(weight: ArrayLike, confidence: ArrayLike, accuracy: ArrayLike) -> Figure:
    """How often predictions are right against how sure they are, and how many are as sure.

    Bars are the accuracy in bins of confidence of one width; where they end below the diagonal,
    networks are too sure of themselves, by what is hatched.

    Args:
        weight, confidence, accuracy: `[bins]`, as of `evaluation.uncertainty.Reliability`.

    Raises:
        ValueError: they differ in length, or no bin has an example.
    """
    confidence, accuracy = vectors("confidence and accuracy", confidence, accuracy)
    weight, _ = vectors("weight", weight, confidence)
    if not weight.sum() > 0:
        raise ValueError("reliability needs an example in one of its bins; received none.")
    filled = weight > 0
    edges = np.linspace(0, 1, len(weight) + 1)
    middle, width = (edges[1:] + edges[:-1])[filled] / 2, edges[1]
    figure = PaperFigure((COLUMN_WIDTH, 4.0), layout="constrained")
    top, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    accuracy, confidence = accuracy[filled], confidence[filled]
    bars = {"color": CURVE["color"], "alpha": 0.6, "edgecolor": "white"}
    top.bar(middle, accuracy, width, label="accuracy", **bars)
    top.bar(
        *(middle, confidence - accuracy, width, accuracy),
        **{"color": "none", "edgecolor": SEGMENT["color"], "hatch": "////", "linewidth": 0.8},
        label="gap to confidence",
    )
    top.plot([0, 1], [0, 1], color="black", linestyle="--", linewidth=1, label="calibrated")
    top.set_ylim(0, 1)
    below.bar(middle, weight[filled], width, color="0.55", edgecolor="white")
    if wants_log([weight[filled]]):
        log_scale(below)
    below.set_xlim(0, 1)
    dress(top, "", "accuracy (fraction)")
    dress(below, "confidence", "examples")
    legend_of(figure, [top])
    return figure


def entropies(given: Mapping[str, ArrayLike]) -> Figure:
    """Densities of the predictive entropy, a line a data set, over the same bins.

    Args:
        given: `{name: entropies [n]}` in nats; the first is that which networks are trained for.

    Raises:
        ValueError: no data set, or one without examples.
    """
    values = {name: np.ravel(np.asarray(v, np.float64)) for name, v in given.items()}
    if not values or not all(map(len, values.values())):
        raise ValueError("entropies needs data sets with examples; received none of one.")
    highest = max(v.max() for v in values.values())
    edges = np.linspace(0, max(highest, 1e-12), BINS + 1)
    figure = PaperFigure((COLUMN_WIDTH, 2.6), layout="constrained")
    axes = figure.subplots()
    for (name, v), look in zip(values.items(), (CURVE, SEGMENT), strict=False):
        share = np.histogram(v, edges)[0] / len(v)
        style = {"color": look["color"], "linestyle": look["linestyle"]}
        axes.stairs(share, edges, label=name, linewidth=1.4, **style)
        axes.stairs(share, edges, fill=True, color=look["color"], alpha=0.18)
    axes.set_xlim(0, edges[-1])
    axes.set_ylim(bottom=0)
    dress(axes, "predictive entropy (nats)", "fraction of examples")
    legend_of(figure, [axes])
    return figure


def predictive_band(
    positions: ArrayLike,
    mean: ArrayLike,
    low: ArrayLike,
    high: ArrayLike,
    train: tuple,
    test: tuple | None = None,
    x_label: str = "x",
    y_label: str = "y",
) -> Figure:
    """The predictive density of a regression of one variable: its mean and central 95 % over data.

    Args:
        positions: `[m]`, ascending.
        mean, low, high: `[m]`, such as `Mixture.mean` and `quantile(0.025)`, `quantile(0.975)`.
        train, test: `(x [n], y [n])`; None for none.
        x_label, y_label: axis labels.

    Raises:
        ValueError: shapes that do not fit, or a band whose ends are exchanged.
    """
    positions, mean = vectors("mean", positions, mean)
    low, high = (vectors("band", positions, end)[1] for end in (low, high))
    if np.any(low > high):
        raise ValueError("predictive_band needs low <= high at every position; exchange the two.")
    figure = PaperFigure((1.5 * COLUMN_WIDTH, 3.0), layout="constrained")
    axes = figure.subplots()
    axes.fill_between(positions, low, high, label="central 95 %", zorder=1, **BAND)
    axes.plot(positions, mean, color=CURVE["color"], linewidth=1.6, label="mean", zorder=3)
    marks: dict[str, tuple] = {
        "train data": ("o", "none", "0.25"),
        "test data": ("x", "0.55", None),
    }
    for (name, (marker, face, edge)), data in zip(marks.items(), (train, test), strict=True):
        if data is not None:
            look = {"marker": marker, "facecolors": face, "edgecolors": edge}
            axes.scatter(*vectors(name, *data), s=11, linewidths=0.7, label=name, zorder=2, **look)
    axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.set_xlim(positions[0], positions[-1])
    dress(axes, x_label, y_label)
    legend_of(figure, [axes])
    return figure
