"""Wide residual networks."""

from collections.abc import Sequence

import keras
from keras import layers

from mc.models.torch_like import check_images, conv, dense, norm


def wide_resnet(
    input_shape: Sequence[int], num_classes: int, depth: int, width: int
) -> keras.Model:
    """A Wide ResNet: a 3x3 convolution, three stages of n basic blocks, average pooling.

    depth = 6n + 4; stages have 16, 32 and 64 times `width` filters and halve the image from one to
    the next, in the second convolution of their first block. Every convolution has a bias; a 1x1
    convolution fits the shortcut where shapes differ. All layers: PyTorch's default initialisation.
    The last BatchNorm has momentum 0.1 (PyTorch's 0.9), all others 0.9.

    Source: Zagoruyko and Komodakis 2016; the variant of Garipov et al. 2018.

    Raises:
        ValueError: another depth, a width below 1, or image sides that are not multiples of 4.
    """
    if depth < 10 or (depth - 4) % 6:
        raise ValueError(f"model.depth must be 6n + 4, such as 28; received depth={depth}.")
    if width < 1:
        raise ValueError(f"model.width must be at least 1; received width={width}.")
    inputs = keras.Input(check_images(input_shape, f"wrn{depth}_{width}", 4))
    x = conv(inputs, 16, 3, he=False)
    for stage, filters in enumerate((16 * width, 32 * width, 64 * width)):
        for i in range((depth - 4) // 6):
            x = _block(x, filters, stride=2 if stage > 0 and i == 0 else 1)
    x = layers.GlobalAveragePooling2D()(layers.ReLU()(norm(x, momentum=0.1)))
    return keras.Model(inputs, dense(x, num_classes), name=f"wrn{depth}_{width}")


def wrn28_10(input_shape: Sequence[int], num_classes: int) -> keras.Model:
    """`wide_resnet` of depth 28 and width 10; 36,489,290 weights for 32x32x3 and 10 classes."""
    return wide_resnet(input_shape, num_classes, 28, 10)


def _block(x: keras.KerasTensor, filters: int, stride: int) -> keras.KerasTensor:
    y = conv(layers.ReLU()(norm(x)), filters, 3, he=False)
    y = conv(layers.ReLU()(norm(y)), filters, 3, stride=stride, he=False)
    if stride != 1 or x.shape[-1] != filters:
        x = conv(x, filters, 1, stride=stride, he=False)
    return layers.Add()([y, x])
