"""Which unit goes to which place: linear and quadratic assignment problems."""

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

STEPS = 50  # of Frank-Wolfe, which converges in a few


def linear(gain: np.ndarray) -> np.ndarray:
    """The unit for each place, `[n] int`, of the largest sum of `gain[place, unit]`."""
    return linear_sum_assignment(gain, maximize=True)[1]


class Assignment:
    """What it gains to have units at places, over permutation matrices P `[n, n]`.

        f(P) = <gain, P> + sum over pairs (A, B) of sum_r <A[:, :, r], P B[:, :, r] P^T>

    Without pairs the maximum is found exactly. With pairs it is climbed as by Frank and Wolfe (FAQ:
    Vogelstein et al. 2015, Algorithm 1): the best step along a line is known in closed form, and
    the end is brought to the nearest permutation.

    Args:
        gain: `[n, n]`, of a unit (second axis) at a place.
        pairs: of arrays `[n, n, r]`.
    """

    def __init__(self, gain: np.ndarray, pairs: Sequence[tuple[np.ndarray, np.ndarray]] = ()):
        self.gain, self.pairs = gain, pairs

    def __call__(self, units: np.ndarray) -> float:
        """f where a place has `units[place]`, `[n] int`."""
        value = self.gain[np.arange(len(units)), units].sum()
        for a, b in self.pairs:
            value += np.vdot(a, b[np.ix_(units, units)])
        return float(value)

    def best(self) -> np.ndarray:
        """The unit for each place, `[n] int`; with pairs a local maximum, above the identity."""
        if not self.pairs:
            return linear(self.gain)
        n = len(self.gain)
        starts = np.eye(n), np.full((n, n), 1 / n)
        return max([np.arange(n), *map(self._climb, starts)], key=self)

    def _gradient(self, p: np.ndarray) -> np.ndarray:
        """That of the quadratic part, `[n, n]`."""
        total = np.zeros_like(p)
        for a, b in self.pairs:
            total += np.tensordot(a, np.tensordot(p, b, (1, 1)), ((1, 2), (0, 2)))
            total += np.tensordot(a, np.tensordot(p, b, (1, 0)), ((0, 2), (0, 2)))
        return total

    def _climb(self, p: np.ndarray) -> np.ndarray:
        for _ in range(STEPS):
            slope = self.gain + self._gradient(p)
            d = np.eye(len(p))[linear(slope)] - p
            first, second = np.vdot(slope, d), 0.5 * np.vdot(self._gradient(d), d)
            if first <= 1e-12 * abs(np.vdot(slope, p)):
                break
            peak = -first / (2 * second) if second < 0 else 1.0
            p = p + min(peak, 1.0) * d
        return linear(p)
