"""Adapters of low rank: W + (alpha/r) A B, of which w is made in place of W.

Source: Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2022 (arXiv 2106.09685).
"""

import tempfile
from pathlib import Path

import keras

from mc.network import unpromised
from mc.network.trainable import freeze_batchnorm

LAYERS = (keras.layers.Dense, keras.layers.EinsumDense, keras.layers.Embedding)


def enable(network: keras.Model, rank: int, alpha: float | None = None) -> None:
    """Give the layers of a network adapters, and make constants of all else, biases included.

    A layer's kernel W becomes W + (alpha/r) A B with A random and B = 0, so that the network
    computes what it did. Keras' Dense, EinsumDense and Embedding have them. Initial A are drawn
    from Keras' global generator.

    Args:
        network: a built model; its weights stay.
        rank: r, the length of the sums in A B.
        alpha: default: the rank.

    Raises:
        ValueError: none of its layers takes an adapter, or one has its own already.
    """
    before = network.trainable_variables
    layers = [
        layer
        for layer in unpromised.layers_of(network)
        if isinstance(layer, LAYERS) and layer.trainable and layer.trainable_variables
    ]
    if not layers:
        raise ValueError(
            f"lora.rank={rank}: the network {network.name!r} has no layer that takes an adapter: "
            "these are Dense, EinsumDense and Embedding."
        )
    for layer in layers:
        layer.enable_lora(rank, lora_alpha=alpha)
    for variable in before:
        variable.trainable = False
    freeze_batchnorm(network)


def have(network: keras.Model) -> bool:
    """Whether a network has adapters."""
    return any(getattr(layer, "lora_enabled", False) for layer in unpromised.layers_of(network))


def copy(network: keras.Model, into: keras.Model) -> None:
    """Give a network of the same layers adapters of the same rank and alpha; Keras forgets some."""
    pairs = zip(unpromised.layers_of(network), unpromised.layers_of(into), strict=False)
    for layer, other in pairs:
        if getattr(layer, "lora_enabled", False):
            if not other.lora_enabled:
                other.enable_lora(layer.lora_rank)
            other.lora_alpha = layer.lora_alpha


def merge(network: keras.Model, into: keras.Model) -> None:
    """Write what a network with adapters is into one of the same layers without them."""
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "merged.weights.h5"
        network.save_weights(file)  # in which Keras adds A B to W
        into.load_weights(file)
