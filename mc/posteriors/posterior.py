"""Posteriors over the networks of a curve's subspaces."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras
import tensorflow as tf

from mc.curve_model import CurveModel
from mc.network import unpromised
from mc.network.batches import as_batches
from mc.posteriors import likelihoods, subspaces
from mc.posteriors.affine import Snapshots
from mc.posteriors.density import Density
from mc.posteriors.sampling import Posterior


def density(
    curve: CurveModel,
    data: Any,
    subspace: str = "line",
    *,
    noise_std: float | None = None,
    temperature: float = 1.0,
    prior_std: float | None = None,
    dim: int | None = None,
    snapshots: Snapshots | None = None,
    seed: int = 0,
    loss: Any = None,
    bn_data: Any = None,
) -> Density:
    """The density that `posterior` draws from; see there."""
    if not isinstance(curve, CurveModel):
        raise TypeError(
            f"A posterior is of a trained curve, of mc.connect or mc.load_curve; received {curve}. "
            "About a single network: mc.connect(network, curve=mc.Simplex(1, num_bends=1))."
        )
    if loss is None:
        loss, _ = unpromised.compiled_with(curve)
    if loss is None:
        raise ValueError("No loss: compile the curve, or pass loss=.")
    batches = _batches(data)
    curve.first_look.of_batches(batches)
    likelihood = likelihoods.of(curve, loss, batches, noise_std)
    where = subspaces.of(
        subspace, curve, dim=dim, prior_std=prior_std, snapshots=snapshots, seed=seed
    )
    own = batches if bn_data is None else _batches(bn_data)
    return Density(curve, where, likelihood, batches, own, temperature)


def posterior(
    curve: CurveModel,
    data: Any,
    subspace: str = "line",
    *,
    noise_std: float | None = None,
    temperature: float = 1.0,
    prior_std: float | None = None,
    dim: int | None = None,
    snapshots: Snapshots | None = None,
    sampler: str | None = None,
    chains: int = 8,
    samples: int = 200,
    burn_in: int = 50,
    cells: int = 200,
    box: Any = None,
    seed: int = 0,
    loss: Any = None,
    bn_data: Any = None,
) -> Posterior:
    """Draws from the distribution of networks in a subspace of weight space, given data.

    p(z | data) is proportional to p(z) * prod_i p(y_i | x_i, w(z))^(1 / temperature) (Izmailov et
    al. 2019, "Subspace Inference for Bayesian Deep Learning"). The subspaces, and the prior of z:

        line     t on the curve, uniform in arc length (`uniform.Line`)
        curve    the plane of a Bezier curve with one bend, Gaussian (`affine.bezier_plane`)
        hull     the affine hull of all control points, Gaussian (`affine.hull`)
        simplex  the mixtures of the control points, uniform (`uniform.Simplex`)
        pca      principal components of snapshots, Gaussian (`affine.pca`)
        random   random directions from the middle of the curve, Gaussian (`affine.random`)

    Args:
        curve: a `CurveModel`.
        data: the training data, (x, y) or (x, y, sample_weight), in a form of
            `batches.as_batches`, free of augmentation.
        subspace: its name.
        noise_std: of a regression by mean squared error, the deviation of its targets.
        temperature: what the log-likelihood is divided by; the prior is not.
        prior_std: deviation of a Gaussian prior of each z, 1 if not given.
        dim: dimensions of `hull` (all, if not given), `pca` and `random` (5).
        snapshots: of `pca`: an `ensembles.swag.Swag`, or weight vectors `[K, P]`.
        sampler: `quadrature`, exact, for one and two dimensions, or `elliptical`, slice sampling
            for Gaussian priors (also of `simplex`, whose z are Gaussian), all chains at once from
            starts along the curve. Default: the former for `line`, else the latter.
        chains, samples, burn_in, cells, box: see `Posterior`.
        seed: of the draws, and of the directions of `random`.
        loss: as in `keras.Model.compile`, one that is a likelihood: a cross-entropy or mean
            squared error; default: what the curve was compiled with.
        bn_data: clean training data whose batches BatchNorm statistics come from; default: `data`.

    Raises:
        TypeError: `curve` is no `CurveModel`.
        ValueError: `temperature` or `prior_std` is not positive; an unknown subspace or sampler,
            or a setting that this one does not have; quadrature in more than two dimensions; more
            dimensions than independent snapshots; `curve` of another family; a loss that is no
            likelihood; a regression without `noise_std`.
    """
    of = density(
        *(curve, data, subspace),
        noise_std=noise_std,
        temperature=temperature,
        prior_std=prior_std,
        dim=dim,
        snapshots=snapshots,
        seed=seed,
        loss=loss,
        bn_data=bn_data,
    )
    return Posterior(
        *(of, sampler),
        chains=chains,
        samples=samples,
        burn_in=burn_in,
        seed=seed,
        cells=cells,
        box=box,
    ).run()


def _batches(data: Any) -> Iterable:
    """Data as batches; of arrays as a list, for tf.data takes longer than a small network."""
    batches = as_batches(data)
    is_stream = isinstance(data, tf.data.Dataset | keras.utils.PyDataset)
    return batches if is_stream else list(batches)
