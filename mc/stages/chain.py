"""stage=chain: metrics along the straight segments through a list of networks."""

from pathlib import Path

import numpy as np
from omegaconf import DictConfig

from mc import curves, evaluation, metrics, store
from mc.evaluator import Evaluator, in_blocks
from mc.stages import batch_notes, figures, parts, resumable
from mc.weights import FlatNetwork, pack


def run(cfg: DictConfig, folder: Path, tracker) -> dict:
    """The summary of every metric along the chain; t=0 is the first network, t=1 the last."""
    data = parts.load_data(cfg)
    networks = parts.load_networks(cfg, data)
    flat, points = FlatNetwork(networks[0]), [pack(network) for network in networks]
    segments = len(networks) - 1
    num = parts.shortened(cfg, cfg.chain.num_points, parts.SMOKE_POINTS)
    t = np.linspace(0, 1, segments * (num - 1) + 1, dtype=np.float32)
    rows = curves.PolyChain(num_bends=segments - 1).coefficients(t).numpy()
    evaluate = Evaluator(
        flat,
        points,
        flat.state(),
        parts.batched(cfg, parts.splits_of(cfg, data)),
        **parts.evaluation_arguments(cfg, data),
        weight_decay=cfg.train.curve.weight_decay,
    )
    values = in_blocks(evaluate, rows, **resumable.blocks(folder))
    batch_notes.note(cfg, folder, evaluate.dependence)
    table = evaluation.positions_table({"chain": rows}, t, points).assign(**values)
    store.save_table(folder, "points", table)
    tracker.along_t(table)
    tracker.figures(figures.draw(folder))
    return metrics.summarise_paths(table)
