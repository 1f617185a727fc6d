"""stage=fge and stage=ensemble, from the command line."""

import json
import shutil
import sys

import keras
import numpy as np
import pandas as pd
import pytest
import scipy.stats
import sklearn.metrics
from conftest import QUICK, only, saved_network

from mc.datasets import digits
from mc.lab import files


def summary(folder):
    return json.loads((folder / "summary.json").read_text())


def test_fge_collects_members_and_averages_them(cli, made_runs, tmp_path):
    status, output = cli(*QUICK, "stage=fge", "fge.lr_1=0.1", "fge.lr_2=0.02")
    assert status == 0, output
    folder = only(tmp_path, "fge/smoke-digits-mlp-1-seed1-*")
    assert sorted(p.name for p in (folder / "epochs").iterdir()) == ["1.npz", "3.npz"]
    table = pd.read_csv(folder / "members.csv")
    assert table["members"].tolist() == [1, 2]
    assert table["name"].tolist() == ["fge:1/1", "fge:1/2"]  # as settings name them
    # Two steps an epoch, two epochs a cycle: the second step of epochs 1 and 3 is halfway down.
    rates = pd.read_csv(folder / "history.csv")["learning_rate"]
    np.testing.assert_allclose(rates, [0.06, 0.06, 0.06], rtol=1e-5)
    start = keras.models.load_model(only(tmp_path, "base/*seed1*/model.keras"))
    with np.load(folder / "epochs/1.npz") as one, np.load(folder / "epochs/3.npz") as three:
        w = [one["control_points"][0], three["control_points"][0]]
    initial = np.concatenate([np.ravel(a) for a in start.get_weights()])
    distances = [np.linalg.norm(v - initial) for v in w]
    np.testing.assert_allclose(table["distance"], distances, rtol=1e-4)
    # The first average is the first member; the network has no BatchNorm.
    single, average = table["test/nll"][0], table["swa/test/nll"][0]
    assert average == pytest.approx(single, rel=1e-5)
    found = summary(folder)
    assert found["num_members"] == 2
    assert found["ensemble/test/nll"] == table["ensemble/test/nll"][1]
    assert found["member/test/nll/max"] == table["test/nll"].max()
    assert (folder / "figures/as_members_join.pdf").exists()


@pytest.mark.slow
def test_an_ensemble_joins_networks_and_the_members_of_fge_runs(cli, made_runs, tmp_path):
    networks = "ensemble.networks=[1,2,fge:2]"
    status, output = cli(*QUICK, "stage=ensemble", networks)
    assert (status, "stage=fge fge.start=2" in output) == (1, True), output
    assert cli(*QUICK, "stage=fge", "fge.start=2")[0] == 0
    status, output = cli(*QUICK, "stage=ensemble", networks)
    assert status == 0, output
    table = pd.read_csv(only(tmp_path, "ensemble/*/members.csv"))
    assert table["name"].tolist() == ["1", "2", "fge:2/1", "fge:2/2"]
    for row, seed in enumerate((1, 2)):  # as their own training reported them
        base = summary(only(tmp_path, f"base/*seed{seed}*"))
        for metric in ("nll", "error", "f1"):
            assert table[f"test/{metric}"][row] == pytest.approx(base[f"test/{metric}"], rel=1e-5)
    members = pd.read_csv(only(tmp_path, "fge/*/members.csv"))
    np.testing.assert_allclose(table["test/nll"][2:], members["test/nll"], rtol=1e-5)
    assert table["ensemble/test/nll"][0] == pytest.approx(table["test/nll"][0], rel=1e-9)


@pytest.mark.long
def test_ensembles_and_points_of_a_curve_take_statistics_from_as_few_batches(cli, tmp_path):
    quick = ["smoke=true", "model._target_=conftest.small_bn", "eval.bn_batch_size=8"]
    assert cli(*quick)[0] == 0
    status, output = cli(*quick, "stage=ensemble")
    assert status == 0, output
    table = pd.read_csv(only(tmp_path, "ensemble/*/members.csv"))
    points = pd.read_csv(only(tmp_path, "eval/*/points.csv")).query("path == 'curve'")
    assert table["name"].tolist() == ["t=0", "t=0.5", "t=1"]
    np.testing.assert_allclose(table["test/nll"], points["test/nll"], rtol=1e-4)
    assert cli(*quick, "stage=eval", "eval.bn_batches=2")[0] == 0
    assert cli(*quick, "stage=eval", "eval.bn_batches=4")[0] == 0  # all there are
    tables = {}
    for path in tmp_path.glob("eval/*/points.csv"):
        line = (path.parent / "config.yaml").read_text()
        count = line.split("bn_batches: ")[1].split()[0]
        tables[count] = pd.read_csv(path)["test/nll"].to_numpy()
    np.testing.assert_array_equal(tables["null"], tables["4"])
    assert np.abs(tables["2"] - tables["4"]).max() > 0


def test_the_mean_prediction_of_an_ensemble_is_kept_if_asked(cli, made_runs, tmp_path):
    ensemble = [*QUICK, "stage=ensemble", "ensemble.networks=[1,2]"]
    asked = [*ensemble, "ensemble.predictions=true"]
    status, output = cli(*asked, "eval.splits=[train]")
    assert (status, "eval.splits must have test among them" in output) == (1, True), output
    status, output = cli(*asked)
    assert status == 0, output
    folder = only(tmp_path, "ensemble/*")
    with np.load(folder / "predictions.npz") as file:
        kept = dict(file)
    # The same by Keras and NumPy alone; smoke=true leaves the first 32 examples.
    x, y = (array[:32] for array in digits()["test"])
    models = [
        keras.models.load_model(only(tmp_path, f"base/*seed{s}*/model.keras")) for s in (1, 2)
    ]
    mean = np.mean([keras.ops.softmax(model.predict(x, verbose=0)) for model in models], axis=0)
    np.testing.assert_allclose(kept["mean"], mean, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(kept["targets"], y)
    assert (kept["mean"].dtype, int(kept["num_classes"])) == (np.float32, 10)
    error = summary(folder)["ensemble/test/error"]
    assert error == pytest.approx(np.mean(kept["mean"].argmax(1) != kept["targets"]))
    assert cli(*ensemble)[0] == 0  # a run of its own
    assert len([f for f in tmp_path.glob("ensemble/*") if (f / "predictions.npz").exists()]) == 1
    assert len(list(tmp_path.glob("ensemble/*/summary.json"))) == 2


OTHER = """
import numpy as np


def data(size=8):
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (40, size, size, 1)).astype("uint8"), rng.integers(0, 3, 40)
    return (x, y), (x, y)
"""


@pytest.fixture
def other(tmp_path, monkeypatch):
    """What to type for other data: noise of the size of digits."""
    (tmp_path / "other_data.py").write_text(OTHER)
    monkeypatch.syspath_prepend(tmp_path)
    yield "+ood._target_=other_data.data"
    sys.modules.pop("other_data", None)


@pytest.mark.slow
def test_an_ensemble_tells_other_data_from_the_test_data(cli, made_runs, other, tmp_path):
    ensemble = [*QUICK, "stage=ensemble", "ensemble.networks=[1,2]"]
    status, output = cli(*ensemble, other, "objective=ensemble/ood/auroc")
    assert status == 0, output
    folder = only(tmp_path, "ensemble/smoke-digits-mlp-1-2-ood-data-*")
    found = summary(folder)
    # The same by Keras and scikit-learn alone; smoke=true leaves the first 32 examples.
    import other_data

    sets = {"test": digits()["test"][0][:32], "ood": other_data.data()[1][0][:32] / 255}
    models = [
        keras.models.load_model(only(tmp_path, f"base/*seed{s}*/model.keras")) for s in (1, 2)
    ]
    p = {k: [keras.ops.softmax(m.predict(x, verbose=0)) for m in models] for k, x in sets.items()}
    entropy = {k: scipy.stats.entropy(np.mean(v, axis=0), axis=1) for k, v in p.items()}
    from_outside = np.repeat([0, 1], 32)
    area = sklearn.metrics.roc_auc_score(from_outside, np.concatenate(list(entropy.values())))
    assert found["ensemble/ood/auroc"] == pytest.approx(area, abs=0.005)
    assert found["ensemble/ood/entropy"] == pytest.approx(entropy["ood"].mean(), rel=1e-4)
    disagree = np.mean(np.argmax(p["test"][0], 1) != np.argmax(p["test"][1], 1))
    assert found["ensemble/test/disagreement"] == pytest.approx(disagree)
    with np.load(folder / "uncertainty.npz") as file:
        np.testing.assert_allclose(file["entropy"], entropy["test"], rtol=1e-4, atol=1e-7)
        np.testing.assert_allclose(file["ood_entropy"], entropy["ood"], rtol=1e-4, atol=1e-7)
    figures = {path.stem for path in (folder / "figures").glob("*.pdf")}
    assert figures == {"as_members_join", "entropy", "reliability"}
    # Without other data it is another run, whose folder is named as it was before there were any.
    status, output = cli(*ensemble)
    assert status == 0, output
    alone = only(tmp_path, "ensemble/smoke-digits-mlp-1-2-[0-9a-f]*")
    assert not [name for name in summary(alone) if "ood" in name]
    status, output = cli(*ensemble, "objective=ensemble/ood/auroc")
    assert (status, "Type for example +dataset@ood=cifar10." in output) == (1, True), output


def test_an_ensemble_of_before_is_drawn_without_what_it_has_not_kept(cli, made_runs, tmp_path):
    assert cli(*QUICK, "stage=ensemble")[0] == 0
    folder = only(tmp_path, "ensemble/*")
    (folder / "uncertainty.npz").unlink()
    shutil.rmtree(folder / "figures")
    status, output = cli(*QUICK, "stage=figures")
    assert status == 0, output
    assert {path.stem for path in (folder / "figures").iterdir()} == {"as_members_join"}
    status, output = cli(*QUICK, "stage=ensemble")
    assert (status, "Finished before" in output) == (0, True), output


@pytest.mark.slow
def test_members_of_fge_hold_for_all_other_data(cli, made_runs, other, tmp_path):
    fge = [*QUICK, "stage=fge"]
    status, output = cli(*fge, other)
    assert status == 0, output
    found = summary(only(tmp_path, "fge/*-ood-data-*"))
    assert {f"{name}/ood/auroc" for name in ("ensemble", "swa")} < found.keys()
    assert found["member/ood/fpr95/min"] <= found["member/ood/fpr95/max"] <= 1
    # As what ensembles are built of it has no other data.
    ensemble = [*QUICK, "stage=ensemble", "ensemble.networks=[fge:1]", other]
    status, output = cli(*ensemble)
    assert status == 1
    (command,) = (line for line in output.splitlines() if "mc.run stage=fge" in line)
    assert "ood" not in command
    status, output = cli(*ensemble, "build=true")
    assert status == 0, output
    assert len(list(tmp_path.glob("fge/*"))) == 2
    assert "member/ood/auroc/mean" in summary(only(tmp_path, "ensemble/*"))


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (["+ood.size=9"], "are given (8, 8, 1) by dataset, and would be given (9, 9, 1) by ood"),
        (["+ood.sise=9"], "ood.sise is not an argument of other_data.data"),
        (["eval.splits=[train]"], "eval.splits must have test among them"),
        pytest.param(
            ["dataset=regression", "model.activation=tanh"],
            "predict no such class. Leave ood out",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_other_data_that_cannot_be_told_apart(cli, made_runs, other, typed, words):
    if "dataset=regression" in typed:
        assert cli(*QUICK, *typed, "stage=base")[0] == 0
    status, output = cli(*QUICK, "stage=ensemble", "ensemble.networks=[1]", other, *typed)
    assert (status, words in output) == (1, True), output


def test_networks_of_an_ensemble_that_do_not_fit_are_named(cli, tmp_path):
    a = saved_network(tmp_path / "a.keras")
    b = saved_network(tmp_path / "b.keras", units=5)
    status, output = cli("smoke=true", "stage=ensemble", f"ensemble.networks=[{a},{b}]")
    assert (status, f"{a} and {b} do not fit" in output) == (1, True), output


def test_networks_that_differ_only_in_an_activation_are_told_apart(cli, tmp_path):
    a = saved_network(tmp_path / "a.keras", activation="relu")
    b = saved_network(tmp_path / "b.keras", activation="tanh")
    for stage in ("ensemble", "chain", "pairs", "soup"):
        status, output = cli("smoke=true", f"stage={stage}", f"{stage}.networks=[{a},{b}]")
        assert (status, f"{a} and {b} do not fit" in output) == (1, True), output


def test_a_kill_between_member_and_checkpoint_loses_neither(cli, made_runs, tmp_path, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(
            files, "save_checkpoint", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
        )
        assert cli(*QUICK, "stage=fge")[0] == 1
    status, output = cli(*QUICK, "stage=fge")
    assert status == 0, output
    assert len(pd.read_csv(only(tmp_path, "fge/*/members.csv"))) == 2


def test_figures_of_ensembles_need_no_curve(cli, made_runs, tmp_path):
    shutil.rmtree(tmp_path / "curve")
    shutil.rmtree(tmp_path / "eval")
    assert cli(*QUICK, "stage=fge")[0] == 0
    picture = only(tmp_path, "fge/*/figures/as_members_join.png")
    picture.unlink()
    status, output = cli(*QUICK, "stage=figures")
    assert status == 0, output
    assert picture.exists()


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("fge.cycle=3", "fge.cycle must be even"),
        ("fge.epochs=1 fge.cycle=4", "fge.epochs must be at least 2"),
        ("fge.lr_1=0.01 fge.lr_2=0.05", "fge.lr_1, the highest rate"),
        ("fge.start=nowhere.keras", "no saved Keras model"),
        ("ensemble.networks=[]", "must name a network"),
        ("ensemble.spacing=equal", "one of t, arc_length"),
        ("ensemble.num_points=1", "at least 2"),
        ("'ensemble.networks=[fge:gone.keras]'", "no saved Keras model"),
    ],
)
def test_settings_that_make_no_ensemble_are_refused(cli, setting, words):
    status, output = cli(*QUICK, "stage=fge", *setting.replace("'", "").split())
    assert (status, words in output) == (1, True), output


@pytest.mark.slow
def test_eval_keeps_predictions_and_the_curve_before_its_training(cli, tmp_path):
    quick = [*QUICK, "train.curve.init=random"]
    status, output = cli(*quick, "eval.predictions=[0,0.5]", "eval.initial=true")
    assert status == 0, output
    folder = only(tmp_path, "eval/*")
    points = pd.read_csv(folder / "points.csv").set_index(["path", "t"])
    with np.load(folder / "predictions.npz") as file:
        arrays = dict(file)
    assert arrays["curve"].shape == arrays["linear"].shape == (2, 32, 10)
    for path in ("curve", "linear"):
        for i, t in enumerate((0.0, 0.5)):
            error = np.mean(arrays[path][i].argmax(-1) != arrays["targets"])
            assert error == pytest.approx(points.loc[(path, t), "test/error"])
    initial = points.loc["initial", "test/nll"]
    assert initial[0.0] == pytest.approx(points.loc[("curve", 0.0), "test/nll"], rel=1e-6)
    assert abs(initial[0.5] - points.loc[("linear", 0.5), "test/nll"]) > 1e-4  # a random bend
    figures = {p.stem for p in (folder / "figures").iterdir()}
    along = {"along_t", "scores_along_t"}
    assert figures == along | {"confusion_t0", "confusion_t0.5", "true_class_density"}
    assert "initial/test/nll/max" in summary(folder)
