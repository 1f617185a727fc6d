"""stage=chain: metrics along the straight segments through a list of networks."""

import numpy as np

from mc import curves
from mc.evaluation import along, statistics
from mc.lab import files
from mc.lab.job import Job
from mc.lab.work import drawings, measure, networks
from mc.lab.work.data import load_data, splits_of
from mc.network.weights import FlatNetwork, pack


def run(job: Job) -> dict:
    """The summary of every metric along the chain; t=0 is the first network, t=1 the last."""
    data = load_data(job.cfg)
    models = networks.load_all(job, data)
    points = [pack(model) for model in models]
    segments = len(models) - 1
    t = np.linspace(0, 1, segments * (job.cfg.chain.num_points - 1) + 1, dtype=np.float32)
    rows = curves.PolyChain(num_bends=segments - 1).coefficients(t).numpy()
    network = FlatNetwork(models[0])
    values = measure.at(
        job,
        data,
        network,
        points,
        rows,
        state=network.state(),
        splits=splits_of(job.cfg, data),
        weight_decay=networks.decays(job),
    )
    table = along.positions_table({"chain": rows}, t, points).assign(**values)
    files.save_table(job.folder, "points", table)
    job.tracker.along_t(table)
    drawings.draw(job)
    return statistics.summarise_paths(table)
