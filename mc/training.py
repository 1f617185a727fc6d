"""Training of a curve, or of a single network, the curve `Point()`, by Keras' `fit`."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from mc import curve_file, schedules
from mc.best import Best
from mc.curve_model import CurveModel
from mc.epochs import AfterEpoch, Epochs, Place, Rate, restore
from mc.network import first_look
from mc.progress import Progress

if TYPE_CHECKING:
    from mc.datasets import Examples


@dataclass(frozen=True)
class Beginning:
    """Where a training begins that goes on from another one.

    Attributes:
        steps: how many training steps the other one has done; epochs count from its first.
        optimizer: what its optimizer had gathered, an array a variable; None: begin anew.
    """

    steps: int = 0
    optimizer: Sequence[np.ndarray] | None = None


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
    best: bool = False,
    beginning: Beginning | None = None,
    snapshot: dict | None = None,
    after_epoch: AfterEpoch | None = None,
    after_steps: Mapping[int, Callable[[], None]] | None = None,
    label: str = "training",
) -> list[dict]:
    """The history of a training run: one row an epoch, after training the curve in place.

    The row of an epoch that is begun in its middle is of the steps after that.

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
        best: take the epoch of the least loss on `valid`, not the last; see `mc.best.Best`.
        beginning: of a training that goes on from another; default: from nothing.
        snapshot: one that `after_epoch` took, to continue from there.
        after_epoch: called with all history rows so far and a function that takes a snapshot: a
            dict of arrays that holds everything that the rest of the training depends on.
        after_steps: what is called after how many steps, counted from the first of all.
        label: what progress is shown as.

    Raises:
        FloatingPointError: weights or state became NaN or infinite; names the epoch. No snapshot
            has such. The loss decides nothing: it is of the weights before a step.
        RuntimeError: the training ended before its last epoch.
        ValueError: the best epoch is asked for without `valid`, or of a curve with BatchNorm; the
            snapshot is of another run, or not finite; or the beginning is at or after
            the end, or of another optimizer; or Keras is set to fewer epochs or steps.
    """
    if best and valid is None:
        raise ValueError("The best epoch is that of the least validation loss: pass valid=.")
    found = Best(curve) if best else None
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
    _make_metrics(curve, data.batches(batch_size))
    first = _begin(curve, beginning or Beginning(), epochs, steps)
    history = restore(curve, snapshot) if snapshot else []
    if found and snapshot:
        found.restore(snapshot)
    done, skip = (history[-1]["epoch"], 0) if history else divmod(first, steps)
    if done == epochs:
        # As fit does at its end.
        curve.optimizer.finalize_variable_values(curve.trainable_variables)
        return _taken(history, found)
    batches = data.epochs(batch_size, seed, first=done, last=epochs, steps=steps, skip=skip)
    progress = Progress(epochs, label, done)
    valid = valid.batches(batch_size) if valid else None
    _check_within(after_steps or {}, first, epochs * steps)
    if after_steps and 0 in after_steps and done == skip == 0:
        after_steps[0]()
    place = Place(done=done, skip=skip, epochs=epochs, steps=steps)
    curve.train_function = Epochs(
        curve,
        history,
        place,
        rate,
        valid,
        after_epoch=after_epoch,
        after_steps=after_steps or {},
        progress=progress,
        best=found,
    )
    try:
        # To Keras, all epochs are one, of a call each: what it does around an epoch of its own
        # takes a millisecond. The data shuffle themselves.
        whole = (epochs - done) * steps - skip
        curve.fit(_on_gpu(batches), steps_per_epoch=whole, shuffle=False, verbose=0)
    finally:
        curve.train_function = None  # of a later fit, Keras makes its own
        progress.close()
    if history[-1]["epoch"] < epochs:
        raise RuntimeError(f"The training ended after {history[-1]['epoch']} of {epochs} epochs.")
    return _taken(history, found)


def _taken(history: list[dict], best: Best | None) -> list[dict]:
    """The history, of which the curve is as it was after the best epoch, if one was looked for."""
    if best:
        best.take()
    return history


def _make_metrics(curve: CurveModel, batches: Iterable) -> None:
    """Have Keras make its metrics by a few examples: made in a graph, they have it traced twice."""
    if tf.distribute.has_strategy():  # for which it makes them before
        return
    for batch in batches:
        curve.first_look.watching(curve.test_step, first_look.examples(curve.network, batch))
        curve.reset_metrics()
        break


def _begin(curve: CurveModel, beginning: Beginning, epochs: int, steps: int) -> int:
    """Set a curve's count of steps, and its optimizer's variables; returns the steps done."""
    if beginning.steps >= epochs * steps:
        raise ValueError(
            f"The training goes on from step {beginning.steps} of another, and ends after {epochs} "
            f"epochs of {steps} steps, counted from the other's first: choose more epochs."
        )
    if beginning.steps:
        curve.step.assign(beginning.steps)
    if beginning.optimizer is None:
        return beginning.steps
    own = curve.optimizer.variables
    if [v.shape for v in own] != [array.shape for array in beginning.optimizer]:
        raise ValueError(
            "What the optimizer had gathered is of another optimizer, or of other weights: choose "
            "the same one, or begin without it."
        )
    for variable, array in zip(own, beginning.optimizer, strict=True):
        variable.assign(curve_file.typed(array, variable.numpy()))
    return beginning.steps


def _check_within(after: Iterable[int], first: int, last: int) -> None:
    """Raise unless a training passes all of some steps."""
    if outside := [n for n in after if not first <= n <= last]:
        raise ValueError(
            f"The training goes from step {first} to step {last}, and these are to be kept: "
            f"{', '.join(map(str, outside))}. Choose others, or more epochs."
        )


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
