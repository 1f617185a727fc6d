"""From networks to curves and surfaces."""

import warnings
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from mc import curves, domains, families, surfaces
from mc.curve_model import CurveModel
from mc.curves import Curve
from mc.network import first_look, refusals
from mc.network.copying import copy
from mc.network.shapes import check_same_shapes
from mc.network.weights import FlatNetwork, check_same_architecture, pack
from mc.terms import Terms


def connect(
    *networks: keras.Model,
    curve: str | Curve = "bezier",
    num_bends: int = 1,
    init: str = "linear",
    fix_start: bool = True,
    fix_end: bool = True,
    fix: Sequence[int] | None = None,
    weight_decay: float = 0.0,
    seed: int = 0,
    terms: Terms | None = None,
) -> CurveModel:
    """A curve or a surface between trained networks, ready to compile and fit.

    Args:
        networks: Keras models of the same architecture: of a curve two, at t=0 and t=1; of a
            surface one for each corner.
        curve: the name of a family (`bezier`, `polychain`, `simplex`, `bezier_surface`) or an
            object of one.
        num_bends: inner control points, of a simplex free vertices; not used with an object.
        init: `linear`, bends evenly spaced on the straight segment (of a surface: bilinear, or near
            the centroid), or `random`, bends at fresh initial weights of the network drawn from
            `seed` (which seeds Keras' global generators).
        fix_start, fix_end, fix, weight_decay, seed, terms: as in `CurveModel`.

    Raises:
        TypeError: what is no Keras model among the networks.
        ValueError: another number of networks than the family joins; the architectures differ (the
            first differing variable and both shapes), or `init` is unknown, or `random` for a
            network that Keras cannot copy; the family is none (`domains.check_family`); or see
            `CurveModel` and `CurveModel.check_on`: the latter is done here on inputs made up, and
            again on the first real batch.
    """
    family = domains.check_family(resolve(curve, num_bends, len(networks)))
    _check_networks(networks, family)
    domains.check_fixed(family, fix, fix_start, fix_end)
    first, *others = networks
    flat = FlatNetwork(first)
    refusals.check_weights(flat)
    for other in others:
        check_same_shapes(first, other)
    if (x := first_look.made_up_inputs(flat)) is not None:
        refusals.check_weights_stay(flat, pack(first), flat.state(), x)
    for other in others:
        check_same_architecture(first, other)
    try:
        families.describe(family)
    except ValueError as error:
        warnings.warn(f"This curve cannot be saved: {error}", stacklevel=2)
    made = CurveModel(
        first,
        family,
        _begin(family, networks, init, seed),
        fix_start=fix_start,
        fix_end=fix_end,
        fix=fix,
        weight_decay=weight_decay,
        end_states=[FlatNetwork(network).state() for network in networks],
        seed=seed,
        terms=terms,
    )
    made.first_look.others = list(enumerate(networks))[1:]
    if x is not None:
        made.first_look.compare(x)
    return made


def resolve(curve: str | Curve, num_bends: int = 1, num_networks: int = 2) -> Curve:
    """The family that a name and `num_bends`, or an object, stand for, between some networks.

    Raises:
        ValueError: no family has that name; the message lists the known ones.
        TypeError: an object that is no family.
    """
    if isinstance(curve, str) and curve == "simplex":
        return surfaces.Simplex(num_networks, num_bends)
    if isinstance(curve, str) and curve == "bezier_surface":
        return surfaces.BezierSurface(num_bends)
    return curves.resolve(curve, num_bends)


def _check_networks(networks: Sequence, family: Curve) -> None:
    for network in networks:
        if not isinstance(network, keras.Model):
            raise TypeError(
                f"connect joins Keras models; received {network!r} among them. A family is given "
                'by name: connect(a, b, curve="bezier").'
            )
    if len(networks) != (needed := domains.num_networks(family)):
        raise ValueError(
            f"{family} joins {needed} network{'s' if needed > 1 else ''}; received {len(networks)}."
            ' Any number are joined by curve="simplex".'
        )


def _begin(family: Any, networks: Sequence[keras.Model], init: str, seed: int) -> np.ndarray:
    """Control points before training; `[num_points, P] float32`."""
    if init not in ("linear", "random"):
        raise ValueError(f"init must be linear or random; received {init!r}.")
    corners = [pack(network) for network in networks]
    if domains.is_curve(family):
        points = curves.linear_points(corners[0], corners[1], family.num_points)
    else:
        points = family.start(np.array(corners), seed)
    given = {k for _, k in domains.anchors(family)}
    for k in range(family.num_points) if init == "random" else ():
        if k not in given:
            own_seed = np.random.SeedSequence([seed, k]).generate_state(1)[0]
            points[k] = random_weights(networks[0], int(own_seed))
    return points


def random_weights(network: keras.Model, seed: int) -> np.ndarray:
    """Fresh initial weights of a network, drawn from `seed`; `[P] float32`.

    Seeds Keras' global generators, from which initialisers without a seed draw.

    Raises:
        ValueError: Keras cannot copy the network.
    """
    keras.utils.set_random_seed(seed)
    return pack(copy(network, ', or choose init="linear"'))
