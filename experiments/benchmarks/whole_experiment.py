"""Time of an experiment over that of as many plain Keras train steps and forward passes.

    python experiments/benchmarks/whole_experiment.py mnist_cnn

Epochs of ours (with checkpoints and history), less what a training of one epoch takes (graph
building), are compared with as many of plain Keras' own compiled train function. An evaluation of
ours, less what it takes on a single example, is compared with as many plain forward passes (in
training mode where BatchNorm statistics are estimated). Epochs and passes are then added up as the
experiment has them.
Target: at most 1.25.
"""

import argparse
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import hydra
import keras
import numpy as np
import tensorflow as tf

import mc
from mc import connecting, run
from mc.lab import check, typed
from mc.lab.work import networks, training
from mc.lab.work.data import instantiate, load_data, make_loss
from mc.network.weights import pack


def train_times(cfg, section, curve, network, data, epochs):
    """Seconds of an epoch: (ours, plain)."""
    schedule = training.schedule_of(section, cfg.seed)
    network.compile(
        instantiate(cfg.optimizer, "optimizer", learning_rate=section.learning_rate),
        make_loss(cfg, data),
        metrics=["mse"] if data.num_classes is None else ["accuracy"],
    )
    network.optimizer.build(network.trainable_variables)
    network.make_train_function()
    steps = schedule.steps_per_epoch or data.train.steps(section.batch_size)

    def ours(epochs):
        with tempfile.TemporaryDirectory() as folder:
            tracker = SimpleNamespace(history=lambda row: None)
            job = SimpleNamespace(cfg=cfg, folder=Path(folder), tracker=tracker)
            length = replace(schedule, epochs=epochs)
            training.train(job, curve, data, length, valid=None, label="benchmark")

    def plain(epochs):
        batches = data.train.epochs(section.batch_size, cfg.seed, last=epochs, steps=steps)
        batches = iter(batches)
        for _ in range(epochs):
            for _ in range(steps):
                logs = network.train_function(batches)
            _ = {name: float(value) for name, value in logs.items()}

    plain(1)  # builds the graph
    once = (seconds(way, 1) for way in (ours, plain))
    return tuple(
        (seconds(way, epochs) - first) / (epochs - 1)
        for way, first in zip((ours, plain), once, strict=True)
    )


def seconds(call, *arguments):
    """How long a call takes."""
    start = time.perf_counter()
    call(*arguments)
    return time.perf_counter() - start


def evaluation_times(cfg, curve, network, data):
    """Seconds of (our evaluation, as many plain forward passes), graph building left out."""
    batches = [s.batches(cfg.eval.batch_size) for s in (data.train_clean, data.test)]
    bn_data = data.train_clean.batches(cfg.eval.bn_batch_size)
    modes = {m: tf.function(lambda x, m=m: network(x, training=m)) for m in (False, True)}

    def ours(part=lambda dataset: dataset):
        mc.evaluate(
            curve,
            train=part(batches[0]),
            test=part(batches[1]),
            bn_data=part(bn_data),
            num_points=cfg.eval.num_points,
            loss=make_loss(cfg, data),
            num_classes=data.num_classes,
        )

    def one_pass(datasets, training):
        start = time.perf_counter()
        for dataset in datasets:
            for x, _ in dataset:
                last = modes[training](x)
        last.numpy()
        return time.perf_counter() - start

    ours()
    start = time.perf_counter()
    ours(lambda dataset: dataset.unbatch().take(1).batch(1))
    building = time.perf_counter() - start
    one_pass([batches[1]], False)
    before = one_pass(batches, False)
    start = time.perf_counter()
    ours()
    total = time.perf_counter() - start
    points = 2 * cfg.eval.num_points  # along the curve and along the straight segment
    plain = points * statistics.mean([before, *(one_pass(batches, False) for _ in range(3))])
    if curve.network.batchnorm:
        one_pass([bn_data.take(1)], True)
        plain += points * statistics.mean(one_pass([bn_data], True) for _ in range(3))
    return total - building, plain


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("experiment")
    parser.add_argument("overrides", nargs="*", help="as on the command line of mc.run")
    parser.add_argument("--epochs", type=int, default=4, help="to train, the first not timed")
    arguments = parser.parse_args()
    with hydra.initialize_config_dir(str(run.CONF), version_base="1.3"):
        overrides = [f"+experiment={arguments.experiment}", *arguments.overrides]
        cfg = hydra.compose("config", overrides)
    check.check(cfg)
    cfg = typed.typed_groups(cfg, overrides)
    keras.utils.set_random_seed(0)
    data = load_data(cfg)
    a, b, plain = (networks.build(cfg, data) for _ in range(3))
    point = mc.CurveModel(
        a, mc.Point(), pack(a)[np.newaxis], weight_decay=cfg.train.base.weight_decay
    )
    curve = connecting.connect(
        a, b, curve=instantiate(cfg.curve, "curve"), weight_decay=cfg.train.curve.weight_decay
    )
    rows = {
        "base": train_times(cfg, cfg.train.base, point, plain, data, arguments.epochs),
        "curve": train_times(cfg, cfg.train.curve, curve, plain, data, arguments.epochs),
        "evaluation": evaluation_times(cfg, curve, plain, data),
    }
    counts = {"base": 2 * cfg.train.base.epochs, "curve": cfg.train.curve.epochs, "evaluation": 1}
    for name, (ours, theirs) in rows.items():
        print(f"{name}: {ours:.3f} s over {theirs:.3f} s = {ours / theirs:.3f}")
    ours, theirs = (sum(counts[n] * rows[n][side] for n in rows) for side in (0, 1))
    print(f"{arguments.experiment}: {ours:.1f} s over {theirs:.1f} s = {ours / theirs:.3f}")


if __name__ == "__main__":
    main()
