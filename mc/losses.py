"""What a loss expects of the network's outputs and of the targets."""

import inspect

import keras
import numpy as np
import tensorflow as tf


def default(num_classes: int | None, **arguments) -> keras.losses.Loss:
    """Cross-entropy of logits for classes, mean squared error for regression (`None`).

    `arguments` are Keras' own, such as `from_logits=False` or `ignore_class=0`.

    Raises:
        ValueError: the loss does not have one.
    """
    kind = keras.losses.SparseCategoricalCrossentropy
    if num_classes is None:
        kind = keras.losses.MeanSquaredError
    else:
        arguments = {"from_logits": True} | arguments
    known = inspect.signature(kind).parameters
    if unknown := [name for name in arguments if name not in known]:
        raise ValueError(
            f"loss.{unknown[0]} is not an argument of the default loss of this data, "
            f"{kind.__name__}. Known: {', '.join(known)}."
        )
    return kind(**arguments)


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


def example_inputs(x):
    """A few inputs like those of what `fit` was given, or None where that cannot be told.

    Of a tf.data.Dataset only the shapes and types are used: reading from it could shift its
    random order.
    """
    if isinstance(x, tf.data.Dataset):
        spec = x.element_spec[0] if isinstance(x.element_spec, tuple) else x.element_spec
        known = all(None not in s.shape.as_list()[1:] for s in tf.nest.flatten(spec))
        return tf.nest.map_structure(made_up, spec) if known else None
    if isinstance(x, keras.utils.PyDataset):
        return x[0][0]
    if isinstance(x, np.ndarray | tf.Tensor):
        return tf.convert_to_tensor(x[:8])
    return None


def made_up(spec) -> tf.Tensor:
    """A batch of inputs of a shape and type: standard normal numbers, or zeros for integers."""
    shape = [spec.shape[0] or 8, *spec.shape[1:]]
    dtype = tf.as_dtype(spec.dtype)
    if dtype.is_floating:
        return tf.cast(tf.random.stateless_normal(shape, seed=(0, 0)), dtype)
    return tf.zeros(shape, dtype)
