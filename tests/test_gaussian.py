"""Regressions with a Gaussian likelihood: metrics, ensembles and runs, against NumPy and SciPy."""

import keras
import numpy as np
import pandas as pd
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf
from conftest import only
from keras import layers
from test_config import compose
from test_folders import folder_of

import mc
from mc import likelihoods
from mc.datasets import Split
from mc.ensembles import predictive
from mc.evaluation import tasks
from mc.lab import check
from mc.network.deviation import with_deviation
from mc.network.weights import FlatNetwork, pack

RNG = np.random.default_rng(4)
X = RNG.normal(size=(23, 3)).astype("float32")
Y = RNG.normal(size=(23, 2)).astype("float32")


def network(seed):
    """Means and deviations that are both functions of the input."""
    keras.utils.set_random_seed(seed)
    return keras.Sequential([keras.Input((3,)), layers.Dense(5, "tanh"), layers.Dense(4)])


def log_densities(outputs, y=Y):
    """`[n]`, by SciPy."""
    means, logarithms = np.split(np.asarray(outputs, "float64"), 2, axis=-1)
    return scipy.stats.norm.logpdf(y, means, np.exp(logarithms)).sum(-1)


def mse(means, y=Y):
    return np.mean((means - y) ** 2)


def batches(size=6):
    return Split(X, Y).batches(size)


def test_metrics_along_a_curve_are_those_of_the_networks_on_it():
    curve = mc.connect(network(1), network(2), num_bends=1, weight_decay=0.1)
    curve.compile("sgd", likelihoods.Gaussian("network"))
    points = mc.evaluate(curve, test=batches(), num_points=3)
    assert list(points.columns[4:]) == ["test/loss", "test/nll", "test/mse"]
    for _, row in points[points.path == "curve"].iterrows():
        own = curve.network_at(row.t)
        outputs = own.predict(X, verbose=0)
        nll = -log_densities(outputs).mean()
        penalty = 0.5 * 0.1 * np.sum(pack(own).astype("float64") ** 2)
        assert row["test/nll"] == pytest.approx(nll, rel=1e-5)
        assert row["test/loss"] == pytest.approx(nll + penalty, rel=1e-5)
        assert row["test/mse"] == pytest.approx(mse(outputs[:, :2]), rel=1e-5)


def test_a_curve_trains_by_it_and_shows_the_error_of_the_means():
    a, b = network(1), network(2)
    curve = mc.connect(a, b, num_bends=1, seed=0)
    loss = likelihoods.Gaussian("network")
    curve.compile(keras.optimizers.Adam(0.01), loss, metrics=tasks.training_metrics(loss, None))
    steps = tf.data.Dataset.from_tensors((X, Y)).repeat(100)
    before = curve.evaluate(X, Y, return_dict=True, verbose=0)
    curve.fit(steps, shuffle=False, verbose=0)
    after = curve.evaluate(X, Y, return_dict=True, verbose=0)
    assert after["loss"] < before["loss"] - 0.1
    means = curve.predict(X, verbose=0)[:, :2]
    assert after["mse"] == pytest.approx(mse(means), rel=1e-5)


def test_steps_count_by_their_weights():
    outputs, y = RNG.normal(size=(4, 5, 2)), RNG.normal(size=(4, 5, 1))
    weight = RNG.uniform(size=(4, 5)) * (RNG.random((4, 5)) < 0.7)
    task = tasks.of(likelihoods.Gaussian(), y, tf.constant(outputs))
    assert task == tasks.Gaussian()
    sums = task.sums(*(tf.constant(part, tf.float64) for part in (y, outputs, weight)))
    found = task.scores({name: value.numpy()[np.newaxis] for name, value in sums.items()})
    expected = np.average(-log_densities(outputs, y), weights=weight)
    assert found["nll"].item() == pytest.approx(expected, rel=1e-5)
    squares = np.average((outputs[..., 0] - y[..., 0]) ** 2, weights=weight)
    assert found["mse"].item() == pytest.approx(squares, rel=1e-5)


def test_an_ensemble_is_the_mixture_of_its_members():
    networks = [network(seed) for seed in (1, 2, 3)]
    members = [predictive.Member(str(i), pack(n), []) for i, n in enumerate(networks)]
    kept = []
    table = predictive.join(
        FlatNetwork(networks[0]),
        members,
        {"test": batches()},
        likelihoods.Gaussian("network"),
        keep=lambda split, number, mean: kept.append(mean),
    )
    outputs = np.stack([n.predict(X, verbose=0) for n in networks])
    densities = np.stack([log_densities(own) for own in outputs])
    for k in range(1, 4):
        row = table.iloc[k - 1]
        lppd = (scipy.special.logsumexp(densities[:k], axis=0) - np.log(k)).sum()
        means = outputs[:k, :, :2].mean(0)
        assert row["test/nll"] == pytest.approx(-densities[k - 1].mean(), rel=1e-6)
        assert row["ensemble/test/nll"] == pytest.approx(-lppd / len(Y), rel=1e-6)
        assert row["ensemble/test/mse"] == pytest.approx(mse(means), rel=1e-6)
    np.testing.assert_allclose(np.concatenate(kept), outputs[..., :2].mean(0), rtol=1e-5, atol=1e-7)


def of_bisection(distribution, probability, low=-50.0, high=50.0):
    """Where a distribution function of arrays has a probability, by halving."""
    low, high = (np.full_like(Y, bound, dtype="float64") for bound in (low, high))
    for _ in range(60):
        middle = (low + high) / 2
        below = distribution(middle) < probability
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return low


def test_ensembles_tell_how_wide_their_predictions_are_and_how_many_targets_these_hold():
    networks = [network(seed) for seed in (1, 2, 3)]
    members = [predictive.Member(str(i), pack(n), []) for i, n in enumerate(networks)]
    loss = likelihoods.Gaussian("network")
    weights = np.arange(len(Y), dtype="float32") % 3  # a third of the examples does not count
    data = tf.data.Dataset.from_tensor_slices((X, Y, weights)).batch(6)
    table = predictive.join(FlatNetwork(networks[0]), members, {"test": data}, loss)
    outputs = np.stack([n.predict(X, verbose=0) for n in networks]).astype("float64")
    means, deviations = outputs[..., :2], np.exp(outputs[..., 2:])
    for prefix, chosen, row in (("", [2], 2), ("ensemble/", [0, 1, 2], 2), ("ensemble/", [0], 0)):

        def at(y, chosen=chosen):
            return scipy.stats.norm.cdf(y, means[chosen], deviations[chosen]).mean(0)

        low, high = of_bisection(at, 0.025), of_bisection(at, 0.975)
        inside = ((low <= Y) & (high >= Y)).mean(-1)
        squares = ((means[chosen].mean(0) - Y) ** 2).mean(-1)
        expected = {
            "coverage": np.average(inside, weights=weights),
            "interval_width": np.average((high - low).mean(-1), weights=weights),
            "rmse": np.sqrt(np.average(squares, weights=weights)),
        }
        found = {name: table[f"{prefix}test/{name}"][row] for name in expected}
        assert found == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(table["ensemble/test/lppd"], -table["ensemble/test/nll"])
    assert "test/lppd" not in table  # which is of mixtures


@pytest.mark.parametrize("outputs", [1, 2, None])
def test_noise_of_a_known_deviation_gives_a_regression_by_squared_error_a_density(outputs):
    keras.utils.set_random_seed(1)
    last = layers.Dense(outputs or 1)
    own = keras.Sequential([keras.Input((3,)), last, *([] if outputs else [layers.Flatten()])])
    y = Y[:, :1] if outputs == 1 else Y if outputs else Y[:, 0]
    data = {"test": tf.data.Dataset.from_tensor_slices((X, y)).batch(6)}
    members = [predictive.Member("one", pack(own), []), predictive.Member("two", -pack(own), [])]
    task = tasks.Gaussian(noise_std=0.7)
    table = predictive.join(FlatNetwork(own), members, data, "mse", task=task)
    f = own.predict(X, verbose=0)
    y = y.reshape(f.shape)
    each = [scipy.stats.norm.logpdf(y, sign * f, 0.7).sum(-1) for sign in (1, -1)]
    assert table["test/nll"][0] == pytest.approx(-each[0].mean(), rel=1e-5)
    expected = (np.logaddexp(*each) - np.log(2)).mean()
    assert table["ensemble/test/lppd"][1] == pytest.approx(expected, rel=1e-5)
    assert table["test/coverage"][0] == np.mean(np.abs(y - f) <= 1.959963984540054 * 0.7)
    assert table["test/interval_width"][0] == pytest.approx(2 * 1.959963984540054 * 0.7)


def test_a_mixture_of_densities_that_vanish_is_finite():
    far = with_deviation(keras.Sequential([keras.Input((3,)), layers.Dense(2)]))
    far.trainable_variables[-1].assign([-15.0, -15.0])
    members = [predictive.Member("far", pack(far), [])] * 2
    split = {"test": batches()}
    table = predictive.join(FlatNetwork(far), members, split, likelihoods.Gaussian())
    expected = -log_densities(far.predict(X, verbose=0)).mean()
    np.testing.assert_allclose(table["ensemble/test/nll"], [expected] * 2, rtol=1e-5)


def test_one_of_several_outputs_may_have_it():
    x = keras.Input((3,))
    both = keras.Model(x, {"a": layers.Dense(4, name="a")(x), "b": layers.Dense(2, name="b")(x)})
    loss = {"a": likelihoods.Gaussian("network"), "b": "mse"}
    data = tf.data.Dataset.from_tensor_slices((X, {"a": Y, "b": Y})).batch(6)
    members = [predictive.Member("one", pack(both), []), predictive.Member("two", -pack(both), [])]
    table = predictive.join(FlatNetwork(both), members, {"test": data}, loss)
    outputs = both.predict(X, verbose=0)
    assert table["test/a_nll"][0] == pytest.approx(-log_densities(outputs["a"]).mean(), rel=1e-5)
    assert table["test/b_mse"][0] == pytest.approx(mse(outputs["b"]), rel=1e-5)
    densities = [log_densities(outputs["a"]), log_densities(-outputs["a"])]
    expected = -(np.logaddexp(*densities) - np.log(2)).mean()
    assert table["ensemble/test/a_nll"][1] == pytest.approx(expected, rel=1e-5)


TRAINED = (
    *("+experiment=regression", "stage=all", "num_bends=1", "train.base.epochs=3"),
    *("train.curve.epochs=2", "eval.num_points=3", "eval.predictions=[0.5]"),
)


@pytest.mark.slow
@pytest.mark.parametrize("deviation", ["bias", pytest.param("network", marks=pytest.mark.long)])
def test_runs_report_nll_and_draw_the_means(cli, tmp_path, deviation):
    own = [] if deviation == "bias" else ["loss.deviation=network"]
    status, output = cli(*TRAINED, "loss=gaussian", *own)
    assert status == 0, output
    folder = only(tmp_path, "eval/*")
    points = pd.read_csv(folder / "points.csv")
    assert np.isfinite(points[["test/nll", "test/mse", "train/loss"]]).all(axis=None)
    base = keras.models.load_model(only(tmp_path, "base/*seed1-*/model.keras"))
    layer = [v.path for v in base.trainable_variables if "log_deviation" in v.path]
    assert layer == ["log_deviation/beta"] * (deviation == "bias")
    with np.load(folder / "predictions.npz") as file:
        outputs, y = file["curve"][0], file["targets"]
    middle = points[(points.path == "curve") & (points.t == 0.5)].iloc[0]
    assert middle["test/nll"] == pytest.approx(-log_densities(outputs, y).mean(), rel=1e-5)
    assert middle["test/mse"] == pytest.approx(mse(outputs[:, :1], y), rel=1e-5)
    with np.load(folder / "functions.npz") as file:
        start, at = file["y"][0], file["x"]
        half = at[:, np.newaxis] / 2
    means = base.predict(np.concatenate([half, half**2], 1), verbose=0)[:, 0]
    np.testing.assert_allclose(start, means, rtol=1e-4, atol=1e-5)
    assert {"along_t.png", "functions.png"} <= {p.name for p in (folder / "figures").iterdir()}
    status, output = cli(*TRAINED, "loss=gaussian", *own, "stage=ensemble", "ensemble.num_points=3")
    assert status == 0, output
    table = pd.read_csv(only(tmp_path, "ensemble/*/members.csv"))
    assert np.isfinite(table["ensemble/test/nll"]).all()


def wrong_outputs(input_shape):
    return keras.Sequential([keras.Input(input_shape), layers.Dense(3)])


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (["loss=gaussian"], r"of a regression, and dataset\._target_=.*digits has 10 classes"),
        (["loss=gausian"], r"(?s)Could not find 'loss/gausian'.*default.*gaussian"),
        (["loss=gaussian", "loss.deviation=bais"], "one of bias, network; received"),
        (["loss=gaussian", "+loss.scale=1"], r"loss\.scale is not an argument of .* deviation"),
        (
            ["loss=gaussian", "dataset=regression", f"model._target_={__name__}.wrong_outputs"],
            r"(?s)outputs of shape \(None, 6\), but the dataset has 1 targets.*\(None, 2\), means",
        ),
    ],
)
def test_what_does_not_fit_is_refused(cli, typed, words):
    status, output = cli("stage=base", "smoke=true", *typed)
    assert status == 1
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(output)


def test_a_saved_network_without_deviations_is_told_how_to_get_them(cli, tmp_path):
    paths = [str(tmp_path / f"{name}.keras") for name in "ab"]
    for path in paths:
        keras.Sequential([keras.Input((2,)), layers.Dense(1)]).save(path)
    named = f"endpoints=[{','.join(paths)}]"
    status, output = cli("+experiment=regression", "stage=curve", "loss=gaussian", named)
    assert status == 1
    assert "must have shape (None, 2), means" in output
    assert "with_deviation" in output


def test_the_group_changes_no_name_of_before():
    huber = ["stage=base", "loss._target_=keras.losses.Huber", "+loss.delta=0.5"]
    assert folder_of(huber) == "outputs/base/digits-cnn-seed1-8758f6c5"  # as without the group
    assert folder_of([*huber, "loss=default"]) == folder_of(huber)
    assert folder_of(["stage=base", "loss=default"]) == folder_of(["stage=base"])
    check.check(compose(*huber[1:]))
    gaussian = {folder_of(["stage=base", f"loss={name}"]) for name in ("default", "gaussian")}
    assert len(gaussian) == 2
