"""Constraints of weights hold at control points, and so along the curve."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import CLASSES, logits_loss

import mc
from mc.network import constraints
from mc.network.weights import FlatNetwork, pack

X = np.random.default_rng(0).normal(size=(32, 4)).astype("float32")
Y = np.arange(32) % CLASSES


def network(seed, constraint, initializer="uniform"):
    keras.utils.set_random_seed(seed)
    dense = keras.layers.Dense(6, kernel_constraint=constraint, kernel_initializer=initializer)
    model = keras.Sequential([keras.Input((4,)), dense, keras.layers.Dense(CLASSES)])
    if constraint is not None:
        dense.kernel.assign(dense.kernel.constraint(dense.kernel))
    return model


def kernel(curve, t):
    return mc.unpack(curve.network.model, curve.weights_at(t))[0]


HOLDS = {
    "non_neg": lambda kernel: kernel.min() >= 0,
    keras.constraints.MaxNorm(0.5): lambda kernel: np.linalg.norm(kernel, axis=0).max() < 0.5001,
    keras.constraints.MinMaxNorm(0.0, 0.5): lambda kernel: (
        np.linalg.norm(kernel, axis=0).max() < 0.5001
    ),
}


@pytest.mark.parametrize("constraint", HOLDS, ids=["NonNeg", "MaxNorm", "MinMaxNorm"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_convex_constraint_holds_along_the_trained_curve(constraint, optimizer):
    curve = mc.connect(network(1, constraint), network(2, constraint), num_bends=2)
    optimizer = keras.optimizers.get({"class_name": optimizer, "config": {"learning_rate": 0.5}})
    curve.compile(optimizer, logits_loss())
    before = curve.control_points
    curve.fit(X, Y, batch_size=8, epochs=3, verbose=0)
    assert not np.array_equal(curve.control_points, before)
    for t in np.linspace(0, 1, 11):
        assert HOLDS[constraint](kernel(curve, t))


@pytest.mark.parametrize("constraint", ["non_neg", "unit_norm"])
def test_a_single_network_with_a_constraint_trains_as_in_keras(constraint):
    a, b = network(3, constraint), network(3, constraint)
    point = mc.CurveModel(a, mc.Point(), pack(a)[None])
    options = {"batch_size": 8, "epochs": 3, "shuffle": False, "verbose": 0}
    for model in (point, b):
        model.compile(keras.optimizers.SGD(0.5, momentum=0.9), logits_loss())
        model.fit(X, Y, **options)
    np.testing.assert_allclose(point.control_points[0], pack(b), rtol=1e-5, atol=1e-6)


class Own(keras.constraints.Constraint):
    """At most 1, which is convex, and says so only if asked to."""

    def __init__(self, convex):
        if convex:
            self.convex = True

    def __call__(self, w):
        return tf.minimum(w, 1.0)


@pytest.mark.parametrize(
    "constraint", ["unit_norm", keras.constraints.MinMaxNorm(0.1, 1.0), Own(convex=False)]
)
def test_a_constraint_that_need_not_hold_between_two_networks_is_refused(constraint):
    with pytest.raises(ValueError, match="kernel has the constraint"):
        mc.connect(network(1, constraint), network(2, constraint))


def test_a_constraint_of_ones_own_that_says_that_it_is_convex_is_taken():
    curve = mc.connect(network(1, Own(convex=True)), network(2, Own(convex=True)))
    assert isinstance(curve.points[1].constraint, constraints.OfSlices)


class Overshoots(mc.Bezier):
    """Leaves the convex hull of its control points in between."""

    def coefficients(self, t):
        middle = 6 * super().coefficients(t)[..., 1:2]
        return super().coefficients(t) + middle * tf.constant([-0.5, 1.0, -0.5])


def test_a_family_that_leaves_the_hull_of_its_points_is_refused_with_a_constraint():
    with pytest.raises(ValueError, match="are negative or do not sum to 1"):
        mc.connect(network(1, "non_neg"), network(2, "non_neg"), curve=Overshoots(1))
    mc.connect(network(1, None), network(2, None), curve=Overshoots(1))


def test_an_endpoint_that_breaks_its_own_constraint_is_refused():
    a, b = network(1, "non_neg"), network(2, "non_neg")
    b.layers[0].kernel.assign(-b.layers[0].kernel - 1)
    with pytest.raises(ValueError, match="of an endpoint breaks its own constraint NonNeg"):
        mc.connect(a, b)


def test_the_constraint_of_slices_is_each_weights_own():
    flat = FlatNetwork(network(1, "non_neg"))
    w = np.random.default_rng(0).normal(size=flat.size).astype("float32")
    found = constraints.OfSlices(flat)(tf.constant(w)).numpy()
    expected = np.concatenate([np.maximum(w[:24], 0), w[24:]])
    np.testing.assert_array_equal(found, expected)
