"""stage=base: train one network from its initial weights, the curve of a single point."""

import logging
import tempfile
from pathlib import Path

from omegaconf import DictConfig

from mc import store
from mc.curve_model import CurveModel
from mc.evaluator import Evaluator
from mc.stages import batch_notes, parts, resumable

log = logging.getLogger(__name__)


def run(cfg: DictConfig, folder: Path, tracker) -> dict:
    """Metrics of the trained network on every split, with the moving averages training left."""
    data = parts.load_data(cfg)
    network = parts.build_network(cfg, data)
    whole = can_be_saved(network)
    model = resumable.train_network(
        cfg,
        network,
        data,
        folder,
        tracker,
        weight_decay=cfg.train.base.weight_decay,
        label=f"base {cfg.seed}",
        **resumable.schedule(cfg, cfg.train.base),
    )
    model.network_at(0, into=network)
    store.save_network(folder, network, whole)
    return metrics_of(model, cfg, data, folder)


def metrics_of(model: CurveModel, cfg: DictConfig, data, folder: Path) -> dict:
    """`<split>/<metric>` of a single network, on clean data."""
    evaluate = Evaluator(
        model.network,
        model.points,
        model.state_values,
        parts.batched(cfg, data.splits),
        bn_data=None,
        loss=model.loss,
        weight_decay=model.weight_decay,
        num_classes=data.num_classes,
    )
    values = {name: float(value[0]) for name, value in evaluate([[1.0]]).items()}
    batch_notes.note(cfg, folder, evaluate.dependence)
    return values


def can_be_saved(network) -> bool:
    """Whether Keras can write the model as a whole, found out before hours of training."""
    with tempfile.TemporaryDirectory() as scratch:
        try:
            network.save(Path(scratch) / "model.keras")
        except OSError:  # of the scratch folder's disk
            raise
        except Exception as error:  # whatever a model's get_config raises
            log.warning("model.keras will not be written, only its weights: %s", error)
            return False
    return True
