"""What targets are, as the loss says it, or else their type."""

import numpy as np
import pytest
from keras import losses

from mc.datasets import make_data
from mc.datasets.targets import read_targets

X = np.zeros((6, 2), "float32")
MSE, BINARY = losses.MeanSquaredError(), losses.BinaryCrossentropy()


def read(y, loss=None, num_classes=None):
    arrays, found = read_targets({"train": (X, np.asarray(y))}, num_classes, loss)
    return arrays["train"][1], found


@pytest.mark.parametrize("loss", [MSE, losses.Poisson(), losses.Huber(), "mae"])
def test_integers_are_numbers_where_the_loss_is_a_regression_s(loss):
    for y in ([3, 0, 1, 2, 5, 9], np.arange(12).reshape(6, 2)):
        found, num_classes = read(y, loss)
        assert num_classes is None
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, np.reshape(y, (6, -1)))
    assert read([3, 0, 1, 2, 5, 9])[1] == 10  # which the type alone says


def test_yes_and_no_of_one_or_several_outputs_are_no_classes():
    one, several = [0, 1, 1, 0, 1, 0], [[1, 1], [0, 0], [1, 0], [0, 1], [1, 1], [0, 0]]
    for y in (one, several):
        for dtype in (int, bool, "float32"):
            found, num_classes = read(np.asarray(y, dtype), BINARY)
            assert num_classes is None
            np.testing.assert_array_equal(found, np.reshape(y, (6, -1)))
    assert read([-1, 1, 1, -1, 1, -1], losses.Hinge())[1] is None
    with pytest.raises(ValueError, match=r"needs y from 0 to 1, received 0 to 5.*'num_classes'"):
        read([0, 1, 2, 3, 4, 5], BINARY)


@pytest.mark.parametrize("loss", [MSE, BINARY])
def test_classes_that_are_announced_stay_classes(loss):
    found, num_classes = read([0, 1, 2, 0, 1, 2], loss, num_classes=3)
    assert num_classes == 3
    assert found.dtype == np.int64


def test_dense_labels_may_be_probabilities_and_an_ignored_class_is_no_class():
    soft = np.full((6, 3), 1 / 3)
    assert read(soft, losses.CategoricalCrossentropy())[1] == 3
    assert read(soft)[1] is None
    ignoring = losses.SparseCategoricalCrossentropy(ignore_class=-1)
    found, num_classes = read([0, 2, -1, 1, -1, 0], ignoring)
    assert num_classes == 3
    np.testing.assert_array_equal(found, [0, 2, -1, 1, -1, 0])
    with pytest.raises(ValueError, match=r"must lie in \[0, 3\), received -2"):
        read([0, 2, -1, 1, -2, 0], ignoring)


@pytest.mark.parametrize(("n", "size", "count"), [(60, 10, 2), (60, 25, 1), (7, 3, 2), (7, 3, 9)])
def test_some_batches_of_sorted_data_hold_all_of_it_evenly(n, size, count):
    x = np.arange(n, dtype="float32")[:, None]
    split = make_data(((x, np.arange(n) * 3 // n), (x, np.arange(n) * 3 // n))).train_clean
    batches = list(split.spread(size, count))
    found = np.concatenate([b for b, _ in batches])[:, 0].astype(int)
    wanted = min(size * count, n)
    assert len(batches) == min(count, split.steps(size))
    assert len(found) == wanted
    steps = np.diff(found)
    assert found[0] == 0
    assert steps.min() >= n // wanted
    assert steps.max() <= -(-n // wanted)
    if n % wanted == 0:  # then it is every k-th example
        np.testing.assert_array_equal(found, np.arange(0, n, n // wanted))
