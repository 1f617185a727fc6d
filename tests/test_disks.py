"""Disks that are full, folders that cannot be written or vanish, and checkpoints of other runs."""

import json
import os
import subprocess
import sys
import time
from contextlib import suppress

import numpy as np
import pytest
from conftest import only

LONG = ["stage=base", "model=mlp", "train.base.epochs=1500", "wandb.mode=disabled"]


def start(outputs, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "mc.run", *LONG, *arguments, f"output_dir={outputs}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def said_by(process):
    """What a run that must fail says, in one message."""
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1, errors
    assert "Traceback" not in errors
    return errors


def when_at_work(process, outputs):
    """The run's folder, once it has kept a state."""
    while process.poll() is None:
        if found := list(outputs.glob("base/*/checkpoint.npz")):
            return found[0].parent
        time.sleep(0.05)
    raise AssertionError(process.communicate())


@pytest.fixture
def disk(tmp_path):
    """A file system of its own, of three megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(place)]
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or subprocess.call(mount) != 0:
        pytest.skip("needs a root that may mount a file system")
    yield place
    while os.path.ismount(place):
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_stops_a_run_that_goes_on_once_there_is_space(disk):
    process = start(disk)
    folder = when_at_work(process, disk)
    filler = disk / "filler"
    with open(filler, "wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass
    errors = said_by(process)
    assert f"Error: {folder}" in errors
    assert "cannot be written: No space left on device. What was there before is kept." in errors
    with np.load(folder / "checkpoint.npz") as state:
        reached = int(state["history:epoch"][-1])
    filler.unlink()
    again = start(disk)
    _, errors = again.communicate(timeout=120)
    assert again.returncode == 0, errors
    assert f"Continuing after epoch {reached}." in (folder / "run.log").read_text()
    assert json.loads((folder / "summary.json").read_text())["test/error"] < 0.2


def test_a_disk_that_cannot_be_written_is_named(disk):
    process = start(disk)
    folder = when_at_work(process, disk)
    # Over itself, read-only: what is open already stays open, as on a server that changes its mind.
    subprocess.run(["mount", "--bind", str(disk), str(disk)], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", str(disk)], check=True)
    errors = said_by(process)
    assert f"Error: {folder}" in errors
    assert "cannot be written: Read-only file system" in errors
    errors = said_by(start(disk / "more"))
    assert f"Error: {disk / 'more'}" in errors
    assert "Read-only file system. If results cannot be written there, set output_dir" in errors


def test_a_folder_that_vanishes_is_named(tmp_path):
    process = start(tmp_path)
    folder = when_at_work(process, tmp_path)
    folder.rename(tmp_path / "elsewhere")
    errors = said_by(process)
    assert f"cannot be written: there is no folder {folder}." in errors


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
