"""Epochs of a training: steps, rows of the history, validation, snapshots."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import keras
import numpy as np
import tensorflow as tf

from mc.best import Best
from mc.curve_file import plain
from mc.curve_model import CurveModel
from mc.progress import Progress
from mc.stepping import Steps

log = logging.getLogger(__name__)

AfterEpoch = Callable[[list[dict], Callable[[], dict]], None]


class Rate(Protocol):
    """What says the learning rate of every step: an `EpochRate`, a `CyclicalRate`, or another."""

    def of_steps(self, epoch: int, steps: int) -> Sequence[float] | np.ndarray:
        """The rate of every step of an epoch, which counts from 0 here; `[steps]`."""
        ...


@dataclass(frozen=True)
class Place:
    """How far a training is.

    Attributes:
        done: epochs that are done.
        skip: of the next one, the steps that are.
        epochs: in all.
        steps: in each.
    """

    done: int
    skip: int
    epochs: int
    steps: int


class Epochs:
    """One epoch after another: its steps, its row of the history, and what is to happen after it.

    In the place of `train_function`, which Keras calls with an iterator of batches.
    """

    def __init__(
        self,
        curve: CurveModel,
        history: list[dict],
        place: Place,
        rate: Rate,
        valid: tf.data.Dataset | None,
        *,
        after_epoch: AfterEpoch | None,
        after_steps: Mapping[int, Callable[[], None]],
        progress: Progress,
        best: Best | None = None,
    ):
        self.best = best
        self.curve, self.history, self.place = curve, history, place
        self.rate, self.valid, self.progress = rate, valid, progress
        self.after_epoch, self.after_steps = after_epoch, after_steps
        self.run = Steps(curve, place.steps)
        self.dtype = keras.backend.standardize_dtype(curve.optimizer.learning_rate.dtype)
        # Weights must be finite; beside them, a network may hold a constant that is not.
        self.finite = [np.isfinite(v.numpy()).all() for v in _variables(curve)]
        self.finite[: len(curve.points)] = [True] * len(curve.points)

    def __call__(self, iterator: tf.data.Iterator) -> dict:
        """The metrics of an epoch."""
        place, before = self.place, self.place.done * self.place.steps
        epoch = place.done
        rates = np.asarray(self.rate.of_steps(epoch, place.steps), self.dtype)
        pauses = {n - before: do for n, do in self.after_steps.items() if n > before}
        logs = self.run(iterator, rates, place.skip, pauses)
        self.place = replace(place, done=epoch + 1, skip=0)
        row = {"epoch": epoch + 1, "learning_rate": float(rates[-1])}
        row |= {f"train/{name}": float(value) for name, value in sorted(logs.items())}
        if self.valid is not None:
            row |= {f"valid/{name}": value for name, value in sorted(self._validated().items())}
        if self.best:
            self.best.see(row)
        loss = row["train/loss"]
        if not np.isfinite(loss) or epoch + 1 == place.epochs:
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

    def _validated(self) -> dict[str, float]:
        """Of a curve whose best epoch is looked for, the mean over its positions."""
        before = self.curve.t
        found: list[dict] = []
        for t in self.best.positions if self.best else [before]:
            self.curve.t = t
            found.append(self.curve.evaluate(self.valid, return_dict=True, verbose=0))
            self.curve.reset_metrics()
        self.curve.t = before
        return {name: float(np.mean([row[name] for row in found])) for name in found[0]}

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
        best = self.best.state() if self.best else {}
        return {f"variable_{i}": array for i, array in enumerate(arrays)} | columns | best


def _variables(curve: CurveModel) -> list:
    return [*curve.points, *curve.state, curve.step, *curve.optimizer.variables]


def restore(curve: CurveModel, snapshot: dict) -> list[dict]:
    """Set all that a training depends on to a snapshot; returns its history.

    Raises:
        ValueError: it is of another run, or has numbers that are not finite.
    """
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
