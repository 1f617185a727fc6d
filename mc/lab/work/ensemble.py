"""stage=ensemble: the predictive mean of several networks, or of points of a curve."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from mc import domains
from mc.datasets import Data
from mc.ensembles import predictive
from mc.ensembles.joint import Member
from mc.evaluation import geometry
from mc.lab import files
from mc.lab.job import Job
from mc.lab.work import curves, drawings, kept, networks
from mc.lab.work.data import load_data, load_ood, make_loss, splits_of, task_of
from mc.lab.work.growing import Growing, growing
from mc.lab.work.measure import batched, beside
from mc.network.weights import FlatNetwork, pack

UNUSED = 2**30  # a step that no training takes: these t are others than those of its steps


def run(job: Job) -> dict:
    """Metrics of the ensemble and of its members; `members.csv` shows them as members join."""
    cfg = job.cfg
    data = load_data(cfg)
    other = load_ood(cfg, data)
    splits = batched(cfg, splits_of(cfg, data))
    flat, members = (_networks if cfg.ensemble.networks else _points)(job, data)

    given: dict[str, Any] = {"loss": make_loss(cfg, data), **task_of(cfg, data)}
    given |= beside(job, other)
    with growing(flat.model) as kept:

        def keep(split: str, number: int, mean: Any) -> None:
            if split == "test":
                kept.add("mean", tf.nest.map_structure(np.float32, mean))

        if cfg.ensemble.predictions:
            given["keep"] = keep
        table = predictive.join(flat, members, splits, **given)
        _save_predictions(job, kept, data)
    files.save_table(job.folder, "members", table)
    job.tracker.members(table)
    drawings.draw(job)
    return predictive.summary(table)


def _save_predictions(job: Job, kept: Growing, data: Data) -> None:
    """Write what an ensemble predicts for the test data, if it was kept.

    Arrays: `mean [n, ..., C]`, the mean of the members' probabilities, or of the outputs of a
    regression, float32; `targets [n, ...]`, and `num_classes`, 0 where there are no classes; of
    several outputs `mean/<output>` and `targets/<output>`.
    """
    if not kept.batches:
        return
    for _, y in data.test.batches(job.cfg.eval.batch_size):
        kept.add("targets", y)
    arrays = {**kept.arrays(), "num_classes": np.array(data.num_classes or 0)}
    files.save_arrays(job.folder, "predictions", arrays)


def _networks(job: Job, data: Data) -> tuple[FlatNetwork, Iterator[Member]]:
    """Networks with the BatchNorm statistics of reports; of a list of networks, all of them."""
    first_named = job.run.networks[0]
    first = networks.load(job, first_named, data, left=True)

    def members() -> Iterator[Member]:
        for network in job.run.networks:
            named = network.named
            model = networks.load(job, network, data, left=named.is_list)
            networks.check_alike(job, data, (first_named.named.typed, first), (named.typed, model))
            flat = FlatNetwork(model)
            if named.is_list:
                left = kept.listed(named, network.files)
                yield from (kept.settled(flat, one, data) for one in left)
            else:
                own = Member(str(named.typed), pack(model), flat.state())
                yield kept.settled(flat, own, data) if named.is_file else own

    return FlatNetwork(first), members()


def _points(job: Job, data: Data) -> tuple[FlatNetwork, Iterator[Member]]:
    """Networks along the curve, with BatchNorm statistics estimated anew."""
    curve, num = curves.load(job, data), job.cfg.ensemble.num_points
    if not domains.is_curve(curve.family):
        steps = range(UNUSED, UNUSED + num)
        t = np.array([domains.draw(curve.family, job.cfg.seed, step) for step in steps])
        rows = curve.family.coefficients(t).numpy()
        along = curves.networks_along(job, curve, data, rows)
        return curve.network, (Member(f"draw {k}", w, s) for k, (w, s) in enumerate(along, 1))
    t = np.linspace(0, 1, num, dtype=np.float32)
    if job.cfg.ensemble.spacing == "arc_length":
        t = geometry.equal_arc_lengths(curve.family.coefficients, geometry.gram(curve.points), num)
    rows = curve.family.coefficients(t).numpy()
    along = zip(t, curves.networks_along(job, curve, data, rows), strict=True)
    return curve.network, (Member(f"t={at:.4g}", w, state) for at, (w, state) in along)
