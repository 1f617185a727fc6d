"""Surfaces of networks against constructions that know nothing of coefficients."""

from itertools import combinations

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

import mc
from mc import curves, domains, saved_curves

FAMILIES = [mc.Simplex(3, 0), mc.Simplex(1, 2), mc.Simplex(2, 3), *map(mc.BezierSurface, (0, 1, 2))]


def build(seed):
    keras.utils.set_random_seed(seed)
    layers = [keras.Input((3,)), keras.layers.Dense(4, "tanh"), keras.layers.Dense(1)]
    return keras.Sequential(layers)


def points(family, size=5, seed=0):
    return np.random.default_rng(seed).normal(size=(family.num_points, size)).astype("float32")


def data(n=32):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 3)).astype("float32")
    return x, x[:, :1] ** 2


def trained(surface, epochs=2, **options):
    surface.compile(keras.optimizers.SGD(0.05), "mse")
    surface.fit(*data(), batch_size=16, epochs=epochs, verbose=0, shuffle=False, **options)
    return surface


@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_corners_are_exact(family):
    control = points(family)
    assert len(family.anchors) == family.num_corners
    for t, k in family.anchors:
        w = curves.mix(family.coefficients(t), control)
        np.testing.assert_array_equal(w, control[k])


@given(st.integers(0, 3), st.floats(0, 1, width=32))
def test_edges_of_a_bezier_surface_are_the_bezier_curves_of_their_points(num_bends, s):
    family, curve = mc.BezierSurface(num_bends), mc.Bezier(num_bends)
    grid = points(family).reshape(family.side, family.side, -1)
    edges = {(0, None): grid[0], (1, None): grid[-1], (None, 0): grid[:, 0], (None, 1): grid[:, -1]}
    for edge, control in edges.items():
        t = [s if coordinate is None else coordinate for coordinate in edge]
        found = family.coefficients(t).numpy() @ grid.reshape(family.num_points, -1)
        expected = curve.coefficients(s).numpy() @ control
        np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("num_bends", [0, 1, 2])
def test_a_bezier_surface_begins_as_the_bilinear_patch(num_bends):
    family = mc.BezierSurface(num_bends)
    corners = points(family)[:4]
    control = family.start(corners, seed=0)
    rng = np.random.default_rng(1)
    for u, v in rng.uniform(size=(5, 2)):
        low = (1 - v) * corners[0] + v * corners[1]
        high = (1 - v) * corners[2] + v * corners[3]
        found = family.coefficients([u, v]).numpy() @ control
        np.testing.assert_allclose(found, (1 - u) * low + u * high, atol=1e-5)


def test_a_free_vertex_begins_near_the_centroid():
    corners = points(mc.Simplex(3, 0), size=400)
    start = mc.Simplex(3, 2).start(corners, seed=0)
    np.testing.assert_array_equal(start[:3], corners)
    away = np.linalg.norm(start[3:] - corners.mean(0), axis=1)
    spread = np.sqrt(((corners - corners.mean(0)) ** 2).sum(1).mean())
    np.testing.assert_allclose(away, 0.01 * spread, rtol=1e-4)
    assert not np.allclose(start[3], start[4])
    np.testing.assert_array_equal(mc.Simplex(3, 2).start(corners, seed=0), start)


def draws(family):
    """The t of 4000 steps."""
    of_step = tf.function(
        lambda steps: tf.map_fn(
            lambda step: family.draw(3, step), steps, fn_output_signature=tf.float32
        )
    )
    return of_step(tf.range(4000)).numpy()


@pytest.mark.parametrize("n", [2, 3, 5])
def test_draws_in_a_simplex_have_the_moments_of_the_uniform_law(n):
    family = mc.Simplex(n, 0)
    drawn = draws(family)
    np.testing.assert_allclose(drawn.sum(1), 1, atol=1e-6)
    assert drawn.min() >= 0
    np.testing.assert_allclose(drawn.mean(0), 1 / n, atol=0.015)
    np.testing.assert_allclose((drawn**2).mean(0), 2 / (n * (n + 1)), atol=0.015)


def test_draws_in_a_square_are_uniform():
    drawn = draws(mc.BezierSurface())
    assert drawn.min() >= 0
    assert drawn.max() < 1
    np.testing.assert_allclose(drawn.mean(0), 1 / 2, atol=0.015)
    np.testing.assert_allclose(np.cov(drawn.T), np.eye(2) / 12, atol=0.005)


@settings(max_examples=20)
@given(st.sampled_from(FAMILIES), st.integers(1, 5))
def test_grids_lie_on_the_surface_and_hold_its_corners(family, cells):
    t = family.grid(cells)
    assert family.check(t) is None
    assert len(np.unique(t, axis=0)) == len(t)
    for corner, _ in family.anchors:
        assert np.any(np.all(t == np.float32(corner), axis=1))


def test_the_grid_of_a_simplex_is_all_mixtures_of_whole_parts():
    whole = {(i, j, 4 - i - j) for i in range(5) for j in range(5 - i)}
    found = (4 * mc.Simplex(3, 0).grid(4)).round().astype(int)
    assert set(map(tuple, found.tolist())) == whole


@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_edges_join_control_points(family):
    anchors = [np.float32(t) for t, _ in family.anchors]
    edges = family.edges(5)
    for name, t in edges.items():
        assert family.check(t) is None
        i, j = (int(k) - 1 for k in name.split("-"))
        if max(i, j) < family.num_corners:
            np.testing.assert_array_equal(t[[0, -1]], [anchors[i], anchors[j]])
    expected = len(list(combinations(range(family.num_points), 2)))
    assert len(edges) == (4 if isinstance(family, mc.BezierSurface) else expected)


def test_a_surface_is_trained_between_its_corners_and_computes_what_their_networks_do():
    networks = [build(seed) for seed in range(3)]
    surface = mc.connect(*networks, curve="simplex", num_bends=1)
    before = surface.control_points
    trained(surface)
    np.testing.assert_array_equal(surface.control_points[:3], before[:3])
    assert not np.allclose(surface.control_points[3], before[3])
    x, _ = data()
    for network, (t, _) in zip(networks, surface.family.anchors, strict=True):
        surface.t = t
        np.testing.assert_allclose(surface.predict(x, verbose=0), network.predict(x, verbose=0))
        at_corner = surface.network_at(t).predict(x, verbose=0)
        np.testing.assert_allclose(at_corner, network.predict(x, verbose=0), rtol=1e-6)


def test_the_gradient_of_a_step_is_given_to_each_control_point_by_its_coefficient():
    surface = mc.connect(*map(build, range(4)), curve="bezier_surface", fix=[0])
    before, (x, y) = surface.control_points, data()
    t = surface.family.draw(surface.seed, 0)
    c = surface.family.coefficients(t).numpy()
    network = build(9)
    for variable, value in zip(network.trainable_variables, mc.unpack(network, c @ before)):  # noqa: B905
        variable.assign(value)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((network(x) - y) ** 2)
    g = np.concatenate([np.ravel(v) for v in tape.gradient(loss, network.trainable_variables)])
    surface.compile(keras.optimizers.SGD(0.1), "mse")
    surface.fit(x, y, batch_size=len(x), epochs=1, verbose=0)
    c[0] = 0  # it is fixed
    np.testing.assert_allclose(surface.control_points, before - 0.1 * np.outer(c, g), atol=2e-6)


@pytest.mark.parametrize("options", [{"curve": "simplex"}, {"curve": "bezier_surface"}], ids=str)
def test_a_surface_is_saved_and_goes_on(options, tmp_path):
    networks = [build(seed) for seed in range(4)]
    surface = trained(mc.connect(*networks, seed=7, fix=[1, 2], **options))
    surface.save(tmp_path / "surface.npz")
    again = mc.load_curve(tmp_path / "surface.npz", build(5))
    assert (again.family, again.fixed, again.terms) == (surface.family, (1, 2), surface.terms)
    for one, other in zip(again.end_states.value, surface.end_states.value, strict=True):
        assert [a.tolist() for a in one] == [b.tolist() for b in other]
    for one in (surface, again):
        trained(one)
    np.testing.assert_array_equal(again.control_points, surface.control_points)


def test_a_larger_simplex_begins_at_a_smaller_one(tmp_path):
    networks = [build(1), build(2)]
    small = trained(mc.connect(*networks, curve="simplex", num_bends=1))
    small.save(tmp_path / "small.npz")
    large = saved_curves.grow(tmp_path / "small.npz", *networks, num_bends=2, seed=4)
    assert large.fixed == (0, 1, 2)
    np.testing.assert_array_equal(large.control_points[:3], small.control_points)
    centroid = small.control_points.mean(0)
    assert 0 < np.linalg.norm(large.control_points[3] - centroid) < 0.1 * np.linalg.norm(centroid)
    trained(large)
    np.testing.assert_array_equal(large.control_points[:3], small.control_points)
    with pytest.raises(ValueError, match="fewer vertices; the curve in"):
        saved_curves.grow(tmp_path / "small.npz", *networks, num_bends=1)
    with pytest.raises(ValueError, match=r"corner 2 of the curve in .* is not the endpoint"):
        saved_curves.grow(tmp_path / "small.npz", networks[0], build(3), num_bends=2)


def test_what_is_no_surface_is_told():
    a, b, c = (build(seed) for seed in range(3))
    with pytest.raises(ValueError, match="joins 2 networks; received 3"):
        mc.connect(a, b, c)
    with pytest.raises(ValueError, match="joins 4 networks; received 3"):
        mc.connect(a, b, c, curve="bezier_surface")
    with pytest.raises(ValueError, match="joins 3 networks; received 2"):
        mc.connect(a, b, curve=mc.Simplex(3))
    with pytest.raises(TypeError, match="joins Keras models; received 'bezier'"):
        mc.connect(a, b, "bezier")
    with pytest.raises(ValueError, match="numbered from 0 to 3 here; received 4"):
        mc.connect(a, b, c, curve="simplex", fix=[0, 4])
    with pytest.raises(ValueError, match="all control points are fixed"):
        trained(mc.connect(a, b, c, curve="simplex", num_bends=0))
    for corners, bends in ((0, 3), (1, 0), (2, -1)):
        with pytest.raises(ValueError, match="at least one corner"):
            mc.Simplex(corners, bends)
    surface = mc.connect(a, b, c, curve="simplex", num_bends=0)
    with pytest.raises(ValueError, match=r"has 3 coordinates; received t=0\.5"):
        surface.t = 0.5
    with pytest.raises(ValueError, match="at least 0 and have sum 1"):
        surface.weights_at((0.5, 0.5, 0.5))


def test_a_family_whose_anchors_are_not_its_control_points_is_told():
    class Shifted(mc.BezierSurface):
        anchors = (((0.0, 0.5), 0), ((0.0, 1.0), 2), ((1.0, 0.0), 6), ((1.0, 1.0), 8))

    with pytest.raises(ValueError, match=r"At t=\(0.0, 0.5\) .* must be its control point 0"):
        domains.check_family(Shifted())

    class Bare:
        num_points, dim = 3, 2

        def coefficients(self, t):
            return t

    with pytest.raises(ValueError, match="so it is a surface, and lacks draw, anchors"):
        mc.connect(build(1), build(2), curve=Bare())
