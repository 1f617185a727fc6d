"""Layers with kernels: dense ones, convolutions, embeddings, normalisations."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import layers

from mc.network import unpromised
from mc.symmetry import axes
from mc.symmetry.axes import Axis
from mc.symmetry.rules.elementwise import after_activation
from mc.symmetry.walk import Array, Unknown, Walk, check_known, rule


@rule(layers.Dense)
def dense(walk: Walk, layer: Any, x: Array) -> Array:
    """kernel `[in, units]`, bias `[units]`."""
    _, units = kernel_of(walk, layer, x.axes[-1], None)
    if layer.bias is not None:
        walk.weight(layer.bias, units)
    return after_activation(walk, layer.activation, x.but(-1, units))


def kernel_of(walk: Walk, layer: Any, *of: Axis | None) -> tuple[Axis, ...]:
    """The axes of a kernel, and of the factors of its adapters.

    Raises:
        ValueError: it is quantized.
    """
    if getattr(layer, "quantization_mode", None):
        raise ValueError(
            f"The layer {layer.name} is quantized to {layer.quantization_mode}, whose scales are "
            "not renumbered: align networks before they are quantized."
        )
    known = walk.weight(unpromised.stored(layer), *of)
    if getattr(layer, "lora_enabled", False):
        *_, rank = walk.weight(layer.lora_kernel_a, *known[:-1], None)
        walk.weight(layer.lora_kernel_b, rank, known[-1])
    return known


def channel_of(layer: Any, x: Array) -> int:
    """The place of the channels."""
    return 1 if layer.data_format == "channels_first" else len(x.axes) - 1


def resized(walk: Walk, layer: Any, x: Array, place: int, channels: Axis | None) -> Array:
    """The array with other channels, and the space that the layer leaves, which stays."""
    walk.units.pin(*(a for i, a in enumerate(x.axes) if i != place and a is not None))
    shape = layer.compute_output_shape(x.shape)
    given: list[Axis | None] = [None if n is None else axes.fixed(n) for n in shape]
    given[place] = channels
    return Array(tuple(given))


def convolved(walk: Walk, layer: Any, x: Array, place: int, out: Axis) -> Array:
    """What a convolution gives, whose bias is of its channels `out`."""
    if layer.bias is not None:
        walk.weight(layer.bias, out)
    return after_activation(walk, layer.activation, resized(walk, layer, x, place, out))


@rule(layers.Conv1D, layers.Conv2D, layers.Conv3D)
def conv(walk: Walk, layer: Any, x: Array) -> Array:
    """kernel `[..., in / groups, out]`, bias `[out]`; the space stays."""
    place = channel_of(layer, x)
    channels = x.axes[place]
    if channels is None:
        raise Unknown
    space = [axes.fixed(n) for n in layer.kernel_size]
    if layer.groups > 1:
        out = grouped(walk, layer, space, channels)
    else:
        *_, out = kernel_of(walk, layer, *space, channels, None)
    return convolved(walk, layer, x, place, out)


def grouped(walk: Walk, layer: Any, space: list[Axis], channels: Axis) -> Axis:
    """The channels after a convolution of `groups` blocks, each of which sees its own channels.

    Blocks keep their places, and channels their blocks; a block of one channel may move with it.
    """
    groups, out = layer.groups, layer.filters
    few, many = len(channels) // groups, out // groups
    if few == 1:
        after = axes.product(channels, axes.fixed(many))
        walk.weight(layer.kernel, *space, axes.fixed(1), after)
    else:
        blocks = axes.concatenated([walk.units.fresh(few) for _ in range(groups)])
        walk.units.unify(channels, blocks)
        after = axes.concatenated([walk.units.fresh(many) for _ in range(groups)])
        # Position (i, o) of the kernel's last two axes is of the channels i and o of one block.
        i, o = (index.ravel() for index in np.indices((few, out)))
        seen = axes.taken(channels, o // many * few + i)
        roles = np.stack([seen.roles, after.roles[o]], axis=1)
        pairs = axes.tidy(np.hstack([seen.units, after.units[o]]), roles)
        walk.weight(layer.kernel, *space, pairs, shape=(*layer.kernel_size, few * out))
    return after


@rule(layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)
def transposed(walk: Walk, layer: Any, x: Array) -> Array:
    """kernel `[..., out, in]`."""
    place = channel_of(layer, x)
    space = [axes.fixed(n) for n in layer.kernel_size]
    *_, out, _ = walk.weight(layer.kernel, *space, None, x.axes[place])
    return convolved(walk, layer, x, place, out)


@rule(layers.DepthwiseConv1D, layers.DepthwiseConv2D)
def depthwise(walk: Walk, layer: Any, x: Array) -> Array:
    """kernel `[..., C, m]`, output channel c * m + j."""
    place = channel_of(layer, x)
    out = multiplied(walk, layer.kernel, layer.kernel_size, layer.depth_multiplier, x.axes[place])
    return convolved(walk, layer, x, place, out)


@rule(layers.SeparableConv1D, layers.SeparableConv2D)
def separable(walk: Walk, layer: Any, x: Array) -> Array:
    """depthwise kernel `[..., C, m]`, pointwise kernel `[..., C * m, out]`, bias `[out]`."""
    place = channel_of(layer, x)
    kernel, size = layer.depthwise_kernel, layer.kernel_size
    inner = multiplied(walk, kernel, size, layer.depth_multiplier, x.axes[place])
    space = [axes.fixed(1) for _ in size]
    *_, out = walk.weight(layer.pointwise_kernel, *space, inner, None)
    return convolved(walk, layer, x, place, out)


def multiplied(walk: Walk, kernel: Any, size: Any, times: int, channels: Axis | None) -> Axis:
    """The channels after a depthwise kernel."""
    space = [axes.fixed(n) for n in size]
    *_, channels, multiples = walk.weight(kernel, *space, channels, axes.fixed(times))
    return axes.product(channels, multiples)


@rule(layers.Embedding)
def embedding(walk: Walk, layer: Any, x: Array) -> Array:
    """embeddings `[tokens, d]`; tokens stay."""
    _, width = walk.weight(unpromised.stored(layer), axes.fixed(layer.input_dim), None)
    if getattr(layer, "lora_enabled", False):
        tokens = axes.fixed(layer.input_dim)
        _, rank = walk.weight(layer.lora_embeddings_a, tokens, None)
        walk.weight(layer.lora_embeddings_b, rank, width)
    return Array((*x.axes, width))


@rule(layers.BatchNormalization)
def batchnorm(walk: Walk, layer: Any, x: Array, **_: Any) -> Array:
    """gamma, beta and moving statistics `[C]`."""
    place = layer.axis % len(x.axes)
    for name in ("gamma", "beta", "moving_mean", "moving_variance"):
        if (variable := getattr(layer, name, None)) is not None:
            walk.weight(variable, x.axes[place])
    return x


@rule(layers.LayerNormalization, layers.RMSNormalization)
def layernorm(walk: Walk, layer: Any, x: Array) -> Array:
    """gamma (or scale) and beta, over the normalised axes."""
    places = layer.axis if isinstance(layer.axis, list | tuple) else [layer.axis]
    of = [x.axes[place] for place in places]
    for name in ("gamma", "beta", "scale"):
        variable = getattr(layer, name, None)
        if hasattr(variable, "shape"):
            walk.weight(variable, *of)
    return x


@rule(layers.GroupNormalization)
def groupnorm(walk: Walk, layer: Any, x: Array) -> Array:
    """gamma and beta `[C]`; channels stay within their group."""
    place = layer.axis % len(x.axes)
    channels = x.axes[place]
    if channels is None:
        raise Unknown
    groups = len(channels) if layer.groups == -1 else layer.groups
    if 1 < groups < len(channels):
        sizes = len(channels) // groups
        walk.units.unify(
            channels, axes.concatenated([walk.units.fresh(sizes) for _ in range(groups)])
        )
    for variable in (layer.gamma, layer.beta):
        if variable is not None:
            walk.weight(variable, channels)
    return x


@rule(layers.PReLU)
def prelu(walk: Walk, layer: Any, x: Array) -> Array:
    """alpha, the shape of an example, of length 1 on shared axes."""
    shape = layer.alpha.shape
    of = [axes.fixed(1) if n == 1 else axis for n, axis in zip(shape, x.axes[1:], strict=True)]
    walk.weight(layer.alpha, *of)
    return x


def letters(equation: str) -> tuple[list[str], str]:
    """The inputs and the output of an einsum without dots, letter by letter."""
    inputs, output = equation.replace(" ", "").split("->")
    return inputs.split(","), output


@rule(layers.EinsumDense)
def einsum(walk: Walk, layer: Any, x: Array) -> Array:
    """Axes by their letters; a bias has those that it names."""
    (of_x, of_kernel), output = letters(layer.equation)
    check_known("." not in layer.equation)
    known: dict[str, Any] = dict(zip(of_x, x.axes, strict=True))
    given = kernel_of(walk, layer, *(known.get(letter) for letter in of_kernel))
    known |= {
        name: axis for name, axis in zip(of_kernel, given, strict=True) if known.get(name) is None
    }
    if layer.bias is not None:
        shape = layer.bias.shape
        ends = output[len(output) - len(shape) :]
        of = [axes.fixed(1) if n == 1 else known[name] for n, name in zip(shape, ends, strict=True)]
        walk.weight(layer.bias, *of)
    after = Array(tuple(known[letter] for letter in output))
    return after_activation(walk, layer.activation, after)
