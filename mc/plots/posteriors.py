"""Samples of a posterior in the subspace that they are drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from mc.plots.planes import COLOURS
from mc.plots.style import COLUMN_WIDTH, CURVE, SEGMENT, PaperFigure, dress, legend_of

SHOWN = 2000  # points that are drawn, of all samples
MASS = (0.5, 0.9, 0.99)  # of the posterior, within the contours of a grid


def posterior(
    samples: np.ndarray,
    log_density: np.ndarray | None = None,
    axes_of_grid: Sequence[np.ndarray] = (),
    names: Sequence[str] = ("$z_1$", "$z_2$"),
) -> Figure:
    """The samples of a posterior: a histogram of one z, or a map of the first two.

    Args:
        samples: `[n, dim]`.
        log_density: on a grid of one or two dimensions, unnormalised: drawn beside the samples.
        axes_of_grid: of each of its dimensions the midpoints.
        names: of the first two z.
    """
    figure = PaperFigure((COLUMN_WIDTH, 2.6), layout="constrained")
    axes = figure.subplots()
    if samples.shape[1] == 1:
        bins = min(60, max(10, len(samples) // 20))
        axes.hist(samples[:, 0], bins=bins, density=True, color="0.8", label="samples")
        if log_density is not None:
            (z,) = axes_of_grid
            density = np.exp(log_density - np.max(log_density))
            density /= density.sum() * (z[1] - z[0])
            axes.plot(z, density, color=CURVE["color"], linewidth=1.4, label="posterior density")
        dress(axes, names[0], "density")
        legend_of(figure, [axes])
        return figure
    if log_density is not None:
        x, y = axes_of_grid
        shares = np.exp(log_density - np.max(log_density))
        shares /= shares.sum()
        levels = np.unique([_level(shares, part) for part in MASS]).tolist()
        axes.contourf(x, y, shares.T, [*levels, shares.max()], cmap=COLOURS, vmin=0)
        axes.contour(x, y, shares.T, levels, colors="0.35", linewidths=0.5)
    every = -(-len(samples) // SHOWN)
    chosen = samples[::every, :2]
    look: dict[str, Any] = {"color": SEGMENT["color"], "s": 5, "linewidths": 0, "alpha": 0.6}
    axes.scatter(chosen[:, 0], chosen[:, 1], label="samples", **look)
    dress(axes, names[0], names[1])
    legend_of(figure, [axes])
    return figure


def _level(shares: np.ndarray, part: float) -> float:
    """The share of a cell above which cells hold so large a part."""
    ordered = np.sort(shares.ravel())[::-1]
    last = int(np.searchsorted(np.cumsum(ordered), part))
    return float(ordered[min(last, len(ordered) - 1)])
