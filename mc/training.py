"""Training of a curve (or of a single network, the curve `Point()`): Keras' `fit` and callbacks."""

import logging
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from mc import schedules
from mc.curve_model import CurveModel
from mc.progress import Progress
from mc.stepping import Steps

log = logging.getLogger(__name__)


def train(
    curve: CurveModel,
    data,
    *,
    optimizer,
    loss,
    metrics,
    epochs: int,
    batch_size: int,
    rate,
    seed: int,
    steps_per_epoch: int | None = None,
    valid=None,
    snapshot: dict | None = None,
    after_epoch: Callable[[list[dict], dict], None] | None = None,
    label: str = "training",
) -> list[dict]:
    """The history of a training run: one row an epoch, after training the curve in place.

    Args:
        curve: the curve to train.
        data: a `datasets.Split` or `Stream`; its examples are shuffled by (seed, pass).
        optimizer, loss, metrics: as in `keras.Model.compile`.
        epochs, batch_size: how long.
        rate: says the learning rate of every step: an `EpochRate`, a `CyclicalRate`, or another
            object with their method `of_steps(epoch, steps) -> [steps]`.
        seed: seeds the order of the examples.
        steps_per_epoch: of any number of passes over the data, or of a part of one; None: those of
            one pass.
        valid: a split to evaluate after every epoch; for networks without BatchNorm.
        snapshot: what `after_epoch` was given last, to continue from there.
        after_epoch: called with all history rows so far and a snapshot: a dict of arrays that holds
            everything that the rest of the training depends on.
        label: what progress is shown as.

    Raises:
        FloatingPointError: weights or state became NaN or infinite; names the epoch. Nothing is
            handed on then. The loss alone decides nothing: it is of the weights before a step.
        RuntimeError: the training ended before its last epoch.
        ValueError: the snapshot is of another run, or not finite; or Keras is set to fewer epochs
            or steps.
    """
    steps = steps_per_epoch or data.steps(batch_size)
    _check_limits(epochs, max(steps, valid.steps(batch_size) if valid else 0))
    curve.compile(optimizer=optimizer, loss=loss, metrics=metrics, steps_per_execution=steps)
    curve.optimizer.build(curve.trainable_variables)
    history = _restore(curve, snapshot) if snapshot else []
    done = len(history)
    if done == epochs:
        # As fit does at its end.
        curve.optimizer.finalize_variable_values(curve.trainable_variables)
        return history
    curve.train_function = loop = Steps(curve, rate.of_steps, steps)
    try:
        curve.fit(
            _on_gpu(data.epochs(batch_size, seed, first=done, last=epochs, steps=steps)),
            initial_epoch=done,
            epochs=epochs,
            steps_per_epoch=steps,
            validation_data=valid.batches(batch_size) if valid else None,
            callbacks=[
                loop,
                AfterEpoch(history, steps, after_epoch, Progress(epochs, label, done)),
            ],
            shuffle=False,  # the data shuffle themselves
            verbose=0,
        )
    finally:
        curve.train_function = None  # of a later fit, Keras makes its own
    if len(history) < epochs:
        raise RuntimeError(f"The training ended after {len(history)} of {epochs} epochs.")
    return history


def _check_limits(epochs: int, steps: int) -> None:
    """Raise unless Keras lets a training run as long as it is asked to."""
    for name, wanted in (("max_epochs", epochs), ("max_steps_per_epoch", steps)):
        limit = getattr(keras.config, name, lambda: None)()  # which older versions do not have
        if limit and limit < wanted:
            raise ValueError(
                f"Keras is set to {name}={limit} (KERAS_{name.upper()} in the environment), but "
                f"this training has {wanted}. Unset it, and ask for fewer by the training's own "
                "settings."
            )


def _on_gpu(batches):
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


class AfterEpoch(keras.callbacks.Callback):
    """Adds a row to the history after every epoch, shows it, and hands it on with a snapshot."""

    def __init__(self, history: list[dict], steps: int, after_epoch, progress: Progress):
        super().__init__()
        self.history, self.steps = history, steps
        self.after_epoch, self.progress = after_epoch, progress

    def on_train_begin(self, logs=None):
        """Remembers what is finite: beside weights, a network may hold a constant that is not."""
        self.finite = [np.isfinite(v.numpy()).all() for v in _variables(self.model)]
        self.finite[: len(self.model.points)] = [True] * len(self.model.points)

    def on_epoch_begin(self, epoch, logs=None):
        """Remembers how many steps were taken before."""
        self.before = int(self.model.step.numpy())

    def on_epoch_end(self, epoch, logs=None):
        """Stops at weights that are not finite, before anything is handed on."""
        rate = float(self.model.optimizer.learning_rate.numpy())
        row = {"epoch": epoch + 1, "learning_rate": rate}
        for key, value in logs.items():
            split, name = ("valid", key[4:]) if key.startswith("val_") else ("train", key)
            row[f"{split}/{name}"] = float(value)
        arrays = [v.numpy() for v in _variables(self.model)]
        self._check(arrays, row)
        self.history.append(row)
        self.progress.step(f"loss {row['train/loss']:.4g}")
        if self.after_epoch:
            self.after_epoch(self.history, _snapshot(arrays, self.history))

    def _check(self, arrays: list, row: dict) -> None:
        """Raise unless the epoch took all its steps, and left what is finite finite."""
        taken = int(self.model.step.numpy()) - self.before
        if taken != self.steps:
            raise RuntimeError(f"Epoch {row['epoch']} ended after {taken} of {self.steps} steps.")
        named = zip(_variables(self.model), arrays, self.finite, strict=True)
        wrong = [v.name for v, array, was in named if was and not np.isfinite(array).all()]
        if wrong:
            kept = f" The state after epoch {row['epoch'] - 1} is kept." if self.history else ""
            raise FloatingPointError(
                f"{wrong[0]} became infinite or NaN in epoch {row['epoch']}, whose loss is "
                f"{row['train/loss']:.4g}.{kept} Try a smaller learning rate."
            )
        if not np.isfinite(row["train/loss"]):
            log.warning(
                "The loss of epoch %d is %s, but all weights are finite: the training goes on.",
                row["epoch"],
                row["train/loss"],
            )

    def on_train_end(self, logs=None):
        """Closes the progress shown."""
        self.progress.close()


def _variables(curve: CurveModel) -> list:
    return [*curve.points, *curve.state, curve.step, *curve.optimizer.variables]


def _snapshot(arrays: list, history: list[dict]) -> dict:
    columns = {f"history:{key}": np.array([row[key] for row in history]) for key in history[0]}
    return {f"variable_{i}": array for i, array in enumerate(arrays)} | columns


def _restore(curve: CurveModel, snapshot: dict) -> list[dict]:
    variables = _variables(curve)
    arrays = [snapshot.get(f"variable_{i}") for i in range(len(variables))]
    for variable, array in zip(variables, arrays, strict=True):
        if array is None or array.shape != tuple(variable.shape):
            raise ValueError("The saved training state does not fit this run's variables.")
    if not all(np.isfinite(array).all() for array in arrays[: len(curve.points)]):
        raise ValueError(
            "The saved training state has weights that are infinite or NaN: remove it to begin "
            "anew, and try a smaller learning rate."
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
