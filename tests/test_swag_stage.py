"""stage=swag, from the command line, and its samples and average as networks of other stages."""

import json
import shutil

import keras
import numpy as np
import pandas as pd
import pytest
from conftest import only
from test_config import compose, run_of

import mc
from mc import curve_file
from mc.datasets import digits
from mc.lab import check, files, missing, objective
from mc.lab.work import training

# Four epochs of two steps.
SHORT = [
    *("model._target_=conftest.small_bn", "train.base.batch_size=16", "train.base.epochs=4"),
    *("train.base.steps_per_epoch=2", "train.base.learning_rate=0.05"),
    *("train.base.schedule=constant", "train.base.save_every=1"),
    *("swag.epochs=4", "swag.learning_rate=0.05", "swag.samples=3", "swag.rank=3"),
]


def summary(folder):
    return json.loads((folder / "summary.json").read_text())


def arrays_of(path):
    with np.load(path) as file:
        return dict(file)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder in which what the first test has made is kept for the others."""
    return tmp_path_factory.mktemp("made")


@pytest.fixture
def gathered(cli, tmp_path, made):
    """A base network, and the SWAG of the training that goes on from it."""
    if not any(made.iterdir()):
        status, output = cli(*SHORT, "stage=swag", "build=true")
        assert status == 0, output
        shutil.copytree(tmp_path, made, dirs_exist_ok=True)
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path


def started_at(cli, outputs, typed, *settings):
    """The folder of a base network that was trained on from another, and its first weights."""
    before = set(outputs.glob("base/*"))
    words = ["stage=base", f"train.base.start={typed}", "train.base.save_steps=[0]"]
    status, output = cli(*SHORT, *words, *settings)
    assert status == 0, output
    (folder,) = set(outputs.glob("base/*")) - before
    return folder, curve_file.read(folder / "steps/0.npz")["control_points"][0]


def test_moments_are_those_of_the_weights_after_every_epoch(cli, gathered):
    found = arrays_of(only(gathered, "swag/*/swag.npz"))
    # The same training as one of a base network, which keeps its weights.
    folder, _ = started_at(cli, gathered, 1)
    w = [curve_file.read(folder / f"epochs/{e}.npz")["control_points"][0] for e in (1, 2, 3, 4)]
    w = np.array(w, dtype=float)
    assert np.abs(np.diff(w, axis=0)).max() > 1e-3
    assert found["count"] == 4
    np.testing.assert_allclose(found["mean"], w.mean(axis=0), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(found["squares"] / 4, w.var(axis=0), rtol=1e-6, atol=1e-14)
    deviations = [w[i] - w[: i + 1].mean(axis=0) for i in (1, 2, 3)]
    np.testing.assert_allclose(found["deviations"], deviations, atol=1e-7)
    average = keras.models.load_model(only(gathered, "swag/*/model.keras"))
    np.testing.assert_array_equal(mc.pack(average), w.mean(axis=0).astype(np.float32))


def test_samples_the_average_and_the_start_are_reported_side_by_side(gathered):
    folder = only(gathered, "swag/digits-small_bn-1-seed1-*")
    table, found = pd.read_csv(folder / "members.csv"), summary(folder)
    assert table["name"].tolist() == ["swag:1/1", "swag:1/2", "swag:1/3"]  # as settings name them
    assert (found["num_members"], found["num_snapshots"]) == (3, 4)
    base = summary(only(gathered, "base/*"))
    for metric in ("test/nll", "test/error", "train/nll"):
        assert found[f"start/{metric}"] == pytest.approx(base[metric], rel=1e-5)
        assert found[f"ensemble/{metric}"] == table[f"ensemble/{metric}"].iloc[-1]
        assert found[f"member/{metric}/mean"] == pytest.approx(table[metric].mean())
    assert len(set(table["test/nll"])) == 3
    network = keras.models.load_model(folder / "model.keras")
    x, y = digits()["test"]
    error = np.mean(network.predict(x, verbose=0).argmax(1) != y)
    assert found["swa/test/error"] == pytest.approx(error)
    run = run_of(compose("stage=swag"))
    for name in found:
        objective.check(run, name)
    assert (folder / "figures/as_members_join.pdf").exists()


@pytest.mark.slow
def test_samples_and_the_average_are_networks_of_other_stages(cli, gathered):
    members = pd.read_csv(only(gathered, "swag/*/members.csv"))["test/nll"].tolist()
    average = summary(only(gathered, "swag/*"))["swa/test/nll"]
    folder = only(gathered, "swag/*")
    networks = f"[swag:1/3,swag:1/swa,{folder},swag:1]"
    status, output = cli(*SHORT, "stage=ensemble", f"ensemble.networks={networks}")
    assert status == 0, output
    table = pd.read_csv(only(gathered, "ensemble/*/members.csv"))
    expected = [members[2], average, average, *members]
    np.testing.assert_allclose(table["test/nll"], expected, rtol=1e-5)
    status, output = cli(*SHORT, "stage=soup", "soup.networks=[1,swag:1]")
    assert status == 0, output
    steps = pd.read_csv(only(gathered, "soup/*/steps.csv"))
    assert steps["name"].tolist() == ["1", "swag:1/1", "swag:1/2", "swag:1/3", "uniform"]
    np.testing.assert_allclose(steps["test/nll"][1:4], members, rtol=1e-5)


@pytest.mark.slow
def test_the_third_sample_is_that_of_the_formula(cli, gathered):
    _, w = started_at(cli, gathered, "swag:1/3")
    moments = arrays_of(only(gathered, "swag/*/swag.npz"))
    rng = np.random.default_rng([1, 3])  # seed=1, the third
    z_1, z_2 = rng.standard_normal(len(w)), rng.standard_normal(3)
    step = np.sqrt(moments["squares"] / 4) * z_1 + z_2 @ moments["deviations"] / np.sqrt(2)
    np.testing.assert_allclose(w, moments["mean"] + np.sqrt(0.5) * step, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_at_scale_zero_every_sample_is_the_average_exactly(cli, gathered):
    status, output = cli(*SHORT, "stage=swag", "swag.scale=0")
    assert status == 0, output
    (folder,) = (p.parent for p in gathered.glob("swag/*/swag.npz") if arrays_of(p)["scale"] == 0)
    table = pd.read_csv(folder / "members.csv")
    for metric in ("test/nll", "test/error", "train/nll", "test/brier"):
        assert table[metric].tolist() == table[f"swa/{metric}"].tolist()
    average = keras.models.load_model(folder / "model.keras")
    _, w = started_at(cli, gathered, "swag:1/2", "swag.scale=0")
    np.testing.assert_array_equal(w, mc.pack(average))


@pytest.mark.slow
@pytest.mark.parametrize("kept", [True, False], ids=["after a checkpoint", "before a checkpoint"])
def test_a_run_that_was_killed_ends_as_the_uninterrupted_one(cli, gathered, monkeypatch, kept):
    folder = only(gathered, "swag/*")
    expected = arrays_of(folder / "swag.npz"), (folder / "members.csv").read_text()
    shutil.rmtree(folder)
    save, saved = files.save_checkpoint, []

    def dies(*arguments):
        saved.append(arguments)
        if len(saved) == 2 and not kept:
            raise KeyboardInterrupt
        save(*arguments)
        if len(saved) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(training, "SECONDS", 0.0)
    with monkeypatch.context() as broken:
        broken.setattr(files, "save_checkpoint", dies)
        assert cli(*SHORT, "stage=swag")[0] == 1
    status, output = cli(*SHORT, "stage=swag")
    assert status == 0, output
    assert f"Continuing after epoch {2 if kept else 1}." in output
    assert only(gathered, "swag/*") == folder
    found = arrays_of(folder / "swag.npz")
    assert set(found) == set(expected[0])
    for name, value in expected[0].items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
    assert (folder / "members.csv").read_text() == expected[1]


@pytest.mark.slow
def test_snapshots_may_be_some_epochs_apart(cli, gathered):
    status, output = cli(*SHORT, "stage=swag", "swag.every=2", "swag.rank=0", "swag.samples=1")
    assert status == 0, output
    (found,) = (a for p in gathered.glob("swag/*/swag.npz") if (a := arrays_of(p))["rank"] == 0)
    assert (found["count"], len(found["deviations"])) == (2, 0)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["swag.scale=-0.5"], "swag.scale must be a number at least 0; received swag.scale=-0.5"),
        (["swag.samples=0"], "swag.samples must be a number at least 1"),
        (["swag.rank=1"], "swag.rank must be at least 2 deviations, or 0 for a diagonal alone"),
        (["swag.rank=-1"], "swag.rank must be a number at least 0"),
        (["swag.epochs=5", "swag.every=3"], r"swag.every=3. Type for example swag.epochs=6"),
        (["swag.start=swag:1"], "is the list of all members of a run of stage=swag"),
        (["stage=swag", "eval.bn_batches=3"], "stage=swag estimates BatchNorm statistics from all"),
        (["ensemble.networks=[swag:1/0]"], "members count from 1; received 'swag:1/0'"),
    ],
)
def test_settings_that_make_no_swag_are_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        check.check(compose(*settings))


def test_a_sample_that_a_run_does_not_have_names_those_that_it_has(cli, gathered):
    status, output = cli(*SHORT, "stage=chain", "chain.networks=[1,swag:1/4]")
    assert (status, "has 3 samples (swag.samples). Type a number from 1 to 3" in output) == (
        1,
        True,
    )
    # Before it is made, too.
    overrides = ["stage=chain", "chain.networks=[1,swag:2/31]", f"output_dir={gathered}"]
    with pytest.raises(ValueError, match=r"has 30 samples.*or swa for the average of the weights"):
        missing.check_made(run_of(compose(*overrides)), overrides)
