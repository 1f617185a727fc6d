"""Many networks, and the lowest passes between them: a dendrogram, and the tree."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from scipy.optimize import minimize
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import depth_first_order, shortest_path

from mc.plots.style import (
    COLUMN_WIDTH,
    CURVE,
    OTHERS,
    SEGMENT,
    SMALL,
    TEXT,
    PaperFigure,
    dress,
    log_scale,
    wants_log,
)

WRITTEN = 20  # up to so many edges, their heights are written beside them
LINES = colormaps["viridis_r"]  # pale is low; read by every kind of colour vision, and in grey


def dendrogram(names: Sequence[str], floors: ArrayLike, merges: ArrayLike, label: str) -> Figure:
    """How networks come together as a level of the loss rises (a disconnectivity graph).

    Every network hangs from the pass by which it is first joined with others, down to its own loss.

    Args:
        names: of the n networks.
        floors: the loss of each.
        merges: of `mc.evaluation.modes.merges`, `[n - 1, 4]`.
        label: of the loss.

    Raises:
        ValueError: other shapes.
    """
    floors, merges = np.asarray(floors, float), np.asarray(merges, float)
    n = len(names)
    if floors.shape != (n,) or merges.shape != (n - 1, 4):
        raise ValueError(
            f"dendrogram needs floors [{n}] and merges [{n - 1}, 4] for {n} names; received "
            f"{floors.shape} and {merges.shape}."
        )
    order = _order(merges, n)
    places = {network: float(k) for k, network in enumerate(order)}
    bottoms = dict(enumerate(floors))
    figure = PaperFigure((max(COLUMN_WIDTH, 0.28 * n + 0.8), 2.7), layout="constrained")
    axes = figure.subplots()
    style = {"color": CURVE["color"], "linewidth": 1.3, "solid_capstyle": "projecting"}
    for number, (a, b, height, _) in enumerate(merges, n):
        left, right = places[int(a)], places[int(b)]
        for group, place in ((int(a), left), (int(b), right)):
            axes.plot([place, place], [bottoms[group], height], **style)
        axes.plot([left, right], [height, height], **style)
        places[number], bottoms[number] = (left + right) / 2, height
    axes.plot(range(n), floors[order], "o", color="black", markersize=3.5, zorder=4)
    if wants_log([floors, merges[:, 2]]):
        log_scale(axes)
    dress(axes, "network", label)
    axes.grid(False, axis="x")
    longest = max(map(len, names))
    axes.set_xticks(range(n), [names[k] for k in order], rotation=90 if longest > 2 else 0)
    return figure


def _order(merges: np.ndarray, n: int) -> list[int]:
    """Networks from left to right, so that no two lines cross."""
    groups = {k: [k] for k in range(n)}
    for number, (a, b, *_) in enumerate(merges, n):
        groups[number] = groups.pop(int(a)) + groups.pop(int(b))
    return groups[n + len(merges) - 1]


def tree(
    names: Sequence[str],
    edges: ArrayLike,
    heights: ArrayLike,
    clusters: ArrayLike,
    label: str,
) -> Figure:
    """The tree of the lowest passes: an edge a pass, in the colour of its height.

    Networks of one cluster have one colour. Places say what is joined with what, and nothing else.

    Args:
        names: of the n networks.
        edges: `[n - 1, 2]`, networks numbered from 0.
        heights: of the passes, `[n - 1]`.
        clusters: of the networks, from 1, `[n]`.
        label: of the heights.

    Raises:
        ValueError: other shapes.
    """
    ends, heights = np.asarray(edges, int), np.asarray(heights, float)
    clusters, n = np.asarray(clusters, int), len(names)
    if ends.shape != (n - 1, 2) or heights.shape != (n - 1,) or clusters.shape != (n,):
        raise ValueError(
            f"tree needs edges [{n - 1}, 2], heights [{n - 1}] and clusters [{n}] for {n} names; "
            f"received {ends.shape}, {heights.shape} and {clusters.shape}."
        )
    places = _places(ends, n)
    figure = PaperFigure((COLUMN_WIDTH, 3.0), layout="constrained")
    axes = figure.subplots()
    low, high = heights.min(), heights.max()
    norm = Normalize(low, high if high > low else low + 1)
    for (a, b), height in zip(ends, heights, strict=True):
        x, y = places[[a, b]].T
        axes.plot(x, y, color=LINES(0.15 + 0.8 * norm(height)), linewidth=2.2, zorder=1)
        if len(ends) <= WRITTEN:
            boxed = {"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.85}
            middle = (x.mean(), y.mean())
            axes.annotate(f"{height:.3g}", middle, ha="center", va="center", fontsize=6, bbox=boxed)
    colours = [look["color"] for look in (CURVE, SEGMENT, *OTHERS)]
    several = clusters.max() > 1 and (np.bincount(clusters) > 1).any()
    for k, (x, y) in enumerate(places):
        alone = (clusters == clusters[k]).sum() == 1
        colour = "white" if not several or alone else colours[(clusters[k] - 1) % len(colours)]
        axes.plot(x, y, "o", markersize=13, color=colour, markeredgecolor="black", zorder=2)
        dark = "black" if colour == "white" else "white"
        axes.annotate(
            names[k], (x, y), ha="center", va="center", fontsize=6.5, color=dark, zorder=3
        )
    axes.set_axis_off()
    axes.margins(0.12)
    axes.set_title(label, fontsize=TEXT)
    if len(ends) > WRITTEN:
        bar = figure.colorbar(ScalarMappable(norm, LINES), ax=axes, shrink=0.8)
        bar.ax.tick_params(labelsize=SMALL)
    return figure


def _places(edges: np.ndarray, n: int) -> np.ndarray:
    """Places of the networks, as far apart as there are edges between them; `[n, 2]`.

    They minimise sum (|x_i - x_j| / hops_ij - 1)^2 (Kamada and Kawai 1989), from a circle on which
    they stand as a walk through the tree meets them.
    """
    graph = csr_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), (n, n))
    i, j = np.triu_indices(n, 1)
    hops = shortest_path(graph, directed=False)[i, j]
    walk = depth_first_order(graph, 0, directed=False, return_predecessors=False)
    angles = 2 * np.pi * np.argsort(walk) / n
    circle = n / 4 * np.stack([np.cos(angles), np.sin(angles)], axis=1)

    def strain(flat: np.ndarray) -> tuple[float, np.ndarray]:
        x = flat.reshape(n, 2)
        apart = x[i] - x[j]
        length = np.maximum(np.linalg.norm(apart, axis=1), 1e-9)
        off = length / hops - 1
        slope = (2 * off / hops / length)[:, np.newaxis] * apart
        gradient = np.zeros((n, 2))
        np.add.at(gradient, i, slope)
        np.add.at(gradient, j, -slope)
        return float(off @ off), gradient.ravel()

    return minimize(strain, circle.ravel(), jac=True).x.reshape(n, 2)
