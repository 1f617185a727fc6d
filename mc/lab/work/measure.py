"""What evaluation takes of a configuration: batches, statistics, the loss, and where it goes on."""

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from omegaconf import DictConfig

from mc import progress
from mc.datasets import Data, Examples
from mc.evaluation.evaluator import Evaluator, in_blocks
from mc.lab import batch_notes, files
from mc.lab.job import Job
from mc.lab.work.data import make_loss, plain_weights, task_of
from mc.network.weights import FlatNetwork

log = logging.getLogger(__name__)

HUNDRED = 100  # examples are chosen in batches of one size, whatever eval.batch_size is


def arguments(cfg: DictConfig, data: Data) -> dict[str, Any]:
    """What `along.evaluate` and an `Evaluator` both take."""
    return {
        "bn_data": bn_batches(cfg, data),
        "loss": make_loss(cfg, data),
        "loss_weights": plain_weights(cfg),
        **task_of(cfg, data),
        "progress": progress.shown,
    }


def bn_batches(cfg: DictConfig, data: Data) -> tf.data.Dataset:
    """The clean training batches that BatchNorm statistics come from."""
    if cfg.eval.bn_batches:
        return data.train_clean.spread(cfg.eval.bn_batch_size, cfg.eval.bn_batches)
    return data.train_clean.batches(cfg.eval.bn_batch_size)


def batched(cfg: DictConfig, splits: Mapping[str, Examples], examples: int | None = None) -> dict:
    """The batches that each split is evaluated in; of so many `examples` of it, see `some`."""
    size = cfg.eval.batch_size
    if examples is not None:
        return {name: some(split, examples, size) for name, split in splits.items()}
    return {name: split.batches(size) for name, split in splits.items()}


def some(examples: Examples, count: int, batch_size: int) -> tf.data.Dataset:
    """So many examples, rounded up to hundreds, from all of them; or all, if there are fewer.

    They are the same for every batch size.
    """
    return examples.spread(HUNDRED, -(-count // HUNDRED)).rebatch(batch_size)


def beside(job: Job, other: Examples | None) -> dict[str, Any]:
    """What `predictive.join` takes to tell other data apart, and to keep `uncertainty.npz`.

    Arrays: of the test data `confidence, right, weight, entropy [n]`, float64, as all members
    predict them together, and of other data `ood_entropy [m]`.
    """
    ood = None if other is None else other.batches(job.cfg.eval.batch_size)
    return {"ood": ood, "look": partial(files.save_arrays, job.folder, "uncertainty")}


def blocks(folder: Path) -> dict[str, Any]:
    """What `in_blocks` takes to keep its values in `checkpoint.npz`, and to continue from there."""
    snapshot = files.load_checkpoint(folder)
    if snapshot is not None:
        log.info("Continuing after %d points.", len(next(iter(snapshot.values()))))
    return {"snapshot": snapshot, "after_block": lambda done: files.save_checkpoint(folder, done)}


def at(
    job: Job,
    data: Data,
    network: FlatNetwork,
    points: Sequence,
    rows: np.ndarray,
    *,
    state: Sequence,
    splits: Mapping[str, Examples],
    weight_decay: Sequence[float] | float,
    examples: int | None = None,
    estimates: bool = True,
) -> dict[str, np.ndarray]:
    """The metrics of networks at w = rows @ points, in blocks that a killed run goes on after.

    Arguments: as of an `Evaluator`; `splits` of examples, not batches, of which so many `examples`
    are taken. Unless it `estimates` BatchNorm statistics at every point, those in `state` are used.
    """
    cfg = job.cfg
    given = arguments(cfg, data) | ({} if estimates else {"bn_data": None})
    evaluate = Evaluator(
        network,
        points,
        state,
        batched(cfg, splits, examples),
        **given,
        weight_decay=weight_decay,
    )
    values = in_blocks(evaluate, rows, **blocks(job.folder))
    batch_notes.note(job.folder, cfg.eval.batch_size, evaluate.dependence)
    return values
