"""Distributions of one and two dimensions on a grid, which are exact as the grid becomes fine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

MOST_DIMENSIONS = 2


@dataclass(frozen=True, eq=False)
class Grid:
    """A density on the midpoints of equal cells.

    Attributes:
        axes: of each dimension the midpoints `[m]`.
        log_density: at each, `[m]` or `[m_0, m_1]`, unnormalised.
    """

    axes: Sequence[np.ndarray]
    log_density: np.ndarray

    @property
    def points(self) -> np.ndarray:
        """All midpoints, the last dimension moving fastest; `[m, d]`."""
        return midpoints(self.axes)

    @property
    def probabilities(self) -> np.ndarray:
        """The share of each cell; they add up to 1."""
        return np.exp(self.log_density - logsumexp(self.log_density))

    @property
    def log_evidence(self) -> float:
        """The logarithm of the density's integral over the box: log sum of density times volume."""
        return float(logsumexp(self.log_density) + np.log(self.cell))

    @property
    def cell(self) -> float:
        """The volume of a cell."""
        return float(np.prod([axis[1] - axis[0] for axis in self.axes]))

    def marginal(self, dimension: int) -> np.ndarray:
        """The shares of the cells of one dimension; `[m]`."""
        others = tuple(k for k in range(len(self.axes)) if k != dimension)
        return self.probabilities.sum(axis=others)

    def at(self, z: np.ndarray) -> np.ndarray:
        """The log density at the midpoints of the cells of positions, `[n, d]` -> `[n]`."""
        low = np.array([axis[0] for axis in self.axes])
        widths = np.array([axis[1] - axis[0] for axis in self.axes])
        cells = np.rint((z - low) / widths).astype(int)
        return self.log_density[tuple(np.clip(cells, 0, np.array(self.log_density.shape) - 1).T)]

    def draw(self, count: int, seed: int) -> np.ndarray:
        """Draws of the density, uniform within cells; `[count, d]`."""
        rng = np.random.default_rng(seed)
        cells = rng.choice(self.log_density.size, count, p=self.probabilities.ravel())
        widths = np.array([axis[1] - axis[0] for axis in self.axes])
        return self.points[cells] + widths * rng.uniform(-0.5, 0.5, (count, len(self.axes)))


def on_grid(
    log_density: Callable[[np.ndarray], np.ndarray],
    box: Sequence[tuple[float, float]],
    cells: int,
) -> Grid:
    """A density on a grid of `cells` in each dimension of a box.

    Args:
        log_density: of positions `[k, d]`, `[k]`, unnormalised.
        box: the lowest and the highest value of each dimension.
        cells: in each dimension, at least 2.

    Raises:
        ValueError: more than two dimensions, too few cells, or a density of 0 everywhere.
    """
    if len(box) > MOST_DIMENSIONS:
        raise ValueError(
            f"Quadrature is of one or two dimensions; this subspace has {len(box)}. Use "
            "elliptical slice sampling."
        )
    if cells < 2:
        raise ValueError(f"Quadrature needs two cells or more a dimension; received {cells}.")
    axes = [low + (high - low) * (np.arange(cells) + 0.5) / cells for low, high in box]
    values = np.asarray(log_density(midpoints(axes)), float)
    if not np.isfinite(values.max()):
        raise ValueError(
            f"The density is 0 in the whole box {list(box)}, or not finite: give another box=."
        )
    return Grid(axes, values.reshape([cells] * len(box)))


def midpoints(axes: Sequence[np.ndarray]) -> np.ndarray:
    """All combinations of positions, the last dimension moving fastest; `[m, d]`."""
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))
