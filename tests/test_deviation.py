"""Networks with trained deviations: the same networks, with a bias more."""

import re
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import mc
from mc import likelihoods, models
from mc.network.deviation import with_deviation
from mc.network.repair import Repair
from mc.network.weights import FlatNetwork, pack, unpack

RNG = np.random.default_rng(0)


def functional():
    return models.mlp((3,), None, widths=[5], num_outputs=2)


def sequential():
    inner = [layers.Dense(4), layers.BatchNormalization(), layers.ReLU(), layers.Dropout(0.3)]
    return keras.Sequential([keras.Input((3,)), *inner, layers.Dense(2)])


def named_inputs():
    given = {name: keras.Input((3,), name=name) for name in ("a", "b")}
    return keras.Model(given, layers.Dense(2)(layers.Add()(list(given.values()))))


@keras.saving.register_keras_serializable(package="test_deviation")
class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.inner = layers.Dense(2)

    def call(self, x):
        return self.inner(x)

    def get_config(self):
        return {}


def subclassed():
    network = Subclassed()
    network(np.zeros((1, 3), "float32"))
    return network


MAKE = [functional, sequential, named_inputs, subclassed]


def inputs_of(make):
    x = RNG.normal(size=(7, 3)).astype("float32")
    return {"a": x, "b": 2 * x} if make is named_inputs else x


def with_known(make, seed=0):
    """A network, and it with deviations, of known logarithms."""
    keras.utils.set_random_seed(seed)
    network = make()
    whole = with_deviation(network, inputs_of(make))
    whole.trainable_variables[-1].assign([0.5, -1.5])
    return network, whole


@pytest.mark.parametrize("make", MAKE)
def test_outputs_are_the_network_s_and_then_the_trained_numbers(make, tmp_path):
    network, whole = with_known(make)
    x = inputs_of(make)
    expected = np.concatenate([network.predict(x, verbose=0), [[0.5, -1.5]] * 7], -1)
    np.testing.assert_allclose(whole.predict(x, verbose=0), expected, rtol=1e-6)
    assert len(whole.variables) == len(network.variables) + 1
    assert whole.trainable_variables[-1].path == "log_deviation/beta"
    whole.save(tmp_path / "whole.keras")
    again = keras.models.load_model(tmp_path / "whole.keras")
    np.testing.assert_array_equal(pack(again), pack(whole))
    np.testing.assert_allclose(again.predict(x, verbose=0), expected, rtol=1e-6)


def test_the_saved_file_is_of_layers_of_keras_alone(tmp_path):
    _, whole = with_known(functional)
    whole.save(tmp_path / "whole.keras")
    config = zipfile.ZipFile(tmp_path / "whole.keras").read("config.json").decode()
    modules = set(re.findall(r'"module": "(.*?)"', config))
    assert "keras.layers" in modules
    assert {name.partition(".")[0] for name in modules} == {"keras"}
    assert set(re.findall(r'"registered_name": (.*?)[,}]', config)) <= {"null", '"Functional"'}


@pytest.mark.parametrize("make", MAKE)
def test_curves_go_through_it(make):
    (_, a), (_, b) = with_known(make, 1), with_known(make, 2)
    b.trainable_variables[-1].assign([1.5, 0.5])
    curve = mc.connect(a, b, curve="bezier", num_bends=1)
    x = inputs_of(make)
    middle = curve.network_at(0.5, data=keras.tree.map_structure(lambda a: np.tile(a, (3, 1)), x))
    np.testing.assert_allclose(middle.predict(x, verbose=0)[:, 2:], [[1.0, -0.5]] * 7, rtol=1e-6)
    np.testing.assert_allclose(pack(middle), (pack(a) + pack(b)) / 2, rtol=1e-5, atol=1e-6)
    start = curve.network_at(0.0)
    np.testing.assert_allclose(start.predict(x, verbose=0), a.predict(x, verbose=0), rtol=1e-5)


def test_masks_pass():
    x = keras.Input((4, 3))
    network = keras.Model(x, layers.TimeDistributed(layers.Dense(1))(layers.Masking()(x)))
    whole = with_deviation(network)
    given, y = RNG.normal(size=(2, 5, 4, 3)).astype("float32")
    y = y[..., :1]
    given[:, 2:] = 0
    whole.compile(loss=likelihoods.Gaussian())
    means = network.predict(given, verbose=0)[:, :2]
    expected = 0.5 * ((y[:, :2] - means) ** 2).mean() + 0.5 * np.log(2 * np.pi)
    assert whole.evaluate(given, y, verbose=0) == pytest.approx(expected, rel=1e-5)


def test_deviations_are_not_rounded_to_half_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        whole = with_deviation(functional())
    finally:
        keras.config.set_dtype_policy("float32")
    whole.trainable_variables[-1].assign([0.1, -3.3])
    outputs = whole.predict(inputs_of(functional), verbose=0)
    assert outputs.dtype == np.float32
    np.testing.assert_allclose(outputs[:, 2:], [[0.1, -3.3]] * 7, rtol=1e-6)


def test_a_bias_alone_is_trained_to_the_deviation_of_the_residuals():
    """At the optimum d nll / ds = 1 - mean(r^2) / exp(2 s) = 0."""
    x = RNG.normal(size=(200, 1)).astype("float32")
    y = np.concatenate([2 * x, -x], -1) + RNG.normal(size=(200, 2)) * [0.3, 0.05]
    network = keras.Sequential([keras.Input((1,)), layers.Dense(2)])
    whole = with_deviation(network)
    curve = mc.CurveModel(whole, mc.Point(), pack(whole)[None])
    curve.compile(keras.optimizers.Adam(0.05), likelihoods.Gaussian())
    steps = tf.data.Dataset.from_tensors((x, y.astype("float32"))).repeat(200)
    for rate in (0.05, 0.005):
        curve.optimizer.learning_rate = rate
        curve.fit(steps, shuffle=False, verbose=0)
    design = np.concatenate([x, np.ones_like(x)], -1)
    _, squares, _, _ = np.linalg.lstsq(design, y, rcond=None)
    found = np.exp(curve.weights_at(0)[-2:])
    np.testing.assert_allclose(found, np.sqrt(squares / 200), rtol=1e-3)


def test_units_may_be_renumbered_as_without_it():
    def hidden():
        return models.mlp((3,), None, widths=[5, 6], num_outputs=2)

    table = str(mc.symmetries(hidden()))
    assert str(mc.symmetries(with_deviation(hidden()))) == table
    assert len(table.splitlines()) == 3  # the header, and the two hidden layers
    keras.utils.set_random_seed(1)
    a, b = with_deviation(hidden()), with_deviation(hidden())
    aligned, _ = mc.align(a, b, method="weights")
    x = inputs_of(functional)
    np.testing.assert_allclose(aligned(x), b(x), rtol=1e-4, atol=1e-6)
    assert not np.array_equal(pack(aligned), pack(b))


def test_units_are_repaired_as_without_it():
    def repaired(finish):
        keras.utils.set_random_seed(3)
        networks = [finish(models.mlp((3,), None, widths=[8, 8], num_outputs=2)) for _ in range(2)]
        x = np.random.default_rng(1).normal(size=(300, 3)).astype("float32")
        ends, state = [pack(n) for n in networks], FlatNetwork(networks[0]).state()
        return Repair(networks[0], ends, state, [x])(0.5)

    np.testing.assert_allclose(repaired(with_deviation)[:-2], repaired(lambda n: n), rtol=1e-5)


def test_networks_that_cannot_have_it_are_told_what_to_do():
    x = keras.Input((3,))
    several = keras.Model(x, [layers.Dense(1)(x), layers.Dense(1)(x)])
    with pytest.raises(ValueError, match="must give the deviations itself"):
        with_deviation(several)
    with pytest.raises(ValueError, match=r"with_deviation\(network, inputs=x\)"):
        with_deviation(subclassed())

    class Own(keras.Model):
        def train_step(self, data):
            return {}

    with pytest.raises(ValueError, match="train_step of its own"):
        with_deviation(Own(x, layers.Dense(1)(x)))


def test_weights_are_packed_with_the_logarithms_last():
    network, whole = with_known(functional)
    w = np.array([*pack(network), 0.5, -1.5], "float32")
    np.testing.assert_array_equal(pack(whole), w)
    np.testing.assert_array_equal(unpack(whole, 2 * w)[-1], [1.0, -3.0])
