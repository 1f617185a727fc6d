"""State of networks on a curve that is not BatchNorm's: whole at fixed ends, an average between."""

import keras
import numpy as np
import pytest
from conftest import CLASSES, logits_loss

import mc
from mc import between
from mc.network.weights import pack

X = np.random.default_rng(0).normal(3.0, 1.0, size=(32, 4)).astype("float32")
Y = np.arange(32) % CLASSES


@keras.saving.register_keras_serializable("between")
class Centered(keras.layers.Layer):
    """Takes a running mean of its inputs from them."""

    def build(self, shape):
        self.mean = self.add_weight(shape=shape[1:], initializer="zeros", trainable=False)

    def call(self, x, training=False):
        if training:
            self.mean.assign(0.9 * self.mean + 0.1 * keras.ops.mean(x, axis=0))
        return x - self.mean


def network(seed):
    keras.utils.set_random_seed(seed)
    return keras.Sequential([keras.Input((4,)), Centered(), keras.layers.Dense(CLASSES)])


@pytest.fixture(scope="module")
def joined():
    """Two networks and a trained curve between them, whose end is free if asked."""
    a, b = network(1), network(2)

    def make(**options):
        curve = mc.connect(a, b, seed=1, **options)
        curve.compile(keras.optimizers.SGD(0.1), logits_loss())
        curve.fit(X, Y, batch_size=8, verbose=0)
        return curve

    return a, b, make(), make(fix_end=False)


def mean_of(curve):
    return curve.state_values[0]


def test_at_a_fixed_end_the_endpoints_whole_state_returns(joined):
    a, b, curve, free = joined
    assert np.abs(mean_of(curve)).min() > 0.5  # training moved it
    for t, end in ((0.0, a), (1.0, b)):
        curve.t = t
        expected = end(X).numpy()
        np.testing.assert_allclose(curve(X), expected, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(curve.predict(X, verbose=0), expected, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(curve.network_at(t)(X), expected, rtol=1e-5, atol=1e-5)
    with pytest.warns(UserWarning, match="cannot be estimated"):
        np.testing.assert_array_equal(free.network_at(1.0).layers[0].mean, mean_of(free))


def test_between_the_ends_the_average_is_told(joined):
    curve = joined[2]
    curve.t = 0.5
    for use in (curve, lambda x: curve.network_at(0.5)):
        with pytest.warns(UserWarning, match=r"Training updates .*centered.* no BatchNorm"):
            use(X)
    with pytest.warns(UserWarning, match="an average over all t"):
        middle = curve.network_at(0.5)
    np.testing.assert_array_equal(middle.layers[0].mean, mean_of(curve))


def test_evaluation_takes_the_endpoints_own_state_at_fixed_ends(joined):
    a, b, curve, free = joined

    def expected(network):
        return float(logits_loss()(Y, network(X)))

    for made, state in ((curve, b), (free, None)):
        with pytest.warns(UserWarning, match="an average over all t"):
            points = mc.evaluate(made, test=(X, Y), num_points=3)
        for path in ("curve", "linear"):
            start, _, end = points.loc[points["path"] == path, "test/nll"]
            assert start == pytest.approx(expected(a), rel=1e-5)
            if state is None:  # with the state that training left
                moved = network(3)
                moved.layers[0].mean.assign(mean_of(free))
                arrays = mc.unpack(moved, free.weights_at(1.0))
                for variable, value in zip(moved.trainable_variables, arrays, strict=True):
                    variable.assign(value)
                assert end == pytest.approx(expected(moved), rel=1e-5)
            else:
                assert end == pytest.approx(expected(state), rel=1e-5)


def test_a_loaded_curve_keeps_both(joined, tmp_path):
    _, b, curve, _ = joined
    curve.save(tmp_path / "curve.npz")
    loaded = mc.load_curve(tmp_path / "curve.npz", network(5))
    np.testing.assert_allclose(loaded.network_at(1.0)(X), b(X), rtol=1e-5, atol=1e-5)
    loaded.t = 0.5
    with pytest.warns(UserWarning, match="an average over all t"):
        loaded(X)


def test_points_that_repeat_their_ends_have_the_ends_state_each_time(joined):
    curve = joined[2]
    states = between.EndStates(curve, {0: 0, 2: 1, 3: 0, 5: 1})
    rows = np.concatenate([np.eye(6), [[0.5, 0, 0.5, 0, 0, 0]]])
    left, zero = mean_of(curve), np.zeros(4)
    found = states(rows)[0]
    np.testing.assert_array_equal(found, [zero, left, zero, zero, left, zero, left])
    point = mc.CurveModel(network(1), mc.Point(), pack(network(1))[None])
    assert between.EndStates(point, {0: 0}).positions == []
