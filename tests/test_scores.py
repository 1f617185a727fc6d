"""Scores of predictions, against scikit-learn and loops."""

import numpy as np
import pytest
import scipy.integrate
import scipy.special
import sklearn.metrics

from mc.evaluation import scores


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
    result = scores.classification(*counts(confusion))
    f1 = sklearn.metrics.f1_score(labels, predicted, average="weighted", zero_division=0)
    accuracy = sklearn.metrics.accuracy_score(labels, predicted)
    expected = {"error": 1 - accuracy, "accuracy": accuracy, "f1": f1}
    assert result == pytest.approx(expected, abs=1e-14)
    assert all(type(value) is float for value in result.values())


def test_classification_by_hand():
    # Class 0: 3 of 4 right; class 1: 1 of 2. F1: 2*3/(4+4) and 2*1/(2+2), weights 4/6 and 2/6.
    result = scores.classification(hits=[3, 1], predicted=[4, 2], support=[4, 2])
    assert result == pytest.approx({"error": 2 / 6, "accuracy": 4 / 6, "f1": 4 / 6})


def test_a_class_that_neither_occurs_nor_is_predicted_changes_nothing():
    with_third = scores.classification(*counts([[5, 1, 0], [2, 4, 0], [0, 0, 0]]))
    assert with_third == scores.classification(*counts([[5, 1], [2, 4]]))


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
        scores.classification(hits, predicted, support)


@pytest.mark.parametrize("scale", [1, 1000])
def test_nll_and_error_equal_sklearn(scale):
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(50, 4)) * scale, rng.integers(0, 4, 50)
    log_softmax = logits - scipy.special.logsumexp(logits, axis=1, keepdims=True)
    assert scores.nll(logits, labels) == pytest.approx(-log_softmax[range(50), labels].mean())
    if scale == 1:  # log_loss clips probabilities, so large logits have no oracle there
        loss = sklearn.metrics.log_loss(labels, np.exp(log_softmax), labels=range(4))
        assert scores.nll(logits, labels) == pytest.approx(loss)
    wrong = sklearn.metrics.zero_one_loss(labels, logits.argmax(axis=1))
    assert scores.error(logits, labels) == pytest.approx(wrong)


def test_nll_of_equal_logits_is_log_of_the_number_of_classes():
    assert scores.nll(np.zeros((3, 10)), [0, 5, 9]) == pytest.approx(np.log(10))


def test_nll_of_nan_is_nan():
    assert np.isnan(scores.nll([[np.nan, 1.0]], [0]))


@pytest.mark.parametrize("function", [scores.nll, scores.error])
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
    assert scores.brier(logits, labels) == pytest.approx(brier)
    confidence, right = p.max(axis=1), p.argmax(axis=1) == labels
    total = 0
    for b in range(15):
        inside = (confidence > b / 15) & (confidence <= (b + 1) / 15)
        if inside.any():
            total += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert scores.ece(logits, labels) == pytest.approx(total)


def test_ece_and_brier_of_certainty():
    sure = np.array([[50.0, 0.0], [0.0, 50.0]])
    assert scores.ece(sure, [0, 1]) == pytest.approx(0, abs=1e-12)
    assert scores.ece(sure, [1, 0]) == pytest.approx(1)
    assert scores.brier(sure, [1, 0]) == pytest.approx(2)
    undecided = np.zeros((4, 4))
    assert scores.ece(undecided, [0, 1, 2, 3]) == pytest.approx(0)
    assert scores.brier(undecided, [0, 1, 2, 3]) == pytest.approx(0.75**2 + 3 * 0.25**2)


def test_all_metrics_of_logits_are_those_of_sklearn_and_of_their_functions():
    rng = np.random.default_rng(3)
    logits, labels = rng.normal(size=(100, 3)), rng.integers(0, 3, 100)
    found, predicted = scores.of_logits(logits, labels), logits.argmax(axis=1)
    assert set(found) == {"nll", "error", "accuracy", "f1", "ece", "brier"}
    assert found["accuracy"] == pytest.approx(sklearn.metrics.accuracy_score(labels, predicted))
    f1 = sklearn.metrics.f1_score(labels, predicted, average="weighted")
    assert found["f1"] == pytest.approx(f1)
    p = scipy.special.softmax(logits, axis=1)
    assert found["nll"] == pytest.approx(sklearn.metrics.log_loss(labels, p))
    assert np.isnan(scores.of_logits(np.full((2, 3), np.nan), [0, 1])["ece"])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_logits_that_are_not_finite_have_no_scores(bad):
    logits = np.zeros((4, 3))
    logits[2, 1] = bad
    assert np.isnan(list(scores.of_logits(logits, [0, 1, 2, 0]).values())).all()
    assert np.isnan(scores.error(logits, [0, 1, 2, 0]))


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
    found = scores.classification(*sums)
    given_weights = {"sample_weight": weight}
    f1 = sklearn.metrics.f1_score(labels, predicted, average="weighted", **given_weights)
    assert found["f1"] == pytest.approx(f1, rel=1e-6)
    right = sklearn.metrics.accuracy_score(labels, predicted, **given_weights)
    assert found["accuracy"] == pytest.approx(right, rel=1e-6)
