"""What is summed over batches, and what becomes of the sums: means over all steps that count.

A step counts by its sample weight, and not at all where Keras masks it or its class is ignored.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from mc.evaluation import scores
from mc.evaluation.tasks import Task
from mc.network import losses
from mc.network.predictions import labels_of

UNKNOWN = dict.fromkeys(("error", "accuracy", "f1"), float("nan"))


@dataclass(frozen=True)
class Classes:
    """nll, error, accuracy and weighted F1 of outputs `[batch, num_classes]`.

    Attributes:
        num_classes: C.
        logits: whether outputs are logits, else probabilities.
        ignored: the label of examples that do not count.
    """

    num_classes: int
    logits: bool
    ignored: int | None = None

    @property
    def signature(self) -> dict:
        """What `sums` gives."""
        scalar, counts = tf.TensorSpec([]), tf.TensorSpec([3, self.num_classes])
        return {"nll": scalar, "weight": scalar, "counts": counts}

    def sums(self, y: Any, outputs: tf.Tensor, weights: tf.Tensor | None) -> dict:
        """Of a batch; `weights`: one an example, or None for 1 each."""
        labels = labels_of(y)
        counts = tf.ones_like(outputs[:, 0]) if weights is None else spread(weights, outputs[:, 0])
        if self.ignored is not None:
            counts *= tf.cast(labels != self.ignored, tf.float32)
            labels = tf.where(labels == self.ignored, tf.zeros_like(labels), labels)
        logits = outputs if self.logits else tf.math.log(tf.maximum(outputs, 1e-7))
        nll = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        predicted = tf.argmax(outputs, -1)
        hits = tf.cast(labels == predicted, tf.float32) * counts
        parts = ((hits, labels), (counts, predicted), (counts, labels))
        found = [tf.math.unsorted_segment_sum(n, of, self.num_classes) for n, of in parts]
        return {
            "nll": tf.reduce_sum(tf.math.multiply_no_nan(nll, counts)),
            "weight": tf.reduce_sum(counts),
            "counts": tf.stack(found),
        }

    def scores(self, totals: dict) -> dict[str, np.ndarray]:
        """The metrics at n points from sums over all batches, each `[n, ...]`."""
        rows = [
            scores.classification(*counts) if counts[2].sum() > 0 else UNKNOWN
            for counts in totals["counts"]
        ]
        nll = _ratio(totals["nll"], totals["weight"])
        return {"nll": nll} | {k: np.array([row[k] for row in rows]) for k in rows[0]}


class Squares:
    """The mean squared error of outputs of any shape."""

    @property
    def signature(self) -> dict:
        """What `sums` gives."""
        return {"squares": tf.TensorSpec([]), "weight": tf.TensorSpec([])}

    def sums(self, y: Any, outputs: tf.Tensor, weights: tf.Tensor | None) -> dict:
        """Of a batch; `weights`: one a step, `[batch]` or `[batch, steps]`, or None for 1 each."""
        targets = tf.reshape(tf.cast(y, tf.float32), tf.shape(outputs))
        squares, ones = (targets - outputs) ** 2, tf.ones_like(outputs)
        counts = ones if weights is None else spread(weights, outputs)
        weighted = squares if weights is None else tf.math.multiply_no_nan(squares, counts)
        return {"squares": tf.reduce_sum(weighted), "weight": tf.reduce_sum(counts)}

    def scores(self, totals: dict) -> dict[str, np.ndarray]:
        """The metric at n points from sums over all batches, each `[n]`."""
        return {"mse": _ratio(totals["squares"], totals["weight"])}


class Nothing:
    """No metric: the task has its loss alone."""

    @property
    def signature(self) -> dict:
        """Nothing."""
        return {}

    def sums(self, y: Any, outputs: tf.Tensor, weights: tf.Tensor | None) -> dict:
        """Nothing of a batch."""
        return {}

    def scores(self, totals: dict) -> dict:
        """Nothing."""
        return {}


def of_task(task: Task, loss: Any, outputs: Any) -> Classes | Squares | Nothing:
    """What is summed for a task; `loss`: the one given, or None; `outputs`: of a first batch."""
    if task.num_classes is not None:
        # Of binary losses over classes, outputs in [0, 1] need not sum to 1.
        told = loss is not None and losses.meaning(loss) != "binary"
        known = losses.expects_logits(loss) if told else None
        logits = not losses.are_probabilities(outputs) if known is None else known
        return Classes(task.num_classes, logits, losses.argument(loss, "ignore_class"))
    return Squares() if task.name == "regression" else Nothing()


def step_weights(mask: tf.Tensor | None, sample_weight: tf.Tensor | None) -> tf.Tensor | None:
    """The weights of steps, of Keras' mask and the sample weights; None where there is neither."""
    if mask is None or sample_weight is None:
        one = sample_weight if mask is None else mask
        return None if one is None else tf.cast(one, tf.float32)
    first, second = tf.cast(mask, tf.float32), tf.cast(sample_weight, tf.float32)
    if first.shape.rank < second.shape.rank:
        first, second = second, first
    return first * spread(second, first)


def spread(weights: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """Weights of steps as weights of the values in them, float32 in the shape of `values`."""
    while weights.shape.rank < values.shape.rank:
        weights = weights[..., tf.newaxis]
    while weights.shape.rank > values.shape.rank and weights.shape[-1] == 1:
        weights = weights[..., 0]
    return weights * tf.ones_like(values)


def _ratio(total: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """total / weight, nan where nothing counts."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(weight > 0, total / weight, np.nan)
