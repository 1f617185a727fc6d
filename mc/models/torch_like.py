"""Convolutions and dense layers initialised and padded as the PyTorch originals have them."""

import math
from collections.abc import Sequence

import keras
from keras import layers


def he_fan_out() -> keras.initializers.Initializer:
    """He normal by fan-out: N(0, 2 / (kernel height * kernel width * filters))."""
    return keras.initializers.VarianceScaling(
        2.0, mode="fan_out", distribution="untruncated_normal"
    )


def uniform_fan_in() -> keras.initializers.Initializer:
    """PyTorch's default for weights: uniform in +-1 / sqrt(fan-in)."""
    return keras.initializers.VarianceScaling(1 / 3, mode="fan_in", distribution="uniform")


def conv(
    x: keras.KerasTensor,
    filters: int,
    size: int,
    *,
    stride: int = 1,
    bias: bool = True,
    he: bool = True,
) -> keras.KerasTensor:
    """A convolution that pads size // 2 pixels on every side, also where the stride is 2.

    Keras' `same` pads unevenly at stride 2. `he`: He normal by fan-out with zero bias, else
    PyTorch's default for weight and bias.
    """
    if stride > 1 and size > 1:
        x = layers.ZeroPadding2D(size // 2)(x)
    fan_in = size * size * x.shape[-1]
    return layers.Conv2D(
        filters,
        size,
        strides=stride,
        padding="same" if stride == 1 else "valid",
        use_bias=bias,
        kernel_initializer=he_fan_out() if he else uniform_fan_in(),
        bias_initializer="zeros" if he else _uniform(fan_in),
    )(x)


def dense(x: keras.KerasTensor, units: int, activation: str | None = None) -> keras.KerasTensor:
    """A dense layer with PyTorch's default initialisation of weight and bias."""
    return layers.Dense(
        units,
        activation,
        kernel_initializer=uniform_fan_in(),
        bias_initializer=_uniform(x.shape[-1]),
    )(x)


def norm(x: keras.KerasTensor, momentum: float = 0.9) -> keras.KerasTensor:
    """BatchNorm with PyTorch's epsilon; `momentum` is Keras', one minus PyTorch's."""
    return layers.BatchNormalization(momentum=momentum, epsilon=1e-5)(x)


def check_images(input_shape: Sequence[int], name: str, multiple: int) -> tuple[int, ...]:
    """The input shape of images whose sides are multiples of a number of pixels.

    Raises:
        ValueError: it is not; names the model and what was received.
    """
    shape = tuple(input_shape)
    if len(shape) != 3 or min(shape[:2]) < multiple or shape[0] % multiple or shape[1] % multiple:
        raise ValueError(
            f"model={name} needs images (height, width, channels) with sides that are multiples "
            f"of {multiple}; received inputs of shape {shape}. Set dataset.image_size."
        )
    return shape


def _uniform(fan_in: int) -> keras.initializers.Initializer:
    bound = 1 / math.sqrt(fan_in)
    return keras.initializers.RandomUniform(-bound, bound)
