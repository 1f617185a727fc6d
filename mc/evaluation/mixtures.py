"""Uncertainty of regressions: mixtures of the normal densities that members predict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import elementwise
from scipy.special import logsumexp, ndtr
from scipy.stats import norm

CENTRAL = (0.025, 0.975)  # the quantiles that the central 95 % interval lies between


@dataclass(frozen=True, eq=False)
class Mixture:
    """The predictive density of k regressions, each of which predicts a normal one.

        p(y | x) = 1/k sum_j prod_o N(y_o; mean_j,o(x), deviation_j,o(x)^2)

    Args:
        means, deviations: `[k, n, outputs]`, of k members for n examples.

    Raises:
        ValueError: other shapes, or deviations that are not positive.
    """

    means: Any
    deviations: Any

    def __post_init__(self) -> None:
        for name in ("means", "deviations"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), np.float64))
        shape = self.means.shape
        if len(shape) != 3 or self.deviations.shape != shape or 0 in shape:
            raise ValueError(
                "A mixture needs means and deviations [members, n, outputs]; received shapes "
                f"{shape} and {self.deviations.shape}. For one output pass [members, n, 1]."
            )
        if np.any(self.deviations <= 0):
            raise ValueError(
                "A mixture needs deviations greater than 0; received "
                f"{self.deviations.min()}. Of logarithms of deviations pass np.exp of them."
            )

    @property
    def mean(self) -> np.ndarray:
        """`[n, outputs]`."""
        return self.means.mean(0)

    def log_density(self, y: ArrayLike) -> np.ndarray:
        """log p(y | x) of targets `y: [n, outputs]`, all outputs of an example together, `[n]`."""
        own = norm.logpdf(self._fitting(y), self.means, self.deviations).sum(-1)
        return logsumexp(own, axis=0) - np.log(len(own))

    def distribution(self, y: ArrayLike) -> np.ndarray:
        """F(y) = 1/k sum_j Phi((y - mean_j)/deviation_j) of each output, `[n, outputs]`."""
        return ndtr((self._fitting(y) - self.means) / self.deviations).mean(0)

    def quantile(self, probability: float) -> np.ndarray:
        """The y where F(y) is a probability, of each output, `[n, outputs]`.

        It lies between the quantiles of the members, where it is looked for as a root.
        """
        k, *shape = self.means.shape
        means, deviations = self.means.reshape(k, -1), self.deviations.reshape(k, -1)
        own = norm.ppf(probability) * deviations + means
        room = 1e-6 * deviations.max(0)  # or one member's own would be no interval

        def excess(y: np.ndarray, at: np.ndarray) -> np.ndarray:
            return ndtr((y - means[:, at]) / deviations[:, at]).mean(0) - probability

        between = (own.min(0) - room, own.max(0) + room)
        found = elementwise.find_root(excess, between, args=(np.arange(own.shape[1]),))
        return np.where(np.isfinite(own).all(0), found.x, np.nan).reshape(shape)

    def covered(self, y: ArrayLike) -> np.ndarray:
        """1 where targets lie in the central 95 %, else 0; nan of nan; `[n, outputs]`."""
        at = self.distribution(y)
        inside = (at >= CENTRAL[0]) & (at <= CENTRAL[1])
        return np.where(np.isnan(at), np.nan, inside)

    def interval(self) -> tuple[np.ndarray, np.ndarray]:
        """Where the central 95 % begins and ends, `[n, outputs]` each."""
        low, high = (self.quantile(probability) for probability in CENTRAL)
        return low, high

    def _fitting(self, y: ArrayLike) -> np.ndarray:
        y = np.asarray(y, np.float64)
        if y.shape != self.means.shape[1:]:
            raise ValueError(
                f"Targets must be [n, outputs] as means are, {self.means.shape[1:]}; received "
                f"{y.shape}."
            )
        return y


def scores(y: ArrayLike, mixture: Mixture) -> dict[str, float]:
    """What the predictive density of a regression is worth.

        lppd           = 1/n sum_i log p(y_i | x_i)
        rmse           = sqrt(mean over examples and outputs of (y - mean)^2)
        coverage       = fraction of targets with .025 <= F(y) <= .975
        interval_width = mean of F^-1(.975) - F^-1(.025), in units of y

    Log pointwise predictive density is the mean over examples, of which some report the sum. A
    density is not bounded by 1, nor lppd by 0.

    Args:
        y: `[n, outputs]`.

    Returns:
        `{"lppd", "rmse", "coverage", "interval_width"}`; nan of predictions that are not finite.
    """
    y = np.asarray(y, np.float64)
    low, high = mixture.interval()
    return {
        "lppd": float(mixture.log_density(y).mean()),
        "rmse": float(np.sqrt(np.mean((y - mixture.mean) ** 2))),
        "coverage": float(mixture.covered(y).mean()),
        "interval_width": float((high - low).mean()),
    }
