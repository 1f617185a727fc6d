"""What a user meets first: keys, mistakes, folders and hints of the command line."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager

import keras
import numpy as np
import pytest
from conftest import QUICK, only, saved_network

import mc
from mc.lab import conditions, files, folders


def python(*arguments, cwd, **environment):
    """A Python process of its own."""
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=os.environ | {"WANDB_MODE": "disabled"} | environment,
        check=False,
    )


def test_the_package_is_the_command_and_says_its_version(tmp_path):
    done = python("-m", "mc", "--version", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"mc {mc.__version__}\n")
    done = python("-m", "mc", "model.width=64", cwd=tmp_path)
    assert done.returncode == 1
    assert "+model.width=64" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_another_backend_of_keras_gets_one_line_at_once(tmp_path, backend):
    done = python("-m", "mc.run", cwd=tmp_path, KERAS_BACKEND=backend)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert f"KERAS_BACKEND names the backend {backend}" in line
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "keras.json").write_text(json.dumps({"backend": backend}))
    done = python(
        *("-c", "import mc; mc.connect"), cwd=tmp_path, KERAS_HOME=str(tmp_path), KERAS_BACKEND=""
    )
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ImportError: ")
    assert f"keras.json names the backend {backend}, but mc works with TensorFlow alone" in last


@pytest.mark.long
def test_two_runs_whose_hashes_begin_alike_have_a_folder_each(cli, tmp_path):
    rates = ("0.0565554", "0.0572371")
    runs_of = ["smoke=true", "model=mlp", "stage=base"]
    for rate in rates:
        status, output = cli(*runs_of, f"train.base.learning_rate={rate}")
        assert (status, "Finished before" in output) == (0, False), output
    first, second = sorted(tmp_path.glob("base/*"), key=lambda path: len(path.name))
    assert second.name.startswith(first.name)
    assert len(second.name) == len(first.name) + 8
    for folder in (first, second):
        digits = folder.name.rpartition("-")[2]
        assert folders.environment(folder)["fingerprint"].startswith(digits)
    assert not np.array_equal(*(mc.pack(keras.models.load_model(f / "model.keras"))
                                for f in (first, second)))  # fmt: skip
    for rate, folder in zip(rates, (first, second), strict=True):
        status, output = cli(*runs_of, f"train.base.learning_rate={rate}")
        assert f"base: {folder}\n" in output
        assert "Finished before" in output
    # Who builds on the second finds it, not the first.
    second_rate = ["smoke=true", "model=mlp", f"train.base.learning_rate={rates[1]}"]
    for stage in (["stage=base", "seed=2"], ["stage=curve"]):
        status, output = cli(*second_rate, *stage)
        assert status == 0, output
    start = only(tmp_path, "curve/*/curve.npz")
    with np.load(start) as file:
        assert file["endpoints"][0].endswith(second.name)


def test_a_run_that_waited_while_another_took_its_name_has_a_folder_of_its_own(
    cli, tmp_path, monkeypatch
):
    lock, taken = folders.lock, []

    @contextmanager
    def late(folder):
        with lock(folder):
            if not taken:  # as by a process that came first
                files.write_atomically(folder / "environment.json", '{"fingerprint": "another"}')
                taken.append(folder)
            yield

    monkeypatch.setattr(folders, "lock", late)
    status, output = cli(*QUICK, "stage=base")
    assert status == 0, output
    made = only(tmp_path, "base/*/summary.json").parent
    assert made.name.startswith(taken[0].name)
    assert len(made.name) == len(taken[0].name) + 8


def test_a_job_in_its_own_folder_finds_the_same_outputs(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, output = cli(*QUICK, "stage=base", "hydra.job.chdir=true", "output_dir=made")
    assert status == 0, output
    assert [path.name for path in tmp_path.iterdir()] == ["made"]
    only(tmp_path, "made/base/*/summary.json")
    assert not list(tmp_path.glob("made/base/*/made"))


def test_the_labels_of_many_networks_fit_into_a_file_s_name(cli, tmp_path):
    saved_network(tmp_path / "network.keras")
    files = [tmp_path / f"{n}{'of-many-networks' * 4}.keras" for n in range(5)]
    for file in files:
        os.link(tmp_path / "network.keras", file)
    names = ",".join(map(str, files))
    status, output = cli(
        *("stage=ensemble", "smoke=true", f"ensemble.networks=[{names}]", "wandb.mode=offline")
    )
    assert status == 0, output
    assert len(only(tmp_path, "ensemble/*/summary.json").parent.name) < 255


def test_a_missing_run_that_is_nearly_there_is_named(cli, made_runs):
    other = ["train.curve.learning_rate=0.01", "train.curve.init=random"]
    status, output = cli(*QUICK, "stage=eval", *other)
    assert status == 1
    assert "(there is one with train.curve.init=linear train.curve.learning_rate=0.05)" in output
    assert output.count("there is one with") == 1  # the networks are there
    status, output = cli(*QUICK, "stage=eval", "train.base.weight_decay=0", "num_bends=2")
    assert output.count("(there is one with train.base.weight_decay=0.0005)") == 2, output
    other = ["stage=curve", "endpoints=[1,7]"]
    status, output = cli(*QUICK, *other)
    assert (status, "there is one with" in output) == (1, False)  # no other network is meant


def test_another_configuration_of_keras_is_noticed(cli, made_runs, tmp_path, monkeypatch):
    base = [*QUICK, "stage=base"]
    shutil.rmtree(tmp_path / "curve")
    noted = folders.environment(only(tmp_path, "base/*seed1*"))["keras"]
    assert noted == {
        "backend": "tensorflow",
        "floatx": "float32",
        "epsilon": 1e-7,
        "image_data_format": "channels_last",
    }
    other = noted | {"image_data_format": "channels_first"}
    monkeypatch.setattr(conditions, "here", lambda: other)
    status, output = cli(*base)
    assert (status, "Finished before" in output) == (0, True)
    assert "was made with image_data_format=channels_last in Keras' configuration" in output
    status, output = cli(*QUICK, "stage=curve")
    assert (status, "which is now image_data_format=channels_first. Set it" in output) == (1, True)
    # What was begun under one is not gone on with under the other.
    only(tmp_path, "base/*seed2*/summary.json").unlink()
    status, output = cli(*base, "seed=2")
    assert (status, "make that run anew with force=true" in output) == (1, True)
    assert cli(*base, "seed=2", "force=true")[0] == 0
