"""The plane through three weight vectors, against the vectors themselves."""

import json

import numpy as np
import pandas as pd
import pytest
from conftest import QUICK, only, saved_weights

from mc import curves
from mc.evaluation.geometry import gram
from mc.evaluation.plane import Plane


def three(num_points=3, seed=0, size=50):
    return np.random.default_rng(seed).normal(size=(num_points, size)).astype("float32")


def explicit_axes(w):
    """Origin and axes by Gram-Schmidt on the vectors, as the paper has it."""
    w = w.astype("float64")
    u = w[2] - w[0]
    v = (w[1] - w[0]) - (w[1] - w[0]) @ u / (u @ u) * u
    return w[0], u / np.linalg.norm(u), v / np.linalg.norm(v)


def test_coordinates_are_those_of_the_axes_of_the_paper():
    points = three(5)
    plane = Plane(np.eye(5)[[0, 2, 4]], gram(points))
    origin, u, v = explicit_axes(points[[0, 2, 4]])
    c = curves.Bezier(3).coefficients(np.linspace(0, 1, 7, dtype="float32")).numpy()
    offsets = c.astype("float64") @ points - origin
    expected = np.stack([offsets @ u, offsets @ v], axis=-1)
    np.testing.assert_allclose(plane.project(c), expected, rtol=1e-5, atol=1e-5)


def test_coefficients_give_the_vectors_at_coordinates():
    points = three(4)
    plane = Plane(np.eye(4)[[0, 1, 3]], gram(points))
    origin, u, v = explicit_axes(points[[0, 1, 3]])
    xy = np.random.default_rng(1).normal(size=(6, 2)) * 5
    found = plane.coefficients(xy).astype("float64") @ points
    np.testing.assert_allclose(found, origin + xy @ np.stack([u, v]), rtol=1e-4, atol=1e-4)


def test_distances_are_those_from_the_nearest_points_of_the_plane():
    points = three(5)
    plane = Plane(np.eye(5)[[0, 2, 4]], gram(points))
    rows = curves.PolyChain(3).coefficients(np.linspace(0, 1, 9, dtype="float32")).numpy()
    off = rows.astype("float64") @ points - plane.coefficients(plane.project(rows)) @ points
    expected = np.linalg.norm(off, axis=1)
    np.testing.assert_allclose(plane.distances(rows), expected, rtol=1e-4, atol=1e-4)
    assert plane.distances(rows)[[0, 4, 8]] == pytest.approx(0, abs=1e-6)  # its three points


def test_projecting_the_three_points_and_going_back_returns_them():
    points = three(3, size=1000)
    plane = Plane(np.eye(3), gram(points))
    back = plane.coefficients(plane.corners) @ points
    np.testing.assert_allclose(back, points, rtol=1e-5, atol=1e-5)
    assert plane.corners[0].tolist() == [0, 0]
    assert plane.corners[2, 1] == pytest.approx(0, abs=1e-9)
    assert plane.corners[1, 1] > 0
    assert plane.corners[2, 0] == pytest.approx(np.linalg.norm(points[2] - points[0]), rel=1e-6)


def test_a_curve_whose_coefficients_do_not_sum_to_one_is_projected_to_where_it_is():
    points = three(3) + 2
    rows = curves.Bezier(1).coefficients(np.linspace(0, 1, 7, dtype="float32")).numpy()
    rows = rows * np.linspace(1, 1.5, 7)[:, np.newaxis]
    origin, u, v = explicit_axes(points)
    offsets = rows @ points.astype("float64") - origin
    expected = np.stack([offsets @ u, offsets @ v], axis=-1)
    found = Plane(np.eye(3), gram(points)).project(rows)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_the_grid_covers_the_points_and_its_margins():
    plane = Plane(np.eye(3), gram(three()))
    low, high = plane.corners.min(0), plane.corners.max(0)
    x, y = plane.grid(11, [0.1, 0.2, 0.3, 0.4])
    width, height = high - low
    assert (len(x), len(y)) == (11, 11)
    assert (x[0], x[-1]) == pytest.approx((low[0] - 0.1 * width, high[0] + 0.2 * width))
    assert (y[0], y[-1]) == pytest.approx((low[1] - 0.3 * height, high[1] + 0.4 * height))


def test_three_points_on_one_line_are_refused():
    start, end = three(2)
    line = curves.linear_points(start, end, 3)
    with pytest.raises(ValueError, match="must not lie on one line"):
        Plane(np.eye(3), gram(line))
    with pytest.raises(ValueError, match="must not lie on one line"):
        Plane(np.eye(3), gram(np.stack([start, end, end])))


def test_a_plane_has_the_exact_metrics_of_its_networks(cli, made_runs, tmp_path):
    status, output = cli(*QUICK, "stage=plane")
    assert status == 0, output
    folder = only(tmp_path, "plane/*")
    points = pd.read_csv(only(tmp_path, "eval/*/points.csv")).query("path == 'curve'")
    with np.load(folder / "plane.npz") as plane:
        assert plane["train/loss"].shape == plane["test/error"].shape == (3, 3)
        for metric in ("train/loss", "test/error", "test/nll"):
            ends = plane[f"points:{metric}"][[0, 2]]
            np.testing.assert_allclose(ends, points[metric].iloc[[0, -1]], rtol=1e-5)
        # Start and end of the curve, which is drawn in, are two of the points.
        np.testing.assert_allclose(plane["curve"][[0, -1]], plane["corners"][[0, 2]], atol=1e-5)
    figures = {p.name for p in (folder / "figures").iterdir()}
    assert figures == {
        f"plane_{m}.{ending}" for m in ("train_loss", "test_error") for ending in ("png", "pdf")
    }


def test_a_plane_with_values_that_are_not_finite_is_finished_and_drawn(cli, made_runs, tmp_path):
    settings = [*QUICK, "curve=polychain", "num_bends=3", "train.curve.init=random"]
    assert cli(*settings, "stage=curve")[0] == 0
    status, output = cli(*settings, "stage=plane", "plane.margins=[1e30,0.2,0.2,0.2]")
    assert status == 0, output
    folder = only(tmp_path, "plane/*")
    assert (folder / "figures/plane_train_loss.png").exists()
    summary = json.loads((folder / "summary.json").read_text())
    with np.load(folder / "plane.npz") as plane:
        assert not np.isfinite(plane["train/loss"]).all()
        assert plane["names"].tolist() == ["1", "", "2"]
        assert plane["bends"].tolist() == [1]
        assert plane["off"].max() > 0.01  # bends 1 and 3 lie beside the plane
        middle = plane["points:train/loss"][1]
    assert summary["plane/train/loss/point_1"] == pytest.approx(middle)
    for extreme in ("min", "max"):
        value = summary[f"plane/train/loss/{extreme}"]
        assert value is None or np.isnan(value)


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["plane", "eval", "chain", "pairs", "soup"])
def test_an_interrupted_evaluation_continues_to_the_same_result(
    cli, made_runs, tmp_path, monkeypatch, stage
):
    from mc.evaluation import evaluator

    monkeypatch.setattr(evaluator, "BLOCK", 2)
    command = [*QUICK, f"stage={stage}"]
    assert cli(*command)[0] == 0
    summary = only(tmp_path, f"{stage}/*/summary.json").read_text()
    calls = []
    original = evaluator.Evaluator.__call__

    def counted(*arguments, **options):
        calls.append(len(calls))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(*arguments, **options)

    monkeypatch.setattr(evaluator.Evaluator, "__call__", counted)
    assert cli(*command, "force=true")[0] == 1
    status, output = cli(*command)
    assert status == 0, output
    assert "Continuing after 2 points" in output
    points = {"plane": 3 * 3 + 3, "eval": 2 * 3, "chain": 3, "pairs": 3, "soup": 3}[stage]
    assert len(calls) == 1 + -(-points // 2)  # none but the interrupted block twice
    (folder,) = (p for p in tmp_path.glob(f"{stage}/*") if ".old" not in p.name)
    assert (folder / "summary.json").read_text() == summary
    assert not (folder / "checkpoint.npz").exists()


def test_a_plane_through_three_networks(cli, made_runs, tmp_path):
    assert cli(*QUICK, "stage=base", "seed=3")[0] == 0
    status, output = cli(*QUICK, "stage=plane", "plane.networks=[3,1,2]")
    assert status == 0, output
    folder = only(tmp_path, "plane/smoke-digits-mlp-3-1-2-*")
    with np.load(folder / "plane.npz") as plane:
        ends = [saved_weights(tmp_path, seed) for seed in (3, 2)]
        assert plane["corners"][2, 0] == pytest.approx(np.linalg.norm(ends[1] - ends[0]), rel=1e-5)
    status, output = cli(*QUICK, "stage=plane", "plane.networks=[3,1,5]")
    assert (status, "stage=base seed=5" in output) == (1, True)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("plane.points=[0,1,1]", "three different ones"),
        ("plane.networks=[1,2]", "three different ones"),
        ("plane.points=[-1,0,1]", "counts from 0"),
        ("plane.points=[0,1,2] plane.networks=[1,2,3]", "give only one of them"),
        ("plane.margins=[0.1]", "four numbers"),
        ("plane.grid_points=1", "at least 2"),
    ],
)
def test_settings_that_make_no_plane_are_refused(cli, setting, words):
    status, output = cli(*QUICK, "stage=plane", *setting.split())
    assert (status, words in output) == (1, True), output
