"""stage=curve: train the curve between two endpoint networks."""

import os
from pathlib import Path

from omegaconf import DictConfig

from mc import connecting, runs
from mc.stages import parts, resumable


def run(cfg: DictConfig, folder: Path, tracker) -> dict:
    """Loss and metrics of the last epoch, each averaged over t, and the curve in `curve.npz`."""
    data = parts.load_data(cfg)
    start, end = (parts.load_endpoint(cfg, e, data) for e in cfg.endpoints)
    settings = cfg.train.curve
    given = runs.curve_file(settings.init)
    curve = connecting.connect(
        start,
        end,
        parts.call(cfg.curve, "curve"),
        init="linear" if given else settings.init,
        fix_start=settings.fix_start,
        fix_end=settings.fix_end,
        weight_decay=settings.weight_decay,
        seed=cfg.seed,
    )
    if given:
        connecting.start_from(curve, given)
    connecting.check_ends(curve, start, end, next(iter(data.train.batches(32)))[0])
    history = resumable.train(
        curve,
        data.train,
        folder,
        tracker,
        # With BatchNorm, no one t has statistics of its own before evaluation.
        valid=None if curve.network.batchnorm else data.valid,
        label="curve",
        **parts.training_arguments(cfg, settings, data),
    )
    curve.save(folder / "curve.npz", endpoints=[where(cfg, e, folder) for e in cfg.endpoints])
    return {k: v for k, v in history[-1].items() if "/" in k}


def where(cfg: DictConfig, endpoint, folder: Path) -> str:
    """An endpoint's folder (or its file), as seen from the curve's."""
    file = runs.network_file(cfg, endpoint)
    return os.path.relpath(file if runs.base_network(endpoint) is None else file.parent, folder)
