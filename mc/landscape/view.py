"""A view: the networks around one, in one or two directions, as coefficients over a few."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mc.evaluation.geometry import gram


@dataclass(frozen=True, eq=False)
class View:
    """The networks w = centre + sum_k x_k direction_k, where both are mixtures of a few points.

    Attributes:
        points: n weight vectors, each `[P] float32`.
        centre: `[n]`, the coefficients of the network in the middle; they add up to 1.
        rows: `[dims, n]`, those of each direction; each adds up to 0.
    """

    points: Sequence[np.ndarray]
    centre: np.ndarray
    rows: np.ndarray

    @classmethod
    def around(cls, w: np.ndarray, directions: Sequence[np.ndarray]) -> View:
        """The view of w in directions `[P]`: its points are w, and w one unit along each."""
        points = [np.asarray(w, np.float32), *(w + d for d in directions)]
        identity = np.eye(len(points))
        return cls(points, identity[0], identity[1:] - identity[0])

    @property
    def dims(self) -> int:
        """How many directions it has."""
        return len(self.rows)

    def coefficients(self, x: np.ndarray) -> np.ndarray:
        """`x: [m, dims]` -> `[m, n] float32`."""
        return (self.centre + np.asarray(x, float) @ self.rows).astype(np.float32)

    def lengths(self) -> np.ndarray:
        """How long each direction is in weight space: one unit of its axis; `[dims]`."""
        return np.sqrt(np.einsum("kn,nm,km->k", self.rows, self._inner, self.rows))

    @cached_property
    def _inner(self) -> np.ndarray:
        """Inner products of the points' offsets from the first, for rows that add up to 0."""
        n = len(self.centre)
        return gram(self.points)[:n, :n]

    def project(self, coefficients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where mixtures of the points lie: the nearest x, `[m, dims]`, and how far off, `[m]`."""
        inner = self._inner
        apart = coefficients - self.centre
        metric = self.rows @ inner @ self.rows.T
        x = np.linalg.solve(metric, self.rows @ inner @ apart.T).T
        rest = apart - x @ self.rows
        off = np.einsum("mn,nk,mk->m", rest, inner, rest)
        return x, np.sqrt(np.maximum(off, 0.0))


def grid(ranges: Sequence[Sequence[float]], cells: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Equidistant positions of each axis `[cells]`, and all combinations `[cells^dims, dims]`.

    The first axis moves fastest, so that values reshaped to `[cells, cells]` are rows of x.
    """
    axes = [np.linspace(low, high, cells) for low, high in ranges]
    if len(axes) == 1:
        return axes, axes[0][:, np.newaxis]
    return axes, np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, len(axes))
