"""stage=swag: a Gaussian over the weights that training passes through, and samples of it."""

from collections.abc import Sequence

import keras
import numpy as np

from mc.datasets import Data
from mc.ensembles import predictive
from mc.ensembles.joint import Member
from mc.ensembles.swag import Swag
from mc.lab import files
from mc.lab.job import Job
from mc.lab.stages.swag import MOMENTS
from mc.lab.work import drawings, kept, networks, samples, training
from mc.lab.work.data import load_data, load_ood, make_loss, task_of
from mc.lab.work.measure import batched, beside
from mc.network.weights import FlatNetwork, pack
from mc.training import EpochRate


def run(job: Job) -> dict:
    """Metrics of the samples and of their ensemble; of the average (SWA) and the start beside them.

    All have BatchNorm statistics estimated anew. The moments of the weights are kept as `swag.npz`,
    and their average is written as a base network is.
    """
    data, section = load_data(job.cfg), job.cfg.swag
    (start,) = job.run.networks
    network = networks.load(job, start, data, left=True)
    whole = kept.can_be_saved(network)
    flat = FlatNetwork(network)
    first = Member(str(section.start), pack(network), flat.state())
    swag, left = _train(job, data, network)
    drawing = samples.Drawing(section.samples, section.scale, job.cfg.seed)
    samples.save(job.folder, swag, drawing, left)

    splits = batched(job.cfg, data.splits)
    given = {"loss": make_loss(job.cfg, data), **task_of(job.cfg, data)}
    looked = beside(job, load_ood(job.cfg, data))
    drawn = samples.drawn(job.folder / MOMENTS, f"swag:{section.start}")
    settled = (kept.settled(flat, m, data) for m in drawn)
    table = predictive.join(flat, settled, splits, **given, **looked)
    average = kept.settled(flat, Member("swa", swag.mean.astype(np.float32), list(left)), data)
    both = [average, kept.settled(flat, first, data)]
    others = predictive.join(flat, both, splits, **given, ood=looked["ood"])
    single = [name for name in others if name.split("/")[0] in (*splits, predictive.OOD)]
    for row, prefix in enumerate(("swa/", "start/")):
        table = table.assign(**others[single].loc[row].add_prefix(prefix))
    files.save_table(job.folder, "members", table)
    flat.assign(average.w, average.state)
    network = networks.without_adapters(job, start, network, data)
    files.save_network(job.folder, network, whole)
    job.tracker.members(table)
    drawings.draw(job)
    return {"num_snapshots": swag.count} | predictive.summary(table)


def _train(job: Job, data: Data, network: keras.Model) -> tuple[Swag, Sequence]:
    """Train on; returns the moments of the weights on the way, and the state at its end."""
    section = job.cfg.swag
    swag = Swag(len(pack(network)), section.rank)
    schedule = training.Schedule(
        epochs=section.epochs,
        steps_per_epoch=section.steps_per_epoch,
        batch_size=section.batch_size,
        rate=EpochRate(section.learning_rate, section.schedule, section.epochs),
        learning_rate=section.learning_rate,
        order_seed=job.cfg.seed,
        moments=swag,
        gather=range(section.every, section.epochs + 1, section.every),
    )
    model = training.train_network(job, network, data, schedule, section.weight_decay, "swag")
    return swag, model.state_values
