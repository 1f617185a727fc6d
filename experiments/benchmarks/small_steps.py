"""Time of training that takes many steps a call, over that of one step a call.

    python experiments/benchmarks/small_steps.py regression   # over bare steps of Keras
    python experiments/benchmarks/small_steps.py mlp          # over the loop of Keras' fit
    python experiments/benchmarks/small_steps.py mnist_cnn    # likewise
    python experiments/benchmarks/small_steps.py default      # python -m mc.run, likewise
    python experiments/benchmarks/small_steps.py bfloat16     # over float32; needs MNIST of TFDS

The two sides take turns, an epoch each (of `default` and `bfloat16` a whole process each), so both
see the same machine; the first epochs, with compilation, are left out. Printed is the median of the
ratios of neighbours. `regression` is the whole training of that experiment, two networks and a
curve, with its checkpoints; its other side the train function of plain Keras, called as often on
the same batches, with nothing around it. In `default` the other side has a checkpoint after every
epoch, as before.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import hydra
import keras
import numpy as np

import mc
from mc import models, run, training
from mc.datasets import Split, digits, make_data
from mc.lab.tracking import Tracker
from mc.lab.work import networks
from mc.lab.work import training as stages
from mc.lab.work.data import instantiate, load_data
from mc.network.weights import pack


class Callbacks(keras.callbacks.Callback):
    """What `training.train` did around every epoch, a state taken after each."""

    def __init__(self, rate, steps, after_epoch):
        super().__init__()
        self.rate, self.steps, self.after_epoch, self.history = rate, steps, after_epoch, []

    def on_epoch_begin(self, epoch, logs=None):
        """The rate, which these experiments change between epochs only."""
        self.model.optimizer.learning_rate = float(self.rate.of_steps(epoch, self.steps)[0])

    def on_epoch_end(self, epoch, logs=None):
        """A row of the history."""
        row = {"epoch": epoch + 1, "learning_rate": float(self.model.optimizer.learning_rate)}
        self.history.append(row | {f"train/{name}": float(v) for name, v in logs.items()})
        self.after_epoch(self.history, self.take)

    def take(self) -> dict:
        """The state, and the history so far."""
        variables = [*self.model.variables, *self.model.optimizer.variables]
        arrays = {f"variable_{i}": v.numpy() for i, v in enumerate(variables)}
        rows = self.history
        return arrays | {f"history:{key}": np.array([row[key] for row in rows]) for key in rows[0]}


def one_by_one(curve, data, *, optimizer, loss, metrics, epochs, batch_size, rate, seed, **options):
    """`training.train` as it was: Keras' own loop, one step a call."""
    steps = options.get("steps_per_epoch") or data.steps(batch_size)
    curve.compile(optimizer=optimizer, loss=loss, metrics=metrics)
    curve.optimizer.build(curve.trainable_variables)
    callbacks = Callbacks(rate, steps, options["after_epoch"])
    curve.fit(
        data.epochs(batch_size, seed, last=epochs, steps=steps),
        epochs=epochs,
        steps_per_epoch=steps,
        callbacks=[callbacks],
        shuffle=False,
        verbose=0,
    )
    return callbacks.history


def in_turn(*jobs) -> list[list[float]]:
    """Seconds of every epoch of each job, the first left out; a job calls its argument after each.

    Only one of the jobs works at a time.
    """
    turns = [threading.Semaphore(int(i == 0)) for i in range(len(jobs))]
    seconds, failed = [[] for _ in jobs], []

    def worker(i, job):
        def hand_over():
            nonlocal began
            seconds[i].append(time.perf_counter() - began)
            turns[(i + 1) % len(jobs)].release()
            turns[i].acquire()
            began = time.perf_counter()

        turns[i].acquire()
        began = time.perf_counter()
        try:
            job(hand_over)
        except BaseException as error:
            failed.append(error)
        for turn in turns:  # whoever still works need not wait for this one
            turn.release()

    threads = [threading.Thread(target=worker, args=item) for item in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return [times[1:] for times in seconds]


def ratio(pairs) -> float:
    """The median of the ratios of neighbours."""
    return statistics.median(ours / theirs for ours, theirs in zip(*pairs, strict=True))


class Turns:
    """In the place of the progress that is shown: calls a function after every epoch."""

    def __init__(self, after):
        self.after = after

    def step(self, note):
        """The end of an epoch."""
        self.after()

    def close(self):
        """The end of all."""


def regression(arguments) -> None:
    """Print the ratio of the experiment's training over bare steps."""
    with hydra.initialize_config_dir(str(run.CONF), version_base="1.3"):
        cfg = hydra.compose("config", ["+experiment=regression"])
    data = load_data(cfg)
    a, b, plain = (networks.build(cfg, data) for _ in range(3))
    point = mc.CurveModel(a, mc.Point(), pack(a)[None], weight_decay=5e-4)
    curve = mc.connect(a, b, curve=instantiate(cfg.curve, "curve"), weight_decay=5e-4)
    totals = np.zeros(2)
    for name, model, runs in (("base", point, 2), ("curve", curve, 1)):
        section = cfg.train[name]
        epochs = arguments.epochs or section.epochs

        def ours(after, model=model, section=section, epochs=epochs):
            schedule = replace(stages.schedule_of(section, cfg.seed), epochs=epochs)
            training.Progress = lambda *_: Turns(after)
            with tempfile.TemporaryDirectory() as folder:
                job = SimpleNamespace(cfg=cfg, folder=Path(folder), tracker=Tracker())
                stages.train(job, model, data, schedule, valid=None, label="benchmark")

        def bare(after, section=section, epochs=epochs):
            plain.compile(keras.optimizers.SGD(0.001, momentum=0.9), "mse", metrics=["mse"])
            plain.optimizer.build(plain.trainable_variables)
            plain.make_train_function()
            batches = iter(data.train.epochs(section.batch_size, 1, last=epochs))
            for _ in range(epochs):
                for _ in range(data.train.steps(section.batch_size)):
                    logs = plain.train_function(batches)
                float(logs["loss"])
                after()

        pairs = in_turn(ours, bare)
        means = np.array([statistics.mean(times) for times in pairs])  # checkpoints are in a few
        totals += runs * section.epochs * means
        print(
            f"{name}: an epoch {1000 * means[0]:.2f} ms over {1000 * means[1]:.2f} ms, median "
            f"ratio {ratio(pairs):.3f}"
        )
    print(f"regression: {totals[0]:.2f} s over {totals[1]:.2f} s = {totals[0] / totals[1]:.3f}")


def loops(arguments) -> None:
    """Print the ratio of an epoch of many steps a call over one of single steps."""
    if arguments.what == "mlp":
        data, batch_size = make_data(digits()).train, 64
    else:  # the size of MNIST; what the pixels are makes no difference to time
        rng = np.random.default_rng(0)
        x = rng.uniform(size=(arguments.examples, 28, 28, 1)).astype("float32")
        data, batch_size = Split(x, rng.integers(0, 10, len(x))), 128
    build = {"mlp": models.mlp, "mnist_cnn": models.cnn}[arguments.what]
    epochs = arguments.epochs or 20

    def job(train):
        def work(after):
            networks = (build(data.x.shape[1:], 10) for _ in range(2))
            train(
                mc.connect(*networks, weight_decay=5e-4),
                data,
                optimizer=keras.optimizers.SGD(0.05, momentum=0.9),
                loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
                metrics=["accuracy"],
                epochs=epochs,
                batch_size=batch_size,
                rate=training.EpochRate(0.05, "garipov", epochs),
                seed=1,
                after_epoch=lambda history, take_snapshot: after(),
            )

        return work

    pairs = in_turn(job(training.train), job(one_by_one))
    ours, theirs = (1000 * statistics.median(t) / data.steps(batch_size) for t in pairs)
    print(
        f"{arguments.what}, batch {batch_size}: a step {ours:.3f} ms over {theirs:.3f} ms, median "
        f"ratio {ratio(pairs):.3f}"
    )


def command(side: str, *overrides) -> float:
    """Seconds of the command line in a process of its own, from its start to its end."""
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, __file__, "command", "--side", side, *overrides],
        check=True,
        stdout=subprocess.DEVNULL,
        env=os.environ | {"WANDB_MODE": "disabled"},
    )
    return time.perf_counter() - began


def default(arguments) -> None:
    """Print the ratio of the default command's times."""
    pairs = [[], []]
    for _ in range(arguments.repeats):
        for side, times in zip(("many", "single"), pairs, strict=True):
            with tempfile.TemporaryDirectory() as folder:
                times.append(command(side, f"output_dir={folder}", *arguments.overrides))
    ours, theirs = (statistics.median(times) for times in pairs)
    print(f"default: {ours:.1f} s over {theirs:.1f} s, median ratio {ratio(pairs):.3f}")


def bfloat16(arguments) -> None:
    """Print the ratio of `mnist_cnn` in mixed bfloat16 over float32, and both curves' scores."""
    seconds, keys = [], [f"curve/test/{m}" for m in ("loss/max", "loss/barrier_max", "error/max")]
    for precision in ("mixed_bfloat16", "float32"):
        with tempfile.TemporaryDirectory() as folder:
            overrides = ["+experiment=mnist_cnn", f"precision={precision}", *arguments.overrides]
            seconds.append(command("many", f"output_dir={folder}", *overrides))
            (summary,) = Path(folder).glob("eval/*/summary.json")
            found = json.loads(summary.read_text())
        scores = ", ".join(f"{key} {found[key]:.4f}" for key in keys)
        print(f"{precision}: {seconds[-1]:.1f} s, {scores}")
    print(f"bfloat16: ratio {seconds[0] / seconds[1]:.3f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    what = {"regression": regression, "mlp": loops, "mnist_cnn": loops, "default": default}
    what |= {"bfloat16": bfloat16}
    parser.add_argument("what", choices=[*what, "command"])
    parser.add_argument("overrides", nargs="*", help="of a command: as for python -m mc.run")
    parser.add_argument("--epochs", type=int, help="of each training; two or more")
    parser.add_argument("--examples", type=int, default=12800, help="of mnist_cnn")
    parser.add_argument("--repeats", type=int, default=5, help="of default")
    parser.add_argument("--side", choices=("many", "single"), help="of command, for itself")
    arguments = parser.parse_intermixed_args()  # overrides after options too
    if arguments.what == "command":
        sys.argv[1:] = arguments.overrides
        if arguments.side == "single":
            training.train, stages.SECONDS = one_by_one, 0
        run.main()
        return
    what[arguments.what](arguments)


if __name__ == "__main__":
    main()
