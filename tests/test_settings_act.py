"""Settings act, or are refused before networks are trained for nothing."""

import json
import shutil
import sys

import keras
import numpy as np
import pytest
from conftest import QUICK, only, saved_network

import mc
from mc.datasets import digits, make_data

OWN = """
import keras

import mc.curves
import mc.datasets


@keras.saving.register_keras_serializable("own_layers")
class Double(keras.layers.Layer):
    def call(self, x):
        return 2 * x


def softmax(input_shape, num_classes, wide=None):
    layers = [keras.layers.Flatten(), keras.layers.Dense((wide or {"units": 8})["units"], "relu")]
    return keras.Sequential(
        [keras.Input(input_shape), *layers, keras.layers.Dense(num_classes, "softmax")]
    )


def data():
    return mc.datasets.digits()


class NoCurve:
    num_points = 3


class WrongEnds(mc.curves.Bezier):
    def coefficients(self, t):
        return super().coefficients(1 - t)
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "own_layers.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("own_layers", None)


def test_the_default_loss_takes_keras_arguments(cli, own, tmp_path):
    model = ["smoke=true", "model._target_=own_layers.softmax"]
    loss = ["+loss.from_logits=false", "+loss.ignore_class=3", "train.base.weight_decay=0"]
    status, output = cli(*model, *loss, "stage=base")
    assert status == 0, output
    folder = only(tmp_path, "base/*")
    found = json.loads((folder / "summary.json").read_text())["test/loss"]
    network = keras.models.load_model(folder / "model.keras")
    assert isinstance(network.layers[-1], keras.layers.Dense)
    # Keras' own evaluate, over the one batch that these few examples are.
    test = make_data(digits(), 0).head(32).test
    network.compile(loss=keras.losses.SparseCategoricalCrossentropy(ignore_class=3))
    expected = network.evaluate(np.asarray(test.x), np.asarray(test.y), verbose=0, batch_size=500)
    assert found == pytest.approx(expected, rel=1e-5)
    # Without from_logits=false it is refused, and a regression has no such argument.
    status, output = cli(*model, "stage=base")
    assert (status, "Remove the softmax" in output) == (1, True)
    status, output = cli("dataset=regression", "model=mlp", "smoke=true", "stage=base", loss[0])
    assert (status, "loss.from_logits is not an argument of the default loss" in output) == (
        1,
        True,
    )


@pytest.mark.slow
def test_nested_settings_of_a_callable_of_ones_own_act(cli, own, tmp_path):
    own_model = ["smoke=true", "stage=base", "model._target_=own_layers.softmax"]
    loss = ["+loss.from_logits=false"]
    assert cli(*own_model, *loss)[0] == 0
    plain = only(tmp_path, "base/*")
    assert cli(*own_model, *loss, "+model.wide.units=5")[0] == 0
    (wide,) = (folder for folder in tmp_path.glob("base/*") if folder != plain)
    assert keras.models.load_model(wide / "model.keras").layers[1].units == 5
    assert keras.models.load_model(plain / "model.keras").layers[1].units == 8
    # A null that was typed is passed on, and has a folder of its own.
    assert cli(*own_model, *loss, "+model.wide=null")[0] == 0
    assert len(list(tmp_path.glob("base/*"))) == 3


@pytest.mark.slow
def test_a_typed_null_is_told_from_the_option_s_own(cli, tmp_path):
    small = ["smoke=true", "model=mlp", "train.base.learning_rate=0.001"]
    regression = [*small, "dataset=regression", "stage=base"]
    assert cli(*regression)[0] == 0
    status, output = cli(*regression, "dataset.path=null")  # as regression.yaml says
    assert (status, "Finished before" in output) == (0, True)
    status, output = cli("-m", *regression, "dataset.path=null", "model.activation=null,relu")
    assert (status, output.count("Finished before")) == (0, 1)  # mlp.yaml says relu


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["curve._target_=mc.curves.Bezir"], "cannot be imported"),
        (["curve._target_=own_layers.NoCurve"], "with num_points and coefficients(t)"),
        (["curve._target_=own_layers.WrongEnds"], "At t=0 the coefficients of"),
        (["+curve.order=3"], "curve.order is not an argument of mc.curves.Bezier"),
        (["dataset._target_=own_layers.data", "eval.splits=[valid]"], "Set dataset.valid_size"),
        (["devices=2", "train.curve.batch_size=15"], "devices"),
    ],
)
def test_stage_all_trains_nothing_for_a_curve_that_cannot_be(cli, own, tmp_path, settings, words):
    status, output = cli(*QUICK, *settings)
    assert (status, words in output) == (1, True), output
    assert not (tmp_path / "base").exists()


@pytest.mark.long
def test_a_curve_with_a_free_end_is_gone_on_with(cli, made_runs, tmp_path):
    shutil.rmtree(tmp_path / "curve")
    free = [*QUICK, "train.curve.fix_end=false"]
    assert cli(*free, "stage=curve")[0] == 0
    made = only(tmp_path, "curve/*")
    more = ["stage=curve", f"train.curve.init={made}", "train.curve.learning_rate=1e-9"]
    status, output = cli(*free, *more)
    assert status == 0, output
    (again,) = (folder for folder in tmp_path.glob("curve/*") if folder != made)
    with np.load(made / "curve.npz") as before, np.load(again / "curve.npz") as after:
        points = before["control_points"], after["control_points"]
        end = mc.pack(keras.models.load_model(only(tmp_path, "base/*seed2*/model.keras")))
        assert np.abs(points[0][2] - end).max() > 1e-4  # the end had moved
        np.testing.assert_allclose(*points, atol=1e-6)
        np.testing.assert_array_equal(points[0][0], points[1][0])
    # A fixed end is the endpoint network, which the moved end is not.
    status, output = cli(*QUICK, *more)
    assert (status, "Free this end (fix_end=false)" in output) == (1, True), output
    # Nor is it between other networks.
    assert cli(*QUICK, "stage=base", "seed=3")[0] == 0
    status, output = cli(*free, *more, "endpoints=[3,2]")
    assert (status, "is not the endpoint network" in output) == (1, True), output


def test_files_with_layers_of_ones_own_are_endpoints(cli, own, tmp_path):
    import own_layers

    def saved(path, seed):
        keras.utils.set_random_seed(seed)
        layers = [keras.layers.Flatten(), own_layers.Double(), keras.layers.Dense(10)]
        keras.Sequential([keras.Input((8, 8, 1)), *layers]).save(path)
        return path

    a, b = (saved(tmp_path / f"{name}.keras", seed) for seed, name in enumerate("ab"))
    keras.saving.get_custom_objects().clear()
    del sys.modules["own_layers"]
    chain = ["stage=chain", "smoke=true", f"chain.networks=[{a},{b}]"]
    status, output = cli(*chain)
    assert (status, "imports=[my_package.layers]" in output) == (1, True), output
    status, output = cli(*chain, "imports=[own_layers]")
    assert status == 0, output
    keras.saving.get_custom_objects().clear()
    del sys.modules["own_layers"]
    status, output = cli(*chain, "model._target_=own_layers.softmax", "chain.num_points=2")
    assert status == 0, output
    status, output = cli(*chain, "imports=[no_such_module]")
    assert (status, "imports names no_such_module, which cannot be imported" in output) == (1, True)


@pytest.mark.long
def test_a_file_beside_a_base_network_works_in_its_precision(cli, tmp_path):
    policy = keras.config.dtype_policy()
    base = ["smoke=true", "model=mlp", "model.widths=[4]", "model.activation=linear"]
    assert cli(*base, "stage=base")[0] == 0
    keras.config.set_dtype_policy("mixed_bfloat16")
    half = saved_network(tmp_path / "half.keras")
    keras.config.set_dtype_policy(policy)
    joined = [*base, "stage=curve", f"endpoints=[1,{half}]"]
    status, output = cli(*joined)
    assert (status, "Type precision=mixed_bfloat16" in output) == (1, True), output
    assert cli(*base, "stage=base", "precision=mixed_bfloat16")[0] == 0
    status, output = cli(*joined, "precision=mixed_bfloat16")
    assert status == 0, output


def test_the_loss_of_files_in_half_precision_is_scaled(tmp_path):
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    files = [saved_network(tmp_path / f"{name}.keras") for name in "ab"]
    keras.config.set_dtype_policy(policy)
    network = keras.models.load_model(files[0])
    curve = mc.connect(network, keras.models.load_model(files[1]))
    curve.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    assert isinstance(curve.optimizer, keras.optimizers.LossScaleOptimizer)
