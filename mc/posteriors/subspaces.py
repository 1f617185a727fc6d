"""The subspaces of weight space that there are posteriors over, by their names."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from mc import domains
from mc.posteriors import affine
from mc.posteriors.affine import Affine, Snapshots
from mc.posteriors.uniform import Line, Simplex

if TYPE_CHECKING:
    from mc.curve_model import CurveModel

NAMES = ("line", "curve", "hull", "simplex", "pca", "random")
Subspace: TypeAlias = Affine | Line | Simplex


def of(
    name: str,
    curve: CurveModel,
    *,
    dim: int | None = None,
    prior_std: float | None = None,
    snapshots: Snapshots | None = None,
    seed: int = 0,
) -> Subspace:
    """The subspace of a name.

    Args:
        name: one of `NAMES`.
        curve: whose control points span it.
        dim: of `hull`, `pca` and `random`, how many dimensions.
        prior_std: of the Gaussian prior, 1 if not given; `line` and `simplex` are uniform.
        snapshots: of `pca`: a `Swag`, or weight vectors `[K, P]`.
        seed: of the directions of `random`.

    Raises:
        ValueError: the name is unknown, what is given is not of this subspace or missing, or see
            the subspaces.
    """
    if name not in NAMES:
        raise ValueError(f"Unknown subspace {name!r}. Known: {', '.join(NAMES)}.")
    _check_is_of(name, "dim", dim, ("hull", "pca", "random"))
    _check_is_of(name, "prior_std", prior_std, ("curve", "hull", "pca", "random"))
    _check_is_of(name, "snapshots", snapshots, ("pca",))
    std = 1.0 if prior_std is None else float(prior_std)
    if not std > 0:
        raise ValueError(f"prior_std must be positive; received prior_std={prior_std}.")
    points, family = list(curve.points), curve.family
    if name in ("line", "simplex") and curve.is_point:
        raise ValueError(f"subspace={name} needs a curve; a single network has none.")
    if name == "line":
        if not domains.is_curve(family):
            raise ValueError(
                f"subspace=line is that of a curve, and {family} is a surface: use "
                "subspace=simplex, the mixtures of its control points, or subspace=hull."
            )
        return Line(points, family)
    if name == "simplex":
        return Simplex(points, family)
    if name == "curve":
        return affine.bezier_plane(points, family, std)
    if name == "hull":
        return affine.hull(points, family, dim, std)
    if name == "random":
        return affine.random(points, family, dim, std, seed)
    if snapshots is None:
        raise ValueError(
            "subspace=pca is that of the snapshots of a training: pass snapshots=, a Swag or "
            "weight vectors [K, P]."
        )
    found = affine.pca(snapshots, dim, std)
    size = curve.network.size
    if len(found.points[0]) != size:
        raise ValueError(
            f"Snapshots must be weight vectors of the network, [K, P] with P = {size}; received "
            f"P = {len(found.points[0])}."
        )
    return found


def _check_is_of(name: str, setting: str, value: object, those: tuple[str, ...]) -> None:
    if value is not None and name not in those:
        raise ValueError(
            f"{setting} is a setting of the subspaces {', '.join(those)}; subspace={name} has "
            f"none: leave {setting} out."
        )
