"""stage=curve: train the curve between two endpoint networks."""

import os
from pathlib import Path

from mc.best import row_of
from mc.lab import naming
from mc.lab.graph import Network
from mc.lab.job import Job
from mc.lab.work import curves, training
from mc.lab.work.data import load_data


def run(job: Job) -> dict:
    """Loss and metrics of the last epoch, or the best, and the curve in `curve.npz`."""
    cfg = job.cfg
    data = load_data(cfg)
    schedule = training.schedule_of(cfg.train.curve, cfg.seed)
    with training.on_devices(cfg.devices):
        curve = curves.untrained(job, data)
        # With BatchNorm, no one t has statistics of its own before evaluation.
        best = cfg.train.curve.best
        valid = None if curve.network.batchnorm and not best else data.valid
        history = training.train(job, curve, data, schedule, valid, label="curve")
    ends = [where(network, job.folder) for network in job.run.networks]
    curve.save(job.run.result, endpoints=ends)
    row = row_of(history) if best else history[-1]
    return {k: v for k, v in row.items() if "/" in k}


def where(network: Network, folder: Path) -> str:
    """A network's folder (or its file), as seen from the curve's."""
    named = network.named
    whole = named.is_file or named.member not in (None, naming.AVERAGE)
    return os.path.relpath(network.file if whole else network.file.parent, folder)
