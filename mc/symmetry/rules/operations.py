"""Functions of `keras.ops` in functional models, by their names."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import keras

from mc.symmetry import axes
from mc.symmetry.axes import Axis
from mc.symmetry.rules import shape
from mc.symmetry.rules.dense import letters
from mc.symmetry.rules.elementwise import met
from mc.symmetry.walk import NAMED, Array, Rule, Unknown, Walk, check_known, still

BINARY = "Add Subtract Multiply Divide TrueDivide DivideNoNan Maximum Minimum Power FloorDivide"
COMPARED = "Equal NotEqual Greater GreaterEqual Less LessEqual LogicalAnd LogicalOr"
UNARY = (
    "Absolute Abs Negative Square Sqrt Rsqrt Reciprocal Exp Expm1 Log Log1p Log2 Log10 Sin Cos Tanh"
    " Sign Floor Ceil Round Clip Cast StopGradient Copy LogicalNot Erf Isfinite Isnan Isinf"
    " Relu Relu6 Sigmoid SparseSigmoid Softplus Softsign SoftShrink SparsePlus Silu Squareplus"
    " LogSigmoid LeakyRelu HardSigmoid HardSilu Elu Selu Gelu Celu TanhShrink HardTanh HardShrink"
    " Threshold Softmax LogSoftmax Sparsemax Normalize OnesLike ZerosLike"
)
REDUCED = "Mean Sum Max Min Amax Amin Prod Std Var All Any Logsumexp"


def named(names: str) -> Any:
    """Register the rule of some functions of `keras.ops`, by the names of their classes."""

    def register(function: Rule) -> Rule:
        NAMED.update(dict.fromkeys(names.split(), function))
        return function

    return register


def array(walk: Walk, value: Any) -> Array:
    """An input of a function: an array, a weight, or a constant, which pins what it meets."""
    if isinstance(value, Array):
        return value
    if isinstance(value, keras.Variable):
        return Array(walk.weight(value, *(None for _ in value.shape)))
    return still(getattr(value, "shape", ()))


@named(f"{BINARY} {COMPARED}")
def binary(walk: Walk, operation: Any, x: Any, y: Any) -> Array:
    """Two arrays that meet number by number."""
    return met(walk, array(walk, x), array(walk, y))


@named("Where")
def chosen(walk: Walk, operation: Any, condition: Any, x: Any, y: Any) -> Array:
    """Three arrays that meet number by number."""
    return met(walk, array(walk, condition), met(walk, array(walk, x), array(walk, y)))


@named(UNARY)
def unary(walk: Walk, operation: Any, x: Any, *_: Any, **__: Any) -> Array:
    """Nothing of axes changes."""
    return Array(array(walk, x).axes)


@named(REDUCED)
def reduced(walk: Walk, operation: Any, x: Any) -> Array:
    """Some axes are gone, or of length 1."""
    x = array(walk, x)
    axis = operation.axis
    places = range(len(x.axes)) if axis is None else [axis] if isinstance(axis, int) else axis
    gone = {place % len(x.axes) for place in places}
    if getattr(operation, "keepdims", False):
        return Array(tuple(axes.fixed(1) if i in gone else a for i, a in enumerate(x.axes)))
    return Array(tuple(a for i, a in enumerate(x.axes) if i not in gone))


@named("Cumsum Cumprod")
def accumulated(walk: Walk, operation: Any, x: Any, **_: Any) -> Array:
    """Along one axis the order counts."""
    x = array(walk, x)
    check_known(operation.axis is not None)
    walk.pin(Array((x.axes[operation.axis],)))
    return x


@named("Transpose")
def transposed(walk: Walk, operation: Any, x: Any) -> Array:
    """Axes in another order."""
    x = array(walk, x)
    order = operation.axes or tuple(range(len(x.axes)))[::-1]
    return Array(tuple(x.axes[i] for i in order))


@named("Swapaxes")
def swapped(walk: Walk, operation: Any, x: Any) -> Array:
    """Two axes change places."""
    found = list(array(walk, x).axes)
    a, b = operation.axis1, operation.axis2
    found[a], found[b] = found[b], found[a]
    return Array(tuple(found))


@named("Reshape")
def reshaped(walk: Walk, operation: Any, x: Any) -> Array:
    """The same numbers in C order; the first axis may be open, and stays then."""
    x = array(walk, x)
    target = operation.compute_output_spec(keras.KerasTensor(x.shape)).shape
    first = 1 if x.axes[0] is None and target[0] is None else 0
    inner, lengths = [a for a in x.axes[first:] if a is not None], list(target[first:])
    check_known(len(inner) == len(x.axes) - first and None not in lengths)
    return Array((*x.axes[:first], *shape.laid_out(walk, inner, lengths)))


@named("ExpandDims")
def expanded(walk: Walk, operation: Any, x: Any) -> Array:
    """New axes of length 1."""
    found = list(array(walk, x).axes)
    places = [operation.axis] if isinstance(operation.axis, int) else operation.axis
    for place in sorted(p % (len(found) + len(places)) for p in places):
        found.insert(place, axes.fixed(1))
    return Array(tuple(found))


@named("Squeeze")
def squeezed(walk: Walk, operation: Any, x: Any) -> Array:
    """Axes of length 1 are gone."""
    found, axis = list(array(walk, x).axes), operation.axis
    given = [axis] if isinstance(axis, int) else axis
    gone = {p % len(found) for p in given} if given is not None else None
    ones = {i for i, a in enumerate(found) if a is not None and len(a) == 1}
    return Array(tuple(a for i, a in enumerate(found) if i not in (ones if gone is None else gone)))


@named("Concatenate")
def joined(walk: Walk, operation: Any, arrays: Sequence[Any]) -> Array:
    """One axis after another; the others meet."""
    return shape.joined(walk, operation, [array(walk, value) for value in arrays])


@named("Split")
def split(walk: Walk, operation: Any, x: Any) -> list[Array]:
    """One axis in parts."""
    x = array(walk, x)
    place, how = operation.axis % len(x.axes), operation.indices_or_sections
    whole = x.axes[place]
    if whole is None:
        raise Unknown
    n = len(whole)
    cuts = range(n // how, n, n // how) if isinstance(how, int) else how
    ends = [0, *cuts, n]
    parts = (slice(a, b) for a, b in pairwise(ends))
    return [x.but(place, axes.taken(whole, part)) for part in parts]


@named("GetItem")
def picked(walk: Walk, operation: Any, x: Any, key: Any) -> Array:
    """Slices of axes; a single position stays from then on, where its numbers are used."""
    x = array(walk, x)
    keys = list(key) if isinstance(key, tuple | list) else [key]
    check_known(all(k is Ellipsis or isinstance(k, int | slice) or k is None for k in keys))
    if Ellipsis in keys:
        at = keys.index(Ellipsis)
        missing = len(x.axes) - sum(k is not Ellipsis and k is not None for k in keys)
        keys[at : at + 1] = [slice(None)] * missing
    found: list[Axis | None] = []
    used: list[Axis] = []
    left = list(x.axes)
    for k in keys:
        if k is None:
            found.append(axes.fixed(1))
            continue
        axis = left.pop(0)
        if k == slice(None):
            found.append(axis)
            continue
        if axis is None:
            raise Unknown
        if isinstance(k, int):
            used.append(axes.taken(axis, slice(k, k + 1 or None)))
        else:
            found.append(axes.taken(axis, k))
    return Array((*found, *left), (*x.picked, *used))


@named("Matmul")
def multiplied(walk: Walk, operation: Any, x: Any, y: Any) -> Array:
    """The last axis of one meets the last but one of the other."""
    x, y = array(walk, x), array(walk, y)
    check_known(len(x.axes) > 1 and len(y.axes) > 1)
    walk.one(x.axes[-1], y.axes[-2])
    outer = met(walk, Array(x.axes[:-2]), Array(y.axes[:-2]))
    return Array((*outer.axes, x.axes[-2], y.axes[-1]))


@named("Einsum")
def einsum(walk: Walk, operation: Any, *arrays: Any) -> Array:
    """Axes by their letters."""
    check_known("." not in operation.subscripts and "->" in operation.subscripts)
    names, output = letters(operation.subscripts)
    known: dict[str, Axis | None] = {}
    for row, value in zip(names, arrays, strict=True):
        check_known(len(set(row)) == len(row))
        for letter, axis in zip(row, array(walk, value).axes, strict=True):
            known[letter] = walk.one(known[letter], axis) if letter in known else axis
    return Array(tuple(known[letter] for letter in output))
