"""Training of a curve, or of a single network, the curve `Point()`, by Keras' `fit`."""

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import keras
import numpy as np
import tensorflow as tf

from mc import schedules
from mc.curve_file import plain
from mc.curve_model import CurveModel
from mc.progress import Progress
from mc.stepping import Steps

if TYPE_CHECKING:
    from mc.datasets import Examples

log = logging.getLogger(__name__)

AfterEpoch = Callable[[list[dict], Callable[[], dict]], None]


class Rate(Protocol):
    """What says the learning rate of every step: an `EpochRate`, a `CyclicalRate`, or another."""

    def of_steps(self, epoch: int, steps: int) -> Sequence[float] | np.ndarray:
        """The rate of every step of an epoch, which counts from 0 here; `[steps]`."""
        ...


def train(
    curve: CurveModel,
    data: "Examples",
    *,
    optimizer: Any,
    loss: Any,
    loss_weights: Any = None,
    metrics: Any,
    epochs: int,
    batch_size: int,
    rate: Rate,
    seed: int,
    steps_per_epoch: int | None = None,
    valid: "Examples | None" = None,
    snapshot: dict | None = None,
    after_epoch: AfterEpoch | None = None,
    label: str = "training",
) -> list[dict]:
    """The history of a training run: one row an epoch, after training the curve in place.

    Args:
        curve: the curve to train.
        data: a `datasets.Split` or `Stream`; its examples are shuffled by (seed, pass).
        optimizer, loss, loss_weights, metrics: as in `keras.Model.compile`.
        epochs, batch_size: how long.
        rate: says the learning rate of every step: an `EpochRate`, a `CyclicalRate`, or another
            object with their method `of_steps(epoch, steps) -> [steps]`.
        seed: seeds the order of the examples.
        steps_per_epoch: of any number of passes over the data, or of a part of one; None: those of
            one pass.
        valid: a split to evaluate after every epoch; for networks without BatchNorm.
        snapshot: one that `after_epoch` took, to continue from there.
        after_epoch: called with all history rows so far and a function that takes a snapshot: a
            dict of arrays that holds everything that the rest of the training depends on.
        label: what progress is shown as.

    Raises:
        FloatingPointError: weights or state became NaN or infinite; names the epoch. No snapshot
            has such. The loss decides nothing: it is of the weights before a step.
        RuntimeError: the training ended before its last epoch.
        ValueError: the snapshot is of another run, or not finite; or Keras is set to fewer epochs
            or steps.
    """
    curve.first_look.of_batches(data.batches(batch_size))
    steps = steps_per_epoch or data.steps(batch_size)
    _check_limits(epochs, max(epochs * steps, valid.steps(batch_size) if valid else 0))
    curve.compile(
        optimizer=optimizer,
        loss=loss,
        loss_weights=loss_weights,
        metrics=metrics,
        steps_per_execution=steps,
    )
    curve.optimizer.build(curve.trainable_variables)
    history = _restore(curve, snapshot) if snapshot else []
    done = len(history)
    if done == epochs:
        # As fit does at its end.
        curve.optimizer.finalize_variable_values(curve.trainable_variables)
        return history
    batches = _on_gpu(data.epochs(batch_size, seed, first=done, last=epochs, steps=steps))
    progress = Progress(epochs, label, done)
    valid = valid.batches(batch_size) if valid else None
    curve.train_function = Epoch(curve, history, epochs, steps, rate, valid, after_epoch, progress)
    try:
        # To Keras, all epochs are one, of a call each: what it does around an epoch of its own
        # takes a millisecond. The data shuffle themselves.
        curve.fit(batches, steps_per_epoch=(epochs - done) * steps, shuffle=False, verbose=0)
    finally:
        curve.train_function = None  # of a later fit, Keras makes its own
        progress.close()
    if len(history) < epochs:
        raise RuntimeError(f"The training ended after {len(history)} of {epochs} epochs.")
    return history


def _check_limits(epochs: int, steps: int) -> None:
    """Raise unless Keras lets a training and its validation run as long as they are asked to."""
    for name, wanted in (("max_epochs", epochs), ("max_steps_per_epoch", steps)):
        limit = getattr(keras.config, name, lambda: None)()  # which older versions do not have
        if limit and limit < wanted:
            raise ValueError(
                f"Keras is set to {name}={limit} (KERAS_{name.upper()} in the environment), which "
                f"would cut this training of {epochs} epochs short, or its validation. Unset it, "
                "and shorten a training by its own settings."
            )


def _on_gpu(batches: tf.data.Dataset) -> tf.data.Dataset:
    """Batches that are copied to the GPU while it works on those before; elsewhere as they are."""
    gpus = tf.config.list_logical_devices("GPU")
    if not gpus or tf.distribute.has_strategy():  # which does so itself
        return batches
    return batches.apply(tf.data.experimental.prefetch_to_device(gpus[0].name))


class EpochRate:
    """The rate learning_rate * factor(schedule, e, epochs) in epoch e.

    Raises:
        ValueError: no schedule has that name; the message lists the known ones.
    """

    def __init__(self, learning_rate: float, schedule: str, epochs: int):
        factors = (schedules.factor(schedule, e, epochs) for e in range(1, epochs + 1))
        self.rates = [learning_rate * factor for factor in factors]

    def of_steps(self, epoch: int, steps: int) -> np.ndarray:
        """The rate of every step of an epoch, which counts from 0 here; `[steps]`."""
        return np.full(steps, self.rates[epoch])


class Epoch:
    """One epoch after another: its steps, its row of the history, and what is to happen after it.

    In the place of `train_function`, which Keras calls with an iterator of batches.
    """

    def __init__(
        self,
        curve: CurveModel,
        history: list[dict],
        epochs: int,
        steps: int,
        rate: Rate,
        valid: tf.data.Dataset | None,
        after_epoch: AfterEpoch | None,
        progress: Progress,
    ):
        self.curve, self.history, self.epochs, self.steps = curve, history, epochs, steps
        self.rate, self.valid, self.after_epoch = rate, valid, after_epoch
        self.progress, self.run = progress, Steps(curve, steps)
        self.dtype = keras.backend.standardize_dtype(curve.optimizer.learning_rate.dtype)
        # Weights must be finite; beside them, a network may hold a constant that is not.
        self.finite = [np.isfinite(v.numpy()).all() for v in _variables(curve)]
        self.finite[: len(curve.points)] = [True] * len(curve.points)

    def __call__(self, iterator: tf.data.Iterator) -> dict:
        """The metrics of an epoch."""
        epoch = len(self.history)
        rates = np.asarray(self.rate.of_steps(epoch, self.steps), self.dtype)
        logs = self.run(iterator, rates)
        row = {"epoch": epoch + 1, "learning_rate": float(rates[-1])}
        row |= {f"train/{name}": float(value) for name, value in sorted(logs.items())}
        if self.valid is not None:
            found = self.curve.evaluate(self.valid, return_dict=True, verbose=0)
            row |= {f"valid/{name}": float(value) for name, value in sorted(found.items())}
            self.curve.reset_metrics()
        loss = row["train/loss"]
        if not np.isfinite(loss) or epoch + 1 == self.epochs:
            self._finite_arrays(row)
        if not np.isfinite(loss):
            log.warning(
                "The loss of epoch %d is %s, but all weights are finite: the training goes on.",
                epoch + 1,
                loss,
            )
        self.history.append(row)
        self.progress.step(f"loss {loss:.4g}")
        if self.after_epoch:
            self.after_epoch(self.history, lambda: self._snapshot(row))
        return logs

    def _finite_arrays(self, row: dict) -> list[np.ndarray]:
        """All that the training depends on; raises unless what was finite at its beginning is."""
        variables = _variables(self.curve)
        arrays = [plain(v.numpy()) for v in variables]
        for i, (array, was) in enumerate(zip(arrays, self.finite, strict=True)):
            if was and not np.isfinite(array).all():
                weights = "The weights of " if i < len(self.curve.points) else ""
                raise FloatingPointError(
                    f"{weights}{variables[i].name} became infinite or NaN by the end of epoch "
                    f"{row['epoch']}, whose loss is {row['train/loss']:.4g}. Try a smaller "
                    "learning rate."
                )
        return arrays

    def _snapshot(self, row: dict) -> dict:
        arrays = self._finite_arrays(row)
        columns = {f"history:{key}": np.array([r[key] for r in self.history]) for key in row}
        return {f"variable_{i}": array for i, array in enumerate(arrays)} | columns


def _variables(curve: CurveModel) -> list:
    return [*curve.points, *curve.state, curve.step, *curve.optimizer.variables]


def _restore(curve: CurveModel, snapshot: dict) -> list[dict]:
    variables = _variables(curve)
    arrays = [snapshot.get(f"variable_{i}") for i in range(len(variables))]
    for variable, array in zip(variables, arrays, strict=True):
        if array is None or array.shape != tuple(variable.shape):
            raise ValueError("The saved training state does not fit this run's variables.")
        if np.isfinite(variable.numpy()).all() and not np.isfinite(array).all():
            raise ValueError(
                f"The saved training state has numbers that are infinite or NaN, in "
                f"{variable.name}: remove it to begin anew, and try a smaller learning rate."
            )
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
    return history_of(snapshot)


def history_of(snapshot: dict) -> list[dict]:
    """The history rows that a snapshot holds."""
    columns = {k.split(":", 1)[1]: v for k, v in snapshot.items() if k.startswith("history:")}
    rows = [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]
    return [{k: v.item() for k, v in row.items()} for row in rows]
