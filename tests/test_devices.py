"""Several devices in one process: two halves of the CPU stand for two GPUs."""

import json
import subprocess
import sys

import numpy as np
import pytest
from conftest import PATIENCE, only

pytestmark = pytest.mark.long

TWO = """
import contextlib, io, json, os, sys
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from mc import run

found = []
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["mc.run", *arguments]
    os.environ.pop("HYDRA_FULL_ERROR", None)  # which the run before has set
    with contextlib.redirect_stderr(io.StringIO()) as said:
        try:
            run.main()
            found.append([0, ""])
        except SystemExit as leave:
            found.append([1, f"{said.getvalue()}{leave.code}"])
print("found:" + json.dumps(found))
"""
QUICK = ["smoke=true", "model=cnn", "wandb.mode=disabled"]
REFUSED = [
    (
        ["stage=base", "devices=all", "train.base.batch_size=15"],
        "the training batches of batch_size=15: the first has 15",
    ),
    (
        ["stage=base", "devices=all", "dataset.valid_size=13"],
        "the validation batches of batch_size=16: the first has 13",
    ),
    (["stage=base", "devices=4"], "devices=4, but this machine has 2"),
    (["stage=base", "devices=many"], "devices must be all, a number"),
]


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """The folder of a whole run on one device and on two, and what is said of what is refused."""
    folder = tmp_path_factory.mktemp("outputs")
    commands = [[*QUICK, f"devices={d}", f"output_dir={folder / d}"] for d in ("null", "all")]
    commands += [[*QUICK, *refused, f"output_dir={folder / 'refused'}"] for refused, _ in REFUSED]
    result = subprocess.run(
        [sys.executable, "-c", TWO, json.dumps(commands)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert result.returncode == 0, result.stderr
    outcomes = json.loads(result.stdout.rpartition("found:")[2])
    assert [status for status, _ in outcomes[:2]] == [0, 0], outcomes
    return folder, outcomes[2:]


def test_two_devices_give_the_results_of_one(done):
    folder, _ = done
    found = {}
    for devices in ("null", "all"):
        summary = only(folder / devices, "all/*/summary.json")
        found[devices] = json.loads(summary.read_text()), summary.parent.name
    (one, one_name), (two, two_name) = found["null"], found["all"]
    assert one_name != two_name  # with BatchNorm each device takes statistics of its own share
    assert set(one) == set(two)
    for key in one:
        if key.endswith(("loss", "nll", "length")) or "/loss/" in key or "/nll/" in key:
            assert two[key] == pytest.approx(one[key], rel=1e-3, abs=1e-4), key
    w = []
    for devices in ("null", "all"):
        with np.load(only(folder / devices, "curve/*/curve.npz")) as file:
            w.append(file["control_points"])
    np.testing.assert_allclose(w[0], w[1], atol=1e-4)


@pytest.mark.parametrize("number", range(len(REFUSED)), ids=[words for _, words in REFUSED])
def test_what_devices_cannot_do_is_refused(done, number):
    status, said = done[1][number]
    assert status == 1
    assert REFUSED[number][1] in said
    assert "Traceback" not in said
