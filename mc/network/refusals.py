"""What networks do in training that the training of a curve cannot do: refused by name."""

import warnings
from typing import Any

import keras
import tensorflow as tf

from mc.network.weights import FlatNetwork, State, Vector


def check_weights(network: FlatNetwork) -> None:
    """Raise unless every trainable weight of a network is one that gradients move.

    Raises:
        ValueError: a weight is a scale that is written in place of its gradient, as those of layers
            quantized to float8 are; names it.
    """
    for variable in network.trainable:
        if getattr(variable, "overwrite_with_gradient", False):
            raise ValueError(
                f"{variable.path} is a scale of a layer quantized to float8: training writes it "
                "and does not descend along its gradient, so it cannot be a weight of a curve. "
                "Quantize the networks taken from the curve, not its ends."
            )


def check_weights_stay(network: FlatNetwork, w: Vector, state: State, x: Any) -> None:
    """Raise if a layer writes a weight that is to be trained, when it is called in training.

    Raises:
        ValueError: names the weight; raised by the call itself.
    """
    network(tf.convert_to_tensor(w), state, x, training=True)


def check_own_training(network: keras.Model) -> None:
    """Raise if a network's class replaces Keras' training by its own, which a curve never calls.

    Warns of an own `test_step` or `compute_metrics`, without which only reports differ.

    Raises:
        ValueError: it has a `train_step` or `compute_loss` of its own; says what to do instead.
    """
    own = [name for name in ("train_step", "compute_loss") if _is_own(network, name)]
    if own:
        raise ValueError(
            f"{type(network).__name__} has {' and '.join(own)} of its own, which training of a "
            "curve never calls: it computes the gradient at w(t) from the loss of compile. Give "
            "that loss as compile(loss=...), terms of the network's own by add_loss in a layer, "
            "and make the network without the method; of a functional one, "
            "keras.Model(network.input, network.output) has the same layers."
        )
    for name in ("test_step", "compute_metrics"):
        if _is_own(network, name):
            warnings.warn(
                f"{type(network).__name__} has {name} of its own, which a curve never calls: its "
                "loss and metrics are those of compile.",
                stacklevel=4,
            )


def _is_own(network: keras.Model, name: str) -> bool:
    return getattr(getattr(network, name), "__func__", None) is not getattr(keras.Model, name)
