"""Training that keeps its state in the run's folder, and continues from there."""

import logging
import time
from pathlib import Path

import pandas as pd

from mc import runs, store, training
from mc.curve_model import CurveModel

log = logging.getLogger(__name__)

SECONDS_BETWEEN_TABLES = 1.0


def train(curve: CurveModel, data, folder: Path, tracker, keep=(), **arguments) -> list[dict]:
    """The history of `training.train`, whose state is in `checkpoint.npz` after every epoch.

    After the epochs in `keep` the curve is kept as `epochs/<epoch>.npz`, like `curve.npz`.
    `history.csv` follows at most once a second, since a checkpoint holds the history too and an
    epoch may last milliseconds.
    """
    written = time.monotonic()

    def after_epoch(history, snapshot):
        nonlocal written
        if len(history) in keep:  # before the checkpoint, or a kill in between would lose it
            kept = runs.saved_epoch(folder, len(history))
            kept.parent.mkdir(exist_ok=True)
            curve.save(kept)
        store.save_checkpoint(folder, snapshot)
        tracker.history(history[-1])
        if time.monotonic() - written > SECONDS_BETWEEN_TABLES:
            store.save_table(folder, "history", pd.DataFrame(history))
            written = time.monotonic()

    snapshot = store.load_checkpoint(folder)
    if snapshot is not None:
        rows = training.history_of(snapshot)
        log.info("Continuing after epoch %d.", len(rows))
        for row in rows:  # an offline W&B run begins anew
            tracker.history(row)
    history = training.train(curve, data, snapshot=snapshot, after_epoch=after_epoch, **arguments)
    store.save_table(folder, "history", pd.DataFrame(history))
    return history
