"""Draws of networks from a posterior, and what they predict together."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from mc.ensembles.joint import Member
from mc.evaluation.evaluator import BLOCK, in_blocks
from mc.posteriors import convergence, predictions
from mc.posteriors.density import Density
from mc.posteriors.elliptical import EllipticalSlice
from mc.posteriors.quadrature import Grid, on_grid

log = logging.getLogger(__name__)

SAMPLERS = ("elliptical", "quadrature")
WIDE = 5.0  # prior deviations on either side of 0 that quadrature covers
EDGE = 1e-3  # of the mass: what may lie in the outermost cells of a grid
FEWEST = 10  # cells that should hold the mass of a grid


class Posterior:
    """The distribution over the networks of a subspace; `mc.posterior` makes one and runs it.

    Args:
        density: of z.
        sampler: one of `SAMPLERS`; default: `quadrature` for a uniform prior of one dimension,
            which elliptical slice sampling does not know, and `elliptical` else.
        chains, samples: how many chains, and draws of each; of quadrature, whose draws are
            independent, so many in all.
        burn_in: draws of each chain before those.
        seed: of all draws.
        cells, box: of quadrature, in each dimension the cells, and the lowest and highest z;
            default: all of a line, else five prior deviations on either side of 0.

    Attributes:
        samples: z of the draws, `[chains, samples, dim]`.
        log_densities: of each its log density, unnormalised; of quadrature that at the middle of
            its cell; `[chains, samples]`.
        evaluations: how many values of the density were taken.
        grid: of quadrature, the density on it.

    Raises:
        ValueError: an unknown sampler, or one that does not serve this subspace; `run` raises
            where there is no likelihood to start from.
    """

    def __init__(
        self,
        density: Density,
        sampler: str | None = None,
        *,
        chains: int = 8,
        samples: int = 200,
        burn_in: int = 50,
        seed: int = 0,
        cells: int = 200,
        box: Any = None,
    ):
        self.density, self.subspace = density, density.subspace
        self.sampler = _check_sampler(sampler, self.subspace)
        for name, value in {"chains": chains, "samples": samples, "burn_in": burn_in}.items():
            lowest = 1 if name == "chains" else 0
            if value < lowest:
                raise ValueError(f"{name} must be at least {lowest}; received {name}={value}.")
        self.chains, self.num_samples, self.burn_in, self.seed = chains, samples, burn_in, seed
        self.cells, self.box = cells, box
        self.samples = np.empty((chains, 0, self.subspace.dim))
        self.log_densities = np.empty((chains, 0))
        self.evaluations = 0
        self.grid: Grid | None = None

    @property
    def dim(self) -> int:
        """How many numbers z has."""
        return self.subspace.dim

    def log_density(self, z: Any) -> np.ndarray:
        """The log density at z, unnormalised; `[n, dim]` -> `[n]`."""
        return self.density(self._checked(z))

    def coefficients(self, z: Any) -> np.ndarray:
        """Coefficients at z over `subspace.points`; `[n, dim]` -> `[n, num_points]`."""
        return self.subspace.coefficients(self._checked(z))

    def _checked(self, z: Any) -> np.ndarray:
        z = np.asarray(z, float)
        if z.ndim != 2 or z.shape[1] != self.dim:
            raise ValueError(f"z must be [n, dim] = [n, {self.dim}]; received shape {z.shape}.")
        return z

    def run(
        self,
        after_block: Callable[[dict[str, np.ndarray]], None] = lambda done: None,
        snapshot: Mapping[str, np.ndarray] | None = None,
    ) -> Posterior:
        """Draw all samples; returns itself.

        Args:
            after_block: called with arrays of all that was done so far, after every 32 values of
                the density, or as many as there are chains.
            snapshot: what `after_block` was given last, to go on from there: the result is the
                same, bit for bit.
        """
        run = self._run_grid if self.sampler == "quadrature" else self._run_chains
        run(after_block, snapshot)
        return self

    def _run_chains(self, after_block: Callable, snapshot: Mapping | None) -> None:
        elliptical = EllipticalSlice(
            self.density.log_likelihood,
            self.subspace.starts(self.chains),  # type: ignore[union-attr]  # a line has a grid
            self.subspace.prior_std,  # type: ignore[arg-type]
            self.burn_in + self.num_samples,
            self.seed,
        )
        if snapshot:
            elliptical.restore(snapshot)
        steps = 0

        def after_step() -> None:
            nonlocal steps
            steps += 1
            if steps % -(-BLOCK // self.chains) == 0:
                after_block(elliptical.state())

        elliptical.run(after_step)
        self.samples = elliptical.samples[:, self.burn_in :]
        prior = self.subspace.log_prior(self.samples.reshape(-1, self.dim))
        likelihoods = elliptical.log_likelihoods[:, self.burn_in :]
        self.log_densities = likelihoods + prior.reshape(likelihoods.shape)
        self.evaluations = elliptical.evaluations

    def _run_grid(self, after_block: Callable, snapshot: Mapping | None) -> None:
        def values(z: np.ndarray, note: str) -> dict[str, np.ndarray]:
            return {"log_density": self.density(z, note)}

        def at_all(z: np.ndarray) -> np.ndarray:
            return in_blocks(values, z, after_block, dict(snapshot or {}))["log_density"]

        self.grid = on_grid(at_all, self._box(), self.cells)
        self.evaluations = self.grid.log_density.size
        _warn_of(self.grid, self.subspace.prior_std is not None)
        draws = self.grid.draw(self.chains * self.num_samples, self.seed)
        self.samples = draws.reshape(self.chains, self.num_samples, self.dim)
        self.log_densities = self.grid.at(draws).reshape(self.chains, self.num_samples)

    def _box(self) -> list[tuple[float, float]]:
        if self.box is not None:
            box = np.asarray(self.box, float)
            if box.shape != (self.dim, 2) or not (box[:, 0] < box[:, 1]).all():
                raise ValueError(
                    f"box must be the lowest and the highest z of each dimension, [{self.dim}, 2]; "
                    f"received {self.box}."
                )
            return [(low, high) for low, high in box.tolist()]
        std = self.subspace.prior_std
        return [(0.0, 1.0) if std is None else (-WIDE * std, WIDE * std)] * self.dim

    @property
    def log_evidence(self) -> float | None:
        """The logarithm of the integral of the density, if quadrature took it."""
        return None if self.grid is None else self.grid.log_evidence

    @property
    def r_hat(self) -> np.ndarray:
        """Of each z, how much wider all chains are than each; see `convergence.split_r_hat`."""
        return convergence.split_r_hat(self.samples)

    @property
    def effective_sample_size(self) -> np.ndarray:
        """Of each z, what the draws are worth; see `convergence.effective_sample_size`."""
        return convergence.effective_sample_size(self.samples)

    def members(self, draws: int = 100) -> Iterator[Member]:
        """Networks of `draws` samples, evenly chosen from all chains; all, if there are fewer.

        Their weights and states, for `ensembles.predictive.join`.
        """
        z = self.samples.reshape(-1, self.dim)
        if not len(z):
            raise ValueError("There are no samples to take networks from: give samples=1 or more.")
        if draws < 1:
            raise ValueError(f"draws must be at least 1; received draws={draws}.")
        count = min(draws, len(z))
        chosen = (np.arange(count) + 0.5) / count * len(z)
        return self.density.networks(z[chosen.astype(int)])

    def predict(self, x: Any, draws: int = 100) -> Any:
        """What the networks of `draws` samples predict together; see `members`.

        Of classes the mean of their probabilities, `[n, ..., C]` (of decisions, that of yes). Of a
        regression the mean `[n, ...]` and the deviation of a new target, `[n, ...]`:

            mean = E[f(x)],     deviation^2 = Var[f(x)] + noise_std^2,

        with a loss of its own deviations E[deviation(x)^2] in place of the last.

        Args:
            x: inputs, in a form of `batches.as_batches`.
            draws: how many networks.
        """
        return predictions.of(self.density, self.members(draws), x)


def _check_sampler(sampler: str | None, subspace: Any) -> str:
    is_gaussian = subspace.prior_std is not None
    sampler = sampler or ("elliptical" if is_gaussian else "quadrature")
    if sampler not in SAMPLERS:
        raise ValueError(f"Unknown sampler {sampler!r}. Known: {', '.join(SAMPLERS)}.")
    if sampler == "elliptical" and not is_gaussian:
        raise ValueError(
            "Elliptical slice sampling is for Gaussian priors, and t on a line is uniform: use "
            "sampler=quadrature, which is exact."
        )
    return sampler


def _warn_of(grid: Grid, has_tails: bool) -> None:
    """Say where a grid does not hold the posterior, or is too coarse for it."""
    shares = grid.probabilities
    if has_tails:
        inside = shares[(slice(1, -1),) * shares.ndim].sum()
        if 1 - inside > EDGE:
            log.warning(
                "%.1g of the posterior lies at the edge of the grid: widen its box.", 1 - inside
            )
    if 1 / np.sum(shares**2) < FEWEST:
        log.warning(
            "The posterior lies in about %.0f cells of the grid: it needs more cells, or a closer "
            "box.",
            1 / np.sum(shares**2),
        )
