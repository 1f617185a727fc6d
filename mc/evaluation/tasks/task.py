"""What a task says of itself: which sums a batch adds, and which metrics follow from them."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import keras
import numpy as np
import tensorflow as tf

from mc.network.unpromised import mask_of

EACH = "each"  # the one of the sums that has a row an example, and batches follow one another


@dataclass(frozen=True)
class Task:
    """What the outputs of a network are compared with, and by which numbers.

    All metrics are functions of sums over the steps that count: a step (an example, a token, a
    pixel) counts by its sample weight, and not at all where Keras masks it or its class is ignored.
    So they depend on no batches, and an ensemble's are those of one network that outputs the
    predictive mean. One of ensembles takes ranks over all examples: it has rows, `EACH`, for sums.

    This class itself is the task of which nothing is known but the loss.

    Attributes:
        calibration: whether the sums of what only ensembles show are taken too.
        why: where nothing but the loss is known, why.
    """

    name: ClassVar[str] = "loss"
    metrics: ClassVar[str] = "its loss alone"  # in words
    calibration: bool = False
    why: str = ""

    def calibrated(self) -> Self:
        """The task with the metrics of ensembles."""
        return replace(self, calibration=True)

    def say(self, log: logging.Logger) -> None:
        """Say which task it is, and where only the loss is known, why."""
        if self.why:
            log.warning("The task is evaluated by %s, for %s.", self.metrics, self.why)
        else:
            log.info("This is a task of kind %r: it is evaluated by %s.", self.name, self.metrics)

    @property
    def signature(self) -> dict[str, tf.TensorSpec]:
        """What `sums` gives; empty if there are no metrics."""
        return {}

    def sums(self, y: Any, outputs: Any, sample_weight: Any = None) -> dict[str, tf.Tensor]:
        """The sums of a batch, by name.

        Args:
            y: targets, `[batch, ...]`.
            outputs: of a network, with Keras' mask.
            sample_weight: `[batch]` or `[batch, steps]`, or None for 1 each.
        """
        return {}

    def scores(self, totals: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The metrics at n points, `[n]` each, from sums over all batches, `[n, ...]` each."""
        return {}

    def weights(self, outputs: Any, sample_weight: Any) -> Any:
        """What counts of a batch, as a sample weight of outputs that have no mask any more."""
        return weights_of(outputs, sample_weight)

    @property
    def alike(self) -> tuple[str, ...]:
        """The names of what `likeness` gives; empty where predictions are of no classes."""
        return ()

    def likeness(
        self, y: Any, outputs: Any, other: Any, sample_weight: Any = None
    ) -> dict[str, tf.Tensor]:
        """The sums of a batch of how alike two networks predict: `differs` and `distance`.

        Of the steps that count: where they say another class; and the Jensen-Shannon distance of
        their probabilities p and q with m = (p + q) / 2,

            sqrt((KL(p | m) + KL(q | m)) / (2 log 2)),    between 0 and 1.

        Args:
            y, outputs, sample_weight: as in `sums`.
            other: outputs of the other network.
        """
        return {}

    # What follows is of ensembles, which predict the mean of what their members do.

    def averaged(self, outputs: Any, y: Any = None) -> Any:
        """What the mean is taken of, `[batch, ...] float64`; of probabilities their logarithms.

        `y`: targets, of which a density is taken.
        """
        raise NotImplementedError(f"Ensembles have no metrics of the task {self.name!r}.")

    def alone(self, own: Any) -> Any:
        """What `added` adds, of `averaged` of a member as arrays."""
        return own

    def added(self, total: Any, own: Any) -> Any:
        """The sum of `alone` of some members, and of one more."""
        return total + own

    def mean(self, total: Any, count: int) -> Any:
        """The mean of so many members, of what `averaged` gives of each."""
        return total / count

    def sums_of_members(
        self, y: Any, outputs: Any, total: Any, sample_weight: Any = None
    ) -> dict[str, np.ndarray]:
        """What is added to the sums of a batch that members predict together: how they differ."""
        return {}

    def entropies(self, total: Any) -> np.ndarray | None:
        """Predictive entropies `[batch]` of so many members; None unless an example has a label."""
        return None

    def as_outputs(self, mean: Any) -> Any:
        """The mean as outputs of a network, whose task is `of_mean`."""
        return mean

    def values(self, mean: Any) -> Any:
        """The mean as it is kept in files: probabilities, or the outputs of a regression."""
        return mean

    def of_mean(self) -> Self:
        """The task of what `as_outputs` gives."""
        return self


def check_counted(totals: Mapping[str, np.ndarray], split: str) -> None:
    """Raise unless there is a step in a split that counts.

    Args:
        totals: the sums over a split.

    Raises:
        ValueError: masks, ignored classes or sample weights leave out all of them.
    """
    for name, total in totals.items():
        if name.rpartition(":")[2] == "weight" and not np.any(total):
            output = name.rpartition(":")[0]
            raise ValueError(
                f"Nothing of the split {split} counts{f' for the output {output}' * bool(output)}: "
                "a mask, the loss's ignore_class or sample weights leave out every step. Masks are "
                "made from inputs, by Masking and Embedding(mask_zero=True)."
            )


def single(part: Any) -> Any:
    """The one tensor of a structure of one."""
    (one,) = keras.tree.flatten(part)
    return one


def weights_of(outputs: Any, sample_weight: Any) -> tf.Tensor | None:
    """The weights of steps, of Keras' mask and the sample weights; None where there is neither."""
    mask = mask_of(single(outputs))
    if mask is None or sample_weight is None:
        one = sample_weight if mask is None else mask
        return None if one is None else tf.cast(single(one), tf.float32)
    first, second = tf.cast(mask, tf.float32), tf.cast(single(sample_weight), tf.float32)
    if first.shape.rank < second.shape.rank:
        first, second = second, first
    return first * spread(second, first)


def spread(weights: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """Weights of steps as weights of the values in them, in the shape and type of `values`."""
    while weights.shape.rank < values.shape.rank:
        weights = weights[..., tf.newaxis]
    while weights.shape.rank > values.shape.rank and weights.shape[-1] == 1:
        weights = weights[..., 0]
    return tf.cast(weights, values.dtype) * tf.ones_like(values)


def ratio(total: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """total / weight, nan where nothing counts."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(weight > 0, total / weight, np.nan)
