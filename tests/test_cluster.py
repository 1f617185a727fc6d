"""A sweep on a real Slurm cluster of one node, with a preempted and a cancelled job."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from conftest import PATIENCE, until

SCRIPT = Path(__file__).parent / "cluster/start_slurm.sh"
QUICK = ["stage=base", "model=mlp", "train.base.epochs=700"]
LAUNCHER = [
    "hydra/launcher=slurm",
    "hydra.launcher.gpus_per_node=null",
    "hydra.launcher.cpus_per_task=1",
    "hydra.launcher.mem_gb=null",
    "hydra.launcher.array_parallelism=2",
]
SEEDS = range(1, 7)

pytestmark = [
    pytest.mark.skipif(
        not shutil.which("slurmctld") or not shutil.which("munged") or os.getuid() != 0,
        reason="needs root and Debian's slurm-wlm and munge",
    ),
]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """The environment of a cluster that is stopped in the end."""
    root = tmp_path_factory.mktemp("slurm")
    environment = os.environ | {"SLURM_ROOT": str(root), "WANDB_MODE": "disabled"}
    subprocess.run([SCRIPT], env=environment, check=True)
    environment |= {"SLURM_CONF": f"{root}/etc/slurm.conf"}
    environment["PATH"] = f"{root}/bin:{environment['PATH']}"
    yield environment
    subprocess.run([SCRIPT, "stop"], env=environment, check=True)


def sweep(environment, outputs) -> subprocess.Popen:
    seeds = ",".join(map(str, SEEDS))
    command = ["-m", "mc.run", "-m", *LAUNCHER, *QUICK, f"seed={seeds}", f"output_dir={outputs}"]
    return subprocess.Popen(
        [sys.executable, *command], env=environment, stderr=subprocess.PIPE, text=True
    )


def running(environment) -> dict[str, str]:
    """The state of every job of the array that is not over: `12_0` -> `RUNNING`."""
    command = ["squeue", "-h", "-r", "-o", "%i %T"]
    lines = subprocess.check_output(command, env=environment, text=True).splitlines()
    return dict(line.split() for line in lines)


def folder_of(outputs, seed):
    return next(outputs.glob(f"base/*seed{seed}-*"), None)


def at_work(outputs, seed):
    """Whether a run has kept some training state."""
    folder = folder_of(outputs, seed)
    return folder is not None and (folder / "checkpoint.npz").exists()


def identity(outputs, seed):
    return json.loads((folder_of(outputs, seed) / "environment.json").read_text())["wandb_id"]


def weights(folder):
    """The arrays of a base network, read by Keras alone."""
    return keras.models.load_model(folder / "model.keras").get_weights()


@pytest.mark.long
def test_preempted_and_cancelled_jobs_end_as_if_nothing_had_been(cluster, tmp_path):
    outputs, alone = tmp_path / "outputs", tmp_path / "alone"
    first = sweep(cluster, outputs)
    until(lambda: at_work(outputs, 1) and at_work(outputs, 2))
    wandb_ids = [identity(outputs, seed) for seed in (1, 2)]
    array = next(iter(running(cluster))).split("_")[0]
    # Two at a time: the others wait.
    assert list(running(cluster).values()).count("RUNNING") == 2
    # Suspended, as by a partition of higher priority, jobs are not over: the sweep waits for them.
    for task in (0, 1):
        subprocess.run(["scontrol", "suspend", f"{array}_{task}"], env=cluster, check=True)
    answers = Path(cluster["SLURM_ROOT"], "answers")
    until(lambda: answers.exists() and f"{array}_1 SUSPENDED" in answers.read_text())
    for task in (0, 1):
        subprocess.run(["scontrol", "resume", f"{array}_{task}"], env=cluster, check=True)
    until(lambda: list(running(cluster).values()).count("RUNNING") == 2)
    assert first.poll() is None
    # Both at once, before either is at its end.
    cancel = subprocess.Popen(["scancel", f"{array}_1"], env=cluster)
    preempt = subprocess.Popen(["scancel", "--signal=USR2", f"{array}_0"], env=cluster)
    until(lambda: running(cluster).get(f"{array}_0") != "RUNNING")
    preempt.kill()  # it may be about to signal again what is queued again
    preempt.wait()
    assert cancel.wait() == 0
    _, errors = first.communicate(timeout=PATIENCE)
    assert first.returncode == 1, errors
    listed = errors.split("1 of the jobs failed")[1]
    assert str(folder_of(outputs, 2)) in listed
    assert "CANCELLED" in listed
    # It waited for all, of which the last may still be leaving; 1 was queued again by itself.
    finished = [seed for seed in SEEDS if (folder_of(outputs, seed) / "summary.json").exists()]
    assert finished == [1, 3, 4, 5, 6]
    until(lambda: not running(cluster))
    assert "Continuing after epoch" in (folder_of(outputs, 1) / "run.log").read_text()

    second = sweep(cluster, outputs)
    _, errors = second.communicate(timeout=PATIENCE)
    assert second.returncode == 0, errors
    assert [identity(outputs, seed) for seed in (1, 2)] == wandb_ids
    command = [sys.executable, "-m", "mc.run"]
    for seed in (1, 2):
        one = cluster | {"SLURM_CPUS_PER_TASK": "1"}  # bit for bit needs as many threads
        arguments = [*QUICK, f"seed={seed}", f"output_dir={alone}"]
        subprocess.run([*command, *arguments], env=one, check=True)
        theirs, ours = folder_of(alone, seed), folder_of(outputs, seed)
        assert (ours / "summary.json").read_text() == (theirs / "summary.json").read_text()
        pairs = zip(weights(ours), weights(theirs), strict=True)
        assert all(np.array_equal(a, b) for a, b in pairs)
    subprocess.run([*command, "stage=report", f"output_dir={outputs}"], env=cluster, check=True)
    assert sorted(pd.read_csv(outputs / "results.csv")["seed"]) == list(SEEDS)


OWN = """
from mc.models import mlp


def net(input_shape, num_classes, seed):
    if seed == 4:
        raise RuntimeError("this network cannot be built")
    return mlp(input_shape, num_classes, widths=(4,))
"""


@pytest.fixture
def waves(cluster, tmp_path):
    """Runs a sweep of evaluations that builds what is missing; returns its status and errors."""
    (tmp_path / "own_net.py").write_text(OWN)
    environment = cluster | {"PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"}
    outputs = tmp_path / "outputs"

    def run(pairs):
        ends = ",".join(f"[{pair}]" for pair in pairs)
        command = ["-m", "mc.run", "-m", *LAUNCHER, "stage=eval", "build=true", "smoke=true"]
        command += ["model._target_=own_net.net", "+model.seed=${seed}"]
        command += [f"endpoints={ends}", f"output_dir={outputs}"]
        done = subprocess.run(
            [sys.executable, *command], env=environment, stderr=subprocess.PIPE, text=True
        )
        return done.returncode, done.stderr

    return run


def made(outputs, stage):
    return len(list(outputs.glob(f"{stage}/*/summary.json")))


def assert_no_job_waited(outputs):
    said = [path.read_text() for path in outputs.glob(".submitit/*/*.out")]
    said += [path.read_text() for path in outputs.glob("*/*/run.log")]
    assert said
    assert not any("waiting for it" in text for text in said)


@pytest.mark.slow
def test_a_network_that_fails_fails_what_is_built_on_it_and_nothing_else(waves, tmp_path):
    outputs = tmp_path / "outputs"
    status, errors = waves(["1,2", "1,4"])
    assert status == 1, errors
    assert [made(outputs, stage) for stage in ("base", "curve", "eval")] == [2, 1, 1]
    listed = errors.split("of the jobs failed")[1]
    assert "this network cannot be built" in listed
    assert len(re.findall(r"base/smoke-digits-net-seed4-\w+ has failed", listed)) == 1
    assert len(re.findall(r"curve/smoke-digits-net-1-4-\S+ has failed", listed)) == 1
    assert_no_job_waited(outputs)


@pytest.mark.long
def test_a_sweep_of_pairs_makes_each_network_and_each_curve_once(waves, tmp_path):
    outputs = tmp_path / "outputs"
    status, errors = waves(["1,2", "1,3", "1,5", "2,3", "2,5", "3,5"])
    assert status == 0, errors
    assert [made(outputs, stage) for stage in ("base", "curve", "eval")] == [4, 6, 6]
    assert not list(outputs.glob("*/*.old-*"))
    for log in outputs.glob("*/*/run.log"):
        assert log.read_text().count("works in") == 1
    assert_no_job_waited(outputs)
