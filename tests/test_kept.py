"""BatchNorm statistics of networks that are reported, joined and exported."""

import json
import shutil

import keras
import numpy as np
import pandas as pd
import pytest
from conftest import only
from hydra.core.global_hydra import GlobalHydra
from test_config import compose, run_of

import mc
from mc import curve_file
from mc.lab import objective
from mc.lab.work import data as stage_data
from mc.network.weights import FlatNetwork

QUICK = ["smoke=true", "model._target_=conftest.small_bn"]


def summary(folder):
    return json.loads((folder / "summary.json").read_text())


def data_of(*overrides):
    """The data of a command, as arrays: `(x, y)` of train and test."""
    data = stage_data.load_data(compose(*overrides))
    GlobalHydra.instance().clear()
    train, test = data.train_clean, data.test
    return tuple(
        tuple(np.concatenate(part) for part in zip(*split.batches(500), strict=True))
        for split in (train, test)
    )


def statistics(network):
    layers = [v for v in network._flatten_layers() if "BatchNorm" in type(v).__name__]
    return [np.asarray(v) for layer in layers for v in (layer.moving_mean, layer.moving_variance)]


def of_keras(network, x):
    """The statistics of a whole batch x, by Keras' own update with nothing kept of before."""
    copy = keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    for layer in copy._flatten_layers():
        if "BatchNorm" in type(layer).__name__:
            layer.momentum = 0.0
    copy(x, training=True)
    return statistics(copy)


def error_of(network, x, y):
    return float(np.mean(network.predict(x, verbose=0).argmax(-1) != y))


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [["train.base.save_every=1"], ["+optimizer.use_ema=true", "+optimizer.ema_momentum=0.5"]],
    ids=["plain", "use_ema"],
)
def test_a_base_network_is_reported_with_the_statistics_of_its_training_data(
    cli, tmp_path, settings
):
    status, output = cli(*QUICK, "stage=base", "eval.bn_batches=1", *settings)
    assert status == 0, output
    folder = only(tmp_path, "base/*")
    network = keras.models.load_model(folder / "model.keras")
    (x, y), (x_test, y_test) = data_of(*QUICK)  # so few that they are one batch
    for found, expected in zip(statistics(network), of_keras(network, x), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    found = summary(folder)
    assert found["train/error"] == pytest.approx(error_of(network, x, y))
    assert found["test/error"] == pytest.approx(error_of(network, x_test, y_test))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    nll = float(loss(y_test, network.predict(x_test, verbose=0)))
    assert found["test/nll"] == pytest.approx(nll, rel=1e-4)

    for name in found:
        objective.check(run_of(compose("stage=base")), name)
        objective.check(run_of(compose("stage=all")), f"base_1/{name}")

    # Beside it, what training left, which is kept too.
    with np.load(folder / "moving.npz") as left:
        values = list(left.values())
    flat = FlatNetwork(network)
    state = flat.state()
    for i, value in zip(flat.batchnorm, values, strict=True):
        state[i] = value
    flat.assign(mc.pack(network), state)
    nll = float(loss(y_test, network.predict(x_test, verbose=0)))
    assert found["moving/test/nll"] == pytest.approx(nll, rel=1e-4)
    assert abs(found["moving/test/nll"] - found["test/nll"]) > 1e-3
    if (folder / "epochs").exists():  # of the last epoch
        saved = curve_file.read(folder / "epochs/2.npz")
        for i, value in zip(flat.batchnorm, values, strict=True):
            np.testing.assert_array_equal(saved["state"][i], value)


def test_a_network_without_batchnorm_has_nothing_beside_it(cli, tmp_path):
    assert cli("smoke=true", "model=mlp", "stage=base")[0] == 0
    folder = only(tmp_path, "base/*")
    assert not [name for name in summary(folder) if name.startswith("moving/")]
    assert not (folder / "moving.npz").exists()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder in which what the first test has trained is kept for the others."""
    return tmp_path_factory.mktemp("made")


@pytest.fixture
def trained(cli, tmp_path, made):
    """A base network with its epochs, and fast geometric ensembling from it."""
    if not any(made.iterdir()):
        for more in (["stage=base", "train.base.save_every=1"], ["stage=fge"]):
            status, output = cli(*QUICK, *more)
            assert status == 0, output
        shutil.copytree(tmp_path, made, dirs_exist_ok=True)
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.mark.long
def test_members_and_averages_are_networks_of_one_kind(cli, trained):
    table = pd.read_csv(only(trained, "fge/*/members.csv"))
    # The average of one member is this member; of all, it is written as a base network is.
    for metric in ("test/nll", "test/error", "train/nll"):
        assert table[metric][0] == pytest.approx(table[f"swa/{metric}"][0], rel=1e-5)
    assert abs(table["moving/test/nll"] - table["test/nll"]).max() > 1e-3
    found = summary(only(trained, "fge/*"))
    assert found["moving/test/nll/max"] == table["moving/test/nll"].max()
    for name in found:
        objective.check(run_of(compose("stage=fge")), name)
    average = only(trained, "fge/*/model.keras")
    _, (x, y) = data_of(*QUICK)
    network = keras.models.load_model(average)
    assert table["swa/test/error"].iloc[-1] == pytest.approx(error_of(network, x, y))

    base = only(trained, "base/*")
    networks = f"[1,1@2,{base / 'model.keras'},fge:1/1,fge:1/2,fge:1/swa,{average},fge:1]"
    status, output = cli(*QUICK, "stage=ensemble", f"ensemble.networks={networks}")
    assert status == 0, output
    joined = pd.read_csv(only(trained, "ensemble/*/members.csv"))["test/nll"]
    own, swa = summary(base)["test/nll"], table["swa/test/nll"].iloc[-1]
    members = list(table["test/nll"])
    np.testing.assert_allclose(joined, [own] * 3 + members + [swa] * 2 + members, rtol=1e-4)


@pytest.mark.slow
def test_members_and_averages_are_ends_of_chains_planes_and_curves(cli, trained):
    names = "[1,fge:1/2,fge:1/swa]"  # not on one line
    status, output = cli(*QUICK, "stage=chain", f"chain.networks={names}")
    assert status == 0, output
    table = pd.read_csv(only(trained, "fge/*/members.csv"))
    points = pd.read_csv(only(trained, "chain/*/points.csv"))["test/nll"]
    expected = [summary(only(trained, "base/*"))["test/nll"], table["test/nll"].iloc[-1]]
    expected.append(table["swa/test/nll"].iloc[-1])
    np.testing.assert_allclose(points[[0, 2, 4]], expected, rtol=1e-4)
    status, output = cli(*QUICK, "stage=plane", f"plane.networks={names}")
    assert status == 0, output
    found = summary(only(trained, "plane/*"))
    corners = [found[f"plane/test/nll/point_{i}"] for i in range(3)]
    np.testing.assert_allclose(corners, expected, rtol=1e-4)

    status, output = cli(*QUICK, "stage=curve", "endpoints=[fge:1/1,fge:1/swa]")
    assert status == 0, output
    saved = curve_file.read(only(trained, "curve/*/curve.npz"))
    members = [curve_file.read(p)["control_points"][0] for p in trained.glob("fge/*/epochs/*.npz")]
    first = curve_file.read(only(trained, "fge/*/epochs/1.npz"))["control_points"][0]
    np.testing.assert_array_equal(saved["control_points"][0], first)
    np.testing.assert_allclose(saved["control_points"][-1], np.mean(members, 0), atol=1e-6)
    # The ends' own statistics are those of reports.
    average = keras.models.load_model(only(trained, "fge/*/model.keras"))
    for found, expected in zip(saved["end_states"][1], statistics(average), strict=True):
        np.testing.assert_array_equal(found, expected)
    status, output = cli(*QUICK, "stage=chain", "chain.networks=[1,fge:1/3]")
    assert (status, "has 2 members. Type a number from 1 to 2" in output) == (1, True), output


def test_training_that_goes_on_takes_what_training_left(cli, trained):
    status, output = cli(*QUICK, "stage=fge", "fge.start=1@2")
    assert status == 0, output
    (one, other) = (curve_file.read(path) for path in trained.glob("fge/*/epochs/1.npz"))
    np.testing.assert_array_equal(one["control_points"], other["control_points"])
    for a, b in zip(one["state"], other["state"], strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_a_network_of_before_is_shown_with_a_line_and_read_as_others_are(cli, trained):
    folder = only(trained, "base/*")
    now = summary(folder)
    network = keras.models.load_model(folder / "model.keras")
    expected = statistics(network)
    # As version 0.1.0 left it.
    with np.load(folder / "moving.npz") as left:
        state = list(left.values())
    FlatNetwork(network).assign(mc.pack(network), state)
    network.save_weights(folder / "model.weights.h5")
    (folder / "moving.npz").unlink()
    before = {k: now.get(f"moving/{k}") for k in now if not k.startswith("moving/")}
    (folder / "summary.json").write_text(json.dumps(before))
    noted = json.loads((folder / "environment.json").read_text())
    (folder / "environment.json").write_text(json.dumps({"wandb_id": noted["wandb_id"]}))
    status, output = cli(*QUICK, "stage=base")
    assert status == 0
    assert output.count("reports the moving averages that training left") == 1
    shutil.rmtree(only(trained, "fge/*"))
    for stage in (["stage=base", "seed=2"], ["stage=curve"]):
        status, output = cli(*QUICK, *stage)
        assert status == 0, output
    saved = curve_file.read(only(trained, "curve/*/curve.npz"))
    for found, value in zip(saved["end_states"][0], expected, strict=True):
        np.testing.assert_allclose(found, value, rtol=1e-5, atol=1e-7)
    assert cli("stage=report")[0] == 0
    table = pd.read_csv(trained / "results_base.csv", keep_default_na=False)
    assert sorted(zip(table["BatchNorm"], table["runs"], strict=True)) == [
        ("", 1),
        ("estimated anew", 1),
    ]
