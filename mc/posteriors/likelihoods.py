"""What data say of a network: the probability of all targets."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import tensorflow as tf

from mc.evaluation import tasks
from mc.evaluation.tasks.task import single
from mc.network import losses
from mc.network.batches import unpacked

if TYPE_CHECKING:
    from mc.curve_model import CurveModel


@dataclass(frozen=True)
class Likelihood(tasks.Task):
    """The log-likelihood of a split: sum_i log p(y_i | x_i, w), taken in float64.

    Of classes p is the probability of the label, of yes or no that of each decision, and of a
    regression the Gaussian N(y; f(x), noise_std^2) of each number, or with deviations of the
    network's own (see `tasks.Gaussian`). A step counts by its sample
    weight, and not at all where it is masked or its class is ignored, as in all tasks.

    Attributes:
        task: of the network, from whose sums it follows.
    """

    name: ClassVar[str] = "likelihood"
    metrics: ClassVar[str] = "its log-likelihood"
    task: tasks.Task = field(default_factory=tasks.Task)

    @property
    def signature(self) -> dict[str, tf.TensorSpec]:
        """The log-likelihood, and the weight of what counts."""
        return {name: tf.TensorSpec([], tf.float64) for name in ("log_likelihood", "weight")}

    def say(self, log: logging.Logger) -> None:
        """Nothing: who evaluates the networks says which task it is."""

    def sums(self, y: Any, outputs: Any, sample_weight: Any = None) -> dict[str, tf.Tensor]:
        """The sums of a batch."""
        weights = self.task.weights(outputs, sample_weight)
        found = self.task.sums(y, tf.cast(single(outputs), tf.float64), weights)
        return {"log_likelihood": -found["nll"], "weight": found["weight"]}

    def scores(self, totals: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The log-likelihood of the split."""
        return {"log_likelihood": totals["log_likelihood"]}


def of(curve: CurveModel, loss: Any, batches: Iterable, noise_std: float | None) -> Likelihood:
    """The likelihood that a loss is the negative logarithm of.

    Label smoothing and other arguments of the loss that only training needs are no part of it.

    Args:
        curve: of the networks.
        loss: as in `keras.Model.compile`.
        batches: (x, y) or (x, y, sample_weight), of which the first is read.
        noise_std: of a regression, the deviation of its targets from the outputs.

    Raises:
        ValueError: the loss is no likelihood (names those that are), or does not fit the outputs;
            `noise_std` is missing, not positive, or given without a regression; there is no batch.
    """
    if not losses.is_likelihood(loss):
        what = getattr(loss, "name", None) or getattr(loss, "__name__", loss)
        known = losses.LIKELIHOODS
        raise ValueError(
            f"A posterior needs a loss that is a likelihood: {', '.join(known[:-1])} or "
            f"{known[-1]}; received {what}. Compile the curve with one of them, or pass loss=."
        )
    for batch in batches:
        x, y, _ = unpacked(batch)
        break
    else:
        raise ValueError("A posterior needs data; received no batch.")
    if y is None:
        raise ValueError("A posterior needs targets: data=(x, y), as fit takes them.")
    w = tf.convert_to_tensor(curve.points[0])
    outputs = curve.network(w, curve.state_values, x, training=False)[0]
    losses.check_targets(loss, y, outputs)
    losses.check_outputs(loss, outputs)
    task = tasks.of(loss, y, outputs)
    if not task.signature:
        raise ValueError(f"A posterior needs the probability of targets; of these, {task.why}.")
    has_none = "nll" not in task.signature  # of its own, as mean squared error has not
    if has_none and (noise_std is None or not noise_std > 0):
        raise ValueError(
            "Mean squared error is the likelihood of targets with Gaussian noise, whose deviation "
            f"must be given and positive: noise_std=0.1; received noise_std={noise_std}."
        )
    if not has_none and noise_std is not None:
        raise ValueError(
            f"noise_std is of a regression by mean squared error; received noise_std={noise_std} "
            f"for a task of kind {task.name!r}. Leave it out."
        )
    return Likelihood(task=tasks.Gaussian(noise_std=noise_std) if has_none else task)
