"""Regression with a likelihood: outputs are means, and logarithms of deviations."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import tensorflow as tf
from scipy.stats import norm

from mc import likelihoods
from mc.evaluation.mixtures import CENTRAL, Mixture
from mc.evaluation.tasks.labels import floats
from mc.evaluation.tasks.regression import Regression
from mc.evaluation.tasks.task import ratio, single, spread, weights_of

SIDE = float(norm.ppf(CENTRAL[1]))  # deviations on either side of a mean with 95 % between them


@dataclass(frozen=True)
class Gaussian(Regression):
    """The mean negative log-density of a step, and the mean squared error of the means.

    Of k members together the density is that of their mixture,

        p(y | x) = 1/k sum_j p_j(y | x),

    whose nll is -lppd, and the means are averaged. `calibration` adds rmse, coverage, the fraction
    of numbers within the central 95 % of their own density, and interval_width, how wide that is.

    Attributes:
        noise_std: of all numbers, where outputs are means alone, as mean squared error has them;
            else None.
        mixed: of a mixture: what is given are its means `[batch, ..., d]`, and then log p(y | x).
    """

    metrics: ClassVar[str] = "nll, mse"
    noise_std: float | None = None
    mixed: bool = False

    @property
    def signature(self) -> dict[str, tf.TensorSpec]:
        """Sums of squares and of weights, of densities and of steps; of intervals."""
        names = ("nll", "steps", *(("covered", "widths") if self.calibration else ()))
        return super().signature | {name: tf.TensorSpec([]) for name in names}

    def sums(self, y: Any, outputs: Any, sample_weight: Any = None) -> dict[str, tf.Tensor]:
        """The sums of a batch."""
        weights, outputs = weights_of(outputs, sample_weight), floats(single(outputs))
        if self.mixed:
            means, log_density = outputs[..., :-1], outputs[..., -1]
            found = {}
        else:
            both = self._both(outputs)
            means, log_density = likelihoods.split(both)[0], self._log_density(y, both)
            found = self._intervals(y, both, weights) if self.calibration else {}
        counts = tf.ones_like(log_density)
        if weights is not None:
            counts = spread(weights, log_density)
        nll = tf.math.multiply_no_nan(-log_density, counts)
        own = {"nll": tf.reduce_sum(nll), "steps": tf.reduce_sum(counts)}
        return super().sums(y, means, weights) | own | found

    def _both(self, outputs: tf.Tensor) -> tf.Tensor:
        """Means and logarithms of deviations, `[batch, ..., 2 d]`."""
        if self.noise_std is None:
            return outputs
        if outputs.shape.rank == 1:
            outputs = outputs[:, tf.newaxis]
        noise = tf.fill(tf.shape(outputs), tf.cast(np.log(self.noise_std), outputs.dtype))
        return tf.concat([outputs, noise], -1)

    def _log_density(self, y: Any, both: tf.Tensor) -> tf.Tensor:
        """log p(y | x) of each step, `[batch, ...]`."""
        y = tf.cast(single(y), both.dtype)
        if self.noise_std is not None:  # mean squared error takes targets of more shapes
            y = tf.reshape(y, tf.shape(likelihoods.split(both)[0]))
        return likelihoods.log_density(y, both)

    def _intervals(self, y: Any, both: tf.Tensor, weights: Any) -> dict[str, tf.Tensor]:
        """Sums of what lies within the central 95 % of its own density, and of their widths."""
        means, logarithms = likelihoods.split(both)
        side = SIDE * tf.exp(logarithms)
        targets = tf.reshape(tf.cast(single(y), means.dtype), tf.shape(means))
        covered = tf.cast(tf.abs(targets - means) <= side, means.dtype)
        counts = tf.ones_like(means) if weights is None else spread(weights, means)
        each = {"covered": covered, "widths": 2 * side}
        return {k: tf.reduce_sum(tf.math.multiply_no_nan(v, counts)) for k, v in each.items()}

    def scores(self, totals: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The metrics; nan where nothing counts."""
        found = {"nll": ratio(totals["nll"], totals["steps"])} | super().scores(totals)
        if "covered" in totals:
            found["coverage"] = ratio(totals["covered"], totals["weight"])
            found["interval_width"] = ratio(totals["widths"], totals["weight"])
        if "lppd" in totals:
            found["lppd"] = ratio(totals["lppd"], totals["steps"])
        return found

    def averaged(self, outputs: Any, y: Any = None) -> tf.Tensor:
        """Means, logarithms of deviations, and log p(y | x), `[batch, ..., 2 d + 1]`."""
        both = self._both(tf.cast(single(outputs), tf.float64))
        log_density = self._log_density(y, both)[..., tf.newaxis]
        return tf.concat([*likelihoods.split(both), log_density], -1)

    def moments(self, outputs: Any) -> tuple[np.ndarray, np.ndarray]:
        """Means and deviations of a member, `[batch, ..., d]` each."""
        parts = likelihoods.split(self._both(tf.cast(single(outputs), tf.float64)))
        mean, log_deviation = map(np.asarray, parts)
        return mean, np.exp(log_deviation)

    def alone(self, own: Any) -> Any:
        """Those of one member, `[1, batch, ..., 2 d + 1]`."""
        return np.asarray(own)[np.newaxis]

    def added(self, total: Any, own: Any) -> Any:
        """Those of one member after another: intervals of a mixture need all."""
        return np.concatenate([total, own])

    def mean(self, total: Any, count: int) -> Any:
        """Of means, and of densities their logarithm, `[batch, ..., d + 1]`."""
        means, densities = np.split(total, [total.shape[-1] // 2], -1)[0], total[..., -1:]
        log_density = np.logaddexp.reduce(densities, 0) - np.log(count)
        return np.concatenate([means.mean(0), log_density], -1)

    def sums_of_members(
        self, y: Any, outputs: Any, total: Any, sample_weight: Any = None
    ) -> dict[str, np.ndarray]:
        """Of the density of a mixture, and of its intervals."""
        mixture = mixture_of(total)
        targets = np.asarray(single(y), np.float64).reshape(mixture.mean.shape)
        low, high = mixture.interval()
        shape = total.shape[1:-1]  # of steps
        counts = np.ones(shape) if sample_weight is None else spread(sample_weight, outputs[..., 0])
        of_numbers = np.broadcast_to(np.reshape(counts, (-1, 1)), targets.shape)
        each = {"covered": mixture.covered(targets), "widths": high - low}
        sums = {k: np.where(of_numbers > 0, v * of_numbers, 0).sum() for k, v in each.items()}
        lppd = np.where(np.asarray(counts) > 0, outputs[..., -1] * counts, 0).sum()
        return sums | {"lppd": lppd}

    def values(self, mean: Any) -> Any:
        """The mean of the means."""
        return mean[..., :-1]

    def of_mean(self) -> Self:
        """That of a mixture."""
        return replace(self, mixed=True)


def mixture_of(total: np.ndarray) -> Mixture:
    """The mixture of what `Gaussian.averaged` gives of members, `[k, n, ..., 2 d + 1]`."""
    rows = total.reshape(len(total), -1, total.shape[-1])
    means, logarithms, _ = np.split(rows, [rows.shape[-1] // 2, rows.shape[-1] - 1], -1)
    return Mixture(means, np.exp(logarithms))
