"""Tokens: whether networks know all of them, and leave out what only fills sequences up."""

from typing import TYPE_CHECKING

import keras
import numpy as np

from mc.network import unpromised

if TYPE_CHECKING:
    from mc.datasets.data import Data


def check_tokens(network: keras.Model, data: "Data", name: str) -> None:
    """Raise if an Embedding that the inputs go to does not have a row for each of their tokens.

    On a CPU TensorFlow finds such tokens as it meets them, on a GPU it takes zeros for their rows.
    Looked at are functional networks of one input, and data in memory.

    Args:
        network: a built model.
        data: a `Data`.
        name: which network, for the message.

    Raises:
        ValueError: names the layer, and the token.
    """
    if (layer := _embedding(network)) is None:
        return
    for split, examples in data.splits.items():
        x = getattr(examples, "x", None)
        if not isinstance(x, np.ndarray) or not x.size or examples.transform is not None:
            continue
        if x.min() < 0 or x.max() >= layer.input_dim:
            wrong = x.min() if x.min() < 0 else x.max()
            raise ValueError(
                f"{name} knows the tokens 0 to {layer.input_dim - 1} (its layer {layer.name}), and "
                f"the split {split} of the dataset has the token {wrong}: give the network the "
                "vocabulary of the data."
            )


def _embedding(network: keras.Model) -> keras.layers.Embedding | None:
    """The Embedding that the one input of a functional network goes to; None if there is none."""
    inputs = getattr(network, "inputs", None) or []
    for layer in unpromised.layers_of(network):
        if isinstance(layer, keras.layers.Embedding) and len(inputs) == 1:
            try:
                own = layer.input
            except (AttributeError, ValueError):  # it is called by another layer, or twice
                continue
            if own is inputs[0]:
                return layer
    return None


def is_masked(network: keras.Model, data: "Data") -> bool:
    """Whether the outputs of a network have a mask, for the first examples."""
    batch = next(iter(data.train.batches(2)))[0]
    outputs = keras.tree.flatten(network(batch, training=False))
    return any(unpromised.mask_of(out) is not None for out in outputs)
