"""stage=fge: fast geometric ensembling from a trained, or partly trained, network."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import keras
import numpy as np

from mc.datasets import Data
from mc.ensembles import fge, predictive
from mc.ensembles.averages import running_means
from mc.lab import files
from mc.lab.job import Job
from mc.lab.stages.base import saved_epoch
from mc.lab.work import drawings, kept, networks, training
from mc.lab.work.data import load_data, load_ood, make_loss, task_of
from mc.lab.work.measure import batched, beside
from mc.network.weights import FlatNetwork, pack


def run(job: Job) -> dict:
    """Metrics of the ensemble, of its members and of their average (SWA), as members join.

    All have BatchNorm statistics estimated anew; `moving/...` are members with those that training
    left. The average of all members is written as a base network is.
    """
    data = load_data(job.cfg)
    other = load_ood(job.cfg, data)
    (start,) = job.run.networks
    network = networks.load(job, start, data, left=True)
    whole = kept.can_be_saved(network)
    before, flat = pack(network), FlatNetwork(network)
    saved = _train(job, data, network)

    def left():
        return predictive.saved(saved, f"fge:{job.cfg.fge.start}")

    splits = batched(job.cfg, data.splits)
    given = {"loss": make_loss(job.cfg, data), **task_of(job.cfg, data)}
    settled = (kept.settled(flat, member, data) for member in left())
    looked = beside(job, other)
    table = predictive.join(flat, settled, splits, **given, **looked)
    others = {"swa/": _averages(data, flat, left())}
    if flat.batchnorm:
        others["moving/"] = left()
    for prefix, members in others.items():
        found = predictive.join(flat, members, splits, **given, ood=looked["ood"])
        single = [name for name in found if name.split("/")[0] in (*splits, predictive.OOD)]
        table = table.join(found[single].add_prefix(prefix))
    distances = [float(np.linalg.norm(member.w - before)) for member in left()]
    table.insert(2, "distance", distances)
    files.save_table(job.folder, "members", table)
    network = networks.without_adapters(job, start, network, data)
    files.save_network(job.folder, network, whole)  # which holds the average of all
    job.tracker.members(table)
    drawings.draw(job)
    return {"distance/max": float(table["distance"].max())} | predictive.summary(table)


def _averages(
    data: Data, flat: FlatNetwork, members: Iterable[predictive.Member]
) -> Iterator[predictive.Member]:
    """The average of the first, the first two, ... members; in the end the network is the last."""
    state = flat.state()
    for count, w in enumerate(running_means(member.w for member in members), 1):
        member = kept.settled(flat, predictive.Member(f"swa {count}", w, state), data)
        flat.assign(member.w, member.state)
        yield member


def _train(job: Job, data: Data, network: keras.Model) -> list[Path]:
    """Train in cycles; returns the files of the members, in order."""
    section = job.cfg.fge
    keep = fge.low_points(section.epochs, section.cycle)
    schedule = training.Schedule(
        epochs=section.epochs,
        steps_per_epoch=section.steps_per_epoch,
        batch_size=section.batch_size,
        rate=fge.CyclicalRate(section.cycle, section.lr_1, section.lr_2),
        learning_rate=section.lr_1,
        order_seed=job.cfg.seed,
        keep=keep,
    )
    training.train_network(job, network, data, schedule, section.weight_decay, "fge")
    return [saved_epoch(job.folder, epoch) for epoch in keep]
