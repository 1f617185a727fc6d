"""Operations that work number by number, or meet number by number."""

from __future__ import annotations

from typing import Any

import keras
from keras import activations, layers

from mc.symmetry import axes
from mc.symmetry.axes import Axis
from mc.symmetry.walk import Array, Walk, check_known, rule

# Functions of each number alone, or alike in all places of the last axis.
KNOWN = {
    *("linear", "relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "swish"),
    *("sigmoid", "tanh", "softplus", "softsign", "exponential", "hard_sigmoid", "hard_silu"),
    *("hard_swish", "hard_tanh", "hard_shrink", "soft_shrink", "tanh_shrink", "mish", "squareplus"),
    *("log_sigmoid", "sparse_plus", "sparse_sigmoid", "threshold"),
    *("softmax", "log_softmax", "sparsemax"),
}


def after_activation(walk: Walk, activation: Any, x: Array) -> Array:
    """An array after an activation, through which what is not known pins."""
    name = getattr(activation, "__name__", None)
    if name in KNOWN and getattr(activations, name, None) is activation:
        return x
    if isinstance(activation, keras.layers.Layer):
        return walk.call(activation, x)
    walk.pin(x)
    walk.unseen.append(f"activation {name or repr(activation)}")
    return x


@rule(layers.Activation)
def activation(walk: Walk, layer: Any, x: Array) -> Array:
    """One function of every number."""
    return after_activation(walk, layer.activation, x)


PASSING = (
    *(layers.ReLU, layers.LeakyReLU, layers.ELU, layers.Softmax, layers.Dropout),
    *(layers.SpatialDropout1D, layers.SpatialDropout2D, layers.SpatialDropout3D),
    *(layers.AlphaDropout, layers.GaussianDropout, layers.GaussianNoise),
    *(layers.ActivityRegularization, layers.Identity, layers.Masking, layers.UnitNormalization),
)


@rule(*PASSING)
def passing(walk: Walk, layer: Any, x: Array, **_: Any) -> Array:
    """Nothing of axes changes."""
    return x


@rule(layers.Rescaling)
def rescaling(walk: Walk, layer: Any, x: Array, **_: Any) -> Array:
    """The same scale and offset everywhere, or an axis that stays."""
    for value in (layer.scale, layer.offset):
        check_known(not hasattr(value, "__len__"))
    return x


@rule(layers.Add, layers.Subtract, layers.Multiply, layers.Average, layers.Maximum, layers.Minimum)
def merged(walk: Walk, layer: Any, arrays: list[Array]) -> Array:
    """Axes at one place are one; those of length 1 are stretched."""
    whole, *rest = arrays
    for array in rest:
        whole = met(walk, whole, array)
    return whole


def met(walk: Walk, x: Array, y: Array) -> Array:
    """Two arrays, number by number."""
    longest = max(len(x.axes), len(y.axes))
    rows = [(axes.fixed(1),) * (longest - len(array.axes)) + array.axes for array in (x, y)]
    return Array(tuple(together(walk, a, b) for a, b in zip(*rows, strict=True)))


def together(walk: Walk, a: Axis | None, b: Axis | None) -> Axis | None:
    """The axis that two have in common where one of length 1 is stretched."""
    if a is not None and len(a) == 1:
        return b
    if b is not None and len(b) == 1:
        return a
    return walk.one(a, b)
