"""What the settings of a posterior must be, found out before a curve is trained."""

from typing import Any

from mc.lab.graph import Run
from mc.lab.stages.curve import CORNERS, num_points

# As mc.network.losses.LIKELIHOODS, and the first of mc.posteriors.affine, which import TensorFlow.
LIKELIHOODS = (
    *("SparseCategoricalCrossentropy", "CategoricalCrossentropy", "BinaryCrossentropy"),
    *("MeanSquaredError", "Gaussian"),
)
RANK = 5  # dimensions of pca and random, if none are set
MOST = 2  # dimensions that quadrature is of
HOMES = ("keras.", "mc.likelihoods.")  # of losses whose meaning is known by their name
NOISE = "the deviation of its targets from the outputs"


def check_subspace(run: Run, sampler: str) -> None:
    """Raise unless the subspace is one of the curve's, and the sampler serves it.

    Raises:
        ValueError: says which key, the rule, and what to type.
    """
    subspace, curve = run["posterior.subspace"], run["curve"]
    if subspace == "line" and sampler == "elliptical":
        raise ValueError(
            "posterior.sampler=elliptical is of Gaussian priors, and t on a line is uniform: "
            "type posterior.sampler=quadrature, which is exact."
        )
    if subspace == "line" and curve.get("_target_") in CORNERS:
        raise ValueError(
            "posterior.subspace=line is of curves, and this is a surface: type "
            "posterior.subspace=simplex or posterior.subspace=hull."
        )
    if subspace == "curve" and (
        curve.get("_target_") != "mc.curves.Bezier" or curve.get("num_bends") != 1
    ):
        raise ValueError(
            "posterior.subspace=curve is the plane of a Bezier curve with one bend: type "
            "curve=bezier num_bends=1, or posterior.subspace=hull."
        )
    _check_dimensions(run, sampler)


def _check_dimensions(run: Run, sampler: str) -> None:
    subspace, dim = run["posterior.subspace"], run["posterior.dim"]
    points = num_points(run)
    whole = None if points is None else points - 1
    if subspace == "hull" and None not in (dim, whole) and dim > whole:
        raise ValueError(
            f"posterior.dim={dim}, but the hull of {points} control points has {whole} dimensions: "
            f"type posterior.dim={whole} or less, or leave it out."
        )
    if subspace == "pca":
        _check_snapshots(run, dim or RANK)
    dims = {"line": 1, "curve": 2, "hull": dim or whole, "simplex": whole}
    own = dims.get(subspace, dim or RANK)
    if sampler == "quadrature" and own is not None and own > MOST:
        fewer = " or posterior.dim=2" * (subspace in ("hull", "pca", "random"))
        raise ValueError(
            f"posterior.sampler=quadrature is of one or two dimensions, and posterior.subspace="
            f"{subspace} has {own} here: type posterior.sampler=elliptical{fewer}."
        )


def _check_snapshots(run: Run, dim: int) -> None:
    swag: Any = run.inputs()["snapshots"]
    most = swag.num_deviations
    if dim > most:
        smaller = f"posterior.dim={most}" if most else "posterior.subspace=random"
        raise ValueError(
            f"posterior.subspace=pca has {dim} dimensions here, but {run['posterior.snapshots']} "
            f"takes {swag.num_snapshots} snapshots (swag.epochs, swag.every) and keeps {most} "
            f"independent deviations of these (swag.rank): type {smaller}, or more swag.epochs."
        )


def check_likelihood(run: Run) -> None:
    """Raise unless the loss is a likelihood, of a regression by squared error with its noise.

    What the names of the loss and of the data set say; the data say the rest, once they are read.

    Raises:
        ValueError: says which key, the rule, and what to type.
    """
    target, noise = run["loss"].get("_target_"), run["posterior.noise_std"]
    name = (target or "").rpartition(".")[2]
    if target and target.startswith(HOMES) and name not in LIKELIHOODS:
        raise ValueError(
            f"A posterior needs a loss that is a likelihood: {', '.join(LIKELIHOODS[:-1])} or "
            f"{LIKELIHOODS[-1]}; received loss._target_={target}. For a regression type "
            "loss=default posterior.noise_std=0.1, or loss=gaussian."
        )
    squared = name == "MeanSquaredError" or (not target and _is_regression(run["dataset"]))
    if squared and noise is None:
        raise ValueError(
            "Mean squared error is the likelihood of targets with Gaussian noise: type "
            f"posterior.noise_std=0.1, {NOISE}, or loss=gaussian, which trains it."
        )
    if target and target.startswith(HOMES) and not squared and noise is not None:
        raise ValueError(
            f"posterior.noise_std is of a regression by mean squared error, {NOISE}; received "
            f"posterior.noise_std={noise} with loss._target_={target}. Leave it out."
        )


def _is_regression(data: Any) -> bool:
    """Whether a data set of ours says that it has numbers to predict."""
    target = data.get("_target_")
    return target == "mc.datasets.regression" or (
        target == "mc.datasets.table" and data.get("classes") is False
    )
