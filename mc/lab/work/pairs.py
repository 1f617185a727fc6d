"""stage=pairs: the paths between all pairs of a list of networks."""

from typing import cast

import numpy as np
import pandas as pd

from mc.evaluation import modes, pairs, passes, statistics
from mc.evaluation.passes import Known
from mc.lab import files
from mc.lab.job import Job
from mc.lab.stages.pairs import Pairs
from mc.lab.work import drawings, gathered, measure
from mc.lab.work.data import load_data, splits_of


def run(job: Job) -> dict:
    """Means and extremes of the barriers of all pairs, their bottlenecks, and the clusters.

    `pairs.csv` has a row a pair, of the lowest path that is known, and `networks.csv` the networks.

    Raises:
        ValueError: the lists that are named have one network together.
    """
    own = cast(Pairs, job.run)
    found = own.known(own.curves) if own.has_curves else _segments(job)
    table = _with_graph(found)
    labels = modes.clusters(found.barriers, job.cfg.pairs.threshold)
    files.save_table(job.folder, "networks", found.networks.assign(cluster=labels))
    files.save_table(job.folder, "pairs", table)
    job.tracker.table("pairs", table)
    drawings.draw(job)
    summary = pairs.summary(table) | statistics.spread("pairs/bottleneck", table["bottleneck"])
    summary["pairs/clusters"] = int(labels.max())
    return summary | ({"pairs/curves": len(own.curves)} if own.has_curves else {})


def _segments(job: Job) -> Known:
    """The straight segments between all pairs, measured; `points.csv` has their points."""
    data = load_data(job.cfg)
    found = gathered.gather(job, data)
    gathered.check_several(job, found)
    num_points = job.cfg.pairs.num_points
    rows, _ = pairs.segments(len(found.names), num_points)
    values = measure.at(
        job,
        data,
        found.network,
        found.points,
        rows,
        state=found.network.state(),
        splits=splits_of(job.cfg, data),
        weight_decay=gathered.decays(job, found),
    )
    points = pairs.points_table(found.names, found.points, num_points, values)
    files.save_table(job.folder, "points", points)
    return passes.known(points, {}, found.names)


def _with_graph(found: Known) -> pd.DataFrame:
    """With the lowest pass between the two of a pair, and whether the pair is in the tree."""
    upper = np.triu_indices(len(found.floors), 1)
    edges = set(modes.tree(found.heights))
    in_tree = [(int(i), int(j)) in edges for i, j in zip(*upper, strict=True)]
    lowest = modes.bottlenecks(found.heights)[upper]
    return found.table.assign(bottleneck=lowest, in_tree=in_tree)
