"""The convolutional network of Garipov et al. 2018 without BatchNorm or shortcuts."""

from collections.abc import Sequence

import keras
from keras import layers

from mc.models.torch_like import conv, dense


def conv_fc(input_shape: Sequence[int], num_classes: int) -> keras.Model:
    """Three 5x5 convolutions (32, 64, 128) with 3x3 max-pooling at stride 2, dense 1000, 1000.

    ReLU after every hidden layer. Convolutions: He normal by fan-out, zero bias; dense layers:
    PyTorch's default. 2,422,634 weights for 32x32x3 and 10 classes.

    Source: Garipov et al. 2018, `ConvFC` of their code.

    Raises:
        ValueError: images smaller than 15 pixels a side.
    """
    if len(input_shape) != 3 or min(input_shape[:2]) < 15:
        raise ValueError(
            "model=conv_fc needs images (height, width, channels) of at least 15x15 pixels; "
            f"received inputs of shape {tuple(input_shape)}."
        )
    inputs = x = keras.Input(tuple(input_shape))
    for filters in (32, 64, 128):
        x = layers.ReLU()(conv(x, filters, 5))
        x = layers.MaxPooling2D(3, 2)(x)
    x = layers.Flatten()(x)
    for _ in range(2):
        x = dense(x, 1000, "relu")
    return keras.Model(inputs, dense(x, num_classes), name="conv_fc")
