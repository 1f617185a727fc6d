"""stage=curve: train the curve between two endpoint networks."""

import os
from pathlib import Path

from mc.best import row_of
from mc.curve_model import CurveModel
from mc.datasets import Data
from mc.lab import naming
from mc.lab.graph import Network
from mc.lab.job import Job
from mc.lab.stages.neb import is_autoneb
from mc.lab.work import curves, neb, training
from mc.lab.work.data import load_data


def run(job: Job) -> dict:
    """Loss and metrics of the last epoch, or the best, and the curve in `curve.npz`."""
    data = load_data(job.cfg)
    find = neb.find if is_autoneb(job.run) else _trained
    curve, numbers = find(job, data)
    ends = [where(network, job.folder) for network in job.run.networks]
    curve.save(job.run.result, endpoints=ends)
    return numbers


def _trained(job: Job, data: Data) -> tuple[CurveModel, dict]:
    """The curve after training at random t, and the numbers of its last epoch, or the best."""
    cfg = job.cfg
    schedule = training.schedule_of(cfg.train.curve, cfg.seed)
    with training.on_devices(cfg.devices):
        curve = curves.untrained(job, data)
        # With BatchNorm, no one t has statistics of its own before evaluation.
        best = cfg.train.curve.best
        valid = None if curve.network.batchnorm and not best else data.valid
        history = training.train(job, curve, data, schedule, valid, label="curve")
    row = row_of(history) if best else history[-1]
    return curve, {k: v for k, v in row.items() if "/" in k}


def where(network: Network, folder: Path) -> str:
    """A network's folder (or its file), as seen from the curve's."""
    named = network.named
    whole = named.is_file or named.member not in (None, naming.AVERAGE)
    return os.path.relpath(network.file if whole else network.file.parent, folder)
