"""What Garipov et al. 2018 do to images: normalisation by channel, random crop, and flip."""

from collections.abc import Callable

import tensorflow as tf

# Mean and standard deviation of each channel, for pixels in [0, 1].
STATISTICS = {
    "vgg": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "resnet": ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
}
PADDING = 4


def normaliser(name: str) -> Callable[[tf.Tensor], tf.Tensor]:
    """The function x -> (x - mean) / std by channel; `x: [batch, height, width, 3]` in [0, 1].

    Raises:
        ValueError: no normalisation has that name; the message lists the known ones.
    """
    if name not in STATISTICS:
        raise ValueError(
            f"dataset.transform must be null or one of {', '.join(STATISTICS)}, received {name!r}"
        )
    mean, std = STATISTICS[name]
    return lambda x: (x - tf.constant(mean)) / tf.constant(std)


def crop_and_flip(x: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
    """A crop of the image's own size from zero padding of 4 pixels, flipped left to right or not.

    Args:
        x: `[batch, height, width, channels]`.
        draws: `[batch, 3]`, uniform in [0, 1): of the crop's row, its column, and the flip.
    """
    height, width = x.shape[1:3]
    padded = tf.pad(x, [[0, 0], [PADDING] * 2, [PADDING] * 2, [0, 0]])
    first = tf.cast(draws[:, :2] * (2 * PADDING + 1), tf.int32)
    x = tf.gather(padded, first[:, :1] + tf.range(height), axis=1, batch_dims=1)
    x = tf.gather(x, first[:, 1:] + tf.range(width), axis=2, batch_dims=1)
    return tf.where(draws[:, 2, None, None, None] < 0.5, x[:, :, ::-1], x)
