"""Operations that move, join, cut or lay out axes anew, and those that sum over some."""

from __future__ import annotations

from typing import Any

from keras import layers

from mc.symmetry import axes
from mc.symmetry.axes import Axis
from mc.symmetry.rules.dense import channel_of, resized
from mc.symmetry.walk import Array, Walk, check_known, rule

POOLS = (
    *(layers.MaxPooling1D, layers.MaxPooling2D, layers.MaxPooling3D),
    *(layers.AveragePooling1D, layers.AveragePooling2D, layers.AveragePooling3D),
    *(layers.UpSampling2D, layers.UpSampling3D, layers.ZeroPadding2D, layers.ZeroPadding3D),
    *(layers.Cropping2D, layers.Cropping3D),
)
ALONG_TIME = (layers.UpSampling1D, layers.ZeroPadding1D, layers.Cropping1D)


@rule(*POOLS)
def pooled(walk: Walk, layer: Any, x: Array) -> Array:
    """Channels pass; of the space nothing moves."""
    place = channel_of(layer, x)
    return resized(walk, layer, x, place, x.axes[place])


@rule(*ALONG_TIME)
def along_time(walk: Walk, layer: Any, x: Array) -> Array:
    """The last axis passes; time stays."""
    return resized(walk, layer, x, len(x.axes) - 1, x.axes[-1])


GLOBAL = (
    *(layers.GlobalAveragePooling1D, layers.GlobalAveragePooling2D, layers.GlobalAveragePooling3D),
    *(layers.GlobalMaxPooling1D, layers.GlobalMaxPooling2D, layers.GlobalMaxPooling3D),
)


@rule(*GLOBAL)
def pooled_away(walk: Walk, layer: Any, x: Array, **_: Any) -> Array:
    """Channels alone are left."""
    place = channel_of(layer, x)
    if not layer.keepdims:
        return Array((x.axes[0], x.axes[place]))
    ones: list[Axis | None] = [axes.fixed(1) for _ in x.axes]
    ones[0], ones[place] = x.axes[0], x.axes[place]
    return Array(tuple(ones))


@rule(layers.Flatten)
def flattened(walk: Walk, layer: Any, x: Array) -> Array:
    """One axis of all, channels last and fastest."""
    inner = [axis for axis in x.axes[1:] if axis is not None]
    if len(inner) < len(x.axes) - 1:
        walk.pin(x)
        return Array((x.axes[0], None))
    if layer.data_format == "channels_first" and len(inner) > 1:
        inner = [*inner[1:], inner[0]]
    return Array((x.axes[0], axes.product(*inner)))


@rule(layers.Permute)
def permuted(walk: Walk, layer: Any, x: Array) -> Array:
    """Axes in another order."""
    return Array((x.axes[0], *(x.axes[i] for i in layer.dims)))


@rule(layers.RepeatVector)
def repeated(walk: Walk, layer: Any, x: Array) -> Array:
    """A new axis of equal vectors."""
    return Array((x.axes[0], axes.fixed(layer.n), x.axes[1]))


@rule(layers.Concatenate)
def joined(walk: Walk, layer: Any, arrays: list[Array]) -> Array:
    """One axis after another; the others meet."""
    first = arrays[0]
    place = layer.axis % len(first.axes)
    found: list[Axis | None] = []
    for i in range(len(first.axes)):
        at = [array.axes[i] for array in arrays]
        if i == place:
            known = [axis for axis in at if axis is not None]
            check_known(len(known) == len(at))
            found.append(axes.concatenated(known))
            continue
        whole = at[0]
        for axis in at[1:]:
            whole = walk.one(whole, axis)
        found.append(whole)
    return Array(tuple(found))


@rule(layers.Reshape)
def reshaped(walk: Walk, layer: Any, x: Array) -> Array:
    """The same numbers in C order, in other axes."""
    target = layer.compute_output_shape(x.shape)[1:]
    inner = [axis for axis in x.axes[1:] if axis is not None]
    check_known(len(inner) == len(x.axes) - 1 and None not in target)
    return Array((x.axes[0], *laid_out(walk, inner, list(target))))


def laid_out(walk: Walk, inner: list[Axis], target: list[int]) -> list[Axis]:
    """Axes of some lengths that hold the same numbers as others, in C order.

    Axes are joined as far as they must be and cut again, so that one that stays whole stays free.
    """
    found: list[Axis] = []
    waiting = list(inner)
    i = 0
    while i < len(target):
        block, last = axes.fixed(1), i + 1
        size = target[i]
        while len(block) != size:
            if len(block) < size:
                block = axes.product(block, waiting.pop(0))
            else:
                size *= target[last]
                last += 1
        for n in target[i : last - 1]:
            first, block = walk.units.split(block, n)
            found.append(first)
        found.append(block)
        i = last
    return found
