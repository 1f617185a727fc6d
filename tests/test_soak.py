"""Runs that are killed at random moments, and many processes that want the same runs."""

import json
import os
import random
import signal
import subprocess
import sys
import time
import zipfile

import h5py
import numpy as np
import pytest
from conftest import PATIENCE

pytestmark = pytest.mark.long
RUNS = 20
BATCHNORM = [
    *("model=cnn_bn", "optimizer=adam", "dataset.valid_size=200", "eval.num_points=5"),
    *("train.base.epochs=8", "train.curve.epochs=8", "train.curve.save_every=3"),
]
# Two networks, members and samples around one, and grids and predictions of many networks.
NETWORKS = [
    *("model=mlp", "train.base.epochs=40", "train.curve.epochs=40", "fge.epochs=20"),
    *("swag.epochs=40", "swag.rank=5", "swag.samples=10"),
]
POSTERIOR = [
    *("stage=posterior", "posterior.subspace=hull", "posterior.temperature=10"),
    *("posterior.chains=4", "posterior.samples=1500", "posterior.draws=20"),
]
# Views, curvature, partings, saddles and graphs of networks.
VALLEYS = [
    *("model=mlp", "train.base.epochs=20", "train.curve.epochs=20", "eval.num_points=11"),
    *("hessian.probes=2", "hessian.steps=30", "landscape.grid_points=15", "build=true"),
    *("instability.steps=[0,60]", "neb.steps=[200,200]", "neb.learning_rates=[0.05,0.01]"),
]
AUTONEB = ["curve=polychain", "num_bends=2", "train.curve.method=autoneb"]
KINDS = [  # commands of a run, and how many tables and arrays they leave beside their summaries
    ([["model=mlp", "train.base.epochs=60", "train.curve.epochs=60", "eval.num_points=5"]], 5, 7),
    ([BATCHNORM], 5, 11),
    (
        [
            [*NETWORKS, "stage=all", "endpoints=[1,2]", "wandb.mode=offline"],
            [*NETWORKS, "stage=fge", "fge.start=1"],
            [*NETWORKS, "stage=swag", "swag.start=1"],
            [*NETWORKS, "stage=ensemble", "ensemble.networks=['fge:1','swag:1',2]"],
            [*NETWORKS, "stage=plane", "plane.grid_points=15"],
            [*NETWORKS, *POSTERIOR],
            [*NETWORKS, "stage=align", "align=weights", "align.restarts=300"],
            [*NETWORKS, "stage=eval", "align=weights", "build=true", "eval.repair=true"],
        ],
        14,
        37,
    ),
    (
        [
            [*VALLEYS, "stage=instability"],
            [*VALLEYS, *AUTONEB, "stage=eval", "eval.compare=true", "eval.layers=true"],
            [*VALLEYS, *AUTONEB, "stage=hessian"],
            [*VALLEYS, "stage=landscape"],
            [*VALLEYS, "stage=pairs", "pairs.networks=[1,2,3]", "pairs.path=curve"],
        ],
        20,
        37,
    ),
]


def start(outputs, *arguments) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "mc.run", *arguments, f"output_dir={outputs}"],
        env=os.environ | ({} if "wandb.mode=offline" in arguments else {"WANDB_MODE": "disabled"}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finished(outputs, *arguments) -> str:
    """What a command says that is left alone."""
    process = start(outputs, *arguments)
    said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said
    return said


def results(outputs) -> dict:
    """Everything that must not depend on kills: summaries, tables and weights, by their place."""
    found = {}
    for path in (*outputs.glob("*/*/summary.json"), *outputs.glob("*/*/*.csv")):
        found[str(path.relative_to(outputs))] = path.read_text()
    for path in (*outputs.glob("*/*/*.npz"), *outputs.glob("*/*/epochs/*.npz")):
        with np.load(path) as file:
            arrays = {name: array.tobytes() for name, array in file.items()}
        found[str(path.relative_to(outputs))] = arrays
    for path in outputs.glob("base/*/model.weights.h5"):
        with h5py.File(path) as file:
            arrays = {}
            file.visititems(lambda name, item, into=arrays: into.update(contents(name, item)))
        found[str(path.relative_to(outputs))] = arrays
    return found


def contents(name, item) -> dict:
    return {name: item[()].tobytes()} if isinstance(item, h5py.Dataset) else {}


def check_readable(outputs) -> None:
    """Nothing, if every file under a name of its own is whole."""
    for path in outputs.rglob("*"):
        if path.name.startswith("."):
            continue
        if path.suffix == ".json":
            json.loads(path.read_text())
        elif path.suffix in (".npz", ".keras"):
            with zipfile.ZipFile(path) as file:
                assert file.testzip() is None
        elif path.suffix == ".h5":
            h5py.File(path).close()


def until_done(outputs, command, seconds, rng) -> int:
    """How often a command was killed, at random moments, until it was done.

    `seconds`: what it takes alone; each kill leaves the next a tenth more, so that a machine that
    has become busier does not kill for ever what has no time to begin.
    """
    kills = 0
    while True:
        process = start(outputs, *command)
        try:  # a third of a run is imports
            process.wait(timeout=rng.uniform(0.3 * seconds, seconds))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            kills += 1
            seconds *= 1.1
        said, _ = process.communicate()
        check_readable(outputs)
        if process.returncode == 0:
            return kills
        assert process.returncode == -signal.SIGKILL, said


def test_killed_runs_end_as_the_uninterrupted_one(tmp_path):
    expected, seconds = [], []
    for kind, (commands, summaries, others) in enumerate(KINDS):
        whole = tmp_path / f"whole{kind}"
        seconds.append([])
        for command in commands:
            began = time.monotonic()
            finished(whole, *command)
            seconds[kind].append(time.monotonic() - began)
        expected.append(results(whole))
        assert len(list(whole.glob("*/*/summary.json"))) == summaries
        assert len(expected[kind]) == summaries + others
    rng, kills = random.Random(0), 0
    for number in range(RUNS):
        kind, outputs = number % len(KINDS), tmp_path / f"killed{number}"
        outputs.mkdir()
        for i, command in enumerate(KINDS[kind][0]):
            killed = until_done(outputs, command, seconds[kind][i], rng)
            kills += killed
            if not killed:  # the machine may be less busy than it was when this was measured
                seconds[kind][i] *= 0.7
        assert results(outputs) == expected[kind]
    assert kills >= RUNS


def test_eight_processes_train_each_network_once(tmp_path):
    sweep = ["-m", "smoke=true", "model=mlp", "endpoints=[1,2],[2,3],[1,3]"]
    processes = [start(tmp_path, *sweep) for _ in range(8)]
    said = [process.communicate(timeout=PATIENCE)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * 8, said
    for seed in (1, 2, 3):
        assert sum(text.count(f"base {seed} 2/2") for text in said) == 1
        (log,) = (p.read_text() for p in tmp_path.glob(f"base/*seed{seed}-*/run.log"))
        assert log.count("stage=base works in") == 1
    assert len(list(tmp_path.glob("curve/*/summary.json"))) == 3
