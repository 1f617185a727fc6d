"""What a loss expects of outputs and targets."""

import keras
import numpy as np
import pytest

from mc.network import losses

LOGITS = np.array([[2.0, -1.0, 0.5], [0.1, 0.2, 0.3]], "float32")
PROBABILITIES = np.exp(LOGITS) / np.exp(LOGITS).sum(-1, keepdims=True)


def test_probabilities_for_a_loss_on_logits_are_refused_and_the_reverse():
    on_logits = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    on_probabilities = keras.losses.CategoricalCrossentropy()
    with pytest.raises(ValueError, match="Remove the softmax"):
        losses.check_outputs(on_logits, PROBABILITIES)
    for loss in (on_probabilities, "sparse_categorical_crossentropy"):
        with pytest.raises(ValueError, match="from_logits=True"):
            losses.check_outputs(loss, LOGITS)


@pytest.mark.parametrize("loss", ["mse", keras.losses.CategoricalHinge(), lambda y, p: p])
def test_other_losses_take_any_outputs(loss):
    losses.check_outputs(loss, LOGITS)
    losses.check_outputs(loss, PROBABILITIES)
    assert losses.expects_logits(loss) is None


def test_only_losses_of_keras_that_are_not_sparse_take_one_hot():
    assert losses.takes_one_hot(keras.losses.CategoricalCrossentropy())
    assert losses.takes_one_hot(keras.losses.MeanSquaredError())
    assert not losses.takes_one_hot(keras.losses.SparseCategoricalCrossentropy())

    class Own(keras.losses.Loss):
        pass

    assert not losses.takes_one_hot(Own())


def test_the_default_loss_is_the_task_s():
    logits = losses.default(10)
    assert isinstance(logits, keras.losses.SparseCategoricalCrossentropy)
    assert losses.expects_logits(logits) is True
    assert isinstance(losses.default(None), keras.losses.MeanSquaredError)
    rows = losses.default(10, one_hot=True, from_logits=False)
    assert isinstance(rows, keras.losses.CategoricalCrossentropy)
    assert losses.expects_logits(rows) is False
    with pytest.raises(ValueError, match=r"ignore_class is not an argument of .*Categorical"):
        losses.default(10, one_hot=True, ignore_class=0)


def test_rows_of_probabilities_are_no_labels():
    one_hot = np.eye(3, dtype="float32")[:2]
    for loss in (keras.losses.SparseCategoricalCrossentropy(), "sparse_categorical_crossentropy"):
        with pytest.raises(ValueError, match=r"pass y.argmax\(-1\), or choose"):
            losses.check_targets(loss, one_hot, LOGITS)
        for labels in (np.array([0, 1]), np.array([[0], [1]])):
            losses.check_targets(loss, labels, LOGITS)
        # A token or pixel each.
        losses.check_targets(loss, np.zeros((2, 3)), np.zeros((2, 3, 3)))
    for loss in (keras.losses.CategoricalCrossentropy(), "mse", print, None, ["mse"]):
        losses.check_targets(loss, one_hot, LOGITS)


def test_likelihoods_are_plain_cross_entropies_and_squares():
    class Own(keras.losses.BinaryCrossentropy):
        pass

    plain = ("mse", "mean_squared_error", "sparse_categorical_crossentropy", "crossentropy", Own())
    for loss in (*plain, keras.losses.CategoricalCrossentropy(label_smoothing=0.1)):
        assert losses.is_likelihood(loss), loss
    focal = keras.losses.BinaryFocalCrossentropy()
    for loss in ("mae", "huber", "categorical_hinge", focal, lambda y, p: p, ["mse"], {"a": "mse"}):
        assert not losses.is_likelihood(loss), loss
