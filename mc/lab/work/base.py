"""stage=base: train one network, the curve of a single point."""

from dataclasses import replace

from mc.curve_model import CurveModel
from mc.datasets import Data
from mc.evaluation.evaluator import Evaluator
from mc.lab import batch_notes, files
from mc.lab.job import Job
from mc.lab.stages.base import ADAPTED
from mc.lab.work import kept, starting, training
from mc.lab.work.data import load_data, plain_weights, task_of
from mc.lab.work.measure import batched
from mc.network import adapters


def run(job: Job) -> dict:
    """Metrics of the trained network on every split; with the averages that training left too.

    Names: `<split>/<metric>`, and of a network with BatchNorm `moving/<split>/<metric>`.
    """
    cfg, section = job.cfg, job.cfg.train.base
    data = load_data(cfg)
    network = starting.network(job, data)
    whole = kept.can_be_saved(network)
    order_seed = cfg.seed if section.order_seed is None else section.order_seed
    schedule = training.schedule_of(section, order_seed)
    beginning = starting.beginning(job, data)
    steps = section.save_steps or ()
    if cfg.smoke:  # which is over before most of them
        steps = [step for step in steps if step <= training.steps_of(section, data)]
    schedule = replace(schedule, keep_steps=steps, beginning=beginning)
    label = f"base {cfg.seed}"
    model = training.train_network(job, network, data, schedule, section.weight_decay, label)
    left = model.state_values
    state = kept.reestimated(model.network, model.weights_at(0), left, data)
    if job.run.adapters_of():
        model.save(job.folder / ADAPTED)  # as training left it
    model.network_at(0, into=network)
    model.network.assign(model.weights_at(0), state)
    if job.run.adapters_of():
        merged = starting.plain(job, data)
        adapters.merge(network, merged)
        files.save_network(job.folder, merged, whole)
    else:
        kept.save(job.folder, network, left, whole)
    summary = metrics_of(model, state, job, data)
    if model.network.batchnorm:
        moving = metrics_of(model, left, job, data)
        summary |= {f"moving/{name}": value for name, value in moving.items()}
    return summary


def metrics_of(model: CurveModel, state: list, job: Job, data: Data) -> dict[str, float]:
    """`<split>/<metric>` of a single network with a state, on clean data."""
    evaluate = Evaluator(
        model.network,
        model.points,
        state,
        batched(job.cfg, data.splits),
        bn_data=None,
        loss=model.loss,
        loss_weights=plain_weights(job.cfg),
        weight_decay=model.weight_decay,
        **task_of(job.cfg, data),
    )
    values = {name: float(value[0]) for name, value in evaluate([[1.0]]).items()}
    batch_notes.note(job.folder, job.cfg.eval.batch_size, evaluate.dependence)
    return values
