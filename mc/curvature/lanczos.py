"""Lanczos' method: a symmetric matrix, known by its products, as a small tridiagonal one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh_tridiagonal

from mc.curvature.products import Product

BREAKDOWN = 1e-6  # of the largest number of T so far: a smaller step is the rounding of float32


@dataclass(frozen=True, eq=False)
class Tridiagonal:
    """T = Q^T H Q of m orthonormal vectors, of which the first is where the method began.

    Attributes:
        diagonal: `[m]`.
        beside: `[m]`, beside the diagonal, and last the length of what would come next.
        vectors: Q as rows, `[m, P] float32`.
    """

    diagonal: np.ndarray
    beside: np.ndarray
    vectors: np.ndarray

    def eigen(self) -> tuple[np.ndarray, np.ndarray]:
        """The eigenvalues of T, ascending `[m]`, and its eigenvectors as columns `[m, m]`."""
        values, vectors = eigh_tridiagonal(self.diagonal, self.beside[:-1])
        return values, vectors

    def residuals(self) -> np.ndarray:
        """|H q - theta q| of every eigenvalue theta of T, with its vector q of length 1; `[m]`."""
        return np.abs(self.beside[-1] * self.eigen()[1][-1])


def lanczos(
    product: Product,
    start: np.ndarray,
    steps: int,
    enough: Callable[[Tridiagonal], bool] = lambda _: False,
) -> Tridiagonal:
    """At most `steps` steps from a vector, each orthogonalised twice against all before it.

        beta_{j+1} q_{j+1} = H q_j - alpha_j q_j - beta_j q_{j-1}

    Where the vectors so far span all that H makes of the first one, it goes on from a random vector
    orthogonal to them, with a beta of 0: copies of eigenvalues are found then, too. T is float64,
    the vectors, m of P numbers, are kept in float32.

    Args:
        product: v -> H v.
        start: `[P]`, not zero.
        steps: at least 1.
        enough: of what there is after a step: whether that will do.

    Raises:
        FloatingPointError: a product is not finite.
    """
    steps = min(steps, len(start))
    kept = np.empty((steps, len(start)), np.float32)
    q = np.asarray(start, np.float64) / np.linalg.norm(start)
    diagonal, beside = np.empty(steps), np.empty(steps)
    for j in range(steps):
        kept[j] = q
        after = product(q)
        if not np.isfinite(after).all():
            raise FloatingPointError("A product of the Hessian with a vector is not finite.")
        diagonal[j] = after @ q
        after = _apart(after, kept[: j + 1])
        beside[j] = np.linalg.norm(after)
        found = Tridiagonal(diagonal[: j + 1], beside[: j + 1], kept[: j + 1])
        scale = max(np.abs(diagonal[: j + 1]).max(), beside[:j].max(initial=0.0))
        if beside[j] <= BREAKDOWN * scale:
            beside[j] = 0.0
            after = _apart(np.random.default_rng(j).standard_normal(len(start)), kept[: j + 1])
        if enough(found):
            break
        q = after / np.linalg.norm(after)
    return found


def _apart(v: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """What of a vector is orthogonal to others."""
    for _ in range(2):  # once leaves what is lost by cancellation
        v = v - kept.T @ (kept @ v.astype(np.float32))
    return v
