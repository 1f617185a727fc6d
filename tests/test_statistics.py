"""Statistics along a path, against SciPy and hand-made examples."""

import numpy as np
import pandas as pd
import pytest
import scipy.integrate
import scipy.special
from hypothesis import given
from hypothesis import strategies as st

from mc.evaluation import statistics


def test_summarise_by_hand():
    # Two segments of lengths 1 and 3: integral ((1+5)/2 * 1 + (5+2)/2 * 3) / 4.
    result = statistics.summarise([1, 5, 2], [0, 1, 3], [0, 0.5, 1], barrier=True)
    assert result == {
        "start": 1.0,
        "end": 2.0,
        "min": 1.0,
        "max": 5.0,
        "mean": pytest.approx(8 / 3),
        "integral": pytest.approx(13.5 / 4),
        "barrier_mean": 3.5,
        "barrier_linear": 3.5,
        "barrier_max": 3.0,
    }


def test_barrier_linear_looks_at_every_point_not_only_the_top():
    # The chord is 0, 2, 4, 8: the largest excess lies at t = 0.25, the largest value at 1.
    result = statistics.summarise([0, 5, 6, 8], [0, 1, 1, 1], [0, 0.25, 0.5, 1], barrier=True)
    assert result["barrier_linear"] == 3.0
    assert result["barrier_mean"] == 4.0
    assert result["barrier_max"] == 0.0


def test_integral_equals_scipy_over_arc_length():
    rng = np.random.default_rng(1)
    arc = np.cumsum(np.r_[0, rng.uniform(0.1, 2, 30)])
    values = np.sin(arc)
    result = statistics.summarise(values, np.diff(arc, prepend=0), np.linspace(0, 1, 31))
    oracle = scipy.integrate.trapezoid(values, arc) / arc[-1]
    assert result["integral"] == pytest.approx(oracle, abs=1e-12)


@pytest.mark.parametrize(
    ("t", "absent"),
    [
        ([0.2, 0.6], {"start", "end"}),
        ([0, 0.6], {"end"}),
        ([0.2, 1], {"start"}),
        ([0, 1], set()),
    ],
)
def test_statistics_that_the_points_leave_undefined_are_absent(t, absent):
    result = statistics.summarise([1, 2], [0, 1], t, barrier=True)
    barriers = {"barrier_mean", "barrier_linear", "barrier_max"}
    everything = {"start", "end", "min", "max", "mean", "integral"} | barriers
    assert set(result) == everything - absent - (barriers if absent else set())


def test_one_point_and_no_length_have_no_integral():
    assert set(statistics.summarise([3], [0], [0.5])) == {"min", "max", "mean"}
    assert "integral" not in statistics.summarise([3, 3], [0, 0], [0, 1])


def test_values_that_are_not_finite_pass_through():
    result = statistics.summarise([1, np.nan, 1], [0, 1, 1], [0, 0.5, 1], barrier=True)
    assert result["start"] == result["end"] == 1
    assert all(np.isnan(v) for name, v in result.items() if name not in ("start", "end"))
    result = statistics.summarise([1, np.inf, 1], [0, 1, 1], [0, 0.5, 1], barrier=True)
    assert result["max"] == result["barrier_max"] == np.inf
    result = statistics.summarise([np.inf, 1], [0, 1], [0, 1], barrier=True)
    assert np.isnan(result["barrier_max"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([1, 2], [0], [0, 1]), "one length"),
        (([], [], []), "at least 1"),
        (([[1, 2]], [[0, 1]], [[0, 1]]), "vectors"),
        (([1, 2], [0, 1], [1, 0]), "decrease.*Sort"),
    ],
)
def test_summarise_refuses(arguments, words):
    with pytest.raises(ValueError, match=words):
        statistics.summarise(*arguments)


numbers = st.floats(-1e3, 1e3)


@st.composite
def paths(draw):
    """Values, segment lengths and positions of a whole path, from t=0 to t=1."""
    n = draw(st.integers(2, 8))
    values = draw(st.lists(numbers, min_size=n, max_size=n))
    lengths = draw(st.lists(st.floats(0.1, 10), min_size=n - 1, max_size=n - 1))
    inner = draw(st.lists(st.floats(0, 1), min_size=n - 2, max_size=n - 2))
    return np.array(values), np.array([0, *lengths]), np.array([0, *sorted(inner), 1])


@given(paths())
def test_laws_of_the_barriers(path):
    result = statistics.summarise(*path, barrier=True)
    slack = 1e-9
    # The ends lie on the path, so no barrier but barrier_mean could be below 0, and that is at
    # least barrier_max, as an average is at most a maximum.
    assert 0 <= result["barrier_max"] <= result["barrier_mean"] + slack
    # At the top, the chord is at most the larger end.
    assert result["barrier_max"] <= result["barrier_linear"] + slack
    assert result["min"] - slack <= result["integral"] <= result["max"] + slack
    assert result["min"] - slack <= result["mean"] <= result["max"] + slack


@given(paths(), numbers)
def test_a_constant_moves_values_and_leaves_barriers(path, constant):
    values, lengths, t = path
    before = statistics.summarise(values, lengths, t, barrier=True)
    after = statistics.summarise(values + constant, lengths, t, barrier=True)
    for name, value in before.items():
        moved = value if name.startswith("barrier") else value + constant
        assert after[name] == pytest.approx(moved, abs=1e-8)


@given(paths())
def test_the_reversed_path_has_the_same_statistics(path):
    values, lengths, t = path
    there = statistics.summarise(values, lengths, t, barrier=True)
    back = statistics.summarise(values[::-1], np.r_[0, lengths[:0:-1]], (1 - t)[::-1], barrier=True)
    back["start"], back["end"] = back["end"], back["start"]
    assert there == pytest.approx(back, abs=1e-8)


@pytest.fixture
def points():
    """A curve and a straight segment of three points, with a metric that has no barrier."""
    rows = [
        ("curve", 0.0, 0.0, 0.0, 0.1, 0.9),
        ("curve", 0.5, 3.0, 3.0, 0.2, 0.8),
        ("curve", 1.0, 4.0, 7.0, 0.1, 0.9),
        ("linear", 0.0, 0.0, 0.0, 0.1, 0.9),
        ("linear", 0.5, 2.5, 2.5, 0.7, 0.3),
        ("linear", 1.0, 2.5, 5.0, 0.1, 0.9),
    ]
    columns = ["path", "t", "segment_length", "arc_length", "test/error", "test/accuracy"]
    return pd.DataFrame(rows, columns=columns)


def test_summarise_paths_names_every_statistic(points):
    summary = statistics.summarise_paths(points, chord=5.0)
    assert summary["curve/test/error/max"] == 0.2
    assert summary["linear/test/error/barrier_mean"] == pytest.approx(0.6)
    assert summary["linear/test/accuracy/min"] == 0.3
    assert summary["curve/test/error/integral"] == pytest.approx(0.15)
    assert summary["curve/length"] == 7.0
    assert summary["curve/chord"] == 5.0
    assert summary["curve/length_ratio"] == pytest.approx(1.4)
    # Per path 9 statistics of error and 6 of accuracy, and the three lengths.
    assert len(summary) == 2 * (9 + 6) + 3
    assert all(type(value) is float for value in summary.values())


def test_accuracy_and_f1_have_no_barrier(points):
    points["test/f1"] = points["test/accuracy"]
    summary = statistics.summarise_paths(points)
    barriers = [key for key in summary if "barrier" in key]
    assert len(barriers) == 2 * 3
    assert all("/test/error/" in key for key in barriers)


@pytest.mark.parametrize("name", ["loss", "nll", "error", "mse"])
def test_metrics_with_a_barrier(points, name):
    summary = statistics.summarise_paths(points.rename(columns={"test/error": f"test/{name}"}))
    assert summary[f"linear/test/{name}/barrier_max"] == pytest.approx(0.6)


def test_lengths_that_are_undefined_are_absent(points):
    summary = statistics.summarise_paths(points[points["t"] < 1], chord=5.0)
    assert {"curve/length", "curve/length_ratio"}.isdisjoint(summary)
    assert summary["curve/chord"] == 5.0
    summary = statistics.summarise_paths(points, chord=0.0)
    assert summary["curve/chord"] == 0.0
    assert "curve/length_ratio" not in summary
    summary = statistics.summarise_paths(points)
    assert "curve/length" in summary
    assert "curve/chord" not in summary
    summary = statistics.summarise_paths(points[points["path"] == "linear"], chord=5.0)
    assert not any(key.startswith("curve/") for key in summary)


def test_summarise_paths_names_the_missing_column(points):
    with pytest.raises(ValueError, match="segment_length missing"):
        statistics.summarise_paths(points.drop(columns="segment_length"))
