"""Likelihoods as losses: densities of the targets of a regression, with trained deviations."""

import math
from typing import Any

import keras
from keras import ops

DEVIATIONS = ("bias", "network")
# The least that a logarithm of a deviation counts as: squares of residuals over it stay finite.
LOWEST = -20.0


@keras.saving.register_keras_serializable(package="mc")
class Gaussian(keras.losses.Loss):
    """The negative log-density of targets about means, with deviations that are trained too.

        -log p(y | x) = sum_k [ s_k + 0.5 ((y_k - m_k) / exp(s_k))^2 + 0.5 log(2 pi) ]

    over the d numbers of a step, of outputs `[batch, ..., 2 d]`: the means m, then the logarithms s
    of the deviations. The mean over the steps is the loss.

    Args:
        deviation: where s comes from: `bias`, a trained number for each of the d, whatever the
            input, which `network.deviation.with_deviation` appends to a network that gives means;
            `network`, a network that gives m and s. It changes nothing of the value.
        reduction, name, dtype: as of Keras' losses.

    Raises:
        ValueError: another word; or, when called, outputs that are not two for each target.
    """

    def __init__(
        self,
        deviation: str = "bias",
        reduction: str | None = "sum_over_batch_size",
        name: str = "gaussian",
        dtype: Any = None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        if deviation not in DEVIATIONS:
            raise ValueError(
                f"loss.deviation must be one of {', '.join(DEVIATIONS)}; received {deviation!r}."
            )
        self.deviation = deviation

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The negative log-density of each step, `[batch, ...]`."""
        return -log_density(y_true, y_pred)

    def get_config(self) -> dict[str, Any]:
        """Its arguments."""
        return super().get_config() | {"deviation": self.deviation}


def split(outputs: Any) -> tuple[Any, Any]:
    """Means and logarithms of deviations, `[batch, ..., d]` each, of outputs `[batch, ..., 2 d]`.

    A logarithm below -20 counts as -20, so that the density and its gradient are finite; the
    gradient passes as if it were -20 itself, so that training finds back.

    Raises:
        ValueError: the number of outputs is odd.
    """
    both = outputs.shape[-1] if len(outputs.shape) > 1 else 1
    if both % 2:
        raise ValueError(
            "A Gaussian likelihood needs two outputs for each target, means and then logarithms of "
            f"deviations; received outputs of shape {tuple(outputs.shape)}. Append the deviations "
            "by mc.network.deviation.with_deviation(network), or let the network give them."
        )
    means, logarithms = outputs[..., : both // 2], outputs[..., both // 2 :]
    value = ops.stop_gradient(logarithms)
    return means, ops.maximum(value, LOWEST) + (logarithms - value)


def log_density(y: Any, outputs: Any) -> Any:
    """log p(y | x) of each step, `[batch, ...]`: the sum over its d numbers; see `Gaussian`.

    Args:
        y: targets, `[batch, ..., d]`, or without the last axis where d = 1.
        outputs: `[batch, ..., 2 d]`.

    Raises:
        ValueError: they do not fit.
    """
    means, logarithms = split(outputs)
    given, shape = tuple(y.shape), tuple(means.shape)
    if given[1:] != shape[1:] and (*given[1:], 1) != shape[1:]:
        raise ValueError(
            f"Targets of shape {given} do not fit {shape[-1]} means and as many deviations, "
            f"outputs of shape {tuple(outputs.shape)}: a network has two outputs for each target."
        )
    residuals = ops.reshape(ops.cast(y, means.dtype), ops.shape(means)) - means
    squares = ops.square(residuals * ops.exp(-logarithms))
    return -ops.sum(logarithms + 0.5 * squares + 0.5 * math.log(2 * math.pi), axis=-1)


def squared_error(y: Any, outputs: Any) -> Any:
    """The mean squared error of the means of each step, `[batch, ...]`."""
    means = split(outputs)[0]
    y = ops.reshape(ops.cast(y, means.dtype), ops.shape(means))
    return ops.mean(ops.square(y - means), axis=-1)
