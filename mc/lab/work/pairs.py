"""stage=pairs: the straight segments between all pairs of a list of networks."""

from mc.evaluation import pairs
from mc.lab import files
from mc.lab.job import Job
from mc.lab.work import drawings, gathered, measure, networks
from mc.lab.work.data import load_data, splits_of


def run(job: Job) -> dict:
    """Means and extremes of the barriers of all pairs; `pairs.csv` has those of each.

    Raises:
        ValueError: the lists that are named have one network together.
    """
    data = load_data(job.cfg)
    found = gathered.gather(job, data)
    gathered.check_several(job, found)
    num_points = job.cfg.pairs.num_points
    rows, _ = pairs.segments(len(found.names), num_points)
    decays = zip(networks.decays(job), found.counts, strict=True)
    values = measure.at(
        job,
        data,
        found.network,
        found.points,
        rows,
        state=found.network.state(),
        splits=splits_of(job.cfg, data),
        weight_decay=[decay for decay, count in decays for _ in range(count)],
    )
    points = pairs.points_table(found.names, found.points, num_points, values)
    table = pairs.barriers(points, found.names)
    files.save_table(job.folder, "points", points)
    files.save_table(job.folder, "pairs", table)
    job.tracker.table("pairs", table)
    drawings.draw(job)
    return pairs.summary(table)
