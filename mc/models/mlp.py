"""The multilayer perceptron."""

from collections.abc import Callable, Sequence

import keras
from keras import layers


def mlp(
    input_shape: Sequence[int],
    num_classes: int | None,
    widths: Sequence[int] = (64, 64),
    activation: str | Callable = "relu",
    num_outputs: int = 1,
) -> keras.Model:
    """A multilayer perceptron from inputs `[b, *input_shape]` to logits `[b, num_classes]`.

    Args:
        input_shape: shape of one input; inputs of more than one axis are flattened.
        num_classes: number of logits; None: there are no classes, as in a regression.
        num_outputs: how many outputs there are without classes.
        widths: units of each hidden layer; none of them makes a linear model.
        activation: a Keras activation, by name or function, after every hidden layer.

    Raises:
        ValueError: a width that is not a whole number >= 1, or an unknown activation.
    """
    listed = isinstance(widths, Sequence) and not isinstance(widths, str)
    if not listed or not all(isinstance(w, int) and w >= 1 for w in widths):
        raise ValueError(
            f"model.widths must be a list of whole numbers >= 1, received {widths}; "
            "for instance model.widths=[64,64]"
        )
    try:
        activation = keras.activations.get(activation)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"model.activation must be a Keras activation, received {activation!r}; "
            "for instance model.activation=relu or tanh"
        ) from error
    inputs = keras.Input(tuple(input_shape), name="inputs")
    x = layers.Flatten(name="flatten")(inputs) if len(input_shape) > 1 else inputs
    for i, width in enumerate(widths, start=1):
        x = layers.Dense(width, activation=activation, name=f"dense{i}")(x)
    logits = layers.Dense(num_classes or num_outputs, name="logits")(x)
    return keras.Model(inputs, logits, name="mlp")
