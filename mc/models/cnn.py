"""The small convolutional network, with and without BatchNorm."""

from collections.abc import Sequence

import keras
from keras import layers


def cnn(
    input_shape: Sequence[int],
    num_classes: int | None,
    padding: str = "same",
    batch_norm: bool = False,
    num_outputs: int = 1,
) -> keras.Model:
    """A small convolutional network from images `[b, *input_shape]` to logits `[b, num_classes]`.

    Convolutions of 32, 64 and 64 filters of 3x3, a 2x2 max-pooling after each of the first two,
    then dense layers of 64 and 64 units and the logits. ReLU follows every hidden layer except the
    third convolution, which stays linear.

    Args:
        input_shape: `(height, width, channels)`.
        num_classes: number of logits; None: there are no classes, as in a regression.
        num_outputs: how many outputs there are without classes.
        padding: `same`, or `valid`, where every convolution trims a pixel at each side.
        batch_norm: a BatchNormalization with Keras' defaults after each hidden layer's activation
            and before the max-pooling; for the third convolution directly after it.

    Raises:
        ValueError: inputs that are not images, images that are too small, another padding.
    """
    _check(input_shape, padding)
    inputs = keras.Input(tuple(input_shape), name="inputs")
    x = inputs
    for i, (filters, activation) in enumerate(((32, "relu"), (64, "relu"), (64, None)), start=1):
        x = layers.Conv2D(filters, 3, padding=padding, activation=activation, name=f"conv{i}")(x)
        x = layers.BatchNormalization(name=f"conv{i}_bn")(x) if batch_norm else x
        x = layers.MaxPooling2D(2, name=f"pool{i}")(x) if i < 3 else x
    x = layers.Flatten(name="flatten")(x)
    for i in (1, 2):
        x = layers.Dense(64, activation="relu", name=f"dense{i}")(x)
        x = layers.BatchNormalization(name=f"dense{i}_bn")(x) if batch_norm else x
    logits = layers.Dense(num_classes or num_outputs, name="logits")(x)
    return keras.Model(inputs, logits, name="cnn_bn" if batch_norm else "cnn")


def cnn_bn(
    input_shape: Sequence[int],
    num_classes: int | None,
    padding: str = "same",
    num_outputs: int = 1,
) -> keras.Model:
    """The `cnn` with BatchNorm."""
    return cnn(input_shape, num_classes, padding, batch_norm=True, num_outputs=num_outputs)


def _check(input_shape: Sequence[int], padding: str) -> None:
    if len(input_shape) != 3:
        raise ValueError(
            f"the cnn needs images (height, width, channels), received inputs of shape "
            f"{tuple(input_shape)}; use model=mlp, or give the images a channel axis"
        )
    if padding not in ("same", "valid"):
        raise ValueError(f"model.padding must be same or valid, received {padding!r}")
    # The smallest side that leaves a pixel after all convolutions and poolings.
    smallest = {"same": 4, "valid": 18}[padding]
    if min(input_shape[:2]) < smallest:
        advice = "model.padding=same" if padding == "valid" else "model=mlp"
        raise ValueError(
            f"model.padding={padding} needs images of at least {smallest}x{smallest} pixels, "
            f"received {input_shape[0]}x{input_shape[1]}; use {advice}"
        )
