"""Of stage=curve, a chain that AutoNEB finds in place of a curve that is trained at random t."""

import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from mc.curve_model import CurveModel
from mc.datasets import Data
from mc.evaluation.evaluator import Evaluator
from mc.lab import batch_notes, files
from mc.lab.job import Job
from mc.lab.stages.common import REPORT_BATCH
from mc.lab.work import curves, drawings, measure
from mc.lab.work.data import instantiate, make_loss, plain_weights
from mc.lab.work.training import SECONDS
from mc.neb import autoneb
from mc.neb.cycles import Schedule

SMOKE = 2  # cycles, and steps of each


def find(job: Job, data: Data) -> tuple[CurveModel, dict]:
    """The chain, and the numbers of its cycle; `cycles.csv` and `band.csv` go to the folder."""
    cfg, folder = job.cfg, job.folder
    straight = curves.untrained(job, data)
    loss, loss_weights = make_loss(cfg, data), plain_weights(cfg)
    splits = {"train": data.train_clean}
    # As networks are reported, whatever eval.bn_* says: the heights decide what the chain is.
    statistics = {"bn_data": data.train_clean.batches(REPORT_BATCH)}
    given, notes = measure.arguments(cfg, data) | statistics, {}

    def evaluate(points: np.ndarray, rows: np.ndarray) -> dict[str, np.ndarray]:
        at = Evaluator(
            straight.network,
            points,
            straight.state_values,
            measure.batched(cfg, splits),
            **given,
            weight_decay=cfg.train.curve.weight_decay,
        )
        values = at(rows)
        given["task"] = at.task  # which the first has said
        notes.update(at.dependence)
        return values

    written = [time.monotonic()]

    def after(take: Callable[[], dict]) -> None:
        if time.monotonic() - written[0] >= SECONDS:
            files.save_checkpoint(folder, take())
            written[0] = time.monotonic()

    found = autoneb.find(
        straight,
        data.train,
        schedule(job),
        evaluate=evaluate,
        optimizer=lambda rate: instantiate(cfg.optimizer, "optimizer", learning_rate=rate),
        loss=loss,
        loss_weights=loss_weights,
        snapshot=files.load_checkpoint(folder),
        after=after,
    )
    files.save_table(folder, "cycles", found.cycles)
    files.save_table(folder, "band", found.band)
    batch_notes.note(folder, cfg.eval.batch_size, notes)
    job.tracker.table("cycles", found.cycles)
    drawings.draw(job)
    return autoneb.chain(straight, found.points), summary(found.cycles)


def schedule(job: Job) -> Schedule:
    """The cycles that a configuration sets; of a smoke run two of two steps."""
    given = job.cfg.neb
    steps, rates = list(given.steps), list(given.learning_rates)
    if job.cfg.smoke:
        steps, rates = [min(SMOKE, own) for own in steps[:SMOKE]], rates[:SMOKE]
    return Schedule(
        steps,
        rates,
        job.cfg.train.curve.batch_size,
        given.insert,
        given.threshold,
        given.subsample,
    )


def summary(cycles: pd.DataFrame) -> dict[str, float]:
    """The numbers of the best cycle, and the gradients of all."""
    best = cycles[cycles["is_best"]].iloc[0]
    names = ("cycle", "pivots", "length_ratio")
    measured = (name for name in cycles if name.endswith("/max"))
    return {
        "neb/gradients": int(cycles["gradients"].sum()),
        **{f"neb/{name}": best[name].item() for name in names},
        **{f"neb/{name}": float(best[name]) for name in measured},
    }
