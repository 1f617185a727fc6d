"""Several devices in one process: two halves of the CPU stand for two GPUs."""

import json
import subprocess
import sys

import numpy as np
import pytest
from conftest import only

TWO = """
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from mc import run

run.main()
"""
QUICK = ["smoke=true", "model=cnn", "wandb.mode=disabled"]


def command(outputs, *arguments):
    return subprocess.run(
        [sys.executable, "-c", TWO, *QUICK, *arguments, f"output_dir={outputs}"],
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_two_devices_give_the_results_of_one(tmp_path):
    found = {}
    for devices in ("null", "all"):
        result = command(tmp_path / devices, f"devices={devices}")
        assert result.returncode == 0, result.stderr
        summary = only(tmp_path / devices, "all/*/summary.json")
        found[devices] = json.loads(summary.read_text()), summary.parent.name
    (one, one_name), (two, two_name) = found["null"], found["all"]
    assert one_name == two_name  # the number of devices does not count
    assert set(one) == set(two)
    for key in one:
        if key.endswith(("loss", "nll", "length")) or "/loss/" in key or "/nll/" in key:
            assert two[key] == pytest.approx(one[key], rel=1e-3, abs=1e-4), key
    w = []
    for devices in ("null", "all"):
        with np.load(only(tmp_path / devices, "curve/*/curve.npz")) as file:
            w.append(file["control_points"])
    np.testing.assert_allclose(w[0], w[1], atol=1e-4)


def test_batches_that_devices_cannot_share_are_refused(tmp_path):
    for setting, words in (
        ("train.base.batch_size=15", "the training batches of batch_size=15: the first has 15"),
        ("dataset.valid_size=13", "the validation batches of batch_size=16: the first has 13"),
    ):
        result = command(tmp_path, "stage=base", "devices=all", setting)
        assert result.returncode == 1
        assert words in result.stderr
        assert "Traceback" not in result.stderr


def test_more_devices_than_there_are_is_an_error(tmp_path):
    result = command(tmp_path, "stage=base", "devices=4")
    assert result.returncode == 1
    assert "devices=4, but this machine has 2" in result.stderr
    result = command(tmp_path, "stage=base", "devices=many")
    assert "devices must be all, a number" in result.stderr
