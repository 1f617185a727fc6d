"""Affine subspaces of weight space, as coefficients over a few weight vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from mc import domains, families
from mc.curves import Bezier, Curve
from mc.ensembles.swag import Swag
from mc.evaluation.geometry import gram, with_excess
from mc.posteriors.principal import check_dim, principal

ALONG = 101  # positions on the curve at which chains may start
RANK = 5  # dimensions of `pca` and `random`, as in Izmailov et al. 2019
Snapshots: TypeAlias = Swag | Sequence[ArrayLike] | np.ndarray


@dataclass(frozen=True, eq=False)
class Affine:
    """The networks w = (centre + z @ rows) @ points, with z ~ N(0, prior_std^2 I).

    No vector of the length of the weights is made here, besides those that are there.

    Attributes:
        points: n weight vectors, each `[P] float32`.
        centre: `[n]`, the coefficients of the network at z = 0.
        rows: `[dim, n]`, those of each direction; where directions lie between points, each adds
            up to 0.
        good: `[m, n]`, coefficients of networks near which chains start.
        prior_std: deviation of the prior of each z.
    """

    points: Sequence[Any]
    centre: np.ndarray
    rows: np.ndarray
    good: np.ndarray
    prior_std: float = 1.0

    @property
    def dim(self) -> int:
        """How many numbers z has."""
        return len(self.rows)

    def coefficients(self, z: np.ndarray) -> np.ndarray:
        """`z: [k, dim]` -> `[k, n] float64`."""
        return self.centre + z @ self.rows

    def log_prior(self, z: np.ndarray) -> np.ndarray:
        """log N(z; 0, prior_std^2 I), `[k]`."""
        return stats.norm.logpdf(z, scale=self.prior_std).sum(axis=-1)

    def nearest(self, coefficients: np.ndarray) -> np.ndarray:
        """The z of the nearest points of the subspace; `[k, n]` -> `[k, dim]`."""
        inner, centre = gram(self.points), with_excess(self.centre)
        axes = with_excess(self.centre + self.rows) - centre
        apart = with_excess(coefficients) - centre
        return np.linalg.solve(axes @ inner @ axes.T, axes @ inner @ apart.T).T

    def starts(self, chains: int) -> np.ndarray:
        """Where chains start: nearest to good networks, evenly chosen; `[chains, dim]`."""
        chosen = (np.arange(chains) + 0.5) / chains * len(self.good)
        return self.nearest(self.good)[chosen.astype(int)]


def bezier_plane(points: Sequence[Any], family: Curve, prior_std: float = 1.0) -> Affine:
    """The plane of a Bezier curve with one bend (w_0, theta, w_2), after Izmailov et al. 2019.

    With m = w(1/2) = w_0 / 4 + theta / 2 + w_2 / 4, the centre is (w_0 + m + w_2) / 3 and the
    directions, as in the code of the paper,

        u = (w_2 - w_0) / sqrt(3),   v = (m - w_0 - <m - w_0, u> u / <u, u>) / 1.5.

    Raises:
        ValueError: the curve is another, or straight.
    """
    if not families.same(family, Bezier(1)):
        raise ValueError(
            "subspace=curve is the plane of a Bezier curve with one bend; this curve is "
            f"{family}. Use subspace=hull, which every curve has."
        )
    middle = np.array([0.25, 0.5, 0.25])
    first, _, last = np.eye(3)
    u = (last - first) / np.sqrt(3)
    inner = gram(points)[:3, :3]
    v = middle - first
    v = v - (v @ inner @ u) / (u @ inner @ u) * u
    if v @ inner @ v <= 1e-12 * (u @ inner @ u):
        raise ValueError(
            "subspace=curve is a plane, and this curve is straight: train it first (linear "
            "initial points are on one line), or use subspace=line."
        )
    rows = np.stack([u, v / 1.5])
    return Affine(points, (first + middle + last) / 3, rows, along(family), prior_std)


def hull(
    points: Sequence[Any], family: Curve, dim: int | None = None, prior_std: float = 1.0
) -> Affine:
    """The affine hull of all control points, around their mean; after Dold et al. 2025.

    With the deviations of the n points from their mean, D = U diag(s) V^T, direction i is
    s_i V_i = U_i^T D: one prior deviation along it is s_i, and all of the points have a z of
    length at most 1. `dim`: the largest so many directions alone; default: all, n - 1 at most.
    """
    centred = np.eye(len(points)) - 1 / len(points)
    found = principal(points, dim, "control points") @ centred
    centre = np.full(len(points), 1 / len(points))
    return Affine(points, centre, found, along(family), prior_std)


def pca(snapshots: Snapshots, dim: int | None = None, prior_std: float = 1.0) -> Affine:
    """The largest principal components of K snapshots of a training; after Izmailov et al. 2019.

    With the deviations D of the snapshots from their mean, D / sqrt(K - 1) = U diag(s) V^T,
    direction i is s_i V_i: one prior deviation along it, at prior_std=1, is that of the snapshots.
    Of a `Swag`, centre and deviations are its own, those from the mean of the snapshots up to then.

    Args:
        snapshots: K weight vectors, or a `Swag`.
        dim: how many components, 5 if not given.
        prior_std: of the prior.

    Raises:
        ValueError: there are fewer independent snapshots than components need.
    """
    dim = RANK if dim is None else dim
    if isinstance(snapshots, Swag):
        count = len(snapshots.deviations)
        points = [snapshots.mean.astype(np.float32), *snapshots.deviations]
        rows = principal(points[1:], dim, "snapshots", centred=False)
        rows = np.pad(rows, ((0, 0), (1, 0))) / np.sqrt(max(count - 1, 1))
        centre = np.eye(count + 1)[0]
        return Affine(points, centre, rows, centre + np.eye(count + 1)[1:], prior_std)
    points = [np.asarray(w, np.float32) for w in snapshots]
    count = len(points)
    rows = principal(points, dim, "snapshots") @ (np.eye(count) - 1 / count)
    centre, good = np.full(count, 1 / count), np.eye(count)
    return Affine(points, centre, rows / np.sqrt(max(count - 1, 1)), good, prior_std)


def random(
    points: Sequence[Any],
    family: Curve,
    dim: int | None = None,
    prior_std: float = 1.0,
    seed: int = 0,
) -> Affine:
    """Random directions from the middle of the curve; after Izmailov et al. 2019.

    Each is a Gaussian vector of length 1, so z is a distance in weight space. They are kept beside
    the control points: `dim` further weight vectors, 5 if not given.

    Raises:
        ValueError: there are more dimensions than weights.
    """
    dim = RANK if dim is None else dim
    check_dim(dim)
    size, n = len(np.asarray(points[0])), len(points)
    if dim > size:
        raise ValueError(
            f"{size} weights have no more dimensions, and dim={dim} needs more: give a small one, "
            f"such as dim={RANK}, since as many weight vectors are kept."
        )
    further = []
    for number in range(dim):
        direction = np.random.default_rng([seed, number]).standard_normal(size)
        further.append((direction / np.linalg.norm(direction)).astype(np.float32))
    middle = family.coefficients(domains.centre(family))
    centre = np.pad(np.asarray(middle, float), (0, dim))
    rows = np.eye(n + dim)[n:]
    return Affine([*points, *further], centre, rows, centre[np.newaxis], prior_std)


def along(family: Curve) -> np.ndarray:
    """Coefficients of networks on a curve, or spread over a surface; `[m, num_points] float64`."""
    t = domains.spread(family, ALONG)
    if domains.is_curve(family):
        t = ((np.arange(ALONG) + 0.5) / ALONG).astype(np.float32)
    return np.asarray(family.coefficients(t), float)
