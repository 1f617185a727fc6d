"""Regression with a likelihood: outputs are means, and logarithms of deviations."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import tensorflow as tf

from mc import likelihoods
from mc.evaluation.tasks.labels import floats
from mc.evaluation.tasks.regression import Regression
from mc.evaluation.tasks.task import ratio, single, spread, weights_of


@dataclass(frozen=True)
class Gaussian(Regression):
    """The mean negative log-density of a step, and the mean squared error of the means.

    Of k members together the density is that of their mixture,

        p(y | x) = 1/k sum_j p_j(y | x),

    whose nll is -LPPD / n, and the means are averaged.

    Attributes:
        mixed: of a mixture: what is given are its means `[batch, ..., d]`, and then log p(y | x).
    """

    metrics: ClassVar[str] = "nll, mse"
    mixed: bool = False

    @property
    def signature(self) -> dict[str, tf.TensorSpec]:
        """Sums of squares and of weights, of densities and of steps."""
        return super().signature | {"nll": tf.TensorSpec([]), "steps": tf.TensorSpec([])}

    def sums(self, y: Any, outputs: Any, sample_weight: Any = None) -> dict[str, tf.Tensor]:
        """The sums of a batch."""
        weights, outputs = weights_of(outputs, sample_weight), floats(single(outputs))
        means, log_density = self._read(y, outputs)
        counts = tf.ones_like(log_density)
        if weights is not None:
            counts = spread(weights, log_density)
        nll = tf.math.multiply_no_nan(-log_density, counts)
        own = {"nll": tf.reduce_sum(nll), "steps": tf.reduce_sum(counts)}
        return super().sums(y, means, weights) | own

    def _read(self, y: Any, outputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Means `[batch, ..., d]`, and log-densities `[batch, ...]`."""
        if self.mixed:
            return outputs[..., :-1], outputs[..., -1]
        targets = tf.cast(single(y), outputs.dtype)
        return likelihoods.split(outputs)[0], likelihoods.log_density(targets, outputs)

    def scores(self, totals: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The metrics; nan where nothing counts."""
        return {"nll": ratio(totals["nll"], totals["steps"])} | super().scores(totals)

    def averaged(self, outputs: Any, y: Any = None) -> tf.Tensor:
        """The means, and log p(y | x), `[batch, ..., d + 1]`."""
        means, log_density = self._read(y, tf.cast(single(outputs), tf.float64))
        return tf.concat([means, log_density[..., tf.newaxis]], -1)

    def added(self, total: Any, own: Any) -> Any:
        """Means are added, and densities."""
        densities = np.logaddexp(total[..., -1:], own[..., -1:])
        return np.concatenate([total[..., :-1] + own[..., :-1], densities], -1)

    def mean(self, total: Any, count: int) -> Any:
        """Of means, and of densities."""
        return np.concatenate([total[..., :-1] / count, total[..., -1:] - np.log(count)], -1)

    def values(self, mean: Any) -> Any:
        """The mean of the means."""
        return mean[..., :-1]

    def of_mean(self) -> Self:
        """That of a mixture."""
        return replace(self, mixed=True)
