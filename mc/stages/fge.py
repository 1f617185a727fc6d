"""stage=fge: fast geometric ensembling from a trained, or partly trained, network."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from omegaconf import DictConfig

from mc import batchnorm, runs, store
from mc.ensembles import fge, predictive
from mc.ensembles.averages import running_means
from mc.stages import figures, parts, resumable
from mc.weights import FlatNetwork, pack

SMOKE_CYCLE, SMOKE_EPOCHS = 2, 3  # two members


def run(cfg: DictConfig, folder: Path, tracker) -> dict:
    """Metrics of the ensemble, of its members and of their average (SWA), as members join.

    A member has the moving averages that training left it; an average of weights has BatchNorm
    statistics estimated anew.
    """
    data = parts.load_data(cfg)
    network = parts.load_endpoint(cfg, cfg.fge.start, data)
    start, flat = pack(network), FlatNetwork(network)
    kept = _train(cfg, data, network, folder, tracker)
    splits = parts.batched(cfg, data.splits)
    task = data.num_classes, parts.make_loss(cfg, data)
    table = predictive.join(flat, map(predictive.saved, kept), splits, *task)
    averages = predictive.join(flat, _averages(cfg, data, flat, kept), splits, *task)
    single = [name for name in averages if name.split("/")[0] in splits]
    table = table.join(averages[single].add_prefix("swa/"))
    table.insert(
        2, "distance", [float(np.linalg.norm(predictive.saved(p).w - start)) for p in kept]
    )
    store.save_table(folder, "members", table)
    tracker.members(table)
    tracker.figures(figures.draw(folder))
    return {"distance/max": float(table["distance"].max())} | predictive.summary(table)


def _averages(cfg: DictConfig, data, flat: FlatNetwork, kept) -> Iterator[predictive.Member]:
    """The average of the first, the first two, ... members."""
    bn_data = parts.bn_batches(cfg, data)
    for count, w in enumerate(running_means(predictive.saved(path).w for path in kept), 1):
        found = batchnorm.estimate(flat, [w], [[1.0]], flat.state(), bn_data)
        state = batchnorm.state_of(found, 0, flat.state())
        yield predictive.Member(f"swa {count}", w, state)


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
