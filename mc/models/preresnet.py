"""Residual networks with pre-activation."""

from collections.abc import Sequence

import keras
from keras import layers

from mc.models.torch_like import check_images, conv, dense, norm


def preresnet(
    input_shape: Sequence[int], num_classes: int, depth: int, width: int = 1
) -> keras.Model:
    """A pre-activation ResNet: a 3x3 convolution, three stages of blocks, average pooling.

    Stages have 16, 32 and 64 filters, times `width`, and halve the image from one to the next. From
    depth 44 on, depth = 9n + 2 and each stage has n bottleneck blocks (1x1, 3x3, 1x1 to four times
    the filters); below, depth = 6n + 2 and blocks are basic (3x3, 3x3). Every convolution follows
    BatchNorm and ReLU and has no bias; a 1x1 convolution without BatchNorm fits the shortcut where
    shapes differ.
    Convolutions: He normal by fan-out; dense layer: PyTorch's default.

    Source: He et al. 2016, "Identity Mappings in Deep Residual Networks".

    Raises:
        ValueError: a depth of another form, a width that is no whole number >= 1, or image sides
            that are not multiples of 4.
    """
    bottleneck = depth >= 44
    per_block = 9 if bottleneck else 6
    if depth < 8 or (depth - 2) % per_block:
        raise ValueError(
            f"model.depth must be 9n + 2 from 44 on and 6n + 2 below; received depth={depth}. "
            "For example 110 or 164, or 20."
        )
    if not isinstance(width, int) or width < 1:
        raise ValueError(f"model.width must be a whole number >= 1; received width={width!r}.")
    block = _bottleneck if bottleneck else _basic
    inputs = keras.Input(check_images(input_shape, f"preresnet{depth}", 4))
    x = conv(inputs, 16 * width, 3, bias=False)
    for stage, filters in enumerate((16 * width, 32 * width, 64 * width)):
        for i in range((depth - 2) // per_block):
            x = block(x, filters, stride=2 if stage > 0 and i == 0 else 1)
    x = layers.GlobalAveragePooling2D()(layers.ReLU()(norm(x)))
    return keras.Model(inputs, dense(x, num_classes), name=f"preresnet{depth}")


def preresnet110(input_shape: Sequence[int], num_classes: int) -> keras.Model:
    """`preresnet` of depth 110; 1,146,842 weights for 32x32x3 and 10 classes."""
    return preresnet(input_shape, num_classes, 110)


def preresnet164(input_shape: Sequence[int], num_classes: int) -> keras.Model:
    """`preresnet` of depth 164; 1,703,258 weights for 32x32x3 and 10 classes."""
    return preresnet(input_shape, num_classes, 164)


def _activated(x: keras.KerasTensor) -> keras.KerasTensor:
    return layers.ReLU()(norm(x))


def _shortcut(x: keras.KerasTensor, filters: int, stride: int) -> keras.KerasTensor:
    if stride == 1 and x.shape[-1] == filters:
        return x
    return conv(x, filters, 1, stride=stride, bias=False)


def _basic(x: keras.KerasTensor, filters: int, stride: int) -> keras.KerasTensor:
    y = conv(_activated(x), filters, 3, stride=stride, bias=False)
    y = conv(_activated(y), filters, 3, bias=False)
    return layers.Add()([y, _shortcut(x, filters, stride)])


def _bottleneck(x: keras.KerasTensor, filters: int, stride: int) -> keras.KerasTensor:
    y = conv(_activated(x), filters, 1, bias=False)
    y = conv(_activated(y), filters, 3, stride=stride, bias=False)
    y = conv(_activated(y), 4 * filters, 1, bias=False)
    return layers.Add()([y, _shortcut(x, 4 * filters, stride)])
