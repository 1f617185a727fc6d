"""A regression's deviations as weights of the network, whatever the network is."""

from typing import Any

import keras

from mc.network import refusals, unpromised

NAME = "log_deviation"  # of the layer whose weights they are


def with_deviation(network: keras.Model, inputs: Any = None) -> keras.Model:
    """The network with the logarithm of a deviation after each of its outputs' means.

    Outputs `[batch, ..., 2 d]`: those of the network, `[batch, ..., d]`, then d trained numbers,
    alike for all inputs, 0 at first. The network's layers and weights are its own still.

    Args:
        network: a built model with one output.
        inputs: of a subclassed network: what has the shapes and types of a batch of its inputs.

    Raises:
        ValueError: it has several outputs; a subclassed one is given without inputs; or it trains
            in its own way.
    """
    refusals.check_own_training(network)  # which could not be seen any more
    graph = unpromised.graph_of(network)
    if graph is None and inputs is None:
        raise ValueError(
            f"The network {network.name!r} does not show the shapes of its inputs: give a batch, "
            "with_deviation(network, inputs=x)."
        )
    given = keras.tree.map_structure(_input, inputs if graph is None else graph.input)
    means = network(given)
    if not isinstance(means, keras.KerasTensor) or len(means.shape) < 2:
        raise ValueError(
            f"A deviation is appended to one output [batch, ..., d]; the network {network.name!r} "
            f"gives {means}. With several, or another, it must give the deviations itself."
        )
    # Keras' own layers, which it reads back without ours. They are never rounded to half precision,
    # and pass masks on. The beta of normalised zeros is a bias alone.
    zeros = keras.layers.Subtract(dtype="float32")([means, means])
    beta = keras.layers.LayerNormalization(scale=False, dtype="float32", name=NAME)
    both = keras.layers.Concatenate(dtype="float32")([means, beta(zeros)])
    return keras.Model(given, both, name=f"{network.name}_with_deviation")


def _input(like: Any) -> keras.KerasTensor:
    name = like.name if isinstance(like, keras.KerasTensor) else None
    dtype = keras.backend.standardize_dtype(like.dtype)
    return keras.Input(tuple(like.shape[1:]), dtype=dtype, name=name)
