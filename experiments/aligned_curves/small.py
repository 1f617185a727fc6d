"""A small convolutional network for CIFAR-10, with BatchNorm or without."""

import keras
from keras import layers

FILTERS = ((24, 2), (32, 2), (48, 1), (64, 2), (64, 1))  # and strides


def network(input_shape, num_classes, batch_norm=False):
    """Five convolutions, the mean over all places, logits; 86,778 weights without BatchNorm."""
    x = inputs = keras.Input(input_shape)
    for filters, strides in FILTERS:
        x = layers.Conv2D(filters, 3, strides, padding="same")(x)
        x = layers.BatchNormalization(momentum=0.9)(x) if batch_norm else x
        x = layers.ReLU()(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(num_classes)(x))
