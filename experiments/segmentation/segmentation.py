"""Two handwritten digits on a noisy canvas, and a U-Net that says of every pixel what it is."""

import keras
import numpy as np
from keras import layers

from mc.datasets import digits

SIDE, DIGIT = 20, 8
INK = 0.5  # pixels of more are of the digit, of less of the background
NOISE = 0.15


def canvases(seed=0):
    """1437 canvases for training and 360 for testing, each with two digits of that split.

    x `[n, 20, 20, 1] float32`; y `[n, 20, 20]`: 0 for the background, 1 to 10 for digits 0 to 9.
    """
    rng = np.random.default_rng(seed)
    data = digits()
    splits = {name: _drawn(*data[name], rng) for name in ("train", "test")}
    return splits | {"num_classes": 11}


def _drawn(images, labels, rng):
    n = len(images)
    x = rng.normal(0, NOISE, (n, SIDE, SIDE, 1)).astype("float32")
    y = np.zeros((n, SIDE, SIDE), int)
    for half in (0, SIDE // 2):  # one digit in the left half, one in the right
        chosen = rng.integers(0, n, n)
        rows = rng.integers(0, SIDE - DIGIT + 1, n)
        columns = half + rng.integers(0, SIDE // 2 - DIGIT + 1, n)
        for i, (k, row, column) in enumerate(zip(chosen, rows, columns, strict=True)):
            where = (i, slice(row, row + DIGIT), slice(column, column + DIGIT))
            x[where] += images[k]
            y[where] = np.where(images[k, ..., 0] > INK, labels[k] + 1, 0)
    return x, y


def unet(input_shape, num_classes, width=16):
    """Down and up once, joined across; logits `[b, h, w, num_classes]`."""
    inputs = keras.Input(input_shape)
    fine = _twice(inputs, width)
    coarse = _twice(layers.MaxPooling2D(2)(fine), 2 * width)
    coarse = _twice(layers.MaxPooling2D(2)(coarse), 2 * width)
    up = layers.UpSampling2D(4)(coarse)
    x = _twice(layers.Concatenate()([fine, up]), width)
    return keras.Model(inputs, layers.Conv2D(num_classes, 1)(x), name="unet")


def _twice(x, filters):
    for _ in range(2):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    return x
