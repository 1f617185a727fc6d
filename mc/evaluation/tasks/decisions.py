"""Yes or no: one output an example or a pixel, or several labels each of which holds or not."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from mc.evaluation import scores
from mc.evaluation.tasks.labels import SMALLEST, Labels, floats
from mc.evaluation.tasks.task import single, spread, weights_of


@dataclass(frozen=True)
class Decisions(Labels):
    """Yes or no of outputs `[batch, ..., L]`, as two classes each: the numbers of `Labels`.

    With several labels an example (L > 1), error is the fraction of labels that are wrong, and f1
    the mean of the labels' own, each weighted by how often it holds; nll, accuracy, ece and brier
    are means over all labels.

    Attributes:
        num_labels: L; 1 if there is one output.
    """

    num_labels: int = 1

    @property
    def name(self) -> str:  # type: ignore[override]
        """`binary`, or `multi-label`."""
        return "multi-label" if self.num_labels > 1 else "binary"

    @property
    def signature(self) -> dict[str, tf.TensorSpec]:
        """Of several labels, how often each is right, predicted and true besides."""
        several = {"labels": tf.TensorSpec([3, self.num_labels])} if self.num_labels > 1 else {}
        return super().signature | several

    def sums(self, y: Any, outputs: Any, sample_weight: Any = None) -> dict[str, tf.Tensor]:
        """The sums of a batch: targets are 0 or 1, or in between, where 1/2 and more are yes."""
        labels, counts = self._counted(y, outputs, sample_weight)
        logits = self._as_logits(floats(single(outputs)))
        pair = tf.stack([tf.zeros_like(logits), logits], -1)
        found = self._sums(labels, pair, counts)
        if self.num_labels > 1:
            yes, said = labels > 0, logits > 0
            kinds = [tf.cast(b, counts.dtype) * counts for b in (yes & said, said, yes)]
            axes = list(range(logits.shape.rank - 1))
            found["labels"] = tf.stack([tf.reduce_sum(kind, axes) for kind in kinds])
        return found

    def _counted(self, y: Any, outputs: Any, sample_weight: Any) -> tuple[tf.Tensor, tf.Tensor]:
        weights, outputs = weights_of(outputs, sample_weight), floats(single(outputs))
        yes = tf.cast(tf.reshape(single(y), tf.shape(outputs)), tf.float32) >= 0.5
        counts = tf.ones_like(outputs) if weights is None else spread(weights, outputs)
        return tf.cast(yes, tf.int64), counts

    def _as_logits(self, outputs: tf.Tensor) -> tf.Tensor:
        if self.logits:
            return outputs
        yes, no = (tf.maximum(p, SMALLEST) for p in (outputs, 1 - outputs))
        return tf.math.log(yes) - tf.math.log(no)

    def scores(self, totals: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The metrics; nan where nothing counts."""
        found = super().scores(totals)
        if self.num_labels > 1:
            found["f1"] = np.array([scores.weighted_f1(*counts) for counts in totals["labels"]])
        return found

    def averaged(self, outputs: Any, y: Any = None) -> tf.Tensor:
        """Logarithms of the probabilities of no and of yes, in a last axis."""
        logits = self._as_logits(tf.cast(single(outputs), tf.float64))
        return -tf.math.softplus(tf.stack([logits, -logits], -1))

    def as_outputs(self, mean: Any) -> tf.Tensor:
        """The logits of the mean probabilities of yes."""
        return mean[..., 1] - mean[..., 0]

    def entropies(self, total: Any) -> np.ndarray | None:
        """Of examples with one label."""
        return super().entropies(total) if self.num_labels == 1 else None

    def values(self, mean: Any) -> Any:
        """The mean probabilities of yes."""
        return np.exp(mean[..., 1])
