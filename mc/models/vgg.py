"""VGG for small images, with and without BatchNorm."""

from collections.abc import Sequence

import keras
from keras import layers

from mc.models.torch_like import check_images, conv, dense, norm

BLOCKS = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}


def _vgg(input_shape: Sequence[int], num_classes: int, depth: int, batch_norm: bool) -> keras.Model:
    name = f"vgg{depth}_bn" if batch_norm else f"vgg{depth}"
    inputs = x = keras.Input(check_images(input_shape, name, 32))
    for repeats, filters in zip(BLOCKS[depth], (64, 128, 256, 512, 512), strict=True):
        for _ in range(repeats):
            x = conv(x, filters, 3)
            x = layers.ReLU()(norm(x) if batch_norm else x)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Flatten()(x)
    for _ in range(2):
        x = dense(layers.Dropout(0.5)(x), 512, "relu")
    return keras.Model(inputs, dense(x, num_classes), name=name)


def vgg16(input_shape: Sequence[int], num_classes: int) -> keras.Model:
    """VGG-16: blocks of 3x3 convolutions and 2x2 max-pooling, two dense layers of 512 units.

    Dropout 0.5 before each of the two. Convolutions: He normal by fan-out, zero bias; dense layers:
    PyTorch's default. 15,245,130 weights for 32x32x3 and 10 classes.

    Source: Simonyan and Zisserman 2015; the variant for small images of Garipov et al. 2018.

    Raises:
        ValueError: image sides that are not multiples of 32.
    """
    return _vgg(input_shape, num_classes, 16, batch_norm=False)


def vgg16_bn(input_shape: Sequence[int], num_classes: int) -> keras.Model:
    """`vgg16` with BatchNorm between each convolution and its ReLU."""
    return _vgg(input_shape, num_classes, 16, batch_norm=True)


def vgg19(input_shape: Sequence[int], num_classes: int) -> keras.Model:
    """`vgg16` with a fourth convolution in each of the last three blocks."""
    return _vgg(input_shape, num_classes, 19, batch_norm=False)


def vgg19_bn(input_shape: Sequence[int], num_classes: int) -> keras.Model:
    """`vgg19` with BatchNorm between each convolution and its ReLU."""
    return _vgg(input_shape, num_classes, 19, batch_norm=True)
