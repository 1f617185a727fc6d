"""Work that keeps its state in the run's folder, and continues from there."""

import logging
import time
from contextlib import nullcontext
from pathlib import Path

import pandas as pd
import tensorflow as tf
from omegaconf import DictConfig

from mc import runs, store, tasks, training
from mc.curve_model import CurveModel
from mc.curves import Point
from mc.datasets import Data
from mc.stages import parts
from mc.weights import pack

log = logging.getLogger(__name__)

SECONDS = 1.0  # between two checkpoints, where an epoch takes less


def on_devices(devices):
    """The scope in which to make and train a model on so many devices (`all`, or None for one).

    With several, each batch is split among them and all variables are mirrored. Evaluation stays
    outside: in the scope, Keras gives each device its share of a loss.

    Raises:
        ValueError: there are fewer devices.
    """
    if devices is None:
        return nullcontext()
    there = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    names = [device.name for device in there]
    wanted = len(names) if devices == "all" else devices
    if wanted > len(names):
        raise ValueError(
            f"devices={devices}, but this machine has {len(names)}: {', '.join(names)}. "
            "Type devices=all for all of them."
        )
    return tf.distribute.MirroredStrategy(names[:wanted]).scope()


def check_shares(data: Data, batch_size: int) -> None:
    """Nothing, if the devices of the scope all get a share of every batch.

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


def schedule(cfg: DictConfig, section: DictConfig) -> dict:
    """Of `train`'s arguments, those that a section says: `train.base` or `train.curve`."""
    epochs = parts.shortened(cfg, section.epochs, parts.SMOKE_EPOCHS)
    every = section.save_every
    return {
        "epochs": epochs,
        "steps_per_epoch": steps_per_epoch(cfg, section),
        "batch_size": parts.shortened(cfg, section.batch_size, parts.SMOKE_BATCH),
        "rate": training.EpochRate(section.learning_rate, section.schedule, epochs),
        "learning_rate": section.learning_rate,
        "keep": range(every, epochs + 1, every) if every else (),
    }


def steps_per_epoch(cfg: DictConfig, section: DictConfig) -> int | None:
    """A section's own; no more than a few if `smoke`, None for one pass over the data."""
    given = section.steps_per_epoch
    return None if given is None else parts.shortened(cfg, given, parts.SMOKE_STEPS)


def train_network(
    cfg: DictConfig, network, data: Data, folder: Path, tracker, weight_decay, **arguments
) -> CurveModel:
    """A single network after `train`: the curve `Point()`, from the weights that it has."""
    with on_devices(cfg.devices):
        model = CurveModel(network, Point(), pack(network)[None], weight_decay=weight_decay)
        train(cfg, model, data, folder, tracker, valid=data.valid, **arguments)
    return model


def blocks(folder: Path) -> dict:
    """What `in_blocks` takes to keep its values in `checkpoint.npz`, and to continue from there."""
    snapshot = store.load_checkpoint(folder)
    if snapshot is not None:
        log.info("Continuing after %d points.", len(next(iter(snapshot.values()))))
    return {"snapshot": snapshot, "after_block": lambda done: store.save_checkpoint(folder, done)}


def train(
    cfg: DictConfig,
    curve: CurveModel,
    data: Data,
    folder: Path,
    tracker,
    *,
    learning_rate: float,
    keep=(),
    **arguments,
) -> list[dict]:
    """The history of `training.train`, whose state is in `checkpoint.npz` after every epoch.

    Where epochs last milliseconds, after those of a second: a checkpoint takes longer than such an
    epoch. `history.csv` and the tracker are told what the checkpoint holds. After the epochs in
    `keep`, whatever they take, the curve is kept as `epochs/<epoch>.npz`, like `curve.npz`.
    """
    states = States(curve, folder, tracker, arguments["epochs"], keep)
    check_shares(data, arguments["batch_size"])
    loss = parts.make_loss(cfg, data)
    try:
        history = training.train(
            curve,
            data.train,
            optimizer=parts.call(cfg.optimizer, "optimizer", learning_rate=learning_rate),
            loss=loss,
            metrics=tasks.training_metrics(loss, data.num_classes),
            seed=cfg.seed,
            snapshot=states.load(),
            after_epoch=states.after_epoch,
            **arguments,
        )
    except FloatingPointError as error:
        kept = f" The state after epoch {states.told} is kept." if states.told else ""
        raise FloatingPointError(f"{error}{kept}") from error
    store.save_table(folder, "history", pd.DataFrame(history))
    return history


class States:
    """What of a training is in the run's folder, and told the tracker: see `train`."""

    def __init__(self, curve: CurveModel, folder: Path, tracker, epochs: int, keep):
        self.curve, self.folder, self.tracker = curve, folder, tracker
        self.epochs, self.keep = epochs, keep
        self.written, self.told = time.monotonic(), 0

    def load(self) -> dict | None:
        """The snapshot of an earlier attempt, if there is one."""
        snapshot = store.load_checkpoint(self.folder)
        if snapshot is not None:
            rows = training.history_of(snapshot)
            log.info("Continuing after epoch %d.", len(rows))
            self._tell(rows)  # an offline W&B run begins anew
        return snapshot

    def after_epoch(self, history: list[dict], take_snapshot) -> None:
        """Keep the curve if it is to be, and the state if none was kept for a while."""
        done = len(history)
        due = done == self.epochs or time.monotonic() - self.written >= SECONDS
        if not due and done not in self.keep:
            return
        snapshot = take_snapshot()
        if done in self.keep:  # before the checkpoint, or a kill in between would lose it
            kept = runs.saved_epoch(self.folder, done)
            kept.parent.mkdir(exist_ok=True)
            self.curve.save(kept)
        if due:
            store.save_checkpoint(self.folder, snapshot)
            store.save_table(self.folder, "history", pd.DataFrame(history))
            self._tell(history)
            self.written = time.monotonic()

    def _tell(self, history: list[dict]) -> None:
        for row in history[self.told :]:
            self.tracker.history(row)
        self.told = len(history)
