"""stage=chain: metrics along the straight segments through a list of networks."""

from pathlib import Path

import numpy as np
from omegaconf import DictConfig

from mc import curves, evaluation, metrics, runs, store
from mc.progress import show
from mc.stages import figures, parts
from mc.weights import FlatNetwork, check_same_architecture, pack


def run(cfg: DictConfig, folder: Path, tracker) -> dict:
    """The summary of every metric along the chain; t=0 is the first network, t=1 the last."""
    data = parts.load_data(cfg)
    names = runs.networks(cfg)
    networks = [parts.load_endpoint(cfg, name, data) for name in names]
    for name, network in zip(names[1:], networks[1:], strict=True):
        try:
            check_same_architecture(networks[0], network)
        except ValueError as error:
            raise ValueError(
                f"chain.networks: {names[0]} and {name} do not fit. {error}"
            ) from error
    flat, points = FlatNetwork(networks[0]), [pack(network) for network in networks]
    segments = len(networks) - 1
    t = np.linspace(0, 1, segments * (cfg.chain.num_points - 1) + 1, dtype=np.float32)
    rows = curves.PolyChain(num_bends=segments - 1).coefficients(t).numpy()
    splits = parts.splits_of(cfg, data)
    values = evaluation.values_at(
        flat,
        points,
        rows,
        flat.state(),
        {name: split.batches(cfg.eval.batch_size) for name, split in splits.items()},
        bn_data=data.train_clean.batches(cfg.eval.bn_batch_size),
        loss=parts.make_loss(cfg, data),
        weight_decay=cfg.train.curve.weight_decay,
        num_classes=data.num_classes,
        progress=show,
    )
    table = evaluation.positions_table({"chain": rows}, t, points).assign(**values)
    store.save_table(folder, "points", table)
    tracker.along_t(table)
    tracker.figures(figures.draw(folder))
    return metrics.summarise_paths(table)
