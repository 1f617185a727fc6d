"""Metrics and statistics along a path, against scikit-learn, SciPy and hand-made examples."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import scipy.integrate
import scipy.special
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from mc import metrics


def counts(confusion):
    """Right predictions, predictions and examples of each class."""
    confusion = np.asarray(confusion)
    return np.diag(confusion), confusion.sum(axis=0), confusion.sum(axis=1)


@pytest.mark.parametrize("seed", range(5))
def test_classification_equals_sklearn_on_the_raw_labels(seed):
    rng = np.random.default_rng(seed)
    classes = int(rng.integers(2, 8))
    # Class 0 is never predicted and the last never occurs: both kinds of empty division.
    labels, predicted = rng.integers(0, classes - 1, 200), rng.integers(1, classes, 200)
    confusion = sklearn.metrics.confusion_matrix(labels, predicted, labels=range(classes))
    result = metrics.classification(*counts(confusion))
    f1 = sklearn.metrics.f1_score(labels, predicted, average="weighted", zero_division=0)
    accuracy = sklearn.metrics.accuracy_score(labels, predicted)
    expected = {"error": 1 - accuracy, "accuracy": accuracy, "f1": f1}
    assert result == pytest.approx(expected, abs=1e-14)
    assert all(type(value) is float for value in result.values())


def test_classification_by_hand():
    # Class 0: 3 of 4 right; class 1: 1 of 2. F1: 2*3/(4+4) and 2*1/(2+2), weights 4/6 and 2/6.
    result = metrics.classification(hits=[3, 1], predicted=[4, 2], support=[4, 2])
    assert result == pytest.approx({"error": 2 / 6, "accuracy": 4 / 6, "f1": 4 / 6})


def test_a_class_that_neither_occurs_nor_is_predicted_changes_nothing():
    with_third = metrics.classification(*counts([[5, 1, 0], [2, 4, 0], [0, 0, 0]]))
    assert with_third == metrics.classification(*counts([[5, 1], [2, 4]]))


@pytest.mark.parametrize(
    ("hits", "predicted", "support", "words"),
    [
        ([1, 1], [2, 2], [3, 2], "4.0 predictions of 5.0 examples"),
        ([1, -1], [2, 2], [2, 2], "counts with one sum"),
        ([1, np.nan], [2, 2], [2, 2], "counts with one sum"),
        ([0, 0], [0, 0], [0, 0], "there must be an example"),
        ([3, 0], [2, 2], [2, 2], "no more right predictions"),
    ],
)
def test_classification_refuses(hits, predicted, support, words):
    with pytest.raises(ValueError, match=words):
        metrics.classification(hits, predicted, support)


@pytest.mark.parametrize("scale", [1, 1000])
def test_nll_and_error_equal_sklearn(scale):
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(50, 4)) * scale, rng.integers(0, 4, 50)
    log_softmax = logits - scipy.special.logsumexp(logits, axis=1, keepdims=True)
    assert metrics.nll(logits, labels) == pytest.approx(-log_softmax[range(50), labels].mean())
    if scale == 1:  # log_loss clips probabilities, so large logits have no oracle there
        loss = sklearn.metrics.log_loss(labels, np.exp(log_softmax), labels=range(4))
        assert metrics.nll(logits, labels) == pytest.approx(loss)
    wrong = sklearn.metrics.zero_one_loss(labels, logits.argmax(axis=1))
    assert metrics.error(logits, labels) == pytest.approx(wrong)


def test_nll_of_equal_logits_is_log_of_the_number_of_classes():
    assert metrics.nll(np.zeros((3, 10)), [0, 5, 9]) == pytest.approx(np.log(10))


def test_nll_of_nan_is_nan():
    assert np.isnan(metrics.nll([[np.nan, 1.0]], [0]))


@pytest.mark.parametrize("function", [metrics.nll, metrics.error])
@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([0, 1, 2], "shapes"),
        ([0, 3], "0 to 2"),
        ([0, -1], "0 to 2"),
        ([0.0, 1.0], "integers"),
        ([[1, 0, 0], [0, 1, 0]], "shapes"),
    ],
)
def test_predictions_that_do_not_fit_are_refused(function, labels, words):
    with pytest.raises(ValueError, match=words):
        function(np.zeros((2, 3)), labels)


@pytest.mark.parametrize("scale", [1, 10])
def test_brier_and_ece_equal_their_formulas_written_as_loops(scale):
    rng = np.random.default_rng(scale)
    logits, labels = rng.normal(size=(300, 4)) * scale, rng.integers(0, 4, 300)
    p = scipy.special.softmax(logits, axis=1)
    brier = sum(sum((p[i, c] - (c == labels[i])) ** 2 for c in range(4)) for i in range(300)) / 300
    assert metrics.brier(logits, labels) == pytest.approx(brier)
    confidence, right = p.max(axis=1), p.argmax(axis=1) == labels
    total = 0
    for b in range(15):
        inside = (confidence > b / 15) & (confidence <= (b + 1) / 15)
        if inside.any():
            total += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert metrics.ece(logits, labels) == pytest.approx(total)


def test_ece_and_brier_of_certainty():
    sure = np.array([[50.0, 0.0], [0.0, 50.0]])
    assert metrics.ece(sure, [0, 1]) == pytest.approx(0, abs=1e-12)
    assert metrics.ece(sure, [1, 0]) == pytest.approx(1)
    assert metrics.brier(sure, [1, 0]) == pytest.approx(2)
    undecided = np.zeros((4, 4))
    assert metrics.ece(undecided, [0, 1, 2, 3]) == pytest.approx(0)
    assert metrics.brier(undecided, [0, 1, 2, 3]) == pytest.approx(0.75**2 + 3 * 0.25**2)


def test_all_metrics_of_logits_are_those_of_sklearn_and_of_their_functions():
    rng = np.random.default_rng(3)
    logits, labels = rng.normal(size=(100, 3)), rng.integers(0, 3, 100)
    found, predicted = metrics.of_logits(logits, labels), logits.argmax(axis=1)
    assert set(found) == {"nll", "error", "accuracy", "f1", "ece", "brier"}
    assert found["accuracy"] == pytest.approx(sklearn.metrics.accuracy_score(labels, predicted))
    f1 = sklearn.metrics.f1_score(labels, predicted, average="weighted")
    assert found["f1"] == pytest.approx(f1)
    p = scipy.special.softmax(logits, axis=1)
    assert found["nll"] == pytest.approx(sklearn.metrics.log_loss(labels, p))
    assert np.isnan(metrics.of_logits(np.full((2, 3), np.nan), [0, 1])["ece"])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_logits_that_are_not_finite_have_no_scores(bad):
    logits = np.zeros((4, 3))
    logits[2, 1] = bad
    assert np.isnan(list(metrics.of_logits(logits, [0, 1, 2, 0]).values())).all()
    assert np.isnan(metrics.error(logits, [0, 1, 2, 0]))


def test_classification_of_weights_equals_sklearn():
    rng = np.random.default_rng(0)
    labels, predicted, weight = rng.integers(0, 3, 90), rng.integers(0, 3, 90), rng.random(90)
    sums = [
        np.bincount(a, w, minlength=3).astype("float32")  # as they come, rounded
        for a, w in (
            (labels, weight * (labels == predicted)),
            (predicted, weight),
            (labels, weight),
        )
    ]
    found = metrics.classification(*sums)
    given_weights = {"sample_weight": weight}
    f1 = sklearn.metrics.f1_score(labels, predicted, average="weighted", **given_weights)
    assert found["f1"] == pytest.approx(f1, rel=1e-6)
    right = sklearn.metrics.accuracy_score(labels, predicted, **given_weights)
    assert found["accuracy"] == pytest.approx(right, rel=1e-6)


def test_summarise_by_hand():
    # Two segments of lengths 1 and 3: integral ((1+5)/2 * 1 + (5+2)/2 * 3) / 4.
    result = metrics.summarise([1, 5, 2], [0, 1, 3], [0, 0.5, 1], barrier=True)
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
    result = metrics.summarise([0, 5, 6, 8], [0, 1, 1, 1], [0, 0.25, 0.5, 1], barrier=True)
    assert result["barrier_linear"] == 3.0
    assert result["barrier_mean"] == 4.0
    assert result["barrier_max"] == 0.0


def test_integral_equals_scipy_over_arc_length():
    rng = np.random.default_rng(1)
    arc = np.cumsum(np.r_[0, rng.uniform(0.1, 2, 30)])
    values = np.sin(arc)
    result = metrics.summarise(values, np.diff(arc, prepend=0), np.linspace(0, 1, 31))
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
    result = metrics.summarise([1, 2], [0, 1], t, barrier=True)
    barriers = {"barrier_mean", "barrier_linear", "barrier_max"}
    everything = {"start", "end", "min", "max", "mean", "integral"} | barriers
    assert set(result) == everything - absent - (barriers if absent else set())


def test_one_point_and_no_length_have_no_integral():
    assert set(metrics.summarise([3], [0], [0.5])) == {"min", "max", "mean"}
    assert "integral" not in metrics.summarise([3, 3], [0, 0], [0, 1])


def test_values_that_are_not_finite_pass_through():
    result = metrics.summarise([1, np.nan, 1], [0, 1, 1], [0, 0.5, 1], barrier=True)
    assert result["start"] == result["end"] == 1
    assert all(np.isnan(v) for name, v in result.items() if name not in ("start", "end"))
    result = metrics.summarise([1, np.inf, 1], [0, 1, 1], [0, 0.5, 1], barrier=True)
    assert result["max"] == result["barrier_max"] == np.inf
    result = metrics.summarise([np.inf, 1], [0, 1], [0, 1], barrier=True)
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
        metrics.summarise(*arguments)


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
    result = metrics.summarise(*path, barrier=True)
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
    before = metrics.summarise(values, lengths, t, barrier=True)
    after = metrics.summarise(values + constant, lengths, t, barrier=True)
    for name, value in before.items():
        moved = value if name.startswith("barrier") else value + constant
        assert after[name] == pytest.approx(moved, abs=1e-8)


@given(paths())
def test_the_reversed_path_has_the_same_statistics(path):
    values, lengths, t = path
    there = metrics.summarise(values, lengths, t, barrier=True)
    back = metrics.summarise(values[::-1], np.r_[0, lengths[:0:-1]], (1 - t)[::-1], barrier=True)
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
    summary = metrics.summarise_paths(points, chord=5.0)
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
    summary = metrics.summarise_paths(points)
    barriers = [key for key in summary if "barrier" in key]
    assert len(barriers) == 2 * 3
    assert all("/test/error/" in key for key in barriers)


@pytest.mark.parametrize("name", ["loss", "nll", "error", "mse"])
def test_metrics_with_a_barrier(points, name):
    summary = metrics.summarise_paths(points.rename(columns={"test/error": f"test/{name}"}))
    assert summary[f"linear/test/{name}/barrier_max"] == pytest.approx(0.6)


def test_lengths_that_are_undefined_are_absent(points):
    summary = metrics.summarise_paths(points[points["t"] < 1], chord=5.0)
    assert {"curve/length", "curve/length_ratio"}.isdisjoint(summary)
    assert summary["curve/chord"] == 5.0
    summary = metrics.summarise_paths(points, chord=0.0)
    assert summary["curve/chord"] == 0.0
    assert "curve/length_ratio" not in summary
    summary = metrics.summarise_paths(points)
    assert "curve/length" in summary
    assert "curve/chord" not in summary
    summary = metrics.summarise_paths(points[points["path"] == "linear"], chord=5.0)
    assert not any(key.startswith("curve/") for key in summary)


def test_summarise_paths_names_the_missing_column(points):
    with pytest.raises(ValueError, match="segment_length missing"):
        metrics.summarise_paths(points.drop(columns="segment_length"))


def test_the_room_is_cheap_to_import():
    code = "import sys, mc.metrics; print([m for m in sys.modules if '.' not in m])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    assert "'numpy'" in loaded
    for heavy in ("tensorflow", "keras", "matplotlib", "sklearn", "wandb", "pandas"):
        assert f"'{heavy}'" not in loaded
