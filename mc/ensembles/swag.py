"""SWAG: a Gaussian over the weights that training passes through."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np

RANK = 20  # deviations that are kept, as in the paper
SCALE = 0.5


class Swag:
    """Mean and covariance of snapshots w_1, ..., w_n of a training.

    After Maddox et al. 2019, Algorithm 1. The covariance is half a diagonal and half of low rank,

        scale * ( diag(s^2) + D^T D / (K - 1) ),

    with s^2 the variance of each weight over all snapshots, and D the last K <= `rank` deviations
    w_i - mean_i from the mean of the snapshots up to then. It is never formed. Sums are those of
    Welford (1962) in float64, which lose no digits where weights are large and vary little.

    Args:
        size: P, the number of weights.
        rank: how many deviations are kept at most; 0: a diagonal alone.

    Attributes:
        count: n, of snapshots.
        mean: `[P] float64`; the average of the weights (SWA).
        deviations: the last K, each `[P] float32`.
    """

    def __init__(self, size: int, rank: int = RANK):
        if rank < 0 or rank == 1:
            raise ValueError(
                f"rank must be 0 (a diagonal alone) or at least 2 deviations; received rank={rank}."
            )
        self.count, self.mean, self.squares = 0, np.zeros(size), np.zeros(size)
        self.rank = rank
        self.deviations: deque[np.ndarray] = deque(maxlen=rank)

    def collect(self, w: np.ndarray) -> None:
        """Take a snapshot `w: [P]` in."""
        self.count += 1
        before = w - self.mean
        self.mean += before / self.count
        after = w - self.mean
        self.squares += before * after
        self.deviations.append(after.astype(np.float32))

    @property
    def variance(self) -> np.ndarray:
        """s^2, of each weight over all snapshots; `[P] float64`, never negative."""
        return self.squares / max(self.count, 1)

    def draw(self, seed: int, number: int, scale: float = SCALE) -> np.ndarray:
        """One draw of the Gaussian, `[P] float32`; at scale 0 the mean.

            w = mean + sqrt(scale) * ( s * z_1 + D^T z_2 / sqrt(K - 1) )

        z_1 `[P]` and z_2 `[K]` are standard normal, one of each for all layers together, so that
        layers vary as they did together.

        Args:
            seed, number: which draw: the same for the same two.
            scale: of the covariance; 0.5 as in the paper, with a diagonal alone (rank 0) 1.

        Raises:
            ValueError: `scale` is negative, or there are fewer than two snapshots.
        """
        if not scale >= 0:
            raise ValueError(f"scale must be at least 0; received scale={scale}.")
        if self.count < 2:
            raise ValueError(
                f"SWAG needs two snapshots or more, to know how weights vary; it has {self.count}."
            )
        rng = np.random.default_rng([seed, number])
        step = np.sqrt(self.variance) * rng.standard_normal(len(self.mean))
        kept = len(self.deviations)
        if kept > 1:
            z = rng.standard_normal(kept) / np.sqrt(kept - 1)
            for factor, deviation in zip(z, self.deviations, strict=True):
                step += factor * deviation
        return (self.mean + np.sqrt(scale) * step).astype(np.float32)

    def state(self) -> dict[str, np.ndarray]:
        """All that it has gathered, as arrays for a file."""
        size = len(self.mean)
        deviations = np.array(self.deviations, np.float32).reshape(-1, size)
        return {
            **{"count": np.array(self.count), "mean": self.mean, "squares": self.squares},
            **{"rank": np.array(self.rank), "deviations": deviations},
        }

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> Swag:
        """What `state` was taken of."""
        made = cls(len(state["mean"]), int(state["rank"]))
        made.restore(state)
        return made

    def restore(self, state: Mapping[str, Any]) -> None:
        """Have gathered what `state` says, of as many weights and the same rank."""
        self.count = int(state["count"])
        self.mean, self.squares = np.array(state["mean"]), np.array(state["squares"])
        self.deviations.clear()
        self.deviations.extend(np.array(state["deviations"]))
