"""Names of folders and the form of curve files, as they were when the first results were made.

`golden/folders.csv` and `golden/curve.npz` were written once, by version 0.1.0. Whoever changes a
line of them renames what users have made: their results would be trained again, or not be found.
"""

import csv
from pathlib import Path

import hydra
import keras
import numpy as np
import pytest
from hydra.core.global_hydra import GlobalHydra
from test_config import run_of

import mc
from mc import run
from mc.lab import typed

GOLDEN = Path(__file__).parent / "golden"
with open(GOLDEN / "folders.csv", newline="") as file:
    FOLDERS = [(row["command"].split(" "), row["folder"]) for row in csv.DictReader(file)]


@pytest.fixture
def files(tmp_path, monkeypatch):
    """The files that some of the commands name; what counts of them is their bytes."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.keras", "b.keras", "c.keras", "points.npy", "made/curve.npz"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
    (tmp_path / "made" / "epochs").mkdir()
    (tmp_path / "made" / "epochs" / "3.npz").write_text("third epoch")


def folder_of(overrides):
    GlobalHydra.instance().clear()
    with hydra.initialize_config_dir(str(run.CONF), version_base="1.3"):
        cfg = hydra.compose("config", overrides=overrides)
    return str(run_of(typed.typed_groups(cfg, overrides)).folder)


@pytest.mark.parametrize(("overrides", "folder"), FOLDERS, ids=[" ".join(o) for o, _ in FOLDERS])
def test_a_run_of_before_is_found_in_its_folder(files, overrides, folder):
    assert folder_of(overrides) == folder


def network():
    """The network of the golden curve: 3 inputs, BatchNorm, 2 logits, seeded weights."""
    inputs = keras.Input((3,))
    x = keras.layers.BatchNormalization()(keras.layers.Dense(4, "relu")(inputs))
    made = keras.Model(inputs, keras.layers.Dense(2)(x))
    rng = np.random.default_rng(0)
    made.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in made.get_weights()])
    return made


def test_a_curve_file_of_before_is_read():
    curve = mc.load_curve(GOLDEN / "curve.npz", network())
    assert curve.family == mc.Bezier(num_bends=2)
    assert (curve.fix_start, curve.fix_end, curve.weight_decay) == (True, False, 0.25)
    # The file holds row k of the control points as k + 1/(1 + position), and states of one value.
    rows = np.arange(4)[:, None] + 1 / (1 + np.arange(34, dtype=np.float32))
    np.testing.assert_array_equal(curve.control_points, rows.astype(np.float32))
    assert [set(np.ravel(s)) for s in curve.state_values] == [{0.5}, {2.0}]
    ends = [set(np.ravel(s)) for state in curve.end_states.value for s in state]
    assert ends == [{0.0}, {1.0}, {1.0}, {4.0}]
