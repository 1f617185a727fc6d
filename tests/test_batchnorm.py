"""BatchNorm statistics against the moments of the data, computed by NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import arrays, build

from mc.network import batchnorm
from mc.network.weights import FlatNetwork, pack


def estimate(network, batches, weights=None):
    flat = FlatNetwork(network)
    w = [tf.constant(pack(network) if weights is None else weights)]
    return batchnorm.estimate(flat, w, [[1.0]], flat.state(), batches)


def two_norms(seed=0):
    """Conv, BatchNorm, conv, BatchNorm: the second depends on the first."""
    keras.utils.set_random_seed(seed)
    layers = [keras.layers.Input((6, 6, 1))]
    for momentum in (0.99, 0.9):
        layers += [
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.BatchNormalization(momentum=momentum),
        ]
    return keras.Sequential([*layers, keras.layers.Flatten(), keras.layers.Dense(3)])


def test_first_layer_has_the_moments_of_the_clean_data_whatever_the_batches():
    network = two_norms()
    x = arrays(n=50)[0]
    hidden = keras.Model(network.inputs[0], network.layers[0].output)(x).numpy().astype("float64")
    for sizes in ([50], [16, 16, 16, 2], [1, 49]):
        batches = np.split(x, np.cumsum(sizes)[:-1])
        found = estimate(network, batches)
        np.testing.assert_allclose(found[0][0], hidden.mean((0, 1, 2)), rtol=2e-5)
        np.testing.assert_allclose(found[1][0], hidden.var((0, 1, 2)), rtol=2e-4)


def test_statistics_do_not_depend_on_the_order_of_batches():
    x = arrays(n=50)[0]
    batches = [x[:7], x[7:30], x[30:]]
    found = estimate(two_norms(), batches)
    for order in ([2, 0, 1], [1, 2, 0]):
        other = estimate(two_norms(), [batches[i] for i in order])
        assert len(found) == 4
        for i in found:
            np.testing.assert_allclose(other[i], found[i], rtol=1e-6, atol=1e-7)


def test_deeper_layers_combine_batches_by_the_law_of_total_variance():
    network = two_norms()
    x = arrays(n=40)[0]
    batches = [x[:10], x[10:]]
    second = network.layers[3]
    inputs = keras.Model(network.inputs[0], network.layers[2].output)
    means, variances = [], []
    for batch in batches:  # the first norm in training mode, as in a training step
        value = inputs(batch, training=True).numpy().astype("float64")
        means.append(value.mean((0, 1, 2)))
        variances.append(value.var((0, 1, 2)))
    share = np.array([10, 30]) / 40
    mean = share @ means
    variance = share @ variances + share @ (np.array(means) - mean) ** 2
    found = estimate(two_norms(), batches)
    np.testing.assert_allclose(found[2][0], mean, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found[3][0], variance, rtol=1e-3)
    assert second.momentum == 0.9


def test_every_row_of_coefficients_has_its_own_statistics(networks):
    flat = FlatNetwork(networks[0])
    points = [tf.constant(pack(n)) for n in networks]
    x = arrays(n=20)[0]
    both = batchnorm.estimate(flat, points, [[1, 0], [0.5, 0.5], [0, 1]], flat.state(), [x])
    for i, w in enumerate([points[0], (points[0] + points[1]) / 2, points[1]]):
        alone = estimate(networks[0], [x], w)
        for position in alone:
            np.testing.assert_allclose(both[position][i], alone[position][0], rtol=1e-5, atol=1e-6)


def test_the_network_is_left_as_it_was():
    network = build(1)
    before = [v.numpy().copy() for v in network.variables]
    estimate(network, [arrays()[0]])
    for variable, value in zip(network.variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)


def test_without_batchnorm_there_is_nothing_and_without_data_an_error():
    assert estimate(build(1, batchnorm=False), []) == {}
    with pytest.raises(ValueError, match="received no batch"):
        estimate(build(1), [])


def test_a_layer_that_a_call_updates_twice_is_refused_by_name():
    inputs = [keras.Input((4,)), keras.Input((4,))]
    shared = keras.layers.BatchNormalization(name="shared")
    both = keras.layers.Add()([shared(i) for i in inputs])
    network = keras.Model(inputs, keras.layers.Dense(2)(both))
    x = np.random.default_rng(0).normal(size=(2, 10, 4)).astype("float32")
    with pytest.raises(ValueError, match=r"shared/moving_mean is updated more than once"):
        estimate(network, [([x[0], x[1]],)])


def test_a_layer_that_keeps_its_statistics_in_training_is_refused_by_name():
    class Still(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.norm = keras.layers.BatchNormalization(name="still")

        def call(self, x):
            return self.norm(x, training=False)

    network = keras.Sequential([keras.Input((4,)), Still(), keras.layers.Dense(2)])
    with pytest.raises(ValueError, match="still/moving_mean is not updated"):
        estimate(network, [np.ones((3, 4), "float32")])


def test_a_model_without_training_argument_keeps_its_statistics():
    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.norm = keras.layers.BatchNormalization()
            self.out = keras.layers.Dense(2)

        def call(self, x):
            return self.out(self.norm(x))

    network = Net()
    x = np.random.default_rng(0).normal(3, 2, size=(20, 4)).astype("float32")
    network(x)
    # Keras' own fit leaves them alone as well.
    network.compile("sgd", "mse")
    network.fit(x, np.zeros((20, 2)), verbose=0)
    np.testing.assert_array_equal(network.norm.moving_mean, np.zeros(4))
    assert estimate(network, [x]) == {}
