"""Subspaces with a uniform prior: along a curve, and over the simplex of its control points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy import special, stats

from mc.curves import Curve
from mc.evaluation.geometry import gram, segment_lengths, with_excess
from mc.posteriors.affine import along

PIECES = 2000  # straight ones, or some more, by which the length of a curve is measured
STEP = 1e-3  # in t, of the difference that a derivative is taken by
SMALLEST = 1e-6  # of a coefficient, for a network near a face of a simplex


@dataclass(frozen=True, eq=False)
class Line:
    """The networks on a curve, z = t in [0, 1], uniform in arc length; after Dold et al. 2025.

    The prior of t has the density |dw/dt| / L, with L the length of the curve.

    Attributes:
        points: the control points, each `[P] float32`.
        family: the curve.
    """

    points: Sequence[Any]
    family: Curve
    dim = 1
    prior_std = None  # it is no Gaussian

    @cached_property
    def _gram(self) -> np.ndarray:
        return gram(self.points)

    @cached_property
    def length(self) -> float:
        """The length of the curve in weight space."""
        links = len(self.points) - 1  # whose ends are among those of the pieces
        t = np.linspace(0, 1, -(-PIECES // links) * links + 1)
        return float(segment_lengths(self._rows(t), self._gram).sum())

    def _rows(self, t: np.ndarray) -> np.ndarray:
        return np.asarray(self.family.coefficients(t.astype(np.float32)), float)

    def coefficients(self, z: np.ndarray) -> np.ndarray:
        """`z: [k, 1]` -> `[k, num_points] float64`."""
        return self._rows(z[:, 0])

    def log_prior(self, z: np.ndarray) -> np.ndarray:
        """log(|dw/dt| / L), -inf outside of [0, 1]; `[k]`."""
        # Not by a gradient, which a family of one's own need not have. In float32, as t are.
        before, after = (np.clip(z[:, 0] + step, 0, 1).astype(np.float32) for step in (-STEP, STEP))
        step = with_excess(self._rows(after)) - with_excess(self._rows(before))
        squared = np.einsum("nk,kl,nl->n", step, self._gram, step)
        inside = (z[:, 0] >= 0) & (z[:, 0] <= 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            speed = np.sqrt(np.maximum(squared, 0)) / (after.astype(float) - before)
            return np.where(inside, np.log(speed) - np.log(self.length), -np.inf)


@dataclass(frozen=True, eq=False)
class Simplex:
    """The mixtures of n control points, uniform over their simplex (Dirichlet(1, ..., 1)).

    The n - 1 numbers z are standard normal, which elliptical slice sampling needs, and are made
    coefficients by breaking a stick: with v_i = 1 - (1 - Phi(z_i))^(1 / (n - i)) for i = 1 to
    n - 1, which is Beta(1, n - i) distributed,

        c_i = v_i prod_{j < i} (1 - v_j),   c_n = prod_j (1 - v_j).

    Attributes:
        points: n control points, each `[P] float32`.
        family: the curve, along which chains start.
    """

    points: Sequence[Any]
    family: Curve
    prior_std = 1.0

    @property
    def dim(self) -> int:
        """One less than there are points."""
        return len(self.points) - 1

    @cached_property
    def _powers(self) -> np.ndarray:
        return 1 / np.arange(self.dim, 0, -1)

    def coefficients(self, z: np.ndarray) -> np.ndarray:
        """`z: [k, n - 1]` -> `[k, n] float64`."""
        log_rest = special.log_ndtr(-z) * self._powers  # log(1 - v)
        left = np.cumsum(np.pad(log_rest, ((0, 0), (1, 0))), axis=1)
        taken = np.pad(-np.expm1(log_rest), ((0, 0), (0, 1)), constant_values=1)
        return taken * np.exp(left)

    def log_prior(self, z: np.ndarray) -> np.ndarray:
        """log N(z; 0, I), which is the uniform density in the coordinates z; `[k]`."""
        return stats.norm.logpdf(z).sum(axis=-1)

    def positions(self, coefficients: np.ndarray) -> np.ndarray:
        """The z of coefficients, `[k, n]` -> `[k, n - 1]`; those on a face are moved inside."""
        c = np.maximum(coefficients, SMALLEST)
        left = np.cumsum(c[:, ::-1], axis=1)[:, ::-1]
        log_rest = np.log(left[:, 1:]) - np.log(left[:, :-1])
        return -special.ndtri_exp(log_rest / self._powers)

    def starts(self, chains: int) -> np.ndarray:
        """Where chains start: at coefficients of the curve, evenly chosen; `[chains, n - 1]`."""
        good = along(self.family)
        chosen = (np.arange(chains) + 0.5) / chains * len(good)
        return self.positions(good)[chosen.astype(int)]
