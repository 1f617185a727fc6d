"""What a loss expects of the network's outputs and of the targets."""

import keras
import numpy as np
import tensorflow as tf


def default(num_classes: int | None) -> keras.losses.Loss:
    """Cross-entropy of logits for classes, mean squared error for regression (`None`)."""
    if num_classes is None:
        return keras.losses.MeanSquaredError()
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def takes_one_hot(loss) -> bool:
    """Whether a loss over classes compares the outputs with one-hot targets, not with labels.

    True of Keras' own losses other than the sparse ones; a loss from elsewhere gets the labels.
    """
    return type(loss).__module__.startswith("keras.") and not type(loss).__name__.startswith(
        "Sparse"
    )


def expects_logits(loss) -> bool | None:
    """Whether a cross-entropy expects logits; None for a loss that is none.

    The Kullback-Leibler divergence expects probabilities, as a cross-entropy without logits does.
    """
    loss = keras.losses.get(loss)
    name = getattr(loss, "__name__", type(loss).__name__).replace("_", "").lower()
    if not name.endswith(("entropy", "kldivergence")):
        return None
    return bool(getattr(loss, "from_logits", False))


def are_probabilities(outputs) -> bool:
    """Whether every row of `outputs: [batch, num_classes]` is non-negative and sums to 1."""
    rows = np.asarray(tf.cast(outputs, tf.float32))
    return bool(rows.min() >= 0 and np.allclose(rows.sum(-1), 1, atol=1e-2))


def check_outputs(loss, outputs) -> None:
    """Nothing, if the outputs of a network are what a cross-entropy expects.

    Args:
        loss: a Keras loss, its name, or anything else (then nothing is checked).
        outputs: `[batch, num_classes]`; anything else is not checked.

    Raises:
        ValueError: probabilities for a loss on logits, or the reverse; names the fix.
    """
    if not isinstance(loss, str | keras.losses.Loss) and not callable(loss):
        return
    logits = expects_logits(loss)
    if logits is None or len(getattr(outputs, "shape", ())) != 2 or outputs.shape[-1] < 2:
        return
    if logits and are_probabilities(outputs):
        raise ValueError(
            "The network ends in probabilities (softmax), but the loss expects logits "
            "(from_logits=True). Remove the softmax from the last layer, or set "
            "from_logits=False in the loss."
        )
    # Independent binary outputs lie in [0, 1] without adding up to 1.
    binary = isinstance(keras.losses.get(loss), keras.losses.BinaryCrossentropy)
    in_range = np.all((np.asarray(outputs) >= 0) & (np.asarray(outputs) <= 1))
    if not logits and not (in_range if binary else are_probabilities(outputs)):
        raise ValueError(
            "The network's outputs are not probabilities, but the loss expects them "
            "(from_logits=False). Set from_logits=True in the loss, or end the network in softmax."
        )
