"""stage=instability: when in training two runs part for good."""

import logging

import numpy as np
import pandas as pd

from mc.evaluation import pairs, stability
from mc.lab import files
from mc.lab.job import Job
from mc.lab.work import drawings, measure, networks
from mc.lab.work.data import load_data, splits_of
from mc.network.weights import FlatNetwork, pack

log = logging.getLogger(__name__)


def run(job: Job) -> dict:
    """The onset of stability, and means and extremes of the barriers at all steps."""
    data = load_data(job.cfg)
    models = networks.load_all(job, data)
    points = [pack(model) for model in models]
    groups, num = job.run.groups, job.cfg.instability.num_points  # type: ignore[attr-defined]  # of the stage
    own, _ = pairs.segments(job.cfg.instability.children, num)
    size = own.shape[1]
    rows = np.zeros((len(groups), len(own), len(points)), np.float32)
    for n in range(len(groups)):
        rows[n, :, n * size : (n + 1) * size] = own
    network = FlatNetwork(models[0])
    values = measure.at(
        job,
        data,
        network,
        points,
        rows.reshape(-1, len(points)),
        state=network.state(),
        splits=splits_of(job.cfg, data),
        weight_decay=networks.decays(job),
    )
    tables = []
    for n, (parent, step) in enumerate(groups):
        part = {k: v[n * len(own) : (n + 1) * len(own)] for k, v in values.items()}
        names = [str(order) for order in range(1, size + 1)]
        of_group = pairs.points_table(names, points[n * size : (n + 1) * size], num, part)
        found = pairs.barriers(of_group, names).assign(parent=parent, step=step)
        tables.append(found.rename(columns={"start": "order_1", "end": "order_2"}))
    table = pd.concat(tables, ignore_index=True)
    table = table[["parent", "step", *(c for c in table if c not in ("parent", "step"))]]
    files.save_table(job.folder, "instability", table)
    job.tracker.table("instability", table)
    drawings.draw(job)
    log.info("The onset is of the barriers %s.", ", ".join(stability.deciding(table)))
    return stability.summary(table, job.cfg.instability.threshold)
