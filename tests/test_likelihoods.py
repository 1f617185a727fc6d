"""The Gaussian likelihood as a loss, against SciPy."""

import json

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mc import likelihoods
from mc.lab import callable_checks
from mc.network import losses

RNG = np.random.default_rng(0)
LOGARITHMS = hnp.arrays(np.float32, (3, 2), elements=st.floats(-1e4, 1e4, width=32))
NUMBERS = hnp.arrays(np.float32, (3, 2), elements=st.floats(-100, 100, width=32))


def drawn(*shape):
    """Targets `[*shape]`, and as many means and logarithms of deviations as outputs."""
    y, means, logarithms = RNG.normal(size=(3, *shape)).astype("float32")
    return y, means, logarithms, np.concatenate([means, logarithms], -1)


def log_density(y, means, logarithms):
    return scipy.stats.norm.logpdf(y, means, np.exp(logarithms.astype("float64"))).sum(-1)


@pytest.mark.parametrize("shape", [(9, 1), (9, 3), (4, 5, 2)])
def test_the_loss_is_the_mean_negative_log_density_of_scipy(shape):
    y, means, logarithms, outputs = drawn(*shape)
    expected = log_density(y, means, logarithms)
    np.testing.assert_allclose(likelihoods.log_density(y, outputs), expected, rtol=1e-5, atol=1e-5)
    assert float(likelihoods.Gaussian()(y, outputs)) == pytest.approx(-expected.mean(), rel=1e-5)
    squares = ((y - means) ** 2).mean(-1)
    np.testing.assert_allclose(likelihoods.squared_error(y, outputs), squares, rtol=1e-5)


def test_targets_of_one_number_need_no_axis_of_their_own():
    y, means, logarithms, outputs = drawn(9, 1)
    expected = log_density(y, means, logarithms)
    np.testing.assert_allclose(likelihoods.log_density(y[:, 0], outputs), expected, rtol=1e-5)


def test_what_is_masked_and_sample_weights_count_as_in_losses_of_keras():
    y, means, logarithms, outputs = drawn(4, 5, 2)
    x, given = keras.Input((5, 4)), np.where(np.arange(5)[:, None] < 3, outputs, 0.0)
    network = keras.Model(x, keras.layers.Masking()(x))
    network.compile(loss=likelihoods.Gaussian())
    found = network.evaluate(given, y, verbose=0)
    expected = log_density(y, means, logarithms)[:, :3]
    assert found == pytest.approx(-expected.mean(), rel=1e-5)
    weight = np.arange(4.0)[:, None]
    weighed = network.evaluate(outputs, y, sample_weight=weight, batch_size=4, verbose=0)
    total = -(log_density(y, means, logarithms) * weight).sum()
    assert weighed == pytest.approx(total / 20, rel=1e-5)  # Keras divides by how many there are


@given(NUMBERS, NUMBERS, LOGARITHMS)
def test_the_loss_and_its_gradient_are_finite_whatever_the_deviations(y, means, logarithms):
    outputs = tf.Variable(np.concatenate([means, logarithms], -1))
    with tf.GradientTape() as tape:
        value = likelihoods.Gaussian()(y, outputs)
    assert np.isfinite(value)
    assert np.isfinite(tape.gradient(value, outputs)).all()


def test_gradients_are_those_of_finite_differences():
    y, _, _, outputs = drawn(6, 2)
    variable, step = tf.Variable(outputs, dtype=tf.float64), 1e-5
    with tf.GradientTape() as tape:
        value = -tf.reduce_mean(likelihoods.log_density(y, variable))
    found = tape.gradient(value, variable).numpy()
    expected = np.zeros_like(found)
    for place in np.ndindex(found.shape):
        ends = [np.array(outputs, "float64") for _ in range(2)]
        for end, sign in zip(ends, (-1, 1), strict=True):
            end[place] += sign * step
        low, high = (
            -log_density(y.astype("float64"), *np.split(end, 2, axis=-1)).mean() for end in ends
        )
        expected[place] = (high - low) / (2 * step)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)


def test_a_deviation_below_the_least_counts_as_that_and_finds_back():
    y = np.ones((1, 1), "float32")
    logarithm = tf.Variable([[-1000.0]])
    with tf.GradientTape() as tape:
        value = likelihoods.Gaussian()(y, tf.concat([tf.zeros((1, 1)), logarithm], -1))
    expected = -log_density(y, np.zeros((1, 1)), np.full((1, 1), likelihoods.LOWEST))
    assert float(value) == pytest.approx(expected.item(), rel=1e-4)
    assert tape.gradient(value, logarithm).numpy().item() < 0  # a step down it makes it larger


@pytest.mark.parametrize(
    ("y", "outputs", "words"),
    [
        ((4, 1), (4, 1), "two outputs for each target"),
        ((4, 1), (4, 3), r"received outputs of shape \(4, 3\)"),
        ((4,), (4, 4), r"Targets of shape \(4,\) do not fit 2 means"),
        ((4, 3), (4, 2), r"Targets of shape \(4, 3\) do not fit 1 means"),
        ((4,), (4,), "two outputs for each target"),
    ],
)
def test_outputs_that_are_not_two_for_each_target_are_refused(y, outputs, words):
    with pytest.raises(ValueError, match=words):
        likelihoods.Gaussian()(np.zeros(y, "float32"), np.zeros(outputs, "float32"))


def test_it_is_a_loss_of_a_regression_that_keras_can_save():
    loss = likelihoods.Gaussian("network", reduction="sum")
    assert losses.meaning(loss) == "regression"
    assert not losses.takes_one_hot(loss)
    assert losses.expects_logits(loss) is None
    saved = json.loads(json.dumps(keras.saving.serialize_keras_object(loss)))
    again = keras.saving.deserialize_keras_object(saved)
    assert type(again) is likelihoods.Gaussian
    assert (again.deviation, again.reduction) == ("network", "sum")


def test_a_deviation_from_elsewhere_is_refused():
    with pytest.raises(ValueError, match="one of bias, network; received 'bais'"):
        likelihoods.Gaussian("bais")
    assert callable_checks.DEVIATIONS == likelihoods.DEVIATIONS
    named = f"{likelihoods.Gaussian.__module__}.{likelihoods.Gaussian.__name__}"
    assert named == callable_checks.GAUSSIAN
