"""What a result owes to its batches and its loss, and what is not finite, by the command line."""

import json
import shlex
import shutil

import keras
import numpy as np
import pytest
from conftest import QUICK, only

from mc.lab import folders

HERE = __name__.rpartition(".")[2]


def strict(path):
    """A JSON file, as parsers read it that know no NaN."""

    def refuse(token):
        raise AssertionError(f"{path} holds {token}")

    return json.loads(path.read_text(), parse_constant=refuse)


@pytest.mark.slow
def test_a_loss_that_depends_on_batches_is_noted_and_told_with_what_to_type(cli, tmp_path):
    loss = ["loss._target_=keras.losses.SparseCategoricalCrossentropy", "+loss.from_logits=true"]
    ignoring = [*QUICK, *loss, "+loss.ignore_class=1", "stage=base", "seed=7"]
    assert cli(*ignoring)[0] == 0
    made = only(tmp_path, "base/*")
    assert "ignores a class" in strict(made / "batches.json")["loss"]["train"]
    again = cli(*ignoring)[1]
    assert "force=true runs it again" in again
    assert "its loss depends" not in again
    status, output = cli(*ignoring, "eval.batch_size=9")
    assert status == 0
    assert "in batches of eval.batch_size=500, on which its loss depends (it ignores" in output
    assert "With 9: " in output
    (told,) = [line for line in output.splitlines() if "With 9: " in line]
    command = shlex.split(told.partition("With 9: ")[2])
    assert command[:3] == ["python", "-m", "mc.run"]
    before = json.loads((made / "summary.json").read_text())["train/loss"]
    assert cli(*command[3:])[0] == 0
    assert strict(made / "batches.json")["eval.batch_size"] == 9
    assert json.loads((made / "summary.json").read_text())["train/loss"] != before
    assert "its loss depends" not in cli(*ignoring, "eval.batch_size=9")[1]


def test_a_plain_mean_has_no_note(cli, tmp_path):
    assert cli(*QUICK, "stage=base")[0] == 0
    assert not list(tmp_path.glob("base/*/batches.json"))
    assert "batch_size" not in cli(*QUICK, "stage=base", "eval.batch_size=9")[1]


@pytest.mark.slow
def test_statistics_of_the_first_batches_are_told_from_those_of_all_data(cli, made_runs, tmp_path):
    shutil.rmtree(tmp_path / "eval")
    settings = [*QUICK, "eval.bn_batches=1", "eval.num_points=2"]
    assert cli(*settings, "stage=all")[0] == 0
    assert "first 1 batches" not in cli(*settings, "stage=eval")[1]
    path = only(tmp_path, "eval/*") / "environment.json"
    noted = strict(path)
    assert noted.pop("bn_batches") == folders.SPREAD
    path.write_text(json.dumps(noted))  # as an earlier version left it
    for stage in ("eval", "all"):
        output = cli(*settings, f"stage={stage}")[1]
        assert "BatchNorm statistics of the first 1 batches" in output
        assert "With these: python -m mc.run stage=eval smoke=true" in output
        assert "force=true" in output.rpartition("With these: ")[2].splitlines()[0]


@keras.saving.register_keras_serializable()
class OverflowsInLargeBatches(keras.layers.Layer):
    """Computes nothing else, but what it is given in batches of more than 100 overflows."""

    def call(self, x):
        large = keras.ops.shape(x)[0] > 100
        return x * keras.ops.where(large, float("inf"), 1.0)


def overflowing(input_shape, num_classes):
    layers = [keras.layers.Flatten(), keras.layers.Dense(num_classes), OverflowsInLargeBatches()]
    return keras.Sequential([keras.Input(input_shape), *layers])


@pytest.fixture
def short():
    epochs = ["train.base.epochs=1", "train.curve.epochs=1", "eval.num_points=3"]
    return [f"model._target_={HERE}.overflowing", *epochs, "train.curve.batch_size=100"]


@pytest.mark.slow
def test_numbers_that_are_not_finite_are_null_and_every_reader_bears_them(cli, tmp_path, short):
    status, output = cli(*short, "stage=all", "eval.predictions=[0.5]")
    assert status == 0, output
    for path in tmp_path.glob("*/*/*.json"):
        strict(path)
    summary = strict(only(tmp_path, "eval/*/summary.json"))
    for name in ("curve/test/error/min", "curve/test/loss/max", "linear/train/nll/mean"):
        assert summary[name] is None
    assert summary["curve/length"] > 0
    assert strict(only(tmp_path, "all/*/summary.json"))["base_1/test/error"] is None
    assert "nan" in output
    assert cli(*short, "stage=all", "eval.predictions=[0.5]")[0] == 0  # shown again
    assert cli(*short, "stage=figures", "eval.predictions=[0.5]")[0] == 0
    status, output = cli("stage=report")
    assert status == 0, output
    status, output = cli(*short, "stage=base", "objective=test/error")
    assert status == 1
    assert "objective=test/error is not finite in this run" in output


@pytest.mark.long
def test_scores_of_counts_are_a_regression_s_and_one_sigmoid_says_yes_or_no(cli, tmp_path):
    for name, loss in (("counts", "MeanSquaredError"), ("yes", "BinaryCrossentropy")):
        own = [f"dataset._target_={HERE}.{name}", f"model._target_={HERE}.one_output"]
        own += [f"loss._target_=keras.losses.{loss}", "smoke=true"]
        for stage in (["stage=base", "seed=1"], ["stage=base", "seed=2"]):
            status, output = cli(*own, *stage)
            assert status == 0, output
        base = {p.name.rpartition("-seed")[0]: p for p in tmp_path.glob("base/*seed1*")}
        summary = strict(base[f"smoke-{name}-one_output"] / "summary.json")
        of_yes = ["loss", "nll", "error", "accuracy", "f1"]
        metrics = ["loss", "mse"] if name == "counts" else of_yes
        assert list(summary) == [f"{split}/{m}" for split in ("train", "test") for m in metrics]
        assert cli(*own, "stage=ensemble", "ensemble.networks=[1,2]")[0] == 0
    (of_counts,) = tmp_path.glob("ensemble/*counts*/summary.json")
    assert strict(of_counts)["ensemble/test/mse"] <= strict(of_counts)["member/test/mse/max"]
    (of_yes,) = tmp_path.glob("ensemble/*yes*/summary.json")
    assert strict(of_yes)["ensemble/test/nll"] <= strict(of_yes)["member/test/nll/max"]


def counts():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 4)).astype("float32")
    y = rng.poisson(3, 60)
    return (x[:40], y[:40]), (x[40:], y[40:])


def yes():
    (x, y), (test_x, test_y) = counts()
    return (x, (y > 3) * 1), (test_x, (test_y > 3) * 1)


def one_output(input_shape):
    layers = [keras.layers.Dense(4, "tanh"), keras.layers.Dense(1, "sigmoid")]
    return keras.Sequential([keras.Input(input_shape), *layers])
