"""What layers keep beside their variables, and what is drawn without a seed."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import CLASSES, logits_loss

import mc
from mc.network import copying
from mc.network.weights import FlatNetwork, pack

X = np.random.default_rng(0).normal(3.0, 20.0, size=(16, 4)).astype("float32")
Y = np.arange(16) % CLASSES
WORDS = np.array([["a b"], ["b c"], ["c d"], ["d a"]] * 4)


def functional(seed, layer, inputs):
    keras.utils.set_random_seed(seed)
    return keras.Model(inputs, keras.layers.Dense(CLASSES)(layer(inputs)))


def normalized(seed, adapted=True):
    layer = keras.layers.Normalization()
    if adapted:
        layer.adapt(X)
    return functional(seed, layer, keras.Input((4,)))


def trained(networks, x, **options):
    curve = mc.connect(*networks, **options)
    curve.compile("sgd", logits_loss())
    curve.fit(x, Y, verbose=0)
    return curve


def test_a_network_that_was_not_adapted_takes_the_curves_statistics(tmp_path):
    a, b = normalized(1), normalized(2)
    curve = trained((a, b), X)
    into = normalized(3, adapted=False)
    for network in (curve.network_at(0.0), curve.network_at(0.0, into=into)):
        np.testing.assert_allclose(network(X), a(X), rtol=1e-5, atol=1e-6)
    curve.save(tmp_path / "curve.npz")
    loaded = mc.load_curve(tmp_path / "curve.npz", normalized(4, adapted=False))
    loaded.t = 1.0
    np.testing.assert_allclose(loaded(X), b(X), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(loaded.network_at(1.0)(X), b(X), rtol=1e-5, atol=1e-6)


def test_a_stateless_call_leaves_the_layers_constants_as_they_are():
    network = normalized(1)
    flat = FlatNetwork(network)
    mean = network.layers[1].mean
    zeroed = [np.zeros_like(s) for s in flat.state()]
    w = pack(network)
    moved, _, _ = tf.function(lambda: flat(w, zeroed, X, training=False))()
    assert not np.allclose(moved, network(X))
    assert network.layers[1].mean is mean


@pytest.mark.parametrize("kind", ["frozen", "lora", "normalization", "compiled"])
def test_networks_with_what_is_not_trained_are_copied_for_random_bends_and_taken_out(kind):
    layers = keras.layers

    def network(seed):
        fixed = keras.initializers.GlorotUniform(7)
        if kind == "normalization":
            return normalized(seed)
        hidden = layers.Dense(8, kernel_initializer=fixed, trainable=kind != "frozen")
        made = functional(seed, hidden, keras.Input((4,)))
        if kind == "lora":
            hidden.enable_lora(2)
        if kind in ("frozen", "lora"):
            hidden.bias.assign(np.arange(8.0))
            kernel = hidden.kernel if kind == "frozen" else hidden._kernel
            kernel.assign(kernel + 1.0)  # so that no initialiser gives it again
        if kind == "compiled":
            made.compile("sgd", lambda y, p: p, metrics=[lambda y, p: y])
        return made

    a, b = network(1), network(2)
    curve = trained((a, b), X, init="random", num_bends=2)
    assert not np.array_equal(curve.control_points[1], curve.control_points[2])
    for t, end in ((0.0, a), (1.0, b)):
        np.testing.assert_allclose(curve.network_at(t)(X), end(X), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ["lookup", "vectorization", "tf_idf"])
def test_vocabularies_come_along(kind):
    def network(seed, words=WORDS):
        inputs = keras.Input((1,), dtype="string")
        if kind == "lookup":
            layer = keras.layers.StringLookup(
                output_mode="multi_hot", max_tokens=5, pad_to_max_tokens=True
            )
        else:
            mode = "tf_idf" if kind == "tf_idf" else "multi_hot"
            layer = keras.layers.TextVectorization(5, output_mode=mode, pad_to_max_tokens=True)
        layer.adapt(words)
        return functional(seed, layer, inputs)

    a, b = network(1), network(2)
    x = tf.constant(WORDS)
    curve = trained((a, b), x)
    for target in (None, network(3, words=WORDS[:1])):
        np.testing.assert_allclose(curve.network_at(1.0, into=target)(x), b(x), rtol=1e-5)
    with pytest.raises(ValueError, match=r"The vocabulary of the layer .* differs"):
        mc.connect(a, network(2, words=WORDS[:1]))


def test_an_instance_that_computes_something_else_is_refused_after_writing():
    def network(activation):
        return functional(1, keras.layers.Dense(8, activation), keras.Input((4,)))

    curve = mc.connect(network("relu"), network("relu"))
    with pytest.raises(ValueError, match="has the weights of the curve now, but computes"):
        curve.network_at(0.5, into=network("tanh"))


def test_a_layer_frozen_later_changes_nothing_for_the_networks_taken_out():
    def network(seed):
        return functional(seed, keras.layers.Dense(8, "relu"), keras.Input((4,)))

    a, b = network(1), network(2)
    curve = mc.connect(a, b)
    a.layers[1].trainable = False
    for into in (None, network(3)):
        np.testing.assert_allclose(curve.network_at(1.0, into=into)(X), b(X), rtol=1e-5)


class Unseeded(keras.layers.Layer):
    """Its output in training is noise drawn without a seed."""

    def call(self, x, training=False):
        return x + keras.random.normal((1, 4)) if training else x


def test_random_numbers_without_a_seed_are_drawn_anew_at_every_step_and_can_be_repeated():
    network = functional(1, Unseeded(), keras.Input((4,)))

    def losses(seed):
        point = mc.CurveModel(network, mc.Point(), pack(network)[None], seed=seed)
        point.compile(keras.optimizers.SGD(0.0), logits_loss())
        options = {"batch_size": 16, "epochs": 4, "shuffle": False, "verbose": 0}
        return point.fit(X, Y, **options).history["loss"]

    found = losses(seed=1)
    assert len(set(found)) == 4
    assert losses(seed=1) == found
    assert losses(seed=2) != found


def test_a_call_leaves_keras_global_generator_alone():
    network = functional(1, Unseeded(), keras.Input((4,)))
    flat = FlatNetwork(network)
    keras.utils.set_random_seed(5)
    expected = keras.random.normal((3,)).numpy()
    keras.utils.set_random_seed(5)
    flat(pack(network), flat.state(), X, training=True)
    np.testing.assert_array_equal(keras.random.normal((3,)), expected)


class Halved(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule without a configuration, which Keras cannot save."""

    def __call__(self, step):
        return 0.5 ** keras.ops.cast(step, "float32")


def test_a_network_that_was_compiled_with_what_has_no_configuration_is_copied():
    network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    network.compile(keras.optimizers.SGD(Halved()), "mse")
    network.fit(np.ones((2, 4)), np.ones((2, 3)), verbose=0)
    assert not copying.copy(network).compiled
    assert "get_compile_config" not in vars(network)  # but its class' own again


def test_a_copy_is_not_compiled_and_has_the_nested_models_too():
    inner = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    inner.compile("sgd", lambda y, p: p)
    outer = keras.Sequential([keras.Input((4,)), inner, keras.layers.Dense(2)])
    outer.compile("sgd", lambda y, p: p)
    copied = copying.copy(outer)
    assert not copied.compiled
    assert [tuple(v.shape) for v in copied.variables] == [tuple(v.shape) for v in outer.variables]
