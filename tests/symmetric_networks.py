"""Networks with units of many kinds, which tests of symmetries share."""

import keras
import numpy as np
from keras import layers

from mc import models


def randomized(network, seed):
    """A network with random weights, none of them as it began."""
    rng = np.random.default_rng(seed)
    for variable in network.variables:
        if variable.dtype != "float32":
            continue
        noise = rng.normal(size=variable.shape)
        positive = "variance" in variable.path
        variable.assign(np.abs(noise) + 0.5 if positive else noise / np.sqrt(variable.shape[-1]))
    return network


def recurrent():
    return keras.Sequential(
        [
            *(keras.Input((7, 4)), layers.LSTM(12, return_sequences=True)),
            *(layers.Bidirectional(layers.GRU(9)), layers.Dense(3)),
        ]
    )


def smooth_cnn():
    return keras.Sequential(
        [
            *(keras.Input((9, 9, 2)), layers.Conv2D(6, 3, activation="tanh")),
            *(layers.BatchNormalization(), layers.MaxPooling2D(), layers.Conv2D(8, 2)),
            *(layers.Activation("gelu"), layers.Flatten(), layers.Dense(10, activation="tanh")),
            layers.Dense(3),
        ]
    )


def squared_stream():
    """A kernel in the stream, which carries one group on both of its axes."""
    x = keras.Input((5,))
    stream = layers.Dense(8, activation="tanh")(x)
    stream = layers.Add()([stream, layers.Dense(8, activation="tanh")(stream)])
    return keras.Model(x, layers.Dense(3)(stream))


PLAIN = {
    "mlp": lambda: models.mlp((6,), 3, widths=[16, 12, 8], activation="tanh"),
    "cnn": smooth_cnn,
    "recurrent": recurrent,
    "squared stream": squared_stream,
    "vit": lambda: models.vit((8, 8, 1), 3),
    "gpt": lambda: models.gpt((6,), 11),
}
