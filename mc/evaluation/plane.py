"""The plane through three weight vectors, in coordinates of its own.

Everything is done in coefficients: a vector of the plane is a mixture of the same control points as
the curve, so no vector of the length of the weights is ever made here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mc.evaluation.geometry import with_excess


@dataclass(frozen=True)
class Plane:
    """The plane through w_0, w_1, w_2, its axes orthonormal, w_0 at 0, w_2 on the x axis, y_1 > 0.

    As in Garipov et al. 2018, Appendix A.2, with the start, the bend and the end of a curve:

        u = (w_2 - w_0) / |w_2 - w_0|,   v = (w_1 - w_0 - <w_1 - w_0, u> u) / |...|.

    Args:
        rows: `[3, num_points]`, each vector's coefficients over the control points; they sum to 1.
        gram: `[num_points + 1, num_points + 1]`, `geometry.gram` of the control points.

    Raises:
        ValueError: the three vectors lie on one line.
    """

    rows: np.ndarray
    gram: np.ndarray

    def __post_init__(self) -> None:
        first, second = self._inner(self._a, self._a), self._inner(self._b, self._b)
        across = self._inner(self._a, self._b)
        if first * second - across**2 <= 1e-12 * first * second:
            raise ValueError(
                "The three points of a plane must not lie on one line. Choose others with "
                "plane.points, or train the curve first: linear initial points are on one line."
            )

    @property
    def _a(self) -> np.ndarray:
        return self._from_first(self.rows[1])

    @property
    def _b(self) -> np.ndarray:
        return self._from_first(self.rows[2])

    def _from_first(self, coefficients: ArrayLike) -> np.ndarray:
        return with_excess(coefficients) - with_excess(self.rows[0])

    def _inner(self, a: np.ndarray, b: np.ndarray) -> Any:
        return a @ self.gram @ b

    @cached_property
    def _axes(self) -> tuple[np.ndarray, np.ndarray]:
        u = self._b / np.sqrt(self._inner(self._b, self._b))
        v = self._a - self._inner(self._a, u) * u
        return u, v / np.sqrt(self._inner(v, v))

    def project(self, coefficients: ArrayLike) -> np.ndarray:
        """Coordinates of the nearest points of the plane; `[n, num_points]` -> `[n, 2]`."""
        offsets = self._from_first(coefficients)
        return np.stack([self._inner(offsets, axis) for axis in self._axes], axis=-1)

    def distances(self, coefficients: ArrayLike) -> np.ndarray:
        """How far vectors lie off the plane; `[n, num_points]` -> `[n]`."""
        offsets = self._from_first(coefficients)
        squared = np.einsum("nk,kl,nl->n", offsets, self.gram, offsets)
        return np.sqrt(np.maximum(squared - (self.project(coefficients) ** 2).sum(axis=1), 0.0))

    def coefficients(self, xy: ArrayLike) -> np.ndarray:
        """Coefficients of the vectors at coordinates `xy: [n, 2]`; `[n, num_points] float32`."""
        xy = np.asarray(xy, np.float64)
        return (self.rows[0] + xy @ np.stack(self._axes)[:, :-1]).astype(np.float32)

    @property
    def corners(self) -> np.ndarray:
        """Coordinates of w_0, w_1 and w_2; `[3, 2]`."""
        return self.project(self.rows)

    def grid(self, num: int, margins: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates `x [num]` and `y [num]` that cover the three points and a margin around them.

        `margins`: left, right, bottom, top, as fractions of the points' extent in that direction.
        """
        low, high = self.corners.min(0), self.corners.max(0)
        before, after = np.array(margins[::2]), np.array(margins[1::2])
        first, last = low - before * (high - low), high + after * (high - low)
        return np.linspace(first[0], last[0], num), np.linspace(first[1], last[1], num)
