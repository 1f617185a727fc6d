"""Disks that are full, folders that cannot be written or vanish, and checkpoints of other runs."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress

import numpy as np
import pytest
from conftest import PATIENCE, only, until

LONG = ["stage=base", "model=mlp", "wandb.mode=disabled"]
ENDLESS = ["train.base.epochs=1000000"]
# Many steps between two states: seconds of work for a test to interrupt.
SECONDS = ["train.base.epochs=12", "train.base.batch_size=4", "train.base.learning_rate=0.005"]


@pytest.fixture
def start(disk_place):
    """Runs in processes of their own, which do not outlive the test."""
    processes = []

    def call(outputs, *arguments):
        process = subprocess.Popen(
            [sys.executable, "-m", "mc.run", *LONG, *arguments, f"output_dir={outputs}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield call
    for process in processes:
        process.kill()
        process.communicate()


def said_by(process):
    """What a run that must fail says, in one message."""
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1, errors
    assert "Traceback" not in errors
    return errors


def when_at_work(process, outputs):
    """The run's folder, once it has kept a state."""
    states = until(
        lambda: process.poll() is not None or list(outputs.glob("base/*/checkpoint.npz"))
    )
    assert states is not True, process.communicate()
    return states[0].parent


def mount(*arguments):
    subprocess.run(["mount", *map(str, arguments)], check=True)


@pytest.fixture
def disk_place(tmp_path):
    """A place for a file system; whatever is mounted there goes after all processes have."""
    place = tmp_path / "disk"
    place.mkdir()
    yield place
    for mounted in (place, tmp_path / "aside"):
        while os.path.ismount(mounted):
            subprocess.run(["umount", "-l", str(mounted)], check=True)


@pytest.fixture
def disk(disk_place, start):
    """A file system of its own, of three megabytes."""
    command = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk_place)]
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or subprocess.call(command) != 0:
        pytest.skip("needs a root that may mount a file system")
    return disk_place


@pytest.mark.slow
def test_a_full_disk_stops_a_run_that_goes_on_once_there_is_space(disk, start):
    process = start(disk, *SECONDS)
    folder = when_at_work(process, disk)
    process.send_signal(signal.SIGSTOP)  # or it might be done before the disk is full
    filler = disk / "filler"
    with open(filler, "wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass
    process.send_signal(signal.SIGCONT)
    errors = said_by(process)
    assert f"Error: {folder}" in errors
    assert "cannot be written: No space left on device. What was there before is kept." in errors
    with np.load(folder / "checkpoint.npz") as state:
        reached = int(state["history:epoch"][-1])
    filler.unlink()
    again = start(disk, *SECONDS)
    _, errors = again.communicate(timeout=PATIENCE)
    assert again.returncode == 0, errors
    assert f"Continuing after epoch {reached}." in (folder / "run.log").read_text()
    assert json.loads((folder / "summary.json").read_text())["test/error"] < 0.2


@pytest.mark.slow
def test_a_disk_that_cannot_be_written_is_named(disk, start, cli):
    process = start(disk, *ENDLESS)
    folder = when_at_work(process, disk)
    # The same files read-only, at a place where nobody writes, which would be in the way; then
    # over themselves: what is open already stays open, as on a server that changes its mind.
    aside = disk.with_name("aside")
    aside.mkdir()
    mount("--bind", disk, aside)
    mount("-o", "remount,bind,ro", aside)
    mount("--bind", aside, disk)
    errors = said_by(process)
    assert f"Error: {folder}" in errors
    assert "cannot be written: Read-only file system" in errors
    status, errors = cli(*LONG, f"output_dir={disk / 'more'}")
    assert status == 1
    assert str(disk / "more") in errors
    assert "Read-only file system. If results cannot be written there, set output_dir" in errors


@pytest.mark.slow
def test_a_folder_that_vanishes_is_named(tmp_path, start):
    process = start(tmp_path, *ENDLESS)
    folder = when_at_work(process, tmp_path)
    folder.rename(tmp_path / "elsewhere")
    errors = said_by(process)
    assert f"cannot be written: there is no folder {folder}." in errors


@pytest.mark.slow
def test_a_checkpoint_of_another_run_is_refused(cli, tmp_path):
    quick = ["smoke=true", "model=mlp", "stage=base"]
    assert cli(*quick)[0] == 0
    folder = only(tmp_path, "base/*seed1*")
    (folder / "summary.json").unlink()
    state = {"run": np.array("digits-mlp-seed7-00000000"), "variable_0": np.zeros(3)}
    np.savez(folder / "checkpoint.npz", **state)
    status, output = cli(*quick)
    assert status == 1
    assert f"{folder / 'checkpoint.npz'} is of another run (digits-mlp-seed7-00000000)" in output
    whole = (folder / "checkpoint.npz").read_bytes()
    (folder / "checkpoint.npz").write_bytes(whole[: len(whole) // 2])
    status, output = cli(*quick)
    assert (status, "checkpoint.npz is damaged" in output, "remove it" in output) == (1, True, True)
    (folder / "checkpoint.npz").unlink()
    assert cli(*quick)[0] == 0
