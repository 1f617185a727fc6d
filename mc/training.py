"""Training of a curve (or of a single network, the curve `Point()`): Keras' `fit` and callbacks."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from mc import schedules
from mc.curve_file import plain
from mc.curve_model import CurveModel
from mc.progress import Progress


def train(
    curve: CurveModel,
    data,
    *,
    optimizer,
    loss,
    metrics,
    epochs: int,
    batch_size: int,
    rate: keras.callbacks.Callback,
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
        rate: sets the learning rate: an `EpochRate`, or a callback of another kind.
        seed: seeds the order of the examples.
        steps_per_epoch: of any number of passes over the data, or of a part of one; None: those of
            one pass.
        valid: a split to evaluate after every epoch; for networks without BatchNorm.
        snapshot: what `after_epoch` was given last, to continue from there.
        after_epoch: called with all history rows so far and a snapshot: a dict of arrays that holds
            everything that the rest of the training depends on.
        label: what progress is shown as.

    Raises:
        FloatingPointError: the loss became NaN or infinite; names the epoch.
        ValueError: the snapshot is of another run.
    """
    curve.first_look.of_batches(data.batches(batch_size))
    curve.compile(optimizer=optimizer, loss=loss, metrics=metrics)
    curve.optimizer.build(curve.trainable_variables)
    history = _restore(curve, snapshot) if snapshot else []
    done = len(history)
    if done == epochs:
        # As fit does at its end.
        curve.optimizer.finalize_variable_values(curve.trainable_variables)
    else:
        steps = steps_per_epoch or data.steps(batch_size)
        curve.fit(
            _on_gpu(data.epochs(batch_size, seed, first=done, last=epochs, steps=steps)),
            initial_epoch=done,
            epochs=epochs,
            steps_per_epoch=steps,
            validation_data=valid.batches(batch_size) if valid else None,
            callbacks=[
                rate,
                AfterEpoch(history, after_epoch, Progress(epochs, label, done)),
            ],
            shuffle=False,  # the data shuffle themselves
            verbose=0,
        )
    return history


def _on_gpu(batches):
    """Batches that are copied to the GPU while it works on those before; elsewhere as they are."""
    gpus = tf.config.list_logical_devices("GPU")
    if not gpus or tf.distribute.has_strategy():  # which does so itself
        return batches
    return batches.apply(tf.data.experimental.prefetch_to_device(gpus[0].name))


class EpochRate(keras.callbacks.Callback):
    """Sets the rate of epoch e to learning_rate * factor(schedule, e, epochs), at its beginning.

    Raises:
        ValueError: no schedule has that name; the message lists the known ones.
    """

    def __init__(self, learning_rate: float, schedule: str, epochs: int):
        super().__init__()
        factors = (schedules.factor(schedule, e, epochs) for e in range(1, epochs + 1))
        self.rates = [learning_rate * factor for factor in factors]

    def on_epoch_begin(self, epoch, logs=None):
        """The epoch's own rate; epochs count from 0 here."""
        self.model.optimizer.learning_rate = self.rates[epoch]


class AfterEpoch(keras.callbacks.Callback):
    """Adds a row to the history after every epoch, shows it, and hands it on with a snapshot."""

    def __init__(self, history: list[dict], after_epoch, progress: Progress):
        super().__init__()
        self.history, self.after_epoch, self.progress = history, after_epoch, progress

    def on_epoch_end(self, epoch, logs=None):
        """Stops at a loss that is not finite, before anything is handed on."""
        rate = float(self.model.optimizer.learning_rate.numpy())
        row = {"epoch": epoch + 1, "learning_rate": rate}
        for key, value in logs.items():
            split, name = ("valid", key[4:]) if key.startswith("val_") else ("train", key)
            row[f"{split}/{name}"] = float(value)
        if not np.isfinite(row["train/loss"]):
            kept = f" The state after epoch {epoch} is kept." if self.history else ""
            raise FloatingPointError(
                f"The loss became {row['train/loss']} in epoch {epoch + 1}.{kept} "
                "Try a smaller learning rate."
            )
        self.history.append(row)
        self.progress.step(f"loss {row['train/loss']:.4g}")
        if self.after_epoch:
            self.after_epoch(self.history, _snapshot(self.model, self.history))

    def on_train_end(self, logs=None):
        """Closes the progress shown."""
        self.progress.close()


def _variables(curve: CurveModel) -> list:
    return [*curve.points, *curve.state, curve.step, *curve.optimizer.variables]


def _snapshot(curve: CurveModel, history: list[dict]) -> dict:
    variables = _variables(curve)
    arrays = {f"variable_{i}": plain(v) for i, v in enumerate(variables)}
    columns = {f"history:{key}": np.array([row[key] for row in history]) for key in history[0]}
    return arrays | columns


def _restore(curve: CurveModel, snapshot: dict) -> list[dict]:
    variables = _variables(curve)
    arrays = [snapshot.get(f"variable_{i}") for i in range(len(variables))]
    for variable, array in zip(variables, arrays, strict=True):
        if array is None or array.shape != tuple(variable.shape):
            raise ValueError("The saved training state does not fit this run's variables.")
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
