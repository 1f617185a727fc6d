"""Training that keeps its state in the run's folder, and continues from there."""

import logging
import time
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras
import pandas as pd
import tensorflow as tf
from omegaconf import DictConfig

from mc import training
from mc.curve_model import CurveModel
from mc.curves import Point
from mc.datasets import Data
from mc.ensembles.swag import Swag
from mc.epochs import history_of
from mc.evaluation import tasks
from mc.lab import files
from mc.lab.conditions import devices_here
from mc.lab.job import Job
from mc.lab.stages.base import saved_epoch, saved_step
from mc.lab.stages.common import NEEDS_VALID
from mc.lab.work.data import instantiate, make_loss, plain_weights
from mc.network.weights import pack

log = logging.getLogger(__name__)

MOMENTS = "moments:"  # before their names in checkpoints
SECONDS = 1.0  # between two checkpoints, where an epoch takes less


def on_devices(devices: int | str | None) -> AbstractContextManager:
    """The scope in which to make and train a model on so many devices (`all`, or None for one).

    With several, each batch is split among them and all variables are mirrored. Evaluation stays
    outside: in the scope, Keras gives each device its share of a loss.

    Raises:
        ValueError: there are fewer devices.
    """
    if devices is None:
        return nullcontext()
    names = devices_here()
    wanted = int(len(names) if devices == "all" else devices)
    if wanted > len(names):
        raise ValueError(
            f"devices={devices}, but this machine has {len(names)}: {', '.join(names)}. "
            "Type devices=all for all of them."
        )
    return tf.distribute.MirroredStrategy(names[:wanted]).scope()


def check_shares(data: Data, batch_size: int) -> None:
    """Raise unless the devices of the scope all get a share of every batch.

    Raises:
        ValueError: some get none, or the first batch cannot be split evenly, which Keras needs.
    """
    devices = tf.distribute.get_strategy().num_replicas_in_sync
    for name, split in (("training", data.train), ("validation", data.valid)):
        if devices == 1 or split is None:
            continue
        first, last = min(batch_size, len(split)), len(split) % batch_size or batch_size
        if first % devices or last < devices:
            raise ValueError(
                f"{devices} devices cannot share the {name} batches of batch_size={batch_size}: "
                f"the first has {first} examples, which must be a multiple of {devices}, and the "
                f"last {last}, at least {devices}. Choose another batch_size, dataset.valid_size "
                "or number of devices."
            )


@dataclass(frozen=True)
class Schedule:
    """How long and at what rates to train, and after which epochs to keep what there is.

    Attributes:
        rate: says the learning rate of every step; see `mc.training.train`.
        learning_rate: the first one.
        best: take the epoch of the least validation loss, not the last.
        order_seed: of the order of examples and their augmentation.
        keep_steps: after which steps to keep it too.
        beginning: of a training that goes on from another.
        moments: what gathers the weights of a single network, as a part of the training's state,
            after the epochs `gather`.
    """

    epochs: int
    steps_per_epoch: int | None
    batch_size: int
    rate: Any
    learning_rate: float
    order_seed: int
    keep: Collection[int] = ()
    keep_steps: Collection[int] = ()
    beginning: training.Beginning | None = None
    moments: Swag | None = None
    gather: Collection[int] = ()
    best: bool = False


def steps_of(section: DictConfig, data: Data) -> int:
    """How many steps all epochs of a section have together."""
    return section.epochs * (section.steps_per_epoch or data.train.steps(section.batch_size))


def schedule_of(section: DictConfig, order_seed: int) -> Schedule:
    """What a section says: `train.base` or `train.curve`."""
    epochs, every = section.epochs, section.save_every
    return Schedule(
        epochs=epochs,
        steps_per_epoch=section.steps_per_epoch,
        batch_size=section.batch_size,
        rate=training.EpochRate(section.learning_rate, section.schedule, epochs),
        learning_rate=section.learning_rate,
        order_seed=order_seed,
        keep=range(every, epochs + 1, every) if every else (),
        best=section.best,
    )


def train_network(
    job: Job, network: keras.Model, data: Data, schedule: Schedule, decay: float, label: str
) -> CurveModel:
    """A single network after `train`: the curve `Point()`, from the weights that it has."""
    with on_devices(job.cfg.devices):
        model = CurveModel(network, Point(), pack(network)[None], weight_decay=decay)
        train(job, model, data, schedule, valid=data.valid, label=label)
    return model


def train(
    job: Job, curve: CurveModel, data: Data, schedule: Schedule, valid: Any, label: str
) -> list[dict]:
    """The history of `training.train`, whose state is in `checkpoint.npz` after every epoch.

    Where epochs last milliseconds, after those of a second: a checkpoint takes longer than such an
    epoch. `history.csv` and the tracker are told what the checkpoint holds. After the epochs that
    are to be kept, whatever they take, the curve is kept as `epochs/<epoch>.npz`, like `curve.npz`,
    with what the optimizer has gathered; after such steps as `steps/<step>.npz`.
    """
    states = States(curve, job, schedule)
    if schedule.best and data.valid is None:
        raise ValueError(f"{job.run.section}.best=true {NEEDS_VALID}.")
    check_shares(data, schedule.batch_size)
    loss, rate = make_loss(job.cfg, data), schedule.learning_rate
    try:
        history = training.train(
            curve,
            data.train,
            optimizer=instantiate(job.cfg.optimizer, "optimizer", learning_rate=rate),
            loss=loss,
            loss_weights=plain_weights(job.cfg),
            metrics=tasks.training_metrics(loss, data.num_classes),
            epochs=schedule.epochs,
            steps_per_epoch=schedule.steps_per_epoch,
            batch_size=schedule.batch_size,
            rate=schedule.rate,
            seed=schedule.order_seed,
            valid=valid,
            best=schedule.best,
            beginning=schedule.beginning,
            snapshot=states.load(),
            after_epoch=states.after_epoch,
            after_steps={n: partial(states.after_step, n) for n in schedule.keep_steps},
            label=label,
        )
    except FloatingPointError as error:
        kept = f" The state after epoch {states.last} is kept." if states.told else ""
        raise FloatingPointError(f"{error}{kept}") from error
    files.save_table(job.folder, "history", pd.DataFrame(history))
    return history


class States:
    """What of a training is in the run's folder, and told the tracker: see `train`."""

    def __init__(self, curve: CurveModel, job: Job, schedule: Schedule):
        self.curve, self.folder, self.tracker = curve, job.folder, job.tracker
        self.epochs, self.keep = schedule.epochs, schedule.keep
        self.moments, self.gather = schedule.moments, schedule.gather
        self.written, self.told, self.last = time.monotonic(), 0, 0

    def load(self) -> dict | None:
        """The snapshot of an earlier attempt, if there is one."""
        snapshot = files.load_checkpoint(self.folder)
        if snapshot is not None:
            rows = history_of(snapshot)
            log.info("Continuing after epoch %d.", rows[-1]["epoch"])
            if self.moments:
                named = (key for key in snapshot if key.startswith(MOMENTS))
                self.moments.restore({key.removeprefix(MOMENTS): snapshot[key] for key in named})
            self._tell(rows)  # an offline W&B run begins anew
        return snapshot

    def after_epoch(self, history: list[dict], take_snapshot: Callable[[], dict]) -> None:
        """Keep the curve if it is to be, and the state if none was kept for a while."""
        done = history[-1]["epoch"]
        if self.moments and done in self.gather:
            self.moments.collect(self.curve.control_points[0])
        due = done == self.epochs or time.monotonic() - self.written >= SECONDS
        if not due and done not in self.keep:
            return
        snapshot = take_snapshot()
        if done in self.keep:  # before the checkpoint, or a kill in between would lose it
            self._keep(saved_epoch(self.folder, done))
        if due:
            moments = self.moments.state() if self.moments else {}
            snapshot |= {f"{MOMENTS}{name}": array for name, array in moments.items()}
            files.save_checkpoint(self.folder, snapshot)
            files.save_table(self.folder, "history", pd.DataFrame(history))
            self._tell(history)
            self.written = time.monotonic()

    def after_step(self, step: int) -> None:
        """Keep the curve as it is after a step, within an epoch."""
        self._keep(saved_step(self.folder, step))

    def _keep(self, path: Path) -> None:
        path.parent.mkdir(exist_ok=True)
        self.curve.save(path, with_optimizer=True)

    def _tell(self, history: list[dict]) -> None:
        for row in history[self.told :]:
            self.tracker.history(row)
            self.last = row["epoch"]
        self.told = len(history)
