"""Elliptical slice sampling: draws from a Gaussian prior times any likelihood."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np

LogLikelihood: TypeAlias = Callable[[np.ndarray], np.ndarray]  # z [k, d] -> [k]


class EllipticalSlice:
    """Chains of draws z from N(0, prior_std^2 I) times exp(log_likelihood(z)).

    Each draw is taken on the ellipse z cos(a) + nu sin(a) through the one before and a fresh draw
    nu of the prior, at an angle a where the log-likelihood lies above a random level; angles are
    drawn from a bracket that shrinks towards 0 (Murray, Adams and MacKay 2010, Figure 2). There is
    no step size and no gradient. The likelihood alone enters: the prior is in nu.

    All chains go on at once, so that a call of the log-likelihood takes a row of each. Randomness
    is keyed by (seed, chain, draw, angle): a chain is the same beside others as alone, and
    a state taken between two steps goes on as if nothing had been.

    Args:
        log_likelihood: of positions `[k, d]`, `[k]`; -inf where there is none, never nan.
        starts: where chains start, `[chains, d]`, each of a finite log-likelihood.
        prior_std: the deviation of the prior.
        num_samples: draws of each chain.
        seed: of all draws.

    Attributes:
        samples, log_likelihoods: of each chain, `[chains, num_samples, d]` and `[chains,
            num_samples]`, filled up to `drawn [chains]`.
        evaluations: how many values of the log-likelihood were taken.

    Raises:
        ValueError: a start has no finite log-likelihood, or `prior_std` is not positive.
    """

    def __init__(
        self,
        log_likelihood: LogLikelihood,
        starts: np.ndarray,
        prior_std: float,
        num_samples: int,
        seed: int = 0,
    ):
        if not prior_std > 0:
            raise ValueError(f"prior_std must be positive; received prior_std={prior_std}.")
        self.log_likelihood, self.prior_std, self.seed = log_likelihood, float(prior_std), seed
        self.now = np.array(starts, float)
        chains, dim = self.now.shape
        self.samples = np.full((chains, num_samples, dim), np.nan)
        self.log_likelihoods = np.full((chains, num_samples), np.nan)
        self.drawn = np.zeros(chains, int)
        self.value = np.array(log_likelihood(self.now), float)
        self.evaluations = chains
        if not np.isfinite(self.value).all():
            (bad,) = np.nonzero(~np.isfinite(self.value))
            raise ValueError(
                f"Chain {bad[0]} starts where the log-likelihood is {self.value[bad[0]]}. Start it "
                "at a network of finite loss."
            )
        self.nu = np.empty_like(self.now)
        self.level, self.angle, self.low, self.high = np.empty((4, chains))
        self.angles = np.zeros(chains, int)  # of the draw at work, how many were tried
        for chain in range(chains):
            self._begin(chain)

    @property
    def is_done(self) -> bool:
        """Whether all chains have all of their draws."""
        return bool((self.drawn == self.samples.shape[1]).all())

    def step(self) -> None:
        """Take the log-likelihood once at a position of each chain that is at work."""
        (working,) = np.nonzero(self.drawn < self.samples.shape[1])
        cosine, sine = np.cos(self.angle[working, None]), np.sin(self.angle[working, None])
        proposed = self.now[working] * cosine + self.nu[working] * sine
        values = np.asarray(self.log_likelihood(proposed), float)
        self.evaluations += len(working)
        for chain, z, value in zip(working.tolist(), proposed, values, strict=True):
            if value > self.level[chain]:
                self.now[chain], self.value[chain] = z, value
                self.samples[chain, self.drawn[chain]] = z
                self.log_likelihoods[chain, self.drawn[chain]] = value
                self.drawn[chain] += 1
                self._begin(chain)
            else:
                self._shrink(chain)

    def run(self, after_step: Callable[[], None] = lambda: None) -> EllipticalSlice:
        """Draw all that is left; returns itself."""
        while not self.is_done:
            self.step()
            after_step()
        return self

    def _random(self, chain: int) -> np.random.Generator:
        return np.random.default_rng(
            [self.seed, chain, int(self.drawn[chain]), int(self.angles[chain])]
        )

    def _begin(self, chain: int) -> None:
        self.angles[chain] = 0
        rng = self._random(chain)
        self.nu[chain] = self.prior_std * rng.standard_normal(self.now.shape[1])
        self.level[chain] = self.value[chain] - rng.standard_exponential()
        self.angle[chain] = rng.uniform(0, 2 * np.pi)
        self.low[chain], self.high[chain] = self.angle[chain] - 2 * np.pi, self.angle[chain]

    def _shrink(self, chain: int) -> None:
        side = self.low if self.angle[chain] < 0 else self.high
        side[chain] = self.angle[chain]
        self.angles[chain] += 1
        self.angle[chain] = self._random(chain).uniform(self.low[chain], self.high[chain])

    STATE = (
        *("now", "value", "samples", "log_likelihoods", "drawn", "evaluations"),
        *("nu", "level", "angle", "low", "high", "angles"),
    )

    def state(self) -> dict[str, np.ndarray]:
        """All that the chains need to go on, as arrays."""
        return {name: np.array(getattr(self, name)) for name in self.STATE}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state` of the same chains."""
        for name in self.STATE:
            value = np.array(state[name])
            setattr(self, name, int(value) if name == "evaluations" else value)
