"""The command line, end to end in a temporary folder."""

import json
import os
import shutil
import subprocess
import sys

import keras
import numpy as np
import pandas as pd
import pytest
from conftest import QUICK as SMOKE
from conftest import only, render
from wandb_files import axes_of, history_of, of_kind, records_of, summary_of

import mc
from mc.datasets import make_data
from mc.plots.style import PaperFigure

QUICK = [
    "model=mlp",
    "model.widths=[16]",
    "train.base.epochs=3",
    "train.curve.epochs=3",
    "train.base.learning_rate=0.02",
    "eval.num_points=5",
]


def command(folder, *arguments, **environment):
    """The command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "mc.run", f"output_dir={folder}", *arguments],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        cwd=folder,
        check=False,
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder and output of a whole small run, W&B offline."""
    folder = tmp_path_factory.mktemp("outputs")
    done = command(folder, *QUICK, WANDB_MODE="offline")
    assert done.returncode == 0, done.stderr
    return folder, done


def test_one_command_makes_every_stage(finished):
    folder, _ = finished
    stages = {p.parent.parent.name for p in folder.glob("*/*/summary.json")}
    assert stages == {"base", "curve", "eval", "all"}
    assert len(list(folder.glob("base/*"))) == 2
    for run_folder in (p.parent for p in folder.glob("*/*/summary.json")):
        for name in ("config.yaml", "environment.json", "run.log"):
            assert (run_folder / name).stat().st_size > 0, f"{run_folder.name}/{name}"
        assert not (run_folder / "checkpoint.npz").exists()


def test_the_summary_of_all_joins_the_stages(finished):
    folder, _ = finished
    joined = json.loads(only(folder, "all/*/summary.json").read_text())
    base = json.loads(only(folder, "base/*seed2*/summary.json").read_text())
    evaluation = json.loads(only(folder, "eval/*/summary.json").read_text())
    assert set(base) == {
        f"{s}/{m}" for s in ("train", "test") for m in ("loss", "nll", "error", "accuracy", "f1")
    }
    for key, value in base.items():
        assert joined[f"base_2/{key}"] == value
    for key, value in evaluation.items():
        assert joined[key] == value
    statistics = (
        "start",
        "end",
        "min",
        "max",
        "mean",
        "integral",
        "barrier_mean",
        "barrier_linear",
        "barrier_max",
    )
    for path in ("curve", "linear"):
        assert {f"{path}/test/error/{s}" for s in statistics} <= set(evaluation)
        assert f"{path}/test/accuracy/barrier_max" not in evaluation
    assert {"curve/length", "curve/chord", "curve/length_ratio"} <= set(evaluation)
    assert evaluation["curve/length_ratio"] >= 1


def test_the_ends_of_the_curve_are_the_base_networks(finished):
    folder, _ = finished
    points = pd.read_csv(only(folder, "eval/*/points.csv"))
    curve = points[points.path == "curve"]
    assert list(curve.t) == [0, 0.25, 0.5, 0.75, 1]
    for row, seed in ((curve.iloc[0], 1), (curve.iloc[-1], 2)):
        base = json.loads(only(folder, f"base/*seed{seed}*/summary.json").read_text())
        for metric in ("train/loss", "test/error", "test/nll"):
            assert row[metric] == pytest.approx(base[metric], rel=1e-5)


@pytest.mark.slow
def test_the_files_open_with_keras_and_numpy_alone(finished):
    folder, _ = finished
    code = (
        "import sys, keras, numpy as np;"
        "m = keras.models.load_model(sys.argv[1]);"
        "c = np.load(sys.argv[2])['control_points'];"
        "w = np.concatenate([np.ravel(v.numpy()) for v in m.trainable_variables]);"
        "assert (w == c[0]).all() and c.shape == (3, w.size);"
        "assert not [n for n in sys.modules if n == 'mc' or n.startswith('mc.')]"
    )
    base = only(folder, "base/*seed1*/model.keras")
    curve = only(folder, "curve/*/curve.npz")
    subprocess.run([sys.executable, "-c", code, base, curve], check=True)
    loaded = mc.load_curve(curve, keras.models.load_model(base))
    with np.load(curve) as file:
        ends = file["endpoints"].tolist()
    assert (curve.parent / ends[0]).resolve() == base.parent.resolve()
    assert loaded.family == mc.Bezier(1)


def test_history_and_figures_are_there(finished):
    folder, _ = finished
    history = pd.read_csv(only(folder, "curve/*/history.csv"))
    assert list(history.epoch) == [1, 2, 3]
    assert {"learning_rate", "train/loss", "train/accuracy"} <= set(history.columns)
    figures = only(folder, "eval/*/figures")
    names = {
        f"{name}.{ending}" for name in ("along_t", "scores_along_t") for ending in ("png", "pdf")
    }
    assert {p.name for p in figures.iterdir()} == names


def test_the_output_ends_with_a_table_its_folder_and_the_command_that_syncs(finished):
    folder, done = finished
    assert f"figure: {only(folder, 'eval/*/figures/along_t.png')}" in done.stdout
    (line,) = (line for line in done.stdout.splitlines() if "wandb sync" in line)
    named = line.partition("wandb sync ")[2].split(" ")
    assert sorted(named) == sorted(map(str, folder.glob("*/*/wandb/offline-run-*")))
    assert len(named) == 5  # two networks, the curve, its evaluation, and all
    assert f"eval: {folder}/eval/" in done.stdout
    assert "curve/test/error" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    log = only(folder, "curve/*/run.log").read_text()
    assert "curve 3/3" in log


def test_weights_and_biases_has_the_history_and_the_metrics_along_t(finished):
    folder, _ = finished
    curve = only(folder, "curve/*")
    records = records_of(curve)
    history = pd.read_csv(curve / "history.csv")
    logged = history_of(records, "train/loss")
    assert [row["epoch"] for row in logged] == list(history.epoch)
    np.testing.assert_allclose([row["train/loss"] for row in logged], history["train/loss"])
    (started,) = of_kind(records, "run")
    environment = json.loads((curve / "environment.json").read_text())
    assert (started.run_id, started.job_type) == (environment["wandb_id"], "curve")
    assert started.run_group == "digits-mlp"

    evaluation = only(folder, "eval/*")
    records = records_of(evaluation)
    points = pd.read_csv(evaluation / "points.csv").query("path == 'curve'")
    logged = history_of(records, "curve/test/error")
    assert [row["t"] for row in logged] == list(points.t)
    np.testing.assert_allclose([r["curve/test/error"] for r in logged], points["test/error"])
    assert axes_of(records)["curve/test/error"] == "t"
    summary = json.loads((evaluation / "summary.json").read_text())
    assert summary_of(records)["curve/test/error/max"] == summary["curve/test/error/max"]


def test_a_finished_run_is_not_run_again(finished, cli):
    folder, _ = finished
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}
    status, output = cli(*QUICK, f"output_dir={folder}")
    assert status == 0
    assert "Finished before" in output
    assert "curve/test/error" in output
    after = {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}
    assert after == before


def test_figures_are_drawn_again(finished, cli, monkeypatch):
    folder, _ = finished
    monkeypatch.setattr(PaperFigure, "savefig", render)
    figure = only(folder, "eval/*/figures/along_t.png")
    drawn = figure.read_bytes()
    figure.unlink()
    assert cli(*QUICK, "stage=figures", f"output_dir={folder}")[0] == 0
    assert figure.read_bytes() == drawn


@pytest.mark.slow
def test_the_same_command_gives_the_same_result_in_another_process(finished, tmp_path):
    folder, _ = finished
    assert command(tmp_path, *QUICK, WANDB_MODE="disabled").returncode == 0
    for path in folder.glob("*/*/summary.json"):
        assert (tmp_path / path.relative_to(folder)).read_text() == path.read_text()
    ours, theirs = (only(f, "curve/*/curve.npz") for f in (folder, tmp_path))
    with np.load(ours) as a, np.load(theirs) as b:
        np.testing.assert_array_equal(a["control_points"], b["control_points"])


@pytest.mark.slow
def test_force_sets_the_finished_run_aside(cli, made_runs, tmp_path):
    quick = ["stage=base", *SMOKE]
    folder = only(tmp_path, "base/*seed1-*")
    (folder / "note.txt").write_text("mine")
    assert cli(*quick, "force=true")[0] == 0
    assert (folder.with_name(f"{folder.name}.old-1") / "note.txt").read_text() == "mine"
    assert (folder / "summary.json").exists()


@pytest.mark.slow
def test_an_interrupted_training_continues_to_the_same_weights(cli, tmp_path, monkeypatch):
    from mc.lab import files
    from mc.lab.work import training

    monkeypatch.setattr(training, "SECONDS", 0)  # a checkpoint after every epoch

    def weights():
        with np.load(only(tmp_path, "curve/*/curve.npz")) as file:
            return file["control_points"]

    quick = ["smoke=true", "model=cnn_bn"]
    assert cli(*quick)[0] == 0
    whole = weights()
    save = files.save_checkpoint

    def killed(folder, arrays):
        save(folder, arrays)
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "save_checkpoint", killed)
    status, output = cli("stage=curve", "force=true", *quick)
    assert status == 1
    assert "To go on: python -m mc.run stage=curve smoke=true" in output  # without force=true
    assert "Stopped: KeyboardInterrupt" in only(tmp_path, "curve/*[!1]/run.log").read_text()
    monkeypatch.setattr(files, "save_checkpoint", save)
    status, output = cli("stage=curve", *quick)
    assert status == 0
    assert "Continuing" in output
    for path in tmp_path.glob("curve/*.old-1"):
        path.rename(tmp_path / "aside")
    np.testing.assert_array_equal(weights(), whole)


def test_a_regression_draws_its_functions(cli, tmp_path):
    status, output = cli("+experiment=regression", "smoke=true")
    assert status == 0, output
    figures = {p.stem for p in tmp_path.glob("eval/*/figures/*")}
    assert figures == {"along_t", "functions"}
    summary = json.loads(only(tmp_path, "eval/*/summary.json").read_text())
    assert {k.split("/")[2] for k in summary if k.count("/") == 3} == {"loss", "mse"}


@pytest.mark.slow
def test_validation_data_are_watched_and_evaluated_by_any_keras_loss(cli, tmp_path):
    loss = ["loss._target_=keras.losses.CategoricalCrossentropy", "+loss.from_logits=true"]
    status, output = cli(*SMOKE, "dataset.valid_size=100", *loss, "+loss.label_smoothing=0.1")
    assert status == 0, output
    assert "valid/loss" in pd.read_csv(only(tmp_path, "curve/*/history.csv"))
    assert "valid/error" in pd.read_csv(only(tmp_path, "eval/*/points.csv"))
    summary = json.loads(only(tmp_path, "eval/*/summary.json").read_text())
    assert summary["curve/test/loss/start"] > summary["curve/test/nll/start"]


# A network and data of one's own, as the README shows them.
OWN = """
import keras
import numpy as np


def net(input_shape, num_classes, units=8):
    return keras.Sequential([
        keras.Input(input_shape), keras.layers.Dense(units, "relu"), keras.layers.Dense(num_classes)
    ])


def wide_net(input_shape):
    return net(input_shape, 7)


def softmax_net(input_shape, num_classes):
    return keras.Sequential([*net(input_shape, num_classes).layers, keras.layers.Softmax()])


def data():
    x = np.random.default_rng(0).normal(size=(120, 4)).astype("float32")
    y = (x[:, 0] > 0).astype(int) + (x[:, 1] > 0)
    return (x[:100], y[:100]), (x[100:], y[100:])


def one_hot():
    return tuple((x, np.eye(3)[y]) for x, y in data())


def sequences():
    x = [np.full((2 + i % 5, 3), 1.0 + i % 2) for i in range(60)]
    y = np.arange(60) % 2
    return (x[:40], y[:40]), (x[40:], y[40:])


def masked_net(input_shape, num_classes):
    layers = [keras.layers.Masking(), keras.layers.SimpleRNN(4), keras.layers.Dense(num_classes)]
    return keras.Sequential([keras.Input(input_shape), *layers])


def table():
    (x, y), test = data()
    return (x, y.astype(float)), test[:1] + (test[1].astype(float),)


def plane():
    x = np.random.default_rng(0).normal(size=(60, 4)).astype("float32")
    return (x[:50], x[:50].sum(1)), (x[50:], x[50:].sum(1))
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "own_module.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    yield ["dataset._target_=own_module.data", "model._target_=own_module.net", "smoke=true"]
    sys.modules.pop("own_module", None)


def test_a_network_and_data_of_ones_own(cli, own, tmp_path):
    status, output = cli(*own, "+model.units=5", "stage=base")
    assert status == 0, output
    network = keras.models.load_model(only(tmp_path, "base/*seed1*/model.keras"))
    assert network.layers[0].units == 5
    status, output = cli(*own, "+model.unit=5", "stage=base", "seed=5")
    assert status == 1
    assert "model.unit is not an argument of own_module.net. Known: input_shape" in output


@pytest.mark.slow
def test_one_hot_targets_take_the_loss_that_is_theirs(cli, own, tmp_path):
    numbers = {}
    for data in ("data", "one_hot"):
        status, output = cli(*own[1:], f"dataset._target_=own_module.{data}", "stage=base")
        assert status == 0, output
        path = only(tmp_path, f"base/smoke-{data}-*/summary.json")
        numbers[data] = json.loads(path.read_text())
    for name, value in numbers["data"].items():
        assert numbers["one_hot"][name] == pytest.approx(value, rel=1e-5), name
    sparse = "loss._target_=keras.losses.SparseCategoricalCrossentropy"
    status, output = cli(*own[1:], "dataset._target_=own_module.one_hot", "stage=base", sparse)
    assert (status, "pass y.argmax(-1), or choose" in output) == (1, True), output


def test_a_misspelt_function_leaves_nothing(cli, own, tmp_path):
    status, output = cli(*own, "model._target_=own_module.ent")
    assert (status, "Did you mean own_module.net?" in output) == (1, True), output
    assert not list(tmp_path.glob("*/*"))


def test_a_callable_that_draws_at_random_gives_every_network_the_same_data(
    cli, own, tmp_path, monkeypatch
):
    module = tmp_path / "own_module.py"
    module.write_text(module.read_text().replace("np.random.default_rng(0)", "np.random"))
    seen = []

    def watched(raw, *settings):
        seen.append(raw[0][0].sum())
        return make_data(raw, *settings)

    monkeypatch.setattr("mc.lab.work.data.make_data", watched)
    for seed in (1, 2):
        assert cli(*own, "stage=base", f"seed={seed}")[0] == 0
    assert seen[0] == seen[1]


@pytest.mark.slow
def test_a_regression_of_several_variables_has_no_functions_to_draw(cli, own, tmp_path):
    model = ["model._target_=mc.models.mlp", "+model.widths=[4]", "+model.activation=relu"]
    status, output = cli(*own[2:], "dataset._target_=own_module.plane", *model)
    assert status == 0, output
    assert {p.stem for p in tmp_path.glob("eval/*/figures/*")} == {"along_t"}


def test_saved_keras_models_are_endpoints(cli, own, tmp_path):
    import own_module

    for name, units in (("a", 8), ("b", 8), ("c", 6)):
        own_module.net((4,), 3, units).save(tmp_path / f"{name}.keras")
    a, b, c = (tmp_path / f"{name}.keras" for name in "abc")
    status, output = cli(*own, f"endpoints=[{a},{b}]")
    assert status == 0, output
    assert not (tmp_path / "base").exists()
    status, output = cli(*own, f"endpoints=[{a},{c}]", "stage=curve")
    assert status == 1
    assert "(4, 8) against" in output
    assert "(4, 6)" in output
    status, output = cli("smoke=true", f"endpoints=[{a},{b}]", "stage=curve")
    assert (status, "does not take the dataset's inputs of shape (8, 8, 1)" in output) == (1, True)
    a.write_bytes(b"not a model")
    status, output = cli(*own, f"endpoints=[{a},{b}]", "stage=curve")
    assert (status, "a.keras cannot be read" in output) == (1, True)


def test_any_elementwise_optimizer_is_a_setting(cli, tmp_path):
    status, output = cli(
        "smoke=true",
        "model=mlp",
        "stage=base",
        "optimizer._target_=keras.optimizers.Lion",
        "+optimizer.beta_1=0.95",
    )
    assert status == 0, output
    config = only(tmp_path, "base/*/config.yaml").read_text()
    assert "momentum" not in config  # SGD's, which Lion replaced


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sead=3"], "Did you mean seed?"),
        (["+sead=3"], "Did you mean seed?"),
        (["trian.base.epochs=3"], "Did you mean train"),
        (["stage=fge", "fge.start=1@99"], "are trained for 20 epochs"),
        (["model=cmm"], "Could not find 'model/cmm'"),
        (["model.paddin=valid"], "Unknown key model.paddin"),
        (["train.curve.learnig_rate=1"], "Did you mean train.curve.learning_rate?"),
        (
            ["epochs=5"],
            "Did you mean train.base.epochs or train.curve.epochs or fge.epochs or",
        ),
        (["+optimizer.learning_rate=0.5"], "type train.base.learning_rate"),
        (["num_bends=0"], "Nothing to train: num_bends=0 with both ends fixed"),
        (["dataset=tfds"], "dataset.tfds_name must be given"),
        (["seed=x"], "seed: Value 'x' of type 'str' could not be converted to Integer"),
        (["num_bends=-1"], "num_bends must be a number at least 0"),
        (["train.base.epochs=-3"], "train.base.epochs must be a number at least 1"),
        (["train.base.batch_size=0"], "train.base.batch_size must be a number at least 1"),
        (["eval.num_points=1"], "eval.num_points must be a number at least 2"),
        (["eval.t=[1.5]"], "increasing positions in [0, 1]"),
        (["stage=curve"], "python -m mc.run stage=base seed=1"),
        (["stage=eval"], "python -m mc.run stage=curve"),
    ],
)
def test_a_mistake_gets_one_message_and_leaves_nothing(cli, capfd, tmp_path, arguments, words):
    status, output = cli(*arguments)  # an error of another kind would be raised here
    assert (status, words in output) == (1, True), output
    assert "Traceback" not in output + "".join(capfd.readouterr())
    assert list(tmp_path.iterdir()) == []


def test_a_traceback_is_shown_to_who_asks_alone(tmp_path):
    for asks, shown in (("0", False), ("1", True)):
        result = command(tmp_path, "sead=3", HYDRA_FULL_ERROR=asks)
        assert result.returncode == 1
        assert ("Traceback" in result.stderr) is shown
        assert "Did you mean seed?" in result.stderr or shown
        assert list(tmp_path.iterdir()) == []


def test_sequences_of_different_lengths_are_trained_on(cli, own):
    target = ["dataset._target_=own_module.sequences", "model._target_=own_module.masked_net"]
    status, output = cli(*target, *own[2:], "stage=base")
    assert status == 0, output
    assert "x have lengths from 2 to 6: zeros at their ends make them 6" in output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["dataset._target_=own_module.table"], "return them as integers, y.astype(int)"),
        (["model._target_=own_module.softmax_net"], "Remove the softmax from the last layer"),
        (["model._target_=own_module.wide_net"], "(None, 7), but the dataset has 3 classes"),
        (["model._target_=mc.models.cnn"], "the cnn needs images"),
        (["optimizer._target_=keras.optimizers.Muon"], "Muon looks at the shape of each weight"),
        (["optimizer._target_=keras.optimizers.Sdg"], "cannot be imported"),
        (["+optimizer.momentun=0.9"], "momentun"),
        (
            ["train.base.learning_rate=1e30", "train.base.schedule=constant"],
            "by the end of epoch 1",
        ),
    ],
)
def test_what_only_training_can_find_is_one_message_too(cli, own, tmp_path, arguments, words):
    status, output = cli(*own, "stage=base", *arguments)
    assert (status, words in output) == (1, True), output
    assert "Traceback" not in output
    assert list(tmp_path.glob("base/*/summary.json")) == []


def test_weights_that_become_nan_keep_the_last_good_state(cli, tmp_path, monkeypatch):
    from mc import schedules
    from mc.lab.work import training

    monkeypatch.setattr(training, "SECONDS", 0)  # a checkpoint after every epoch

    rates = {1: 1.0, 2: 1e35}
    monkeypatch.setitem(schedules.SCHEDULES, "garipov", lambda e, _: rates[e])
    status, output = cli("stage=base", "smoke=true", "model=mlp")
    assert (status, "NaN by the end of epoch 2" in output) == (1, True), output
    assert "The state after epoch 1 is kept" in output
    with np.load(only(tmp_path, "base/*/checkpoint.npz")) as saved:
        assert saved["history:epoch"].tolist() == [1]
        assert np.isfinite(saved["variable_0"]).all()


def test_all_makes_again_what_was_removed(cli, made_runs, tmp_path):
    quick = SMOKE
    whole = only(tmp_path, "all/*/summary.json").read_text()
    shutil.rmtree(tmp_path / "eval")
    status, output = cli(*quick)
    assert status == 0, output
    assert only(tmp_path, "eval/*/summary.json").exists()
    assert only(tmp_path, "all/*/summary.json").read_text() == whole
    assert cli(*quick)[1].count("stage=") == 0  # nothing was done


def test_a_damaged_base_network_says_how_to_make_it_again(cli, made_runs, tmp_path):
    shutil.rmtree(tmp_path / "curve")
    only(tmp_path, "base/*seed2*/model.weights.h5").write_bytes(b"broken")
    status, output = cli(*SMOKE, "stage=curve")
    assert (status, "stage=base seed=2 force=true" in output) == (1, True), output


def test_a_folder_that_cannot_be_written(cli, tmp_path):
    (tmp_path / "file").write_text("")
    status, output = cli("stage=base", f"output_dir={tmp_path / 'file'}")
    assert (status, str(tmp_path / "file") in output) == (1, True), output


def test_data_that_are_not_there(cli, tmp_path, monkeypatch):
    import requests

    def no_network(*_, **__):
        raise requests.ConnectionError

    monkeypatch.setattr(requests, "head", no_network)
    status, output = cli("dataset=cifar100", f"dataset.data_dir={tmp_path / 'no'}", "stage=base")
    assert status == 1
    assert str(tmp_path / "no") in output
    assert "Traceback" not in output


@pytest.mark.long
def test_saved_epochs_are_endpoints_and_starting_points(cli, tmp_path):
    quick = ["smoke=true", "model=mlp", "train.base.save_every=1", "train.curve.save_every=1"]
    early = "endpoints=[1@1,2@1]"
    status, output = cli(*quick, "stage=curve", early)
    assert (status, "seed=1 train.base.save_every=1" in output) == (1, True), output
    status, output = cli("-m", *quick, "stage=base", "seed=1,2")
    assert status == 0, output
    status, output = cli(*quick, "stage=curve", early)
    assert status == 0, output
    curve = only(tmp_path, "curve/*-1_1-2_1-*")
    base = only(tmp_path, "base/*seed1*")
    with np.load(curve / "curve.npz") as file, np.load(base / "epochs/1.npz") as saved:
        np.testing.assert_array_equal(file["control_points"][0], saved["control_points"][0])
    final = keras.models.load_model(base / "model.keras")
    with np.load(base / "epochs/2.npz") as saved:
        np.testing.assert_array_equal(saved["control_points"][0], mc.pack(final))

    status, output = cli(*quick, "stage=curve", "endpoints=[1@7,2]")
    assert (status, "has no saved epoch 7; it has [1, 2]" in output) == (1, True), output

    more = ["stage=curve", early, "train.curve.learning_rate=0.001"]
    status, output = cli(*quick, *more, f"train.curve.init={curve}@1")
    assert status == 0, output
    (continued,) = (p for p in tmp_path.glob("curve/*-1_1-2_1-*") if p != curve)
    with np.load(continued / "curve.npz") as file, np.load(curve / "epochs/1.npz") as saved:
        moved = np.abs(file["control_points"][1] - saved["control_points"][1]).max()
        assert 0 < moved < 0.05
    status, output = cli(*quick, *more, f"train.curve.init={curve}@9")
    assert (status, "there is no file" in output) == (1, True)
    status, output = cli(*quick, *more, f"train.curve.init={curve}", "num_bends=2")
    assert (status, "choose the same curve and num_bends" in output) == (1, True)


def test_a_finished_network_without_the_epoch_is_said_before_anything_is_made(
    cli, made_runs, tmp_path
):
    quick = SMOKE
    shutil.rmtree(tmp_path / "curve")
    status, output = cli(*quick, "train.base.save_every=1", "endpoints=[1@1,2@1]")
    assert status == 1
    assert "train.base.save_every=1 force=true" in output
    assert not (tmp_path / "curve").exists()
