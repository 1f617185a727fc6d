"""What networks output for every example of a split."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from mc.network import losses
from mc.network.weights import FlatNetwork, State, Vector


def predictor(network: FlatNetwork) -> Callable[[Vector, State, Iterable], Iterator]:
    """The function `(w: [P], state, batches) -> outputs [b, ...] float32` of each batch in turn.

    Weights and state are its arguments, so one graph serves any number of networks. Of several
    outputs each is a structure of arrays, as the network gives them.
    """

    @tf.function(reduce_retracing=True, autograph=False)
    def call(w: tf.Tensor, state: list[tf.Tensor], x: Any) -> Any:
        outputs = network(w, state, x, training=False)[0]
        return tf.nest.map_structure(lambda out: tf.cast(out, tf.float32), outputs)

    def outputs(w: Vector, state: State, batches: Iterable) -> Iterator:
        w, state = tf.convert_to_tensor(w), [tf.convert_to_tensor(s) for s in state]
        for x, _ in batches:
            yield tf.nest.map_structure(lambda out: out.numpy(), call(w, state, x))

    return outputs


def labels_of(y: np.ndarray | tf.Tensor) -> tf.Tensor:
    """Integer labels `[n]`, from labels or from one-hot targets `[n, num_classes]`."""
    one_hot = len(y.shape) == 2 and y.shape[-1] > 1
    return tf.argmax(y, -1) if one_hot else tf.cast(tf.reshape(y, [-1]), tf.int64)


def log_probabilities(outputs: np.ndarray) -> np.ndarray:
    """log p of outputs `[n, C]`, which are logits, or probabilities where rows are; float64."""
    if losses.are_probabilities(outputs[:500]):
        return np.log(np.maximum(outputs.astype(np.float64), 1e-7))
    with np.errstate(invalid="ignore"):  # of outputs that are not finite
        shifted = outputs.astype(np.float64) - outputs.max(axis=1, keepdims=True)
        return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
