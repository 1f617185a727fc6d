"""A network as a function of its flat weight vector."""

import keras
import numpy as np
import pytest
from conftest import arrays, build

from mc.network import copying, weights


def test_pack_and_unpack_are_inverse(networks):
    network = networks[0]
    w = weights.pack(network)
    conv, norm, dense, out = 3 * 3 * 4 + 4, 2 * 4, 4 * 4 * 4 * 8 + 8, 8 * 3 + 3
    assert w.shape == (conv + norm + dense + out,)
    for array, variable in zip(
        weights.unpack(network, w), network.trainable_variables, strict=True
    ):
        np.testing.assert_array_equal(array, variable.numpy())


def test_calling_with_its_own_weights_gives_the_network_itself(networks):
    network, x = networks[0], arrays()[0]
    flat = weights.FlatNetwork(network)
    outputs, _, losses = flat(weights.pack(network), flat.state(), x, training=False)
    np.testing.assert_allclose(outputs, network(x, training=False), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(losses, sum(network.losses), rtol=1e-6)


def test_calling_with_anothers_weights_gives_the_other_and_changes_nothing(networks):
    a, b = networks
    x = arrays()[0]
    before = [v.numpy().copy() for v in a.variables]
    flat = weights.FlatNetwork(a)
    outputs, state, _ = flat(weights.pack(b), weights.FlatNetwork(b).state(), x, training=True)
    np.testing.assert_array_equal(flat.state()[0], before[2 + 2])
    assert not np.array_equal(state[0], flat.state()[0])  # moved, but only in what was returned
    for variable, value in zip(a.variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
    outputs, _, _ = flat(weights.pack(b), weights.FlatNetwork(b).state(), x, training=False)
    np.testing.assert_allclose(outputs, b(x, training=False), rtol=1e-6, atol=1e-6)


def test_batchnorm_finds_nested_layers_and_leaves_out_frozen_ones():
    inner = build(0)
    frozen = keras.layers.BatchNormalization(trainable=False)
    outer = keras.Sequential([keras.layers.Input((6, 6, 1)), frozen, inner])
    flat = weights.FlatNetwork(outer)
    names = [outer.non_trainable_variables[i].name for i in flat.batchnorm]
    assert names == ["moving_mean", "moving_variance"]
    assert set(flat.batchnorm.values()) == {0.99}


def test_a_copy_has_the_same_architecture_and_other_weights(networks):
    copied = copying.copy(networks[0])
    weights.check_same_architecture(networks[0], copied)
    assert not np.array_equal(weights.pack(copied), weights.pack(networks[0]))


def test_architectures_that_differ_name_the_first_variable_and_both_shapes():
    a = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3), keras.layers.Dense(2)])
    b = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3), keras.layers.Dense(5)])
    with pytest.raises(ValueError, match=r"kernel with shape \(3, 2\) against .*\(3, 5\)"):
        weights.check_same_architecture(a, b)
    c = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3)])
    with pytest.raises(ValueError, match="4 against 2 trainable variables"):
        weights.check_same_architecture(a, c)


def test_a_constant_that_differs_is_named():
    def network(mean):
        normalise = keras.layers.Normalization(mean=mean, variance=1.0)
        adapt = keras.layers.Dense(2, trainable=False, kernel_initializer="ones")
        model = keras.Sequential([keras.layers.Input((4,)), normalise, adapt])
        model.add(keras.layers.Dense(2))
        adapt.kernel.assign(adapt.kernel + mean)
        return model

    weights.check_same_architecture(network(0.0), network(0.0))
    with pytest.raises(ValueError, match="kernel differs between the endpoints"):
        weights.check_same_architecture(network(0.0), network(1.0))


def test_what_is_no_network_is_refused():
    with pytest.raises(TypeError, match=r"must be a keras\.Model"):
        weights.FlatNetwork(keras.layers.Dense(3))
    with pytest.raises(ValueError, match="has no weights yet"):
        weights.FlatNetwork(keras.Sequential([keras.layers.Dense(3)]))
    with pytest.raises(ValueError, match="no trainable weights"):
        weights.FlatNetwork(keras.Sequential([keras.layers.Input((4,)), keras.layers.Flatten()]))
    with pytest.raises(ValueError, match=r"must have shape \(15,\)"):
        weights.unpack(keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3)]), [1.0])
