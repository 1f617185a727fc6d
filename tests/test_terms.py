"""What a step draws and adds to the loss, against formulas by hand and finite differences."""

import math

import conftest
import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

import mc
from mc import curves, terms
from mc.evaluation.geometry import volume
from mc.network.weights import FlatNetwork


def build(seed):
    keras.utils.set_random_seed(seed)
    layers = [keras.Input((3,)), keras.layers.Dense(4, "tanh"), keras.layers.Dense(1)]
    return keras.Sequential(layers)


def data(n=32):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 3)).astype("float32")
    return x, x[:, :1] ** 2


def step(curve, rate=0.1, optimizer=None, **options):
    """The control points after one step of gradient descent."""
    x, y = data()
    curve.compile(optimizer or keras.optimizers.SGD(rate), "mse", **options)
    curve.fit(x, y, batch_size=len(x), epochs=1, verbose=0)
    return curve.control_points


def gradients(found, points, mask=None, seed=0, number=0):
    parts = terms.gradients(found, [tf.constant(p) for p in points], mask, seed, number)
    return np.array([np.asarray(part) for part in parts])


def differences(function, points, far=1e-4):
    """The gradient of a function of points `[n, P]` by central differences."""
    found = np.zeros_like(points, float)
    for place in np.ndindex(*points.shape):
        away = np.zeros_like(found)
        away[place] = far
        found[place] = (function(points + away) - function(points - away)) / (2 * far)
    return found


def slope(network, w, value):
    """The gradient of `value()`, of the network's weights, at w; `[P]`."""
    for variable, array in zip(network.trainable_variables, mc.unpack(network, w), strict=True):
        variable.assign(array)
    with tf.GradientTape() as tape:
        found = value()
    parts = tape.gradient(found, network.trainable_variables)
    return np.concatenate([np.ravel(part) for part in parts])


def test_the_draws_of_a_step_are_averaged():
    options = {"curve": "bezier", "seed": 5, "fix_start": False, "fix_end": False}
    many = mc.connect(build(1), build(2), terms=mc.Terms(draws=3), **options)
    before, c, g = many.control_points, [], []
    network, (x, y) = build(9), data()
    for number in range(3):
        t = terms.draw(many.terms, many.family, many.points, 5, tf.constant(0), number)
        c.append(many.family.coefficients(t).numpy())
        g.append(slope(network, c[-1] @ before, lambda: tf.reduce_mean((network(x) - y) ** 2)))
    assert len({tuple(row) for row in c}) == 3
    expected = before - 0.1 * sum(np.outer(*pair) for pair in zip(c, g, strict=True)) / 3
    np.testing.assert_allclose(step(many), expected, atol=2e-6)


def test_a_second_draw_goes_on_from_what_the_first_left_in_batchnorm_and_dropout():
    ends, (x, y) = [conftest.build(seed) for seed in (1, 2)], conftest.arrays(3)
    curve = mc.connect(*ends, seed=5, terms=mc.Terms(draws=2))
    plain, before = conftest.build(1), curve.control_points
    for variable, value in zip(plain.non_trainable_variables, curve.state_values, strict=True):
        variable.assign(value)
    gradient, loss = np.zeros_like(before[1]), conftest.logits_loss()
    for number in range(2):
        t = terms.draw(curve.terms, curve.family, curve.points, 5, tf.constant(0), number)
        share = curve.family.coefficients(t).numpy()
        found = slope(
            plain, share @ before, lambda: loss(y, plain(x, training=True)) + sum(plain.losses)
        )
        gradient += share[1] * found / 2
    curve.compile(keras.optimizers.SGD(0.1), loss)
    curve.fit(x, y, batch_size=len(x), verbose=0, shuffle=False)
    np.testing.assert_allclose(curve.control_points[1], before[1] - 0.1 * gradient, atol=2e-6)
    for ours, theirs in zip(curve.state_values, plain.non_trainable_variables, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_terms_of_mixed_float16_are_those_of_float32():
    def moved(policy):
        keras.config.set_dtype_policy(policy)
        networks = [build(seed) for seed in (1, 2, 3)]
        own = mc.Terms(draws=2, volume=0.1, cosine=0.5)
        curve = mc.connect(*networks, curve=mc.Simplex(3), fix=(0,), seed=5, terms=own)
        before, optimizer = curve.control_points, keras.optimizers.SGD(0.1)
        if policy == "mixed_float16":  # of a scale by which these gradients do not overflow
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=256)
        return step(curve, optimizer=optimizer) - before

    try:
        half = moved("mixed_float16")
    finally:
        keras.config.set_dtype_policy("float32")
    whole = moved("float32")
    # A term that misses the loss scale would be far off.
    np.testing.assert_allclose(half, whole, atol=0.01 * np.abs(whole).max())


def test_one_draw_is_the_step_of_before():
    options = {"seed": 5, "fix_start": False}
    plain, one = (
        mc.connect(build(1), build(2), **options, **own) for own in ({}, {"terms": mc.Terms()})
    )
    first = terms.draw(mc.Terms(draws=4), plain.family, plain.points, 5, tf.constant(7), 0)
    assert float(first) == float(curves.random_t(5, 7))
    np.testing.assert_array_equal(step(plain), step(one))


@given(st.integers(1, 6), st.floats(0.1, 10))
def test_volumes_of_right_and_of_regular_simplexes(k, edge):
    right = np.vstack([np.zeros((1, k + 2)), edge * np.eye(k, k + 2)])
    assert volume(right) == pytest.approx(edge**k / math.factorial(k), rel=1e-6)
    regular = edge / math.sqrt(2) * np.eye(k + 1, k + 3)
    expected = edge**k * math.sqrt(k + 1) / (math.factorial(k) * math.sqrt(2**k))
    assert volume(regular) == pytest.approx(expected, rel=1e-6)


@given(st.integers(1, 4), st.integers(0, 2**16))
def test_the_volume_is_that_of_cayley_and_menger(k, seed):
    points = np.random.default_rng(seed).normal(size=(k + 1, 7))
    bordered = np.ones((k + 2, k + 2))
    bordered[0, 0] = 0
    bordered[1:, 1:] = ((points[:, np.newaxis] - points) ** 2).sum(-1)
    squared = abs(np.linalg.det(bordered)) / (2**k * math.factorial(k) ** 2)
    assert volume(points) == pytest.approx(math.sqrt(squared), rel=1e-6)


def test_a_volume_is_exact_far_from_the_origin():
    rng = np.random.default_rng(0)
    offsets = (1e-2 * rng.normal(size=(3, 1000)) / math.sqrt(1000)).astype("float32")
    base = rng.normal(size=1000).astype("float32") * 30
    points = np.float32([base, *(base + offsets)])
    exact = points.astype(float) - points[0].astype(float)  # as they are stored
    gram = exact[1:] @ exact[1:].T
    assert volume(points) == pytest.approx(math.sqrt(np.linalg.det(gram)) / 6, rel=1e-6)
    found = gradients(mc.Terms(volume=1.0), points)
    expected = -np.linalg.solve(gram, exact[1:])
    np.testing.assert_allclose(found[1:], expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


def test_gradients_of_the_log_volume_are_those_of_differences():
    points = np.random.default_rng(0).normal(size=(4, 6))
    expected = differences(lambda p: -0.3 * math.log(volume(p)), points)
    found = gradients(mc.Terms(volume=0.3), np.float32(points))
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_flat_simplex_has_finite_gradients():
    line = np.float32(np.outer([0, 1, 2], [1, 2, 3, 4]))
    assert volume(line) == pytest.approx(0, abs=1e-6)
    for points in (line, np.zeros((3, 4), "float32") + 1):
        assert np.isfinite(gradients(mc.Terms(volume=1.0), points)).all()


def test_a_volume_that_is_rewarded_grows_from_the_start():
    networks = [build(seed) for seed in range(2)]
    rewarded = mc.connect(*networks, curve="simplex", terms=mc.Terms(volume=1.0))
    plain = mc.connect(*networks, curve="simplex")
    start = volume(plain.control_points)
    assert volume(step(rewarded, 1e-3)) > 1.5 * start
    assert volume(step(plain, 1e-3)) < 1.5 * start


def test_gradients_of_the_cosine_are_those_of_differences_and_of_kernels_alone():
    network = FlatNetwork(build(1))
    mask = terms.kernels(network)
    assert mask.tolist() == [1] * 12 + [0] * 4 + [1] * 4 + [0]
    points = np.random.default_rng(0).normal(size=(3, network.size))
    pairs = set()
    for number in range(12):
        found = gradients(mc.Terms(cosine=0.7), np.float32(points), mask, seed=2, number=number)
        i, j = np.flatnonzero(np.abs(found).sum(1))

        def squared(p, i=i, j=j):
            a, b = p[i] * mask, p[j] * mask
            return 0.7 * (a @ b) ** 2 / (a @ a) / (b @ b)

        np.testing.assert_allclose(found, differences(squared, points), atol=1e-5)
        assert (found * points).sum(1) == pytest.approx(0, abs=1e-5)  # of the direction alone
        pairs.add((i, j))
    assert pairs == {(0, 1), (0, 2), (1, 2)}


def test_kernels_of_zeros_have_no_angle_and_no_gradient():
    points = np.float32([[0, 0, 1], [1, 2, 3]])
    found = gradients(mc.Terms(cosine=1.0), points, np.float32([1, 1, 0]))
    np.testing.assert_array_equal(found, 0)


def test_draws_by_arc_length_split_by_length():
    points = [tf.constant([x, 0.0]) for x in (0.0, 1.0, 10.0)]  # a short half and a long one
    t = [float(terms.at_length(mc.PolyChain(1), points, u)) for u in (0.0, 0.05, 0.1, 0.55, 1.0)]
    np.testing.assert_allclose(t, [0, 0.25, 0.5, 0.75, 1], atol=1e-5)


@given(st.floats(0, 1, width=32), st.integers(0, 2**16))
def test_parts_of_the_length_lie_behind(part, seed):
    points = np.random.default_rng(seed).normal(size=(4, 3)).astype("float32")
    family = mc.Bezier(2)
    t = float(terms.at_length(family, list(points), part))
    fine = family.coefficients(np.linspace(0, 1, 20001)).numpy().astype(float) @ points
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(fine, axis=0), axis=1))])
    behind = np.interp(t, np.linspace(0, 1, 20001), along) / along[-1]
    assert behind == pytest.approx(part, abs=2e-3)


def test_the_law_of_arc_length_trains_a_curve():
    curve = mc.connect(build(1), build(2), terms=mc.Terms(law="arc_length"))
    assert not np.array_equal(step(curve), step(mc.connect(build(1), build(2))))


@pytest.mark.parametrize("jit", [False, True])
def test_terms_are_trained_with_xla_and_without(jit):
    options = {"volume": 1e-3, "cosine": 1e-2, "draws": 2}
    surface = mc.connect(*map(build, range(3)), curve="simplex", terms=mc.Terms(**options))
    assert np.isfinite(step(surface, jit_compile=jit)).all()


def test_terms_that_are_none_are_told():
    a, b = build(1), build(2)
    for options, message in {
        "draws=0": "draws, of t in a step, must be at least 1",
        "volume=-1": "volume, a coefficient, must be at least 0",
        "cosine=float('nan')": "cosine, a coefficient",
        "law='arclength'": "law must be one of uniform, arc_length; received 'arclength'",
    }.items():
        with pytest.raises(ValueError, match=message):
            eval(f"mc.Terms({options})")
    with pytest.raises(ValueError, match="rewards the volume of a simplex, and the family is Bez"):
        mc.connect(a, b, terms=mc.Terms(volume=1.0))
    with pytest.raises(ValueError, match="is of curves, and Simplex"):
        mc.connect(a, b, curve="simplex", terms=mc.Terms(law="arc_length"))
