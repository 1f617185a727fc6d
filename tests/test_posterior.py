"""Posteriors over the networks of a subspace, against closed forms and plain networks."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import CLASSES, arrays, build, logits_loss
from scipy import integrate, special, stats

import mc
from mc.ensembles import predictive
from mc.likelihoods import Gaussian
from mc.posteriors import posterior as room
from mc.posteriors.elliptical import EllipticalSlice
from mc.posteriors.sampling import Posterior

NOISE = 1.5


def linear_models(num_bends=1, size=3, seed=0):
    """A curve of linear models y = w x, and data."""
    rng = np.random.default_rng(seed)
    network = keras.Sequential([keras.Input((size,)), keras.layers.Dense(1, use_bias=False)])
    points = rng.normal(size=(num_bends + 2, size)).astype(np.float32)
    curve = mc.CurveModel(network, mc.PolyChain(num_bends), points)
    curve.compile("sgd", keras.losses.MeanSquaredError())
    x = rng.normal(size=(9, size)).astype(np.float32)
    y = (x @ rng.normal(size=size) + NOISE * rng.normal(size=9)).astype(np.float32)
    return curve, x, y


def closed_form(space, x, y, temperature, prior_std):
    """Design and rest of y = A z + b + noise, and mean and covariance of z."""
    w = np.array(space.points, float)
    a, b = x @ (space.rows @ w).T, x @ (space.centre @ w)
    precision = a.T @ a / NOISE**2 / temperature + np.eye(space.dim) / prior_std**2
    covariance = np.linalg.inv(precision)
    return a, b, covariance @ a.T @ (y - b) / NOISE**2 / temperature, covariance


@pytest.mark.parametrize("temperature", [0.5, 1, 10])
def test_the_posterior_of_a_linear_gaussian_model_is_that_of_its_closed_form(temperature):
    curve, x, y = linear_models()
    found = mc.posterior(
        *(curve, (x, y), "hull"),
        noise_std=NOISE,
        temperature=temperature,
        prior_std=0.8,
        chains=64,
        samples=50,
        burn_in=10,
        seed=1,
    )
    a, b, mean, covariance = closed_form(found.subspace, x, y, temperature, 0.8)
    z = np.random.default_rng(0).normal(size=(6, 2))
    expected = stats.norm.logpdf(y, z @ a.T + b, NOISE).sum(axis=1) / temperature
    expected += stats.norm.logpdf(z, scale=0.8).sum(axis=1)
    np.testing.assert_allclose(found.log_density(z), expected, rtol=1e-5)
    w = found.coefficients(z) @ curve.control_points
    np.testing.assert_allclose(x @ w.T, a @ z.T + b[:, np.newaxis], atol=1e-5)

    assert found.samples.shape == (64, 50, 2)
    error = np.sqrt(np.diag(covariance) / found.effective_sample_size)
    assert (np.abs(found.samples.mean(axis=(0, 1)) - mean) < 4 * error).all()
    scatter = np.cov(found.samples.reshape(-1, 2).T)
    np.testing.assert_allclose(scatter, covariance, atol=0.12 * covariance.max())
    assert found.evaluations > 64 * 60
    flat = found.samples.reshape(-1, 2)[:50]
    np.testing.assert_allclose(found.log_densities[0, :50], found.log_density(flat), rtol=1e-6)


def test_quadrature_gives_the_evidence_and_the_moments_of_a_linear_gaussian_model():
    curve, x, y = linear_models()
    found = mc.posterior(
        *(curve, (x, y), "hull"), noise_std=NOISE, sampler="quadrature", samples=500, cells=60
    )
    a, b, mean, covariance = closed_form(found.subspace, x, y, 1, 1.0)
    evidence = stats.multivariate_normal(b, NOISE**2 * np.eye(9) + a @ a.T).logpdf(y)
    assert found.log_evidence == pytest.approx(evidence, abs=1e-3)
    assert found.evaluations == 60**2
    share = found.grid.probabilities.ravel()
    np.testing.assert_allclose(share @ found.grid.points, mean, atol=1e-3)
    draws = found.samples.reshape(-1, 2)
    np.testing.assert_allclose(np.cov(draws.T), covariance, atol=0.1 * covariance.max())
    # The density of a draw is that at the middle of its cell.
    inside = np.abs(found.grid.points[:, np.newaxis] - draws[:20]).max(axis=2).argmin(axis=0)
    np.testing.assert_array_equal(
        found.log_densities[0, :20], found.grid.log_density.ravel()[inside]
    )


def test_at_an_infinite_temperature_there_is_the_prior_alone():
    curve, x, y = linear_models()
    found = mc.posterior(
        *(curve, (x, y), "hull"),
        noise_std=NOISE,
        temperature=np.inf,
        prior_std=0.7,
        chains=64,
        samples=30,
    )
    # The likelihood alone makes levels, and not the joint density: the first angle always serves.
    assert found.evaluations == 64 * (1 + 50 + 30)
    draws = found.samples.reshape(-1, 2)
    np.testing.assert_allclose(found.log_density(draws), stats.norm.logpdf(draws, 0, 0.7).sum(1))
    for k in range(2):
        assert stats.kstest(draws[::2, k], stats.norm(0, 0.7).cdf).pvalue > 1e-3
    assert (found.r_hat < 1.05).all()


def plain_log_likelihood(curve, w, x, y, data):
    """Of a Keras network of its own with the weights w, by SciPy."""
    of = mc.CurveModel(curve.network.model, mc.Point(), w[np.newaxis].astype(np.float32))
    logits = of.network_at(0, data=data).predict(x, verbose=0).astype(float)
    return special.log_softmax(logits, axis=1)[np.arange(len(y)), y].sum()


@pytest.mark.parametrize("layers", [{"batchnorm": False}, {"dropout": False}])
def test_the_density_is_that_of_plain_networks_and_nothing_in_it_is_random(layers):
    curve = mc.connect(build(1, **layers), build(2, **layers), init="random")
    curve.compile("sgd", logits_loss())
    x, y = arrays(n=45)
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(20)
    found = mc.posterior(curve, data, "curve", temperature=3.0, samples=0, burn_in=0, chains=1)
    z = np.random.default_rng(0).normal(size=(2, 2))
    values = found.log_density(z)
    for row, own, value in zip(found.coefficients(z), z, values, strict=True):
        w = row @ curve.control_points
        expected = plain_log_likelihood(curve, w, x, y, data) / 3
        expected += stats.norm.logpdf(own).sum()
        assert value == pytest.approx(expected, rel=1e-5)
    np.testing.assert_array_equal(found.log_density(z), values)
    np.testing.assert_array_equal(found.log_density(z[1:2]), values[1:2])


def test_the_density_is_a_sum_over_examples_whatever_their_batches():
    curve, x, y = linear_models()

    def values(*data):
        return room.density(curve, *data, noise_std=NOISE)(np.array([[0.2], [0.7]]))

    whole = values((x, y))
    for size in (2, 4):  # the last batch is one example
        batches = tf.data.Dataset.from_tensor_slices((x, y)).batch(size)
        np.testing.assert_allclose(values(batches), whole, rtol=1e-6)
    # A weight of 2 is as good as an example twice, and one of 0 as none.
    weights = np.repeat([2.0, 0.0], [4, 5]).astype(np.float32)
    twice = np.concatenate([x[:4], x[:4]]), np.concatenate([y[:4], y[:4]])
    np.testing.assert_allclose(values((x, y, weights)), values(twice), rtol=1e-6)


def test_likelihoods_of_decisions_one_hot_labels_and_regressions_are_those_of_scipy():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20, 4)).astype(np.float32)
    points = rng.normal(size=(2, 8)).astype(np.float32)
    network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, use_bias=False)])
    curve = mc.CurveModel(network, mc.Linear(), points)
    f = x @ ((points[0] + points[1]).astype(float) / 2).reshape(4, 2)
    yes = rng.integers(0, 2, (20, 2)).astype(np.float32)
    numbers = rng.normal(size=(20, 2)).astype(np.float32)
    labels = rng.integers(0, 2, 20)
    binary = keras.losses.BinaryCrossentropy(from_logits=True)
    one_hot = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)
    for loss, y, noise_std, expected in (
        (binary, yes, None, stats.bernoulli.logpmf(yes, special.expit(f)).sum()),
        ("mse", numbers, 0.3, stats.norm.logpdf(numbers, f, 0.3).sum()),
        (one_hot, np.eye(2)[labels], None, special.log_softmax(f, 1)[range(20), labels].sum()),
    ):
        density = room.density(curve, (x, y), loss=loss, noise_std=noise_std)
        value = density.log_likelihood(np.array([[0.5]]))
        np.testing.assert_allclose(value, expected, rtol=1e-5)


def test_where_outputs_are_not_finite_there_is_no_density():
    curve, x, y = linear_models()
    curve.points[0].assign(np.full(3, 3e38, np.float32))
    for temperature in (1.0, np.inf):
        broken = room.density(curve, (x, y), noise_std=NOISE, temperature=temperature)
        assert broken.log_likelihood(np.array([[0.1]])) == -np.inf


def test_the_posterior_on_a_line_is_that_of_scipy():
    rng = np.random.default_rng(0)
    curve, x, y = linear_models()
    points = np.array([[2, 0, 0], [0.5, 1, 0], [0.4, 1.2, 0.3]], np.float32)  # a long, a short link
    for point, row in zip(curve.points, points, strict=True):
        point.assign(row)
    y = (x @ (0.3 * points[0] + 0.7 * points[1]) + NOISE * rng.normal(size=9)).astype(np.float32)
    found = mc.posterior(
        *(curve, (x, y), "line"), noise_std=NOISE, temperature=2.0, samples=2000, cells=400
    )
    lengths = np.linalg.norm(np.diff(points.astype(float), axis=0), axis=1)

    def density(t):  # 2 * length / L is the prior on either link
        link = int(t > 0.5)
        w = points[link] + (2 * t - link) * (points[link + 1] - points[link]).astype(float)
        likelihood = stats.norm.logpdf(y, x @ w, NOISE).sum() / 2.0
        return np.exp(likelihood) * 2 * lengths[link] / lengths.sum()

    def integral(of):
        return sum(integrate.quad(of, *ends)[0] for ends in ((0, 0.5), (0.5, 1)))

    evidence = integral(density)
    assert found.log_evidence == pytest.approx(np.log(evidence), abs=2e-3)
    mean = integral(lambda t: t * density(t)) / evidence
    assert found.grid.probabilities @ found.grid.axes[0] == pytest.approx(mean, abs=1e-3)
    assert found.samples.shape == (8, 2000, 1)
    assert found.samples.mean() == pytest.approx(mean, abs=4 * found.samples.std() / 16000**0.5)
    left = integrate.quad(density, 0, 0.5)[0] / evidence
    assert (found.samples < 0.5).mean() == pytest.approx(left, abs=0.02)


def test_both_samplers_agree_on_a_simplex():
    curve, x, y = linear_models()
    options = {"subspace": "simplex", "noise_std": NOISE, "temperature": 4.0}
    exact = mc.posterior(curve, (x, y), sampler="quadrature", cells=60, **options)
    share = exact.grid.probabilities.ravel()
    expected = share @ exact.coefficients(exact.grid.points)
    chains = mc.posterior(curve, (x, y), chains=32, samples=60, **options)
    found = chains.coefficients(chains.samples.reshape(-1, 2))
    error = found.std(axis=0) / np.sqrt(chains.effective_sample_size.min())
    assert (np.abs(found.mean(axis=0) - expected) < 4 * error).all()


def test_chains_together_are_those_alone():
    curve, x, y = linear_models()
    found = mc.posterior(
        *(curve, (x, y), "hull"), noise_std=NOISE, chains=3, samples=5, burn_in=2, seed=7
    )
    starts = found.subspace.starts(3)
    alone = EllipticalSlice(found.density.log_likelihood, starts[:1], 1.0, 7, seed=7).run()
    np.testing.assert_array_equal(alone.samples[0, 2:], found.samples[0])
    again = mc.posterior(
        *(curve, (x, y), "hull"), noise_std=NOISE, chains=3, samples=5, burn_in=2, seed=7
    )
    np.testing.assert_array_equal(again.samples, found.samples)


@pytest.mark.parametrize(("sampler", "subspace"), [("elliptical", "hull"), ("quadrature", "line")])
def test_a_posterior_that_was_killed_goes_on_bit_for_bit(tmp_path, sampler, subspace):
    curve, x, y = linear_models()
    density = room.density(curve, (x, y), subspace, noise_std=NOISE)
    settings = {"chains": 16, "samples": 10, "burn_in": 3, "seed": 3, "cells": 100}
    whole = Posterior(density, sampler, **settings).run()
    calls = []

    def until_killed(done):
        np.savez(tmp_path / "checkpoint.npz", **done)
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Posterior(density, sampler, **settings).run(until_killed)
    with np.load(tmp_path / "checkpoint.npz") as file:
        snapshot = dict(file)
    before = []
    again = Posterior(density, sampler, **settings).run(before.append, snapshot)
    np.testing.assert_array_equal(again.samples, whole.samples)
    np.testing.assert_array_equal(again.log_densities, whole.log_densities)
    assert again.evaluations == whole.evaluations
    assert again.log_evidence == whole.log_evidence
    assert before


def test_predictions_are_means_of_probabilities():
    curve = mc.connect(build(1), build(2), init="random")
    curve.compile("sgd", logits_loss())
    x, y = arrays(n=30)
    found = mc.posterior(curve, (x, y), "curve", chains=2, samples=1, burn_in=0)
    x_test = arrays(5, n=11)[0]
    p = found.predict(x_test)
    expected = np.zeros((11, CLASSES))
    for row in found.coefficients(found.samples.reshape(-1, 2)):
        w = (row @ curve.control_points).astype(np.float32)
        of = mc.CurveModel(build(1), mc.Point(), w[np.newaxis]).network_at(0, data=x)
        expected += special.softmax(of.predict(x_test, verbose=0).astype(float), axis=1) / 2
    np.testing.assert_allclose(p, expected, atol=1e-5)
    # The members are those of ensembles.
    splits = {"test": [(x_test, arrays(5, n=11)[1])]}
    table = predictive.join(curve.network, found.members(), splits, logits_loss())
    nll = -np.log(expected[np.arange(11), splits["test"][0][1]]).mean()
    assert table["ensemble/test/nll"].tolist()[1] == pytest.approx(nll, abs=1e-5)
    assert len(list(found.members(1))) == 1


def test_predictions_of_a_regression_are_a_mean_and_a_deviation():
    curve, x, y = linear_models()
    found = mc.posterior(curve, (x, y), "hull", noise_std=NOISE, chains=4, samples=5)
    mean, deviation = found.predict(x, draws=1000)
    w = found.coefficients(found.samples.reshape(-1, 2)) @ curve.control_points
    f = x @ w.T
    np.testing.assert_allclose(mean[:, 0], f.mean(axis=1), atol=1e-5)
    np.testing.assert_allclose(deviation[:, 0], np.sqrt(f.var(axis=1) + NOISE**2), rtol=1e-5)


def test_snapshots_and_random_directions_make_posteriors_too():
    curve, x, y = linear_models(size=8)
    snapshots = np.random.default_rng(2).normal(size=(6, 8)).astype(np.float32)
    for subspace, options in (("pca", {"snapshots": snapshots, "dim": 2}), ("random", {"dim": 2})):
        found = mc.posterior(
            *(curve, (x, y), subspace), noise_std=NOISE, chains=4, samples=5, **options
        )
        z = found.samples.reshape(-1, 2)[:3]
        w = found.coefficients(z) @ np.array(found.subspace.points, float)
        expected = stats.norm.logpdf(y, w @ x.T, NOISE).sum(1) + stats.norm.logpdf(z).sum(1)
        np.testing.assert_allclose(found.log_density(z), expected, rtol=1e-5)


def test_a_grid_that_does_not_hold_the_posterior_is_told(caplog):
    curve, x, y = linear_models()
    options = {"noise_std": NOISE, "sampler": "quadrature", "samples": 1}
    mc.posterior(curve, (x, y), "hull", cells=50, **options)
    assert not caplog.records
    mc.posterior(curve, (x, y), "hull", cells=8, **options)
    assert "lies in about" in caplog.text
    mc.posterior(curve, (x, y), "hull", cells=20, box=[(-1, 0), (-1, 0)], **options)
    assert "lies at the edge of the grid: widen its box" in caplog.text


def test_what_makes_no_posterior_is_refused():
    curve, x, y = linear_models(num_bends=2)
    labels = np.arange(9) % 2
    for options, words in (
        ({"temperature": 0}, "temperature divides .* must be positive; received temperature=0"),
        ({"temperature": -1.0}, "must be positive; received temperature=-1"),
        ({"noise_std": None}, "whose deviation must be given and positive"),
        ({"noise_std": 0.0}, "received noise_std=0.0"),
        ({"subspace": "plane"}, "Unknown subspace 'plane'. Known: line, curve"),
        ({"sampler": "nuts"}, "Unknown sampler 'nuts'. Known: elliptical, quadrature"),
        ({"sampler": "elliptical"}, "for Gaussian priors, and t on a line is uniform"),
        ({"subspace": "hull", "sampler": "quadrature"}, "this subspace has 3. Use elliptical"),
        ({"subspace": "simplex", "sampler": "quadrature"}, "this subspace has 3"),
        ({"subspace": "pca", "snapshots": np.eye(3)}, "3 snapshots span 2 dimensions, and dim=5"),
        ({"subspace": "curve"}, "plane of a Bezier curve with one bend"),
        ({"loss": "mae"}, "SparseCategoricalCrossentropy, .* or Gaussian; received mae"),
        ({"loss": keras.losses.CategoricalFocalCrossentropy()}, "a loss that is a likelihood"),
        ({"loss": lambda y, p: p}, "a loss that is a likelihood"),
        ({"loss": {"a": "mse"}}, "a loss that is a likelihood"),
        ({"chains": 0}, "chains must be at least 1; received chains=0"),
        ({"samples": -1}, "samples must be at least 0"),
        ({"box": [(1, 0)]}, r"box must be the lowest and the highest z of each dimension, \[1, 2]"),
        ({"data": x}, r"needs targets: data=\(x, y\)"),
        ({"data": (x[:0], y[:0])}, "received no batch"),
        ({"subspace": "random", "dim": 99999999}, "3 weights have no more dimensions"),
    ):
        with pytest.raises(ValueError, match=words):
            mc.posterior(curve, **({"data": (x, y), "noise_std": NOISE} | options))
    with pytest.raises(TypeError, match="A posterior is of a trained curve"):
        mc.posterior(curve.network.model, (x, y), noise_std=NOISE)
    two = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, use_bias=False)])
    own = mc.CurveModel(two, mc.Linear(), np.ones((2, 6)))
    with pytest.raises(ValueError, match="noise_std is of a regression"):
        mc.posterior(own, (x, labels), loss=logits_loss(), noise_std=1.0)
    with pytest.raises(ValueError, match="No loss: compile the curve, or pass loss="):
        mc.posterior(own, (x, labels))
    ready = mc.posterior(curve, (x, y), noise_std=NOISE, samples=0, cells=20)
    with pytest.raises(ValueError, match=r"z must be \[n, dim\] = \[n, 1\]; received shape \(4,\)"):
        ready.log_density(np.zeros(4))
    with pytest.raises(ValueError, match="no samples to take networks from"):
        ready.predict(x)
    some = mc.posterior(curve, (x, y), noise_std=NOISE, samples=1, cells=20)
    with pytest.raises(ValueError, match="draws must be at least 1; received draws=0"):
        some.predict(x, draws=0)


def test_the_posterior_over_a_surface_is_that_over_its_control_points():
    plain, (x, y) = {"batchnorm": False, "dropout": False}, arrays()
    networks = [build(seed, **plain) for seed in (1, 2, 3)]
    surface = mc.connect(*networks, curve="simplex", num_bends=0)
    surface.compile("sgd", logits_loss())
    found = mc.posterior(surface, (x, y), "simplex", samples=4, chains=3, burn_in=1, seed=0)
    z = found.samples[0]
    rows = found.coefficients(z)
    assert rows.shape == (4, 3)
    expected = [
        plain_log_likelihood(surface, row @ surface.control_points, x, y, None) for row in rows
    ]
    np.testing.assert_allclose(found.density.log_likelihood(z), expected, rtol=1e-5)
    with pytest.raises(ValueError, match="subspace=line is that of a curve"):
        mc.posterior(surface, (x, y), "line")


def test_deviations_that_are_trained_are_those_of_the_likelihood():
    rng = np.random.default_rng(0)
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    points = rng.normal(size=(3, 8)).astype("float32")
    curve = mc.CurveModel(network, mc.Bezier(1), points)
    curve.compile("sgd", Gaussian(deviation="network"))
    x, y = (rng.normal(size=(20, n)).astype("float32") for n in (3, 1))
    found = mc.posterior(curve, (x, y), "line", samples=3, chains=1, cells=20)
    z = found.samples[0]
    mean, variance = 0.0, 0.0
    for row in found.coefficients(z):
        kernel, bias = mc.unpack(network, (row @ points).astype("float32"))
        out = x @ kernel + bias
        expected = stats.norm.logpdf(y[:, 0], out[:, 0], np.exp(out[:, 1])).sum()
        at = found.density.likelihood
        assert at.task.name == "regression"
        mean, variance = mean + out[:, :1] / 3, variance + (np.exp(2 * out[:, 1:])) / 3
        assert np.any(np.isclose(found.density.log_likelihood(z), expected, rtol=1e-4))
    predicted, deviation = found.predict(x)
    np.testing.assert_allclose(predicted, mean, rtol=1e-4, atol=1e-5)
    assert (deviation >= np.sqrt(variance) * (1 - 1e-4)).all()
