"""Scores of predictions, against scikit-learn and loops."""

import numpy as np
import pytest
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


def test_f1_of_labels_that_hold_together_equals_sklearn():
    rng = np.random.default_rng(1)
    true, said = rng.random((2, 80, 5)) < 0.3
    true[:, 4], said[:, 3] = False, False  # one that never holds, one that is never predicted
    found = scores.weighted_f1((true & said).sum(0), said.sum(0), true.sum(0))
    expected = sklearn.metrics.f1_score(true, said, average="weighted", zero_division=0)
    assert found == pytest.approx(expected)
    assert scores.weighted_f1([0, 0], [1, 0], [0, 0]) == 0


def test_iou_equals_sklearn_over_the_classes_that_are_there():
    rng = np.random.default_rng(2)
    labels, predicted = rng.integers(0, 4, 200), rng.integers(1, 4, 200)
    confusion = sklearn.metrics.confusion_matrix(labels, predicted, labels=range(5))
    expected = sklearn.metrics.jaccard_score(labels, predicted, average="macro", labels=range(4))
    assert scores.iou(*counts(confusion)) == pytest.approx(expected)
    assert np.isnan(scores.iou([0], [0], [0]))


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
