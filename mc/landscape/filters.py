"""Filters: the parts of a weight that feed one output each, in every kind of layer."""

from __future__ import annotations

import keras
import numpy as np

from mc.network import unpromised
from mc.network.weights import FlatNetwork

# Of names of weights that are not as their layer's rank says: the axes that number filters.
LAST = (-1,)
BY_NAME = {
    "depthwise_kernel": (-2, -1),  # a filter for each input channel, and each of its multiples
    "lora_kernel_a": (-1,),  # a column of A and a row of B are one direction of the update
    "lora_kernel_b": (0,),
    "lora_embeddings_a": (-1,),
    "lora_embeddings_b": (0,),
}
TRANSPOSED = (
    keras.layers.Conv1DTranspose,
    keras.layers.Conv2DTranspose,
    keras.layers.Conv3DTranspose,
)
DEPTHWISE = (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)


def axes_of(network: FlatNetwork) -> list[tuple[int, ...] | None]:
    """Of each trainable weight the axes that number its filters; None of biases and their like.

    A filter is all that one output is computed from: with `(-1,)` of a kernel `[in, out]` a column.
    What has one axis or none (biases, scales and offsets of normalisations) has no filters. So has
    what has more axes but belongs to a normalisation.
    """
    owners: dict[int, keras.Layer] = {}
    for layer in unpromised.layers_of(network.model):
        owners |= {id(variable): layer for variable in unpromised.own_weights(layer)}
    return [_axes(variable, owners.get(id(variable))) for variable in network.trainable]


def _axes(variable: keras.Variable, layer: keras.Layer | None) -> tuple[int, ...] | None:
    rank, name = len(variable.shape), variable.path.rpartition("/")[2]
    if rank < 2 or name == "bias" or type(layer).__name__.endswith("Normalization"):
        return None
    axes = _of_layer(layer, name)
    return tuple(sorted(axis % rank for axis in axes))


def _of_layer(layer: keras.Layer | None, name: str) -> tuple[int, ...]:
    if name in BY_NAME:
        return BY_NAME[name]
    if isinstance(layer, DEPTHWISE):
        return (-2, -1)
    if isinstance(layer, TRANSPOSED):
        return (-2,)
    if isinstance(layer, keras.layers.Embedding):
        return (0,)
    if isinstance(layer, keras.layers.EinsumDense):
        return _of_einsum(layer.equation)
    return LAST


def _of_einsum(equation: str) -> tuple[int, ...]:
    """The axes of the kernel whose letters are the output's and not the input's."""
    given, _, output = equation.replace("...", "").partition("->")
    inputs, kernel = given.split(",")
    new = [i for i, letter in enumerate(kernel) if letter in output and letter not in inputs]
    return tuple(new) or LAST


def lengths(values: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """The Euclidean length of every filter, in a shape that fits `values`."""
    others = tuple(axis for axis in range(values.ndim) if axis not in axes)
    return np.sqrt(np.sum(np.square(values, dtype=np.float64), axis=others, keepdims=True))
