"""Constraints of layers' weights on the control points of a curve."""

from collections.abc import Iterable

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from mc import domains
from mc.curves import Curve
from mc.network.weights import FlatNetwork


class OfSlices(keras.constraints.Constraint):
    """The constraints of a network's weights, on a flat weight vector `[P]`.

    As the constraint of a control point's variable, Keras' optimizers apply it after every step.
    """

    def __init__(self, network: FlatNetwork):
        self.sizes, self.shapes = network.sizes, network.shapes
        self.own = [v.constraint for v in network.trainable]

    def __call__(self, w: tf.Tensor) -> tf.Tensor:
        """The nearest weights that satisfy them, slice by slice; `w: [P]`."""
        parts = [
            part if own is None else tf.reshape(own(tf.reshape(part, shape)), [-1])
            for part, shape, own in zip(tf.split(w, self.sizes), self.shapes, self.own, strict=True)
        ]
        return tf.concat(parts, 0)


def of_points(
    network: FlatNetwork, curve: Curve, fixed_points: Iterable[ArrayLike]
) -> OfSlices | None:
    """The constraint of every control point of a curve, None where no weight has one.

    A convex constraint that holds at every control point holds along the curve, since w(t) is a
    mixture of them with coefficients that are non-negative and sum to 1. Of a single network any
    constraint holds.

    Args:
        network: the plain network.
        curve: the family.
        fixed_points: the control points that stay as they are, each `[P]`.

    Raises:
        ValueError: a constraint is not known to be convex, a control point that stays breaks it,
            or the family's coefficients are negative or do not sum to 1; names the weight.
    """
    constrained = [v for v in network.trainable if v.constraint is not None]
    if not constrained:
        return None
    constraint = OfSlices(network)
    if curve.num_points == 1:
        return constraint
    for variable in constrained:
        if not is_convex(variable.constraint):
            raise ValueError(
                f"The weight {variable.path} has the constraint "
                f"{type(variable.constraint).__name__}, which need not hold between two networks "
                "for which it holds. NonNeg, MaxNorm and MinMaxNorm(min_value=0) do, and one of "
                "your own whose class says convex = True. Or take it off both networks: "
                "layer.kernel.constraint = None."
            )
    c = np.asarray(curve.coefficients(domains.spread(curve, 257)))
    if c.min() < -1e-6 or np.abs(c.sum(-1) - 1).max() > 1e-4:
        raise ValueError(
            f"The weight {constrained[0].path} has a constraint, but the coefficients of the curve "
            f"{curve!r} are negative or do not sum to 1 at some t, so that it would not hold along "
            "the curve. Choose bezier or polychain."
        )
    for point in fixed_points:
        _check_holds(network, constraint, np.asarray(point, np.float32))
    return constraint


def is_convex(constraint: keras.constraints.Constraint) -> bool:
    """Whether the weights that satisfy a constraint are a convex set; a class of one's own says so.

    MinMaxNorm is with `min_value=0`, then a ball; UnitNorm, a sphere, is not.
    """
    if type(constraint) is keras.constraints.MinMaxNorm:
        return constraint.min_value == 0
    known = type(constraint) in (keras.constraints.NonNeg, keras.constraints.MaxNorm)
    return known or getattr(constraint, "convex", False) is True


def _check_holds(network: FlatNetwork, constraint: OfSlices, point: np.ndarray) -> None:
    parts = zip(
        network.trainable,
        np.split(point, np.cumsum(network.sizes)[:-1]),
        np.split(np.asarray(constraint(point)), np.cumsum(network.sizes)[:-1]),
        strict=True,
    )
    for variable, own, allowed in parts:
        far = np.abs(own - allowed).max(initial=0.0)
        if far > 1e-4 * max(np.abs(own).max(initial=0.0), 1e-6):
            raise ValueError(
                f"The weight {variable.path} of an endpoint breaks its own constraint "
                f"{type(variable.constraint).__name__} by {far:.3g}: apply it to the network first."
            )
