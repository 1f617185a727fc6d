"""stage=base: train one network from its initial weights, the curve of a single point."""

from pathlib import Path

from omegaconf import DictConfig

from mc.curve_model import CurveModel
from mc.evaluator import Evaluator
from mc.stages import batch_notes, kept, parts, resumable


def run(cfg: DictConfig, folder: Path, tracker) -> dict:
    """Metrics of the trained network on every split; with the averages that training left too.

    Names: `<split>/<metric>`, and of a network with BatchNorm `moving/<split>/<metric>`.
    """
    data = parts.load_data(cfg)
    network = parts.build_network(cfg, data)
    whole = kept.can_be_saved(network)
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
    left = model.state_values
    state = kept.reestimated(model.network, model.weights_at(0), left, data)
    model.network_at(0, into=network)
    model.network.assign(model.weights_at(0), state)
    kept.save(folder, network, left, whole)
    summary = metrics_of(model, state, cfg, data, folder)
    if model.network.batchnorm:
        moving = metrics_of(model, left, cfg, data, folder)
        summary |= {f"moving/{name}": value for name, value in moving.items()}
    return summary


def metrics_of(model: CurveModel, state, cfg: DictConfig, data, folder: Path) -> dict:
    """`<split>/<metric>` of a single network with a state, on clean data."""
    evaluate = Evaluator(
        model.network,
        model.points,
        state,
        parts.batched(cfg, data.splits),
        bn_data=None,
        loss=model.loss,
        weight_decay=model.weight_decay,
        num_classes=data.num_classes,
    )
    values = {name: float(value[0]) for name, value in evaluate([[1.0]]).items()}
    batch_notes.note(cfg, folder, evaluate.dependence)
    return values
