"""stage=fge: fast geometric ensembling from a trained, or partly trained, network."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from omegaconf import DictConfig

from mc import runs, store
from mc.ensembles import fge, predictive
from mc.ensembles.averages import running_means
from mc.stages import figures, kept, parts, resumable
from mc.weights import FlatNetwork, pack

SMOKE_CYCLE, SMOKE_EPOCHS = 2, 3  # two members


def run(cfg: DictConfig, folder: Path, tracker) -> dict:
    """Metrics of the ensemble, of its members and of their average (SWA), as members join.

    All have BatchNorm statistics estimated anew; `moving/...` are members with those that training
    left. The average of all members is written as a base network is.
    """
    data = parts.load_data(cfg)
    network = parts.load_endpoint(cfg, cfg.fge.start, data, left=True)
    whole = kept.can_be_saved(network)
    start, flat = pack(network), FlatNetwork(network)
    files = _train(cfg, data, network, folder, tracker)

    def left():
        return predictive.saved(files, f"fge:{cfg.fge.start}")

    splits = parts.batched(cfg, data.splits)
    task = data.num_classes, parts.make_loss(cfg, data)
    members = (kept.settled(flat, member, data) for member in left())
    table = predictive.join(flat, members, splits, *task)
    others = {"swa/": _averages(data, flat, left())}
    if flat.batchnorm:
        others["moving/"] = left()
    for prefix, networks in others.items():
        found = predictive.join(flat, networks, splits, *task)
        single = [name for name in found if name.split("/")[0] in splits]
        table = table.join(found[single].add_prefix(prefix))
    distances = [float(np.linalg.norm(member.w - start)) for member in left()]
    table.insert(2, "distance", distances)
    store.save_table(folder, "members", table)
    store.save_network(folder, network, whole)  # which holds the average of all
    tracker.members(table)
    tracker.figures(figures.draw(folder))
    return {"distance/max": float(table["distance"].max())} | predictive.summary(table)


def _averages(data, flat: FlatNetwork, members) -> Iterator[predictive.Member]:
    """The average of the first, the first two, ... members; in the end the network is the last."""
    state = flat.state()
    for count, w in enumerate(running_means(member.w for member in members), 1):
        member = kept.settled(flat, predictive.Member(f"swa {count}", w, state), data)
        flat.assign(member.w, member.state)
        yield member


def _train(cfg: DictConfig, data, network, folder: Path, tracker) -> list[Path]:
    """Train in cycles; returns the files of the members, in order."""
    settings = cfg.fge
    cycle = parts.shortened(cfg, settings.cycle, SMOKE_CYCLE)
    epochs = parts.shortened(cfg, settings.epochs, SMOKE_EPOCHS)
    resumable.train_network(
        cfg,
        network,
        data,
        folder,
        tracker,
        weight_decay=settings.weight_decay,
        label="fge",
        rate=fge.CyclicalRate(cycle, settings.lr_1, settings.lr_2),
        learning_rate=settings.lr_1,
        epochs=epochs,
        steps_per_epoch=resumable.steps_per_epoch(cfg, settings),
        batch_size=parts.shortened(cfg, settings.batch_size, parts.SMOKE_BATCH),
        keep=fge.low_points(epochs, cycle),
    )
    return [runs.saved_epoch(folder, epoch) for epoch in fge.low_points(epochs, cycle)]
