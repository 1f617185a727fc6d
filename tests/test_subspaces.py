"""Subspaces of weight space, against the weight vectors themselves."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

import mc
from mc.curves import linear_points
from mc.ensembles.swag import Swag
from mc.posteriors import affine, subspaces
from mc.posteriors.uniform import Line, Simplex


def vectors(n, size=40, seed=0, far=0.0):
    w = np.random.default_rng(seed).normal(size=(n, size)) + far
    return w.astype(np.float32)


def curve(family, points):
    network = keras.Sequential([keras.Input((points.shape[1],)), keras.layers.Dense(1, use_bias=0)])
    return mc.CurveModel(network, family, points)


def directions(space):
    return space.rows @ np.array(space.points, float)


def same_up_to_sign(a, b, atol=1e-6):
    signs = np.sign(np.sum(a * b, axis=1, keepdims=True))
    np.testing.assert_allclose(signs * a, b, atol=atol * np.abs(b).max())


def test_the_plane_of_a_bezier_curve_is_that_of_the_paper():
    w0, theta, w2 = points = vectors(3).astype(float)
    space = affine.bezier_plane(points.astype(np.float32), mc.Bezier(1))
    np.testing.assert_allclose(space.centre, [5 / 12, 1 / 6, 5 / 12])
    middle = 0.25 * w0 + 0.5 * theta + 0.25 * w2
    u = (w2 - w0) / np.sqrt(3)
    v = (middle - w0) - (middle - w0) @ u / (u @ u) * u
    np.testing.assert_allclose(directions(space), [u, v / 1.5], atol=1e-6)
    np.testing.assert_allclose(space.rows.sum(axis=1), 0, atol=1e-12)
    # The whole curve lies in its plane.
    t = np.linspace(0, 1, 5, dtype=np.float32)
    rows = mc.Bezier(1).coefficients(t).numpy()
    back = space.coefficients(space.nearest(rows))
    np.testing.assert_allclose(back @ points, rows @ points, atol=1e-5)


def test_the_hull_of_control_points_is_their_singular_value_decomposition():
    points = vectors(5, far=3.0)
    space = affine.hull(points, mc.PolyChain(3), prior_std=0.5)
    apart = points.astype(float) - points.mean(axis=0, dtype=float)
    _, s, v = np.linalg.svd(apart, full_matrices=False)
    assert space.dim == 4
    same_up_to_sign(directions(space), (s[:, np.newaxis] * v)[:4])
    np.testing.assert_allclose(space.centre @ points, points.mean(axis=0), atol=1e-6)
    assert (np.linalg.norm(space.nearest(np.eye(5)), axis=1) <= 1 + 1e-6).all()
    two = affine.hull(points, mc.PolyChain(3), dim=2)
    np.testing.assert_array_equal(two.rows, space.rows[:2])
    z = np.array([[0.1, -0.2, 0.3, 1.0]])
    expected = stats.multivariate_normal(np.zeros(4), 0.25 * np.eye(4)).logpdf(z)
    np.testing.assert_allclose(space.log_prior(z), expected)


def test_principal_components_of_snapshots_have_their_deviations():
    w = vectors(7, far=10.0)
    space = affine.pca(w, dim=3)
    apart = (w - w.mean(axis=0, dtype=float)) / np.sqrt(6)
    _, s, v = np.linalg.svd(apart, full_matrices=False)
    same_up_to_sign(directions(space), (s[:, np.newaxis] * v)[:3], atol=1e-5)
    np.testing.assert_allclose(space.rows.sum(axis=1), 0, atol=1e-12)
    # In all of them one prior deviation is the snapshots' own.
    all_of = affine.pca(w, dim=6)
    covariance = directions(all_of).T @ directions(all_of)
    np.testing.assert_allclose(covariance, np.cov(w.astype(float).T), atol=1e-4)


def test_principal_components_of_swag_are_those_of_its_deviations():
    swag = Swag(40, rank=4)
    for w in vectors(9, far=1.0):
        swag.collect(w)
    space = affine.pca(swag, dim=2)
    d = np.array(swag.deviations, float) / np.sqrt(3)
    _, s, v = np.linalg.svd(d, full_matrices=False)
    same_up_to_sign(directions(space), (s[:, np.newaxis] * v)[:2])
    np.testing.assert_allclose(space.centre @ space.points, swag.mean, atol=1e-6)
    np.testing.assert_allclose(
        directions(space) @ d.T / s[:2, np.newaxis] ** 2, space.starts(4).T / np.sqrt(3), atol=1e-5
    )


@settings(max_examples=40)
@given(st.integers(2, 7), st.integers(0, 2**16), st.sampled_from([0.0, 1.0, 100.0]))
def test_rows_add_up_to_zero_and_their_directions_are_orthogonal(n, seed, far):
    space = affine.hull(vectors(n, seed=seed, far=far), mc.PolyChain(n - 2))
    assert space.dim == n - 1
    np.testing.assert_allclose(space.rows.sum(axis=1), 0, atol=1e-12)
    inner = directions(space) @ directions(space).T
    np.testing.assert_allclose(inner, np.diag(inner.diagonal()), atol=1e-4 * inner.max())
    assert (np.diff(inner.diagonal()) <= 1e-9).all()


def test_what_is_rounding_is_no_dimension():
    w = vectors(2, size=500, far=50.0)
    straight = linear_points(w[0], w[1], 6)
    assert affine.hull(straight, mc.Bezier(4)).dim == 1
    with pytest.raises(ValueError, match="6 control points span 1 dimensions, and dim=2 needs"):
        affine.hull(straight, mc.Bezier(4), dim=2)
    with pytest.raises(ValueError, match="4 snapshots span 3 dimensions, and dim=5 needs more"):
        affine.pca(vectors(4))
    twice = np.concatenate([vectors(3), vectors(3)])
    with pytest.raises(ValueError, match="6 snapshots span 2 dimensions"):
        affine.pca(twice, dim=3)
    with pytest.raises(ValueError, match="1 control points span 0 dimensions"):
        affine.hull(vectors(1), mc.Point())


def test_random_directions_have_length_one_and_come_from_the_seed():
    points = vectors(3, size=2000)
    space = affine.random(points, mc.Bezier(1), dim=3, seed=4)
    found = directions(space)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-6)
    assert np.abs(found @ found.T - np.eye(3)).max() < 0.1
    middle = mc.Bezier(1).coefficients(0.5).numpy() @ points
    centre = space.coefficients(np.zeros((1, 3)))[0] @ space.points
    np.testing.assert_allclose(centre, middle, atol=1e-6)
    np.testing.assert_allclose(space.starts(2), 0, atol=1e-12)
    again = affine.random(points, mc.Bezier(1), dim=2, seed=4)
    np.testing.assert_array_equal(again.points[4], space.points[4])
    other = affine.random(points, mc.Bezier(1), dim=1, seed=5)
    assert (other.points[3] != space.points[3]).any()


@pytest.mark.parametrize("name", ["curve", "hull"])
def test_chains_start_on_the_curve(name):
    points = vectors(3)
    space = subspaces.of(name, curve(mc.Bezier(1), points))
    found = space.coefficients(space.starts(4)) @ points
    t = ((np.array([0.5, 1.5, 2.5, 3.5]) / 4 * 101).astype(int) + 0.5) / 101
    expected = mc.Bezier(1).coefficients(t.astype(np.float32)).numpy() @ points
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("n", [2, 3, 5])
def test_a_simplex_has_the_uniform_distribution(n):
    space = Simplex(vectors(n), mc.PolyChain(n - 2))
    assert space.dim == n - 1
    z = np.random.default_rng(0).normal(size=(20_000, n - 1))
    c = space.coefficients(z)
    np.testing.assert_allclose(c.sum(axis=1), 1, atol=1e-12)
    np.testing.assert_allclose(c.mean(axis=0), 1 / n, atol=0.01)
    np.testing.assert_allclose((c**2).mean(axis=0), 2 / (n * (n + 1)), atol=0.01)
    for k in range(n):  # each coefficient of Dirichlet(1, ..., 1)
        assert stats.kstest(c[::4, k], stats.beta(1, n - 1).cdf).pvalue > 1e-3
    if n > 2:  # and two of them: the product of any two has the mean 1 / (n (n + 1))
        np.testing.assert_allclose((c[:, 0] * c[:, -1]).mean(), 1 / (n * (n + 1)), atol=0.005)
    np.testing.assert_allclose(space.positions(c[c.min(axis=1) > 1e-5]), z[c.min(axis=1) > 1e-5])
    extreme = space.coefficients(np.array([[-30.0] * (n - 1), [30.0] * (n - 1)]))
    np.testing.assert_allclose(extreme, np.eye(n)[[-1, 0]], atol=1e-12)


def test_chains_of_a_simplex_start_on_the_curve():
    points = vectors(3)
    space = subspaces.of("simplex", curve(mc.Bezier(1), points))
    t = ((np.arange(3) + 0.5) / 3 * 101).astype(int) + 0.5
    expected = mc.Bezier(1).coefficients((t / 101).astype(np.float32)).numpy()
    np.testing.assert_allclose(space.coefficients(space.starts(3)), expected, atol=1e-5)


def test_the_prior_of_a_line_is_uniform_in_arc_length():
    points = np.array([[0, 0], [3, 0], [3, 1], [3, 1.5]], np.float32)  # links of 3, 1 and 1/2
    line = Line(points, mc.PolyChain(2))
    assert line.length == pytest.approx(4.5)
    found = np.exp(line.log_prior(np.array([[0.1], [0.5], [0.9], [0.0], [1.0]])))
    np.testing.assert_allclose(found, np.array([9, 3, 1.5, 9, 1.5]) / 4.5, rtol=1e-3)
    assert (line.log_prior(np.array([[-0.01], [1.01]])) == -np.inf).all()


@pytest.mark.parametrize("num_bends", [1, 2, 19])
def test_the_prior_of_a_bezier_line_is_its_derivative(num_bends):
    points = vectors(num_bends + 2, far=5.0)
    line = Line(points, mc.Bezier(num_bends))

    def speed(t):  # of a Bezier curve, by the differences of its control points
        n = num_bends + 1
        basis = stats.binom.pmf(np.arange(n), n - 1, t)
        return np.linalg.norm(n * basis @ np.diff(points.astype(float), axis=0))

    t = np.linspace(0.02, 0.98, 9)
    length = integrate.quad(speed, 0, 1, limit=200)[0]
    assert line.length == pytest.approx(length, rel=1e-4)
    expected = [np.log(speed(float(np.float32(v))) / length) for v in t]
    np.testing.assert_allclose(line.log_prior(t[:, np.newaxis]), expected, atol=2e-3)


def test_what_is_no_subspace_is_refused():
    bent = curve(mc.Bezier(1), vectors(3))
    for name, options, words in (
        ("plane", {}, "Unknown subspace 'plane'. Known: line, curve, hull, simplex, pca, random"),
        ("curve", {"dim": 2}, "dim is a setting of the subspaces hull, pca, random"),
        ("line", {"prior_std": 1.0}, "prior_std is a setting of the subspaces curve, hull"),
        ("hull", {"snapshots": vectors(3)}, "snapshots is a setting of the subspaces pca"),
        ("hull", {"prior_std": 0.0}, "prior_std must be positive; received prior_std=0"),
        ("hull", {"dim": 0}, "dim, the dimensions of a subspace, must be at least 1; received 0"),
        ("pca", {}, "pass snapshots="),
        ("pca", {"snapshots": []}, "There are no snapshots"),
        ("pca", {"snapshots": Swag(40)}, "There are no snapshots"),
        ("pca", {"snapshots": vectors(4, size=9), "dim": 1}, "with P = 40; received P = 9"),
    ):
        with pytest.raises(ValueError, match=words):
            subspaces.of(name, bent, **options)
    for family, n in ((mc.PolyChain(1), 3), (mc.Bezier(2), 4)):
        with pytest.raises(ValueError, match="plane of a Bezier curve with one bend; this curve"):
            subspaces.of("curve", curve(family, vectors(n)))
    straight = curve(mc.Bezier(1), linear_points(*vectors(2), 3))
    with pytest.raises(ValueError, match="this curve is straight"):
        subspaces.of("curve", straight)
    for name in ("line", "simplex"):
        with pytest.raises(ValueError, match="a single network has none"):
            subspaces.of(name, curve(mc.Point(), vectors(1)))
