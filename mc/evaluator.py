"""Metrics of networks at many weight vectors, all in one pass over the data."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from mc import batchnorm, curves, losses, metrics
from mc.batches import any_batch
from mc.geometry import gram
from mc.predictions import labels_of
from mc.weights import FlatNetwork

BLOCK = 32  # points whose values are handed on together


class Evaluator:
    """The function of `coefficients [n, num_points]` that gives `<split>/<metric>`, `[n]` each.

    Metrics are those of the networks at w = coefficients[i] @ points: loss, nll, error, accuracy,
    f1, or loss and mse for regression. One graph serves all calls.

    Args:
        network: the plain network.
        points: num_points control points, each `[P] float32`.
        state: the untrained variables, the same at every point, but for BatchNorm statistics.
        splits: name -> batches (x, y), read once a call.
        bn_data: batches that BatchNorm statistics are estimated from at every point; None: those in
            `state` are used.
        loss: a Keras loss.
        weight_decay: of the penalty 0.5 * weight_decay * ||w||^2, a part of the metric `loss`.
        num_classes: None for regression.
        progress: wraps an iterable of batches and a label, to show how far it is.

    Raises:
        ValueError: the loss depends on the batch size; when called: there is no batch, or outputs
            do not fit the loss or the classes.
    """

    def __init__(
        self,
        network: FlatNetwork,
        points,
        state,
        splits: dict,
        *,
        bn_data,
        loss,
        weight_decay: float,
        num_classes: int | None,
        progress=None,
    ):
        if getattr(loss, "reduction", "mean") in ("sum", None, "none"):
            raise ValueError(
                f"loss.reduction={loss.reduction} makes the loss depend on the batch size; "
                "evaluation needs a mean: leave the reduction at its default."
            )
        self.network, self.loss, self.num_classes = network, loss, num_classes
        # Tensors, which graphs take as inputs: arrays would become constants of every graph.
        self.points = [tf.convert_to_tensor(p) for p in points]
        self.state = [tf.convert_to_tensor(s) for s in state]
        self.splits = splits
        self.bn_data = bn_data if network.batchnorm else None
        self.estimated = [] if self.bn_data is None else list(network.batchnorm)
        self.estimate = batchnorm.estimator(network, self.points, self.state)
        self.half_inner = 0.5 * weight_decay * gram(points, center=False)
        self.progress = progress or (lambda batches, label: batches)
        self.logits_in = None  # until the first batch shows it
        self.step = tf.function(self._step)

    def __call__(self, coefficients, note: str = "") -> dict[str, np.ndarray]:
        """The values at n points; `note` is added to the labels of what progress shows."""
        coefficients = np.asarray(coefficients, np.float32)
        statistics = {}
        if self.bn_data is not None:
            batches = self.progress(self.bn_data, f"BatchNorm statistics{note}")
            statistics = self.estimate(coefficients, batches)
        penalty = np.einsum("nk,kl,nl->n", coefficients, self.half_inner, coefficients)
        values = {}
        for split, batches in self.splits.items():
            own = self._one_pass(coefficients, statistics, self.progress(batches, split + note))
            own["loss"] = own["loss"] + penalty
            values |= {f"{split}/{metric}": value for metric, value in own.items()}
        return values

    def _one_pass(self, coefficients, statistics, batches) -> dict[str, np.ndarray]:
        examples, totals = 0, [0.0, 0.0, 0.0]
        points = (tf.constant(coefficients), [tf.constant(statistics[i]) for i in self.estimated])
        for x, y in batches:
            size = int(tf.nest.flatten(x)[0].shape[0])
            if examples == 0:
                self._check(coefficients[0], x, y)
                step = self.step.get_concrete_function(*any_batch((*points, x, y)))
            values = [v.numpy().astype(np.float64) for v in step(*points, x, y)]
            values[0] *= size  # the loss is a mean over the batch, all else a sum
            totals = [total + value for total, value in zip(totals, values, strict=False)]
            examples += size
        if examples == 0:
            raise ValueError("Evaluation needs data; received no batch.")
        result = {"loss": totals[0] / examples}
        if self.num_classes is None:
            return result | {"mse": totals[1] / examples}
        rows = [metrics.classification(*counts) for counts in totals[2]]
        result["nll"] = totals[1] / examples
        return result | {k: np.array([row[k] for row in rows]) for k in rows[0]}

    def _check(self, row, x, y) -> None:
        """Nothing, if the outputs `[batch, ...]` fit the loss, the targets and the classes."""
        if not tf.is_tensor(y) and not isinstance(y, np.ndarray):
            raise ValueError(
                "Evaluation needs a network with a single output and targets y for it."
            )
        outputs = self.network(curves.mix(row, self.points), self.state, x, training=False)[0]
        losses.check_outputs(self.loss, outputs)
        if self.num_classes is None:
            return
        if self.logits_in is None:
            self.logits_in = not losses.are_probabilities(outputs)
        if outputs.ndim != 2 or outputs.shape[1] != self.num_classes or self.num_classes < 2:
            raise ValueError(
                "Classification is evaluated from one output for each class, "
                f"[batch, {self.num_classes}]; the network gives {outputs.shape}. For two classes "
                "use two outputs and SparseCategoricalCrossentropy(from_logits=True)."
            )

    def _step(self, coefficients, statistics, x, y):
        """Of one batch, at every point: loss, summed nll (or mse), and counts of each class."""
        scalar = tf.TensorSpec([], tf.float32)
        signature = (scalar, scalar)
        if self.num_classes is not None:
            signature = (*signature, tf.TensorSpec([3, self.num_classes], tf.float32))
        # One point at a time: parallel ones would each hold a weight vector.
        return tf.map_fn(
            lambda point: self._at(*point, x, y),
            (coefficients, statistics),
            fn_output_signature=signature,
            parallel_iterations=1,
        )

    def _at(self, row, statistics, x, y):
        own = dict(zip(self.estimated, statistics, strict=True))
        state = [own.get(i, s) for i, s in enumerate(self.state)]
        w = curves.mix(row, self.points)
        outputs, _, own_loss = self.network(w, state, x, training=False)
        # A loss given by name is a plain function, one value an example.
        value = tf.reduce_mean(tf.cast(self.loss(y, outputs), tf.float32)) + own_loss
        outputs = tf.cast(outputs, tf.float32)
        if self.num_classes is None:
            targets = tf.reshape(tf.cast(y, tf.float32), tf.shape(outputs))
            squared = tf.reduce_mean((targets - outputs) ** 2, axis=-1)
            return value, tf.reduce_sum(squared)
        labels = labels_of(y)
        logits = outputs if self.logits_in else tf.math.log(tf.maximum(outputs, 1e-7))
        nll = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        return value, tf.reduce_sum(nll), _counts(labels, outputs, self.num_classes)


def _counts(labels, outputs, num_classes):
    """`[3, num_classes]`: right predictions, predictions, and examples of each class."""
    predicted = tf.argmax(outputs, -1)
    hits = tf.cast(labels == predicted, tf.float32)
    return tf.stack(
        [
            tf.math.unsorted_segment_sum(hits, labels, num_classes),
            tf.math.unsorted_segment_sum(tf.ones_like(hits), predicted, num_classes),
            tf.math.unsorted_segment_sum(tf.ones_like(hits), labels, num_classes),
        ]
    )


def in_blocks(
    evaluate: Evaluator,
    coefficients,
    after_block: Callable[[dict], None],
    snapshot: dict | None = None,
) -> dict[str, np.ndarray]:
    """The values of an `Evaluator` at all points, some at a time, so that it can be interrupted.

    Args:
        evaluate: the evaluator.
        coefficients: `[n, num_points]`.
        after_block: called with the values at all points so far.
        snapshot: what `after_block` was given last, to continue from there.
    """
    done = dict(snapshot or {})
    start = len(next(iter(done.values()), ()))
    for first in range(start, len(coefficients), BLOCK):
        last = min(first + BLOCK, len(coefficients))
        note = f", points {first + 1} to {last} of {len(coefficients)}"
        for name, values in evaluate(coefficients[first:last], note).items():
            done[name] = np.concatenate([done.get(name, values[:0]), values])
        after_block(done)
    return done
