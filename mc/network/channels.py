"""Layers with units of their own, dense and convolutional ones, and what scales these."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import keras

from mc.network import unpromised

log = logging.getLogger(__name__)
layers = keras.layers
TRANSPOSED = (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)
DEPTHWISE = (layers.DepthwiseConv1D, layers.DepthwiseConv2D)
SEPARABLE = (layers.SeparableConv1D, layers.SeparableConv2D)
PLAIN = (layers.Dense, layers.Conv1D, layers.Conv2D, layers.Conv3D)
LEAVE_OUT = "Leave eval.repair (repair=True) out."
KINDS = (*PLAIN, *TRANSPOSED, *DEPTHWISE, *SEPARABLE)


def before_others(graph: Any) -> list[keras.Layer]:
    """The dense and convolutional layers of a network after which there are others.

    Warns of layers with kernels of other kinds, recurrent ones or attention, which it leaves out.

    Raises:
        ValueError: there is none; or one has no bias, or is used twice: names it.
    """

    @dataclass(frozen=True)
    class After:
        """A symbol for an array: the layers on the way to it."""

        layers: frozenset

    calls: dict[int, int] = {}
    order: dict[int, keras.Layer] = {}
    inner: set[int] = set()
    others: list[str] = []

    def call(operation: Any, *args: Any, **kwargs: Any) -> Any:
        before = [a.layers for a in keras.tree.flatten((args, kwargs)) if isinstance(a, After)]
        on_the_way = frozenset().union(*before)
        kernels = [v for v in getattr(operation, "weights", ()) if len(v.shape) > 1]
        if kernels and not isinstance(operation, (*KINDS, layers.Embedding)):
            others.append(operation.name)
        if isinstance(operation, KINDS):
            inner.update(on_the_way)
            order[id(operation)] = operation
            calls[id(operation)] = calls.get(id(operation), 0) + 1
            on_the_way |= {id(operation)}
        outputs = keras.tree.map_structure(lambda _: After(on_the_way), operation.output)
        return outputs

    unpromised.run_graph(graph, [After(frozenset()) for _ in graph.inputs], call)
    found = [layer for key, layer in order.items() if key in inner]
    for layer in found:
        if calls[id(layer)] > 1:
            raise ValueError(
                f"The layer {layer.name} is used {calls[id(layer)]} times, and its units vary "
                f"differently each time, so REPAIR cannot set them. {LEAVE_OUT}"
            )
        if not layer.use_bias:
            raise ValueError(
                f"The layer {layer.name} has no bias, so REPAIR cannot set the means of its units. "
                f"Build it with use_bias=True. {LEAVE_OUT}"
            )
    if not found:
        raise ValueError(
            "REPAIR sets the units of dense and convolutional layers after which there are others, "
            f"and this network has none that can be seen. {LEAVE_OUT}"
        )
    if others:
        log.warning("REPAIR leaves out %s, whose units it does not know.", ", ".join(others))
    return found


def axis_of(layer: keras.Layer, rank: int) -> int:
    """The axis of units of a layer's outputs."""
    first = getattr(layer, "data_format", None) == "channels_first"
    return 1 if first else rank - 1


def kernel_of(layer: keras.Layer) -> tuple[keras.Variable, tuple[int, ...]]:
    """The weight whose factor scales the units of a layer, and the shape of one for all units."""
    if isinstance(layer, DEPTHWISE):
        return layer.kernel, tuple(layer.kernel.shape[-2:])
    if isinstance(layer, SEPARABLE):
        return layer.pointwise_kernel, (-1,)
    return layer.kernel, (-1, 1) if isinstance(layer, TRANSPOSED) else (-1,)
