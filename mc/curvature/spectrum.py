"""The spectrum of the Hessian: its ends, its trace, and how its eigenvalues are spread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm

from mc.curvature.chosen import Chosen
from mc.curvature.lanczos import Tridiagonal, lanczos
from mc.curvature.products import Product, Products, checked
from mc.network.batches import as_batches
from mc.network.weights import FlatNetwork, pack

SIGNS = 30  # probes of the trace, of a product each
TOLERANCE = 1e-2  # of the largest |eigenvalue|: residuals below that will do


@dataclass(frozen=True, eq=False)
class Spectrum:
    """What is known of the eigenvalues of a symmetric matrix of size P.

    Attributes:
        largest: the k largest eigenvalues, descending, `[k]`.
        smallest: the k smallest, ascending, `[k]`.
        residuals: |H q - lambda q| of the largest, and then of the smallest, `[2 k]`: an eigenvalue
            lies within so much of each.
        vectors: the unit eigenvectors of the largest, `[k, P] float32`.
        traces: of each of some random signs, an estimate of the trace.
        nodes, weights: of each probe the quadrature of the density, `[probes, m]`; weights of a
            probe add up to 1.
        size: P, or of how many weights it is.
        examples: of how many examples the loss is the mean.
    """

    largest: np.ndarray
    smallest: np.ndarray
    residuals: np.ndarray
    vectors: np.ndarray
    traces: np.ndarray
    nodes: np.ndarray
    weights: np.ndarray
    size: int
    examples: int

    @property
    def trace(self) -> float:
        """The sum of all eigenvalues: the mean of v^T H v over probes v of signs (Hutchinson)."""
        return float(self.traces.mean()) if len(self.traces) else float("nan")

    @property
    def trace_error(self) -> float:
        """The standard error of the trace; nan of a single probe."""
        count = len(self.traces)
        return float(self.traces.std(ddof=1) / np.sqrt(count)) if count > 1 else float("nan")

    def density(self, x: ArrayLike, width: float | None = None) -> np.ndarray:
        """The density of eigenvalues at x `[n]`, smoothed by a Gaussian; see `density`.

        `width`: deviation of the Gaussian; default: a hundredth of the range of the nodes.
        """
        if width is None:
            width = 0.01 * max(float(np.ptp(self.nodes)), 1e-12)
        return density(np.asarray(x, float), self.nodes, self.weights, width)


def density(x: np.ndarray, nodes: np.ndarray, weights: np.ndarray, width: float) -> np.ndarray:
    """The density of eigenvalues at x `[n]`, smoothed by a Gaussian; it integrates to 1.

        phi(x) = mean over probes of sum_j weight_j N(x; node_j, width^2)

    Args:
        x: `[n]`.
        nodes, weights: `[probes, m]`, as of `Spectrum`.
        width: deviation of the Gaussian.

    Source: B. Ghorbani, S. Krishnan, Y. Xiao, "An Investigation into Neural Net Optimization via
    Hessian Eigenvalue Density", ICML 2019, section 2.
    """
    found = np.zeros(len(x))
    for own, shares in zip(nodes, weights, strict=True):
        found += norm.pdf(x[:, np.newaxis], own, width) @ shares / len(nodes)
    return found


def spectrum(
    product: Product,
    size: int,
    *,
    top: int = 3,
    probes: int = 3,
    steps: int = 80,
    tolerance: float = TOLERANCE,
    seed: int = 0,
) -> Spectrum:
    """The spectrum of a symmetric matrix by its products with vectors.

    The ends are those of one Lanczos run, which goes on until the residuals of the `top` largest
    and smallest eigenvalues are below `tolerance` times the largest |eigenvalue|, or for `steps`
    steps. The density is of `probes` runs of `steps` from random signs; the trace of 30 such
    vectors, these among them.

    Args:
        product: v -> H v.
        size: of the matrix.
        top: how many eigenvalues at each end; 0: none.
        probes: how many runs; 0: no trace and no density.
        steps: of each run, at most.
        tolerance: see above.
        seed: of the starts.

    Of an eigenvalue that repeats, fewer copies may be found than there are.

    Raises:
        ValueError: fewer than one step, more ends than the matrix has eigenvalues, or than so many
            steps find.
        FloatingPointError: a product is not finite.
    """
    if steps < 1 or not 0 <= top <= size:
        raise ValueError(
            f"steps must be at least 1 and top from 0 to {size}; received {steps} and {top}."
        )
    if min(steps, size) < min(2 * top, size):
        raise ValueError(
            f"{top} eigenvalues at each end take steps={2 * top} or more; received steps={steps}."
        )
    rng = np.random.default_rng(seed)
    ends = _ends(product, rng.standard_normal(size), top, steps, tolerance) if top else None
    signs = (rng.choice([-1.0, 1.0], size) for _ in range(max(probes, SIGNS) if probes else 0))
    runs = [lanczos(product, v, steps) for v in islice(signs, probes)]
    traces = [size * run.diagonal[0] for run in runs] + [v @ product(v) for v in signs]
    nodes, weights = _quadrature(runs, min(steps, size))
    return Spectrum(
        **_pairs(ends, top, size),
        traces=np.array(traces),
        nodes=nodes,
        weights=weights,
        size=size,
        examples=0,
    )


def unknown(size: int, *, top: int, probes: int, steps: int) -> Spectrum:
    """The spectrum of a matrix that is not finite: nan throughout, in the shapes of others."""
    ends, steps = np.full(top, np.nan), min(steps, size)
    grid = np.full((probes, steps), np.nan)
    return Spectrum(
        *(ends, ends, np.full(2 * top, np.nan), np.full((top, size), np.nan, np.float32)),
        *(np.full(max(probes, SIGNS), np.nan), grid, grid),
        size=size,
        examples=0,
    )


def _ends(
    product: Product, start: np.ndarray, top: int, steps: int, tolerance: float
) -> Tridiagonal:
    """A run that goes on until both ends have converged."""

    def enough(found: Tridiagonal) -> bool:
        if len(found.diagonal) < 2 * top or len(found.diagonal) % 5:
            return False
        values, residuals = found.eigen()[0], found.residuals()
        worst = max(residuals[:top].max(), residuals[-top:].max())
        return bool(worst <= tolerance * np.abs(values).max())

    return lanczos(product, start, steps, enough)


def _pairs(ends: Tridiagonal | None, top: int, size: int) -> dict[str, np.ndarray]:
    """The largest and the smallest eigenvalues, residuals, and vectors of the largest."""
    if ends is None:
        empty = {name: np.empty(0) for name in ("largest", "smallest", "residuals")}
        return empty | {"vectors": np.empty((0, size), np.float32)}
    values, small = ends.eigen()
    residuals = ends.residuals()
    largest, smallest = np.arange(len(values))[::-1][:top], np.arange(top)
    vectors = small[:, largest].T.astype(np.float32) @ ends.vectors
    both = np.concatenate([residuals[largest], residuals[smallest]])
    found = {"largest": values[largest], "smallest": values[smallest]}
    return found | {"residuals": both, "vectors": vectors}


def _quadrature(runs: Sequence[Tridiagonal], steps: int) -> np.ndarray:
    """Nodes and weights of runs of so many steps, `[2, probes, steps]`."""
    found = np.zeros((2, len(runs), steps))
    for i, run in enumerate(runs):
        values, vectors = run.eigen()
        found[:, i] = values, vectors[0] ** 2
    return found


def hessian_spectrum(
    network: keras.Model,
    data: Any,
    loss: Any,
    w: ArrayLike | None = None,
    weight_decay: float = 0.0,
    *,
    operator: str = "hessian",
    layers: str | None = None,
    top: int = 3,
    probes: int = 3,
    steps: int = 80,
    tolerance: float = TOLERANCE,
    seed: int = 0,
) -> Spectrum:
    """The spectrum of the Hessian of the mean loss over data, or of a block of it.

    Args:
        network, data, loss, w, weight_decay, operator: as of `hessian_vector_product`.
        layers: a regular expression of the paths of weights, such as `conv`: H is that of these
            alone, and all others are constant. Default: all.
        top, probes, steps, tolerance, seed: see `spectrum`.

    Raises:
        ValueError: no path matches `layers` (lists them); or see `Products` and `spectrum`.
    """
    flat = FlatNetwork(network)
    chosen = Chosen.of(flat, layers)
    products = Products(
        *(flat, as_batches(data), loss), weight_decay=weight_decay, operator=operator
    )
    here = checked(flat, "w", pack(network) if w is None else w).astype(np.float32)
    product = chosen.block(products.at(here, flat.state()))
    options: dict[str, Any] = {"top": top, "probes": probes, "steps": steps}
    found = spectrum(product, chosen.size, tolerance=tolerance, seed=seed, **options)
    return replace(found, examples=products.examples)
