"""Scores as means over all steps that count, against scikit-learn and NumPy."""

import keras
import numpy as np
import pytest
import scipy.special
import sklearn.metrics
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from test_compiled import (
    KINDS,
    LABELS,
    SPARSE,
    TOKENS,
    WEIGHT,
    N,
    X,
    data_of,
    dense,
    keras_says,
    pair_of,
)  # fmt: skip

import mc
from mc.evaluation import statistics
from mc.evaluation.tasks.task import spread, weights_of


def test_scores_of_weighted_examples_are_scikit_learn_s_and_ignored_ones_do_not_count():
    start, curve = pair_of(dense(3))
    logits = start.predict(X, verbose=0).astype("float64")
    p, predicted = scipy.special.softmax(logits, axis=1), logits.argmax(axis=1)
    found = mc.evaluate(curve, test=data_of(X, LABELS, WEIGHT), t=[0.0], loss=SPARSE).iloc[0]
    kept = (LABELS != 1).astype("float32")
    ignoring = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=1)
    without = mc.evaluate(curve, test=data_of(X, LABELS), t=[0.0], loss=ignoring).iloc[0]
    for row, weight in ((found, WEIGHT), (without, kept)):
        weighed = {"sample_weight": weight}
        error = sklearn.metrics.zero_one_loss(LABELS, predicted, **weighed)
        nll = sklearn.metrics.log_loss(LABELS, p, labels=range(3), **weighed)
        f1 = sklearn.metrics.f1_score(LABELS, predicted, average="weighted", **weighed)
        assert row["test/error"] == pytest.approx(error, rel=1e-5)
        assert row["test/nll"] == pytest.approx(nll, rel=1e-5)
        assert row["test/f1"] == pytest.approx(f1, rel=1e-5)
    metric = keras.metrics.SparseCategoricalAccuracy(name="accuracy")
    keras_found = keras_says(start, data_of(X, LABELS, WEIGHT), SPARSE, metrics=[metric])
    assert found["test/accuracy"] == pytest.approx(keras_found["accuracy"], rel=1e-5)


def test_mse_of_sequences_is_the_mean_over_all_their_numbers():
    build, x, y, loss = KINDS["sequences"]
    start, curve = pair_of(build)
    expected = np.mean((start.predict(x, verbose=0) - y) ** 2)
    for size in (8, 22):
        data = tf.data.Dataset.from_tensor_slices((x, y)).batch(size)
        found = mc.evaluate(curve, test=data, t=[0.0], loss=loss)["test/mse"][0]
        assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("size", [1, 5, N])
def test_mse_of_masked_steps_is_the_mean_over_those_that_count_whatever_the_batches(size):
    build, x, y, loss, weight = KINDS["steps masked and weighted"]
    start, curve = pair_of(build)
    squares = ((start.predict(x, verbose=0) - y) ** 2)[..., 0]
    for weights in (np.ones_like(weight), weight):
        counts = weights * (TOKENS != 0)
        data = data_of(x, y, weights).unbatch().batch(size)
        found = mc.evaluate(curve, test=data, t=[0.0], loss=loss)["test/mse"][0]
        assert found == pytest.approx((counts * squares).sum() / counts.sum(), rel=1e-5)
    oracle = keras_says(start, data_of(x, y, weight), loss, metrics=["mse"])
    assert found == pytest.approx(oracle["mse"], rel=1e-5)


def test_a_split_of_which_nothing_counts_is_refused():
    _, curve = pair_of(dense(3))
    data = data_of(X, LABELS, np.zeros(N, "float32"))
    with pytest.raises(ValueError, match="Nothing of the split test counts: a mask"):
        mc.evaluate(curve, test=data, t=[0.0], loss=SPARSE)


@pytest.mark.parametrize(("loss", "y"), [(SPARSE, LABELS), ("mse", WEIGHT)])
def test_a_point_whose_outputs_overflow_has_no_scores_and_the_others_keep_theirs(loss, y):
    outputs = 3 if loss is SPARSE else 1
    start, ends = pair_of(dense(outputs, "exponential"))
    bend = ends.control_points.mean(axis=0)
    bend[-1] = 200  # the last bias: exp(200) is infinite in float32
    points = [ends.control_points[0], bend, ends.control_points[1]]
    curve = mc.CurveModel(start, mc.PolyChain(1), np.stack(points))
    found = mc.evaluate(curve, test=data_of(X, y), num_points=3, loss=loss)
    assert found.iloc[[0, 2, 3, 4, 5]].notna().all(axis=None)
    metrics = [c for c in found.columns if "/" in c]
    assert found.loc[1, metrics].isna().all()
    assert found.loc[0, "test/loss"] == pytest.approx(
        keras_says(start, data_of(X, y), loss)["loss"], rel=1e-5
    )
    summary = statistics.summarise_paths(found)
    over_it = [
        k for k in summary if k.startswith("curve/test/") and k[-3:] in ("min", "max", "ean")
    ]
    assert len(over_it) >= 3 * len(metrics)
    assert np.isnan([summary[k] for k in over_it]).all()
    assert np.isfinite([v for k, v in summary.items() if k.startswith("linear/")]).all()


@pytest.mark.parametrize("kind", ["labels by object", "labels by name", "y [n], outputs [n, 1]"])
def test_a_network_of_nan_has_no_scores(kind):
    build, x, y, loss = KINDS[kind]
    start, curve = pair_of(build)
    curve = mc.CurveModel(start, mc.Linear(), curve.control_points * [[np.nan], [1]])
    found = mc.evaluate(curve, test=data_of(x, y), num_points=2, loss=loss)
    assert found.filter(regex="/").isna().all(axis=None)


@given(st.integers(0, 100), st.integers(1, 4), st.integers(1, 4))
def test_weights_of_steps_count_for_all_numbers_in_them(seed, steps, columns):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(3, steps, columns)).astype("float32")
    for shape in ((3,), (3, steps), (3, 1, 1)):
        weight = rng.uniform(size=shape).astype("float32")
        found = spread(tf.constant(weight), tf.constant(values)).numpy()
        wide = weight.reshape(shape + (1,) * (3 - len(shape)))
        np.testing.assert_allclose(found, np.broadcast_to(wide, values.shape))
    mask = rng.random((3, steps)) < 0.5
    outputs = tf.constant(values)
    outputs._keras_mask = tf.constant(mask)
    both = weights_of(outputs, tf.constant(weight[:, 0, 0])).numpy()
    np.testing.assert_allclose(both, mask * weight[:, :, 0])
