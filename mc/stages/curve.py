"""stage=curve: train the curve between two endpoint networks."""

import os
from pathlib import Path

from omegaconf import DictConfig

from mc import naming, runs
from mc.stages import parts, resumable


def run(cfg: DictConfig, folder: Path, tracker) -> dict:
    """Loss and metrics of the last epoch, each averaged over t, and the curve in `curve.npz`."""
    data = parts.load_data(cfg)
    with resumable.on_devices(cfg.devices):
        curve = parts.untrained_curve(cfg, data)
        history = resumable.train(
            cfg,
            curve,
            data,
            folder,
            tracker,
            # With BatchNorm, no one t has statistics of its own before evaluation.
            valid=None if curve.network.batchnorm else data.valid,
            label="curve",
            **resumable.schedule(cfg, cfg.train.curve),
        )
    curve.save(folder / "curve.npz", endpoints=[where(cfg, e, folder) for e in cfg.endpoints])
    return {k: v for k, v in history[-1].items() if "/" in k}


def where(cfg: DictConfig, endpoint, folder: Path) -> str:
    """An endpoint's folder (or its file), as seen from the curve's."""
    network = naming.read(endpoint)
    file = runs.network_file(cfg, network)
    whole = network.is_file or network.member not in (None, naming.AVERAGE)
    return os.path.relpath(file if whole else file.parent, folder)
