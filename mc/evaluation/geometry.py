"""Where the points of a path lie: their t, their coefficients, and their distances."""

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike

ROUNDING = 1e-5  # of a sum of float32 coefficients


def positions(num_points: int, t: ArrayLike | None = None) -> np.ndarray:
    """The t to evaluate at: those given, or `num_points` equidistant ones; `[n] float32`.

    Raises:
        ValueError: `num_points` below 2; a t outside [0, 1], or not in increasing order.
    """
    if t is None:
        if num_points < 2:
            raise ValueError(
                f"num_points must be at least 2, the ends of the curve; received {num_points}. "
                "For one point, give its position: t=[0.5]."
            )
        return np.linspace(0, 1, num_points, dtype=np.float32)
    t = np.asarray(t, np.float32)
    if t.ndim != 1 or t.size == 0 or t.min() < 0 or t.max() > 1 or np.any(np.diff(t) <= 0):
        raise ValueError(
            f"t must be a list of increasing positions in [0, 1]; received {t.tolist()}."
        )
    return t


def straight_segment(t: np.ndarray, num_points: int) -> np.ndarray:
    """Coefficients of the straight segment between the first and last of `num_points` points."""
    rows = np.zeros((len(t), num_points), np.float32)
    rows[:, 0] = 1 - t
    rows[:, -1] += t
    return rows


def gram(points: Sequence[ArrayLike] | np.ndarray, center: bool = True) -> np.ndarray:
    """Inner products of control points; float64.

    `points`: k vectors `[P]` -> `[k, k]`. If `center`, those of their offsets from the first, which
    keep short distances between long vectors exact, and of the first itself: `[k + 1, k + 1]`, for
    rows of coefficients with their `excess`.
    """
    first, count = np.asarray(points[0], np.float64), len(points) + center
    result = np.zeros((count, count))

    def vector(k: int) -> np.ndarray:
        wide = first if k == len(points) else np.asarray(points[k], np.float64)
        return wide - first if center and k < len(points) else wide

    for i in range(count):
        own = vector(i)
        for j in range(i + 1):
            with np.errstate(invalid="ignore", over="ignore"):  # of weights that are not finite
                result[i, j] = result[j, i] = own @ vector(j)
    return result


def gram_about_mean(points: Sequence[ArrayLike] | np.ndarray) -> np.ndarray:
    """Inner products of deviations of n points from their mean; `[n, n] float64`."""
    n = len(points)
    middle = np.eye(n) - 1 / n
    return middle @ gram(points)[:n, :n] @ middle


def volume(points: Sequence[ArrayLike] | np.ndarray) -> float:
    """The volume of the simplex of k + 1 points, in units of weights to the power of k.

    V = sqrt(det G) / k!, with G_ij = <p_i - p_0, p_j - p_0>; of two points their distance.
    `points`: k + 1 vectors `[P]`.
    """
    offsets = gram(points)[1:-1, 1:-1]
    sign, log = np.linalg.slogdet(offsets)
    return float(np.exp(log / 2) / math.factorial(len(offsets))) if sign > 0 else 0.0


def with_excess(coefficients: ArrayLike) -> np.ndarray:
    """Rows of coefficients, each followed by what its sum is above 1; `[n, k]` -> `[n, k + 1]`.

    A vector w = sum_k c_k p_k lies at p_0 + sum_k c_k (p_k - p_0) + (sum_k c_k - 1) p_0. In most
    families the last part is nothing but float32's rounding, which counts as 0.
    """
    rows = np.asarray(coefficients, np.float64)
    excess = rows.sum(axis=-1, keepdims=True) - 1
    return np.concatenate([rows, np.where(np.abs(excess) < ROUNDING, 0.0, excess)], axis=-1)


def segment_lengths(coefficients: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """Distance of each point from the one before, ||w_i - w_{i-1}||; 0 for the first; `[n]`.

    `coefficients`: `[n, k]`, of any sums; `distances`: `gram` of the k control points.
    """
    steps = np.diff(with_excess(coefficients), axis=0)
    squared = np.einsum("nk,kl,nl->n", steps, distances, steps)
    return np.concatenate([[0.0], np.sqrt(np.maximum(squared, 0.0))])


def equal_arc_lengths(
    coefficients: Callable[[np.ndarray], ArrayLike],
    distances: np.ndarray,
    num: int,
    steps: int = 2000,
) -> np.ndarray:
    """The t of `num` points that cut a curve into pieces of equal length, ends included; `[num]`.

    `coefficients`: t -> `[n, num_points]`, as a curve's; `distances`: `gram` of its points. Lengths
    are measured along a chain of `steps` straight segments.
    """
    t = np.linspace(0, 1, steps + 1, dtype=np.float32)
    along = np.cumsum(segment_lengths(np.asarray(coefficients(t)), distances))
    return np.interp(np.linspace(0, along[-1], num), along, t).astype(np.float32)
