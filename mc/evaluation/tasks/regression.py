"""Regression: outputs and targets are numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from mc.evaluation.tasks.labels import floats
from mc.evaluation.tasks.task import Task, ratio, single, spread, weights_of


@dataclass(frozen=True)
class Regression(Task):
    """The mean squared error of outputs of any shape, over all numbers of the steps that count.

    `calibration` adds its root, rmse.
    """

    name: ClassVar[str] = "regression"
    metrics: ClassVar[str] = "mse"

    @property
    def signature(self) -> dict[str, tf.TensorSpec]:
        """Sums of squares and of weights."""
        return {"squares": tf.TensorSpec([]), "weight": tf.TensorSpec([])}

    def sums(self, y: Any, outputs: Any, sample_weight: Any = None) -> dict[str, tf.Tensor]:
        """The sums of a batch."""
        weights, outputs = weights_of(outputs, sample_weight), floats(single(outputs))
        targets = tf.reshape(tf.cast(single(y), outputs.dtype), tf.shape(outputs))
        squares, counts = (targets - outputs) ** 2, tf.ones_like(outputs)
        if weights is not None:
            counts = spread(weights, outputs)
            squares = tf.math.multiply_no_nan(squares, counts)
        return {"squares": tf.reduce_sum(squares), "weight": tf.reduce_sum(counts)}

    def scores(self, totals: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The metric; nan where nothing counts."""
        mse = ratio(totals["squares"], totals["weight"])
        return {"mse": mse} | ({"rmse": np.sqrt(mse)} if self.calibration else {})

    def averaged(self, outputs: Any, y: Any = None) -> tf.Tensor:
        """The outputs."""
        return tf.cast(single(outputs), tf.float64)
