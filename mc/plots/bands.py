"""The loss along the bands of AutoNEB, cycle after cycle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from mc.plots.style import (
    COLUMN_WIDTH,
    CURVE,
    SEGMENT,
    PaperFigure,
    dress,
    legend_of,
    log_scale,
    wants_log,
)


def band(
    cycles: Mapping[int, tuple[ArrayLike, ArrayLike, ArrayLike]], best: int, label: str
) -> Figure:
    """The loss along the straight segment, cycle 0, and along the band after every cycle.

    Lengths are in those of the segment. Of the best cycle the pivots are marked.

    Args:
        cycles: `{number: (arc length [n], value [n], whether it is a pivot [n])}`, 0 among them.
        best: the number of the one that is the answer.
        label: of the value.

    Raises:
        ValueError: the segment or the best cycle is not among them.
    """
    if 0 not in cycles or best not in cycles:
        raise ValueError(
            f"band needs cycle 0, the straight segment, and the best, {best}; received cycles "
            f"{', '.join(map(str, cycles))}."
        )
    chord = float(np.asarray(cycles[0][0])[-1])
    figure = PaperFigure((COLUMN_WIDTH, 2.7), layout="constrained")
    axes = figure.subplots()
    others = [number for number in cycles if number not in (0, best)]
    for number in others:
        arc, values, _ = map(np.asarray, cycles[number])
        shade = {"color": CURVE["color"], "alpha": 0.35, "linewidth": 0.9}
        axes.plot(
            arc / chord, values, label="other cycles" if number == others[0] else None, **shade
        )
    look: dict[str, Any]
    for number, name, look in ((0, "straight segment", SEGMENT), (best, f"cycle {best}", CURVE)):
        if number == best == 0 and look is CURVE:
            continue
        arc, values, pivots = map(np.asarray, cycles[number])
        marks = np.flatnonzero(pivots).tolist() if look is CURVE else []
        style = {"linewidth": 1.6, "markersize": 4, "markevery": marks}
        told = f"{name}, the lowest" if number == best else name
        axes.plot(arc / chord, values, label=told, **(look | style))
    if wants_log([values for _, values, _ in cycles.values()]):
        log_scale(axes)
    dress(axes, "length of the path, in straight segments", label)
    legend_of(figure, [axes])
    return figure
