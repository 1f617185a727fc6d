"""Evaluation of surfaces against plain networks, and their summary by hand."""

import keras
import numpy as np
import pandas as pd
import pytest

import mc
from mc.evaluation import over
from mc.network.weights import FlatNetwork


def build(seed, batch_norm=False):
    keras.utils.set_random_seed(seed)
    layers = [keras.Input((3,)), keras.layers.Dense(4, "tanh")]
    layers += [keras.layers.BatchNormalization()] * batch_norm
    return keras.Sequential([*layers, keras.layers.Dense(1)])


def data(n=40):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 3)).astype("float32")
    return x, x[:, :1] ** 2


@pytest.mark.parametrize("curve", ["simplex", "bezier_surface"])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_every_point_is_evaluated_as_the_plain_network_is(curve, batch_norm):
    networks = [build(seed, batch_norm) for seed in range(4)]
    surface = mc.connect(*networks, curve=curve, seed=2)
    surface.compile("sgd", "mse")
    table = mc.evaluate_surface(surface, train=data(), test=data(17), cells=2)
    t = over.positions_of(table)
    np.testing.assert_array_equal(t, surface.family.grid(2))
    for row in (0, len(t) // 2, len(t) - 1):
        plain = surface.network_at(tuple(t[row].tolist()), data=data())
        plain.compile(loss="mse")
        expected = plain.evaluate(*data(17), verbose=0)
        assert table["test/mse"][row] == pytest.approx(expected, rel=1e-4)


def test_the_summary_is_of_the_grid_and_of_its_edges():
    family = mc.Simplex(3, 0)
    t = family.grid(4)
    values = 10 * t[:, 0] + t[:, 1] ** 2
    table = pd.DataFrame(dict(zip(["t1", "t2", "t3"], t.T, strict=True)))
    summary = over.summarise_surface(table.assign(**{"test/error": values}), family)
    assert summary["surface/test/error/max"] == 10
    assert summary["surface/test/error/mean"] == pytest.approx(values.mean())
    assert summary["edge-2-3/test/error/max"] == 1
    expected = np.mean([s**2 for s in (0, 0.25, 0.5, 0.75, 1)])
    assert summary["edge-2-3/test/error/mean"] == pytest.approx(expected)
    assert summary["edge-1-3/test/error/min"] == 0


def test_edges_have_their_lengths_and_a_simplex_its_volume():
    surface = mc.connect(build(1), build(2), build(3), curve="simplex", num_bends=0)
    found, w = over.sizes(surface), surface.control_points.astype(float)
    sides = [np.linalg.norm(w[i] - w[j]) for i, j in ((0, 1), (0, 2), (1, 2))]
    names = ["edge-1-2/length", "edge-1-3/length", "edge-2-3/length"]
    np.testing.assert_allclose([found[name] for name in names], sides, rtol=1e-5)
    half = sum(sides) / 2  # Heron's formula
    area = np.sqrt(half * np.prod([half - side for side in sides]))
    assert found["surface/volume"] == pytest.approx(area, rel=1e-5)
    square = over.sizes(mc.connect(*map(build, range(4)), curve="bezier_surface"))
    assert set(square) == {f"edge-{name}/length" for name in ("1-2", "1-3", "2-4", "3-4")}


def test_the_state_of_a_corner_is_its_own():
    networks = [build(seed, True) for seed in range(3)]
    for number, network in enumerate(networks):
        network.layers[1].moving_mean.assign(np.full(4, number))
    surface = mc.connect(*networks, curve="simplex", num_bends=0)
    for (t, _), network in zip(surface.family.anchors, networks, strict=True):
        own = [v.numpy() for v in network.non_trainable_variables]
        for found, expected in zip(surface.state_at(t), own, strict=True):
            np.testing.assert_array_equal(found, expected)


def test_a_curve_is_no_surface_and_the_reverse():
    a, b, c = map(build, range(3))
    curve, surface = mc.connect(a, b), mc.connect(a, b, c, curve="simplex")
    with pytest.raises(ValueError, match="is a curve: evaluate it by"):
        mc.evaluate_surface(curve, test=data(), loss="mse")
    with pytest.raises(ValueError, match="is a surface, and has no path"):
        mc.evaluate(surface, test=data(), loss="mse")
    with pytest.raises(ValueError, match="cells, along an edge, must be at least 1"):
        mc.evaluate_surface(surface, test=data(), loss="mse", cells=0)
    wide = mc.CurveModel(a, mc.Simplex(12, 0), np.zeros((12, FlatNetwork(a).size), "float32"))
    with pytest.raises(ValueError, match=r"has 352716 points, and more than 20000 .* cells=6"):
        mc.evaluate_surface(wide, test=data(), loss="mse")
