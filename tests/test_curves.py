"""Curve families against constructions that know nothing of coefficients."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from mc import curves

T = st.floats(0, 1, width=32)
BENDS = st.integers(0, 7)


def points(num_points, seed=0):
    return np.random.default_rng(seed).normal(size=(num_points, 5)).astype("float32")


def de_casteljau(control, t):
    """The point at t by repeated halving of the control polygon."""
    control = control.astype("float64")
    while len(control) > 1:
        control = (1 - t) * control[:-1] + t * control[1:]
    return control[0]


@given(BENDS, T)
def test_bezier_equals_de_casteljau(num_bends, t):
    control = points(num_bends + 2)
    found = curves.Bezier(num_bends).coefficients(t).numpy() @ control
    np.testing.assert_allclose(found, de_casteljau(control, t), atol=2e-5)


@given(BENDS, T)
def test_polychain_equals_linear_interpolation(num_bends, t):
    control = points(num_bends + 2)
    found = curves.PolyChain(num_bends).coefficients(t).numpy() @ control
    knots = np.linspace(0, 1, len(control))
    expected = [np.interp(t, knots, column) for column in control.T.astype("float64")]
    np.testing.assert_allclose(found, expected, atol=2e-5)


@given(st.sampled_from([curves.Bezier, curves.PolyChain]), BENDS, T)
def test_coefficients_are_a_convex_combination(family, num_bends, t):
    coefficients = family(num_bends).coefficients(t).numpy()
    assert coefficients.shape == (num_bends + 2,)
    assert coefficients.min() >= 0
    np.testing.assert_allclose(coefficients.sum(), 1, atol=1e-6)


@pytest.mark.parametrize("family", [curves.Bezier, curves.PolyChain])
@pytest.mark.parametrize("num_bends", [0, 1, 2, 5])
def test_ends_are_exact(family, num_bends):
    control = [tf.constant(row) for row in points(num_bends + 2)]
    for t, end in ((0.0, control[0]), (1.0, control[-1])):
        w = curves.mix(family(num_bends).coefficients(t), control)
        np.testing.assert_array_equal(w, end)


def test_coefficients_take_tensors_of_any_shape():
    t = np.random.default_rng(0).uniform(size=(2, 3)).astype("float32")
    for curve in (curves.Point(), curves.Linear(), curves.Bezier(2), curves.PolyChain(2)):
        table = curve.coefficients(t).numpy()
        assert table.shape == (2, 3, curve.num_points)
        np.testing.assert_allclose(table[1, 2], curve.coefficients(t[1, 2]).numpy(), atol=1e-7)


def test_without_bends_both_families_are_the_straight_segment():
    for t in (0.0, 0.3, 1.0):
        for curve in (curves.Linear(), curves.Bezier(0), curves.PolyChain(0)):
            np.testing.assert_allclose(curve.coefficients(t), [1 - t, t], atol=1e-7)


@pytest.mark.parametrize("num_bends", [1, 3, 5])
def test_linear_points_are_linspace_rows_start_first(num_bends):
    start, end = points(2)
    found = curves.linear_points(start, end, num_bends + 2)
    expected = np.linspace(start.astype("float64"), end.astype("float64"), num_bends + 2)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(found[0], start)
    np.testing.assert_array_equal(found[-1], end)


def test_a_negative_number_of_bends_is_refused():
    for family in (curves.Bezier, curves.PolyChain):
        with pytest.raises(ValueError, match="num_bends=-1"):
            family(-1)


def test_an_unknown_curve_lists_the_known_ones():
    with pytest.raises(ValueError, match="bezier, polychain"):
        curves.resolve("bezir")
    with pytest.raises(TypeError, match="num_points and coefficients"):
        curves.resolve(3)


def test_the_t_of_a_step_is_the_same_with_xla_and_without():
    in_xla = tf.function(curves.random_t, jit_compile=True)
    pairs = np.random.default_rng(0).integers(0, 2**31, (50, 2)).tolist()
    for seed, step in [[1, 0], [0, 2**31 - 1], *pairs]:
        expected = tf.random.stateless_uniform([], seed=[seed, step], alg="philox").numpy()
        given_t = tf.constant(seed), tf.constant(step)
        assert curves.random_t(*given_t).numpy() == expected
        assert in_xla(*given_t).numpy() == expected
        assert 0 <= expected < 1
