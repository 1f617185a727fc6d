"""Barriers against the step at which trainings part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from mc.plots.style import COLUMN_WIDTH, CURVE, OTHERS, SEGMENT, PaperFigure, dress, legend_of

LOOKS = (SEGMENT, CURVE, *OTHERS)


def instability(
    lines: Mapping[str, tuple[ArrayLike, ArrayLike, ArrayLike]], label: str, threshold: float
) -> Figure:
    """Barriers between children against the step that they go on from: a line, and all pairs.

    Args:
        lines: `{name: (steps [k], mean [k], of every pair [k, pairs])}`.
        label: of the barrier.
        threshold: below which they are stable.

    Raises:
        ValueError: there is no line.
    """
    if not lines:
        raise ValueError("instability needs the barriers of a split; received none.")
    figure = PaperFigure((COLUMN_WIDTH, 2.7), layout="constrained")
    axes = figure.subplots()
    steps: Any = next(iter(lines.values()))[0]
    for (name, (x, mean, pairs)), look in zip(lines.items(), LOOKS, strict=False):
        axes.plot(x, mean, label=name, linewidth=1.5, markersize=4, **look)
        values: Any = pairs
        for k in range(values.shape[1]):
            style: dict[str, Any] = {"color": look["color"], "marker": "_", "linestyle": "none"}
            axes.plot(x, values[:, k], markersize=6, alpha=0.6, **style)
    axes.axhline(threshold, color="0.4", linewidth=0.9, linestyle=":", label="threshold")
    positive = [step for step in steps if step > 0]
    if positive and len(steps) > 2:
        axes.set_xscale("symlog", linthresh=float(min(positive)))
        axes.set_xlim(-0.2 * min(positive), 1.4 * max(positive))  # its own margin is wide
        axes.set_xticks(list(steps), [f"{step:g}" for step in steps])
        axes.minorticks_off()
    dress(axes, "step from which they go on", label)
    legend_of(figure, [axes])
    return figure
