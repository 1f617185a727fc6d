"""Labels: one of several classes an example, a token or a pixel."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import tensorflow as tf

from mc.evaluation import scores
from mc.evaluation.tasks.task import EACH, Task, ratio, single, spread, weights_of
from mc.evaluation.uncertainty import Together, reliability

SMALLEST = 1e-7  # of a probability, before its logarithm; as Keras' losses have it
OF_MEMBERS = ("mutual_information", "disagreement")  # as of `Together`


@dataclass(frozen=True)
class Labels(Task):
    """Classes of outputs `[batch, ..., C]`: nll, error, accuracy and weighted F1.

    Of tokens (one axis between the batch and the classes) perplexity = exp(nll) too, and where it
    is known how many characters each stands for

        bits_per_character = sum nll / (log(2) * sum of the characters of the targets);

    of pixels (two axes and more) iou, the mean intersection over union of the classes.
    `calibration` adds ece, ece_adaptive (of examples with a label each), brier, and entropy, the
    mean of H[p]; of several members together mutual_information, disagreement and lppd, all of
    which `uncertainty` defines, with lppd = -nll of the mean of their probabilities.

    Attributes:
        num_classes: C.
        logits: whether outputs are logits, else probabilities.
        axes: how many there are between the batch and the classes.
        ignored: the label of steps that do not count.
        characters: how many each class stands for, if it is a token.
    """

    num_classes: int = 2
    logits: bool = True
    axes: int = 0
    ignored: int | None = None
    characters: tuple[float, ...] | None = None

    @property
    def name(self) -> str:  # type: ignore[override]  # which depends on the outputs
        """`labels`, or `dense labels` of tokens and pixels."""
        return "dense labels" if self.axes else "labels"

    @property
    def metrics(self) -> str:  # type: ignore[override]
        """In words."""
        of_tokens = ", perplexity" * (self.axes == 1 and self.name == "dense labels")
        more = of_tokens + ", bits_per_character" * (self.characters is not None)
        return f"nll{more}{', iou' * (self.axes > 1)}, error, accuracy and f1"

    @property
    def signature(self) -> dict[str, tf.TensorSpec]:
        """Sums of nll and of weights, counts of classes; of calibration what it adds."""
        names: dict[str, list] = {"nll": [], "weight": [], "counts": [3, self.num_classes]}
        if self.calibration:
            names |= {"bins": [scores.BINS], "brier": [], "entropy": []}
            names |= {EACH: [None, 3]} if self.axes == 0 else {}
        return {name: tf.TensorSpec(shape) for name, shape in names.items()}

    def sums(self, y: Any, outputs: Any, sample_weight: Any = None) -> dict[str, tf.Tensor]:
        """The sums of a batch: targets are labels, or rows of one-hot ones or probabilities."""
        labels, counts = self._counted(y, outputs, sample_weight)
        return self._sums(labels, self._as_logits(floats(single(outputs))), counts)

    def _counted(self, y: Any, outputs: Any, sample_weight: Any) -> tuple[tf.Tensor, tf.Tensor]:
        """Labels `[...]` of outputs, and what each counts."""
        weights, outputs = weights_of(outputs, sample_weight), floats(single(outputs))
        labels = labels_of(tf.convert_to_tensor(single(y)), outputs)
        counts = tf.ones_like(outputs[..., 0])
        if weights is not None:
            counts = spread(weights, counts)
        if self.ignored is not None:
            counts *= tf.cast(labels != self.ignored, counts.dtype)
            labels = tf.where(labels == self.ignored, tf.zeros_like(labels), labels)
        return labels, counts

    def _as_logits(self, outputs: tf.Tensor) -> tf.Tensor:
        return outputs if self.logits else tf.math.log(tf.maximum(outputs, SMALLEST))

    def _sums(self, labels: tf.Tensor, logits: tf.Tensor, counts: tf.Tensor) -> dict:
        """Of labels and counts `[...]`, and logits `[..., C]`."""
        # Not TensorFlow's cross-entropy, which takes the gradient too: twice the time and memory.
        highest = tf.reduce_max(logits, -1)
        sums = tf.reduce_sum(tf.exp(logits - highest[..., tf.newaxis]), -1)
        chosen = tf.gather(logits, labels, batch_dims=labels.shape.rank)
        nll = tf.math.log(sums) - (chosen - highest)
        predicted = tf.argmax(logits, -1)
        right = tf.cast(labels == predicted, counts.dtype)
        flat = [
            (tf.reshape(n, [-1]), tf.reshape(of, [-1]))
            for n, of in ((right * counts, labels), (counts, predicted), (counts, labels))
        ]
        found = {
            "nll": tf.reduce_sum(tf.math.multiply_no_nan(nll, counts)),
            "weight": tf.reduce_sum(counts),
            "counts": tf.stack(
                [tf.math.unsorted_segment_sum(n, of, self.num_classes) for n, of in flat]
            ),
        }
        if self.calibration:
            found |= self._calibration(labels, logits, right, counts)
        return found

    def _calibration(
        self, labels: tf.Tensor, logits: tf.Tensor, right: tf.Tensor, counts: tf.Tensor
    ) -> dict:
        p = tf.nn.softmax(logits)
        confidence = tf.reduce_max(p, -1)
        bins = tf.cast(tf.math.ceil(confidence * scores.BINS), tf.int64) - 1
        gaps = (right - confidence) * counts
        true = tf.gather(p, labels, batch_dims=labels.shape.rank)
        distance = tf.reduce_sum(p**2, -1) - 2 * true + 1  # from the one-hot label
        entropy = -tf.reduce_sum(tf.math.multiply_no_nan(tf.nn.log_softmax(logits), p), -1)
        rows = [tf.reshape(part, [-1]) for part in (confidence, right, counts)]
        return {
            **({EACH: tf.stack(rows, -1)} if self.axes == 0 else {}),
            "entropy": tf.reduce_sum(tf.math.multiply_no_nan(entropy, counts)),
            "bins": tf.math.unsorted_segment_sum(
                tf.reshape(gaps, [-1]),
                tf.reshape(tf.clip_by_value(bins, 0, scores.BINS - 1), [-1]),
                scores.BINS,
            ),
            "brier": tf.reduce_sum(tf.math.multiply_no_nan(distance, counts)),
        }

    def scores(self, totals: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The metrics; nan where nothing counts."""
        rows = [scores.of_counts(*counts) for counts in totals["counts"]]
        found = {"nll": ratio(totals["nll"], totals["weight"])}
        found |= {name: np.array([row[name] for row in rows]) for name in rows[0]}
        if self.name == "dense labels" and self.axes == 1:
            with np.errstate(over="ignore"):
                found["perplexity"] = np.exp(found["nll"])
        if self.characters is not None:
            told = totals["counts"][:, 2] @ np.array(self.characters)
            found["bits_per_character"] = ratio(totals["nll"] / np.log(2), told)
        if self.axes > 1:
            found["iou"] = np.array([scores.iou(*counts) for counts in totals["counts"]])
        if self.calibration:
            found["ece"] = ratio(np.abs(totals["bins"]).sum(-1), totals["weight"])
            found["brier"] = ratio(totals["brier"], totals["weight"])
            found["entropy"] = ratio(totals["entropy"], totals["weight"])
        if EACH in totals:
            found["ece_adaptive"] = np.array([_adaptive(*rows.T) for rows in totals[EACH]])
        if OF_MEMBERS[0] in totals:
            found |= {name: ratio(totals[name], totals["weight"]) for name in OF_MEMBERS}
            found["lppd"] = -found["nll"]
        return found

    @property
    def alike(self) -> tuple[str, ...]:
        """Both sums."""
        return ("differs", "distance")

    def likeness(
        self, y: Any, outputs: Any, other: Any, sample_weight: Any = None
    ) -> dict[str, tf.Tensor]:
        """The sums of `Task.likeness`."""
        _, counts = self._counted(y, outputs, sample_weight)
        p, q = self.averaged(outputs), self.averaged(other)
        # log(p / m) = log 2 - softplus(log q - log p), which is 0 where they are equal.
        of_p, of_q = (np.log(2) - tf.math.softplus(d) for d in (q - p, p - q))
        divergence = tf.reduce_sum(tf.exp(p) * of_p + tf.exp(q) * of_q, -1) / (2 * np.log(2))
        each = {
            "differs": tf.argmax(p, -1) != tf.argmax(q, -1),
            "distance": tf.sqrt(tf.maximum(divergence, 0)),  # which rounding has below 0
        }
        return {
            name: tf.reduce_sum(tf.math.multiply_no_nan(tf.cast(value, counts.dtype), counts))
            for name, value in each.items()
        }

    def averaged(self, outputs: Any, y: Any = None) -> tf.Tensor:
        """Logarithms of the probabilities."""
        return tf.nn.log_softmax(self._as_logits(tf.cast(single(outputs), tf.float64)))

    def alone(self, own: Any) -> Together:
        """Of probabilities, entropies and votes."""
        return Together.of(own)

    def added(self, total: Together, own: Together) -> Together:
        """Of probabilities, entropies and votes."""
        return total.joined(own)

    def mean(self, total: Together, count: int) -> np.ndarray:
        """Logarithms of the mean probabilities."""
        return total.log_mean

    def sums_of_members(
        self, y: Any, outputs: Any, total: Together, sample_weight: Any = None
    ) -> dict[str, np.ndarray]:
        """Of mutual information and disagreement."""
        _, counts = self._counted(y, outputs, sample_weight)
        each = {name: getattr(total, name) for name in OF_MEMBERS}
        sums = {k: tf.reduce_sum(tf.math.multiply_no_nan(v, counts)) for k, v in each.items()}
        return {name: np.asarray(value) for name, value in sums.items()}

    def entropies(self, total: Together) -> np.ndarray | None:
        """Of examples with one label."""
        return total.entropy.reshape(-1) if self.axes == 0 else None

    def values(self, mean: Any) -> Any:
        """The mean probabilities."""
        return np.exp(mean)

    def of_mean(self) -> Self:
        """That of logits, as the logarithms of probabilities are."""
        return replace(self, logits=True)


def _adaptive(confidence: np.ndarray, right: np.ndarray, weight: np.ndarray) -> float:
    if not np.isfinite(confidence).all():
        return float("nan")
    return reliability(confidence, right, weight, adaptive=True).error


def floats(outputs: tf.Tensor) -> tf.Tensor:
    """Outputs in float32, or float64 where they are."""
    return outputs if outputs.dtype == tf.float64 else tf.cast(outputs, tf.float32)


def labels_of(y: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
    """Integer labels `[batch, ...]` of outputs `[batch, ..., C]`.

    `y`: labels of that shape, or `[batch, ..., 1]`, or rows of C probabilities.
    """
    if y.shape.rank == outputs.shape.rank:
        y = tf.argmax(y, -1) if y.shape[-1] != 1 else y[..., 0]
    return tf.cast(y, tf.int64)
