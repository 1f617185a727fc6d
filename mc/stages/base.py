"""stage=base: train one network from its initial weights, the curve of a single point."""

import logging
import tempfile
from pathlib import Path

from omegaconf import DictConfig

from mc import evaluation, store
from mc.curve_model import CurveModel
from mc.curves import Point
from mc.stages import parts, resumable
from mc.weights import pack

log = logging.getLogger(__name__)


def run(cfg: DictConfig, folder: Path, tracker) -> dict:
    """Metrics of the trained network on every split, with the moving averages training left."""
    data = parts.load_data(cfg)
    network = parts.build_network(cfg, data)
    whole = can_be_saved(network)
    start, settings = pack(network)[None], cfg.train.base
    with parts.on_devices(cfg.devices):
        model = CurveModel(network, Point(), start, weight_decay=settings.weight_decay)
        resumable.train(
            model,
            data.train,
            folder,
            tracker,
            valid=data.valid,
            label=f"base {cfg.seed}",
            **parts.training_arguments(cfg, settings, data),
        )
    model.network_at(0, into=network)
    store.save_network(folder, network, whole)
    return metrics_of(model, cfg, data)


def metrics_of(model: CurveModel, cfg: DictConfig, data) -> dict:
    """`<split>/<metric>` of a single network, on clean data."""
    rows, summary = [[1.0]], {}
    for name, split in data.splits.items():
        values = evaluation.metrics_at(
            model.network,
            model.points,
            rows,
            model.state_values,
            {},
            split.batches(cfg.eval.batch_size),
            loss=model.loss,
            penalty=evaluation.penalties(model.points, rows, model.weight_decay),
            num_classes=data.num_classes,
        )
        summary |= {f"{name}/{metric}": float(value[0]) for metric, value in values.items()}
    return summary


def can_be_saved(network) -> bool:
    """Whether Keras can write the model as a whole, found out before hours of training."""
    with tempfile.TemporaryDirectory() as scratch:
        try:
            network.save(Path(scratch) / "model.keras")
        except Exception as error:  # whatever a model's get_config raises
            log.warning("model.keras will not be written, only its weights: %s", error)
            return False
    return True
