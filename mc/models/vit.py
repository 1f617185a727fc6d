"""A transformer of the patches of an image."""

from collections.abc import Sequence

import keras

from mc.models import transformer


def vit(
    input_shape: Sequence[int],
    num_classes: int | None,
    patch_size: int = 2,
    layers: int = 2,
    heads: int = 2,
    width: int = 64,
    dropout: float = 0.0,
) -> keras.Model:
    """A vision transformer from images `[b, height, width, channels]` to `[b, num_classes]`.

    Square patches, each mapped to a vector, plus learned positions; `layers` pre-norm blocks of
    self-attention and a perceptron of `4 * width` units; a last norm; the mean over patches, in
    place of a class token; logits. Matrices begin Glorot uniform, positions as N(0, 0.02^2).

    Args:
        input_shape: `(height, width, channels)`.
        num_classes: number of logits; None means regression with one output.
        patch_size: pixels a side of a patch; divides the image.
        layers: number of blocks.
        heads: attention heads of a block, of `width / heads` each.
        width: size of the vector of a patch.
        dropout: rate, of patch vectors, of attention, and of what blocks add.

    Raises:
        ValueError: inputs that are no images, a patch that does not divide them, or another
            argument of another form.

    Source: Dosovitskiy et al. 2021, "An Image is Worth 16x16 Words"; the mean: Beyer, Zhai and
    Kolesnikov 2022, "Better plain ViT baselines for ImageNet-1k".
    """
    transformer.check_size(layers, heads, width, dropout)
    _check_patches(input_shape, patch_size)
    inputs = keras.Input(tuple(input_shape), name="inputs")
    x = _patches(inputs, patch_size, width, dropout)
    for i in range(1, layers + 1):
        x = transformer.block(
            x, f"block{i}", heads, _norm, dropout, keras.initializers.GlorotUniform
        )
    return keras.Model(inputs, _logits(_norm("norm")(x), num_classes), name="vit")


def _check_patches(input_shape: Sequence[int], patch_size: int) -> None:
    """Raise unless the inputs are images that patches divide.

    Raises:
        ValueError: they are not; names sizes that would do.
    """
    transformer.check_whole("patch_size", patch_size)
    if len(input_shape) != 3:
        raise ValueError(
            "model=vit needs images (height, width, channels), received inputs of shape "
            f"{tuple(input_shape)}; use model=mlp, or give the images a channel axis"
        )
    height, width, _ = input_shape
    if height % patch_size or width % patch_size:
        fits = [n for n in range(1, min(height, width) + 1) if height % n == width % n == 0]
        raise ValueError(
            f"model.patch_size must divide the image, received patch_size={patch_size} for "
            f"{height}x{width} pixels; these do: {', '.join(map(str, fits))}"
        )


def _patches(images: keras.KerasTensor, size: int, width: int, dropout: float) -> keras.KerasTensor:
    """The vectors `[b, patches, width]` of the patches of images, with their positions."""
    x = keras.layers.Conv2D(width, size, strides=size, name="patches")(images)
    x = keras.layers.Reshape((-1, width), name="rows")(x)
    x = transformer.with_positions(x)
    return keras.layers.Dropout(dropout, name="dropout")(x) if dropout else x


def _norm(name: str) -> keras.Layer:
    return keras.layers.LayerNormalization(epsilon=1e-6, name=name)


def _logits(x: keras.KerasTensor, num_classes: int | None) -> keras.KerasTensor:
    x = keras.layers.GlobalAveragePooling1D(name="mean")(x)
    return keras.layers.Dense(num_classes or 1, name="logits")(x)
