"""Positions, coefficients and distances of the points of a path."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mc import curves
from mc.evaluation import geometry


def test_positions_are_equidistant_or_those_given():
    np.testing.assert_allclose(geometry.positions(5), [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(geometry.positions(5, [0.1, 0.5]), [0.1, 0.5], rtol=1e-6)


@pytest.mark.parametrize("t", [[1.5], [-0.1, 0.5], [0.5, 0.5], [0.7, 0.2], []])
def test_positions_outside_the_curve_or_out_of_order_are_refused(t):
    with pytest.raises(ValueError, match=r"increasing positions in \[0, 1\]"):
        geometry.positions(5, t)


def test_one_point_is_refused_with_what_to_type():
    with pytest.raises(ValueError, match=r"received 1\. For one point.*t=\[0.5\]"):
        geometry.positions(1)


def test_segment_lengths_are_the_distances_of_neighbours():
    points = np.random.default_rng(0).normal(size=(4, 30)).astype("float32")
    coefficients = curves.Bezier(2).coefficients(np.linspace(0, 1, 9, dtype="float32")).numpy()
    w = coefficients.astype("float64") @ points.astype("float64")
    found = geometry.segment_lengths(coefficients, geometry.gram(points))
    assert found[0] == 0
    np.testing.assert_allclose(found[1:], np.linalg.norm(np.diff(w, axis=0), axis=1), rtol=1e-5)


def test_short_distances_between_long_vectors_are_exact():
    long = np.full(100, 1000.0, "float32")
    points = np.stack([long, long + np.float32(0.01)])
    step = float(points[1, 0]) - 1000.0
    rows = geometry.straight_segment(np.array([0.0, 1.0]), 2)
    found = geometry.segment_lengths(rows, geometry.gram(points))
    assert found[1] == pytest.approx(10 * step, rel=1e-12)


def test_the_straight_segment_joins_the_ends_and_leaves_bends_out():
    rows = geometry.straight_segment(np.array([0, 0.25, 1], "float32"), 4)
    np.testing.assert_array_equal(rows, [[1, 0, 0, 0], [0.75, 0, 0, 0.25], [0, 0, 0, 1]])


def test_gram_holds_inner_products():
    points = np.random.default_rng(1).normal(size=(3, 7)).astype("float32")
    wide = points.astype("float64")
    np.testing.assert_allclose(geometry.gram(points, center=False), wide @ wide.T, rtol=1e-12)


def test_pieces_between_points_at_equal_arc_lengths_are_equally_long():
    points = np.random.default_rng(0).normal(size=(3, 40))
    points[1] *= 5  # a curve that is far from equally fast in t
    family = curves.Bezier(1)
    t = geometry.equal_arc_lengths(family.coefficients, geometry.gram(points), 6)
    assert (t[0], t[-1]) == (0, 1)
    fine = np.linspace(0, 1, 20001)
    w = np.stack([(1 - fine) ** 2, 2 * fine * (1 - fine), fine**2], axis=1) @ points
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(w, axis=0), axis=1))])
    pieces = np.diff(np.interp(t, fine, along))
    np.testing.assert_allclose(pieces, along[-1] / 5, rtol=1e-3)
    assert np.abs(np.diff(t) - 0.2).max() > 0.02


class Doubling:
    """A family of one bend that passes twice as far from the origin as its coefficients' mean."""

    num_points = 3

    def coefficients(self, t):
        bezier = curves.Bezier(1).coefficients(t).numpy()
        return bezier * (1 + np.asarray(t) * (1 - np.asarray(t)))[..., np.newaxis]


def test_lengths_of_a_family_whose_coefficients_do_not_sum_to_one():
    points = np.random.default_rng(0).normal(3, 1, size=(3, 40))
    family, t = Doubling(), np.linspace(0, 1, 9, dtype="float32")
    w = family.coefficients(t).astype("float64") @ points
    found = geometry.segment_lengths(family.coefficients(t), geometry.gram(points))
    np.testing.assert_allclose(found[1:], np.linalg.norm(np.diff(w, axis=0), axis=1), rtol=1e-6)

    chosen = geometry.equal_arc_lengths(family.coefficients, geometry.gram(points), 5)
    fine = family.coefficients(np.linspace(0, 1, 20001, dtype="float32")).astype("float64") @ points
    along = np.cumsum(np.r_[0, np.linalg.norm(np.diff(fine, axis=0), axis=1)])
    pieces = np.diff(np.interp(chosen, np.linspace(0, 1, 20001), along))
    np.testing.assert_allclose(pieces, along[-1] / 4, rtol=2e-3)


@given(st.integers(0, 1000), st.integers(2, 6))
def test_lengths_of_any_coefficients_are_those_of_the_vectors(seed, num_points):
    rng = np.random.default_rng(seed)
    points, rows = rng.normal(1, 2, (num_points, 20)), rng.normal(size=(5, num_points))
    expected = np.linalg.norm(np.diff(rows @ points, axis=0), axis=1)
    found = geometry.segment_lengths(rows, geometry.gram(points))
    np.testing.assert_allclose(found[1:], expected, rtol=1e-9)
