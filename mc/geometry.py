"""Where the points of a path lie: their t, their coefficients, and their distances."""

import numpy as np


def positions(num_points: int, t=None) -> np.ndarray:
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


def gram(points, center: bool = True) -> np.ndarray:
    """Inner products of control points, of their offsets from the first if `center`; float64.

    `points`: k vectors `[P]` -> `[k, k]`. Offsets keep short distances between long vectors exact.
    """
    origin = np.asarray(points[0], np.float64) if center else 0.0
    result = np.zeros((len(points), len(points)))
    for i, p in enumerate(points):
        offset = np.asarray(p, np.float64) - origin
        for j in range(i + 1):
            result[i, j] = result[j, i] = offset @ (np.asarray(points[j], np.float64) - origin)
    return result


def segment_lengths(coefficients: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """Distance of each point from the one before, ||w_i - w_{i-1}||; 0 for the first; `[n]`.

    Coefficients sum to 1, so offsets from the first control point (`gram`) suffice.
    """
    steps = np.diff(np.asarray(coefficients, np.float64), axis=0)
    squared = np.einsum("nk,kl,nl->n", steps, distances, steps)
    return np.concatenate([[0.0], np.sqrt(np.maximum(squared, 0.0))])


def equal_arc_lengths(coefficients, distances: np.ndarray, num: int, steps: int = 2000):
    """The t of `num` points that cut a curve into pieces of equal length, ends included; `[num]`.

    `coefficients`: t -> `[n, num_points]`, as a curve's; `distances`: `gram` of its points. Lengths
    are measured along a chain of `steps` straight segments.
    """
    t = np.linspace(0, 1, steps + 1, dtype=np.float32)
    along = np.cumsum(segment_lengths(np.asarray(coefficients(t)), distances))
    return np.interp(np.linspace(0, along[-1], num), along, t).astype(np.float32)
