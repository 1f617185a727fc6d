"""Directions in weight space along which the loss is looked at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mc.evaluation.geometry import gram_about_mean
from mc.landscape.filters import axes_of, lengths
from mc.network.weights import FlatNetwork

NORMS = ("filter", "layer", "weight", "none")


def random(
    network: FlatNetwork,
    w: np.ndarray,
    seed: int | Sequence[int],
    norm: str = "filter",
    biases: bool = False,
) -> np.ndarray:
    """A Gaussian direction at w, of the lengths that w itself has; `[P] float32`.

    With d standard normal, of each filter f (Li et al. 2018, "Visualizing the Loss Landscape of
    Neural Nets", section 4), of each weight (a layer's kernel) k, or of each number:

        filter   d_f <- d_f ||w_f|| / ||d_f||
        layer    d_k <- d_k ||w_k|| / ||d_k||
        weight   d   <- d |w|
        none     d   <- d

    Args:
        network: the plain network, whose layers say what a filter is (see `filters.axes_of`).
        w: `[P]`.
        seed: of d, which is the same for all norms.
        norm: one of `NORMS`.
        biases: whether biases, and scales and offsets of normalisations, which have no filters, are
            moved too, each as if it were one; else they stay as they are.

    Raises:
        ValueError: an unknown norm.
    """
    if norm not in NORMS:
        raise ValueError(f"norm must be one of {', '.join(NORMS)}; received {norm!r}.")
    rng = np.random.default_rng(seed)
    parts, first = [], 0
    for shape, size, axes in zip(network.shapes, network.sizes, axes_of(network), strict=True):
        d = rng.standard_normal(size).reshape(shape)
        own = np.asarray(w[first : first + size], np.float64).reshape(shape)
        first += size
        parts.append(_scaled(d, own, axes, norm) if axes or biases else np.zeros(shape))
    return np.concatenate([part.ravel() for part in parts]).astype(np.float32)


def _scaled(d: np.ndarray, w: np.ndarray, axes: tuple[int, ...] | None, norm: str) -> np.ndarray:
    if norm == "none":
        return d
    if norm == "weight":
        return d * np.abs(w)
    of = axes if axes and norm == "filter" else ()
    own = lengths(d, of)
    return d * (lengths(w, of) / np.where(own > 0, own, 1.0))


def principal(points: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The two principal directions of a trajectory, as coefficients over its points.

    Returns:
        `rows [2, n]`, each adding up to 0, so that rows @ points are unit vectors; and the share of
        the variation of the points, about their mean, along each, `[2]`. The last point has no
        negative coordinate, so that signs are the same in each run.

    Raises:
        ValueError: fewer than three points, or all on one line.
    """
    n = len(points)
    if n < 3:
        raise ValueError(
            f"Principal directions of a trajectory need three points or more; received {n}. Keep "
            "more epochs, by train.base.save_every=1."
        )
    values, vectors = np.linalg.eigh(gram_about_mean(points))
    values, vectors = values[::-1], vectors[:, ::-1]
    if values[1] <= 1e-12 * values[0]:
        raise ValueError("The points of the trajectory lie on one line, which spans no plane.")
    signs = np.where(vectors[-1, :2] < 0, -1.0, 1.0)
    rows = (vectors[:, :2] * signs / np.sqrt(values[:2])).T
    return rows - rows.mean(axis=1, keepdims=True), values[:2] / values.clip(min=0).sum()
