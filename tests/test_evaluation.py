"""Metrics along paths, against one plain network at a time and scikit-learn on raw labels."""

import keras
import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
import tensorflow as tf
from conftest import CLASSES, arrays, build, logits_loss

import mc
from mc.evaluation import evaluator
from mc.network.weights import pack

WEIGHT_DECAY = 0.02


def connected(networks, **options):
    curve = mc.connect(*networks, **({"weight_decay": WEIGHT_DECAY} | options))
    curve.compile("sgd", logits_loss())
    return curve


def batched(x, y, size=20):
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(size)


def expected_row(network, x, y):
    """Every metric of one plain network, from scikit-learn and Keras."""
    logits = network.predict(x, verbose=0).astype("float64")
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    predicted = logits.argmax(-1)
    nll = sklearn.metrics.log_loss(y, p, labels=range(CLASSES))
    norm = np.sum(pack(network).astype("float64") ** 2)
    return {
        "loss": nll + 0.5 * WEIGHT_DECAY * norm + float(sum(network.losses)),
        "nll": nll,
        "error": 1 - sklearn.metrics.accuracy_score(y, predicted),
        "accuracy": sklearn.metrics.accuracy_score(y, predicted),
        "f1": sklearn.metrics.f1_score(y, predicted, average="weighted", zero_division=0),
    }


@pytest.mark.parametrize("family", ["bezier", pytest.param("polychain", marks=pytest.mark.long)])
def test_every_metric_at_every_point_equals_a_plain_network_s(networks, family):
    curve = connected(networks, curve=family, num_bends=2, init="random")
    train, test = arrays(3, n=45), arrays(4, n=33)
    points = mc.evaluate(curve, train=batched(*train), test=batched(*test), num_points=4)
    assert list(points.columns[:4]) == ["path", "t", "segment_length", "arc_length"]
    assert list(points.path) == ["curve"] * 4 + ["linear"] * 4
    straight = mc.CurveModel(
        networks[0], mc.Linear(), curve.control_points[[0, -1]], weight_decay=WEIGHT_DECAY
    )
    for _, row in points.iterrows():
        source = curve if row.path == "curve" else straight
        network = source.network_at(row.t, data=batched(*train))
        for split, data in (("train", train), ("test", test)):
            for metric, value in expected_row(network, *data).items():
                assert row[f"{split}/{metric}"] == pytest.approx(value, rel=2e-4, abs=1e-6), metric


def test_ends_are_the_endpoint_networks_with_statistics_of_the_same_data(networks):
    curve = connected(networks)
    train = arrays(3, n=45)
    points = mc.evaluate(curve, train=batched(*train), num_points=3)
    for row, network in ((0, networks[0]), (2, networks[1])):
        own = mc.CurveModel(network, mc.Point(), pack(network)[None])
        alone = own.network_at(0, data=batched(*train))
        expected = expected_row(alone, *train)
        for metric, value in expected.items():
            assert points[f"train/{metric}"][row] == pytest.approx(value, rel=1e-4, abs=1e-6)
            assert points[f"train/{metric}"][row + 3] == points[f"train/{metric}"][row]


def test_lengths_along_the_curve(plain_networks):
    curve = connected(plain_networks, num_bends=1, init="random")
    points = mc.evaluate(curve, test=arrays(1), num_points=5)
    rows = points[points.path == "curve"]
    w = np.stack([curve.weights_at(t) for t in rows.t])
    steps = np.linalg.norm(np.diff(w.astype("float64"), axis=0), axis=1)
    np.testing.assert_allclose(rows.segment_length[1:], steps, rtol=1e-4)
    np.testing.assert_allclose(rows.arc_length, np.concatenate([[0], np.cumsum(steps)]), rtol=1e-4)
    chord = np.linalg.norm((w[-1] - w[0]).astype("float64"))
    assert points.arc_length.iloc[-1] == pytest.approx(chord, rel=1e-5)


def test_evaluation_leaves_every_variable_unchanged(networks):
    curve = connected(networks)
    curve.t = 0.3
    models = [curve, *networks]
    before = [[v.numpy().copy() for v in m.variables] for m in models]
    mc.evaluate(curve, train=arrays(), test=arrays(1), num_points=3)
    for model, values in zip(models, before, strict=True):
        for variable, value in zip(model.variables, values, strict=True):
            np.testing.assert_array_equal(variable.numpy(), value)


def test_the_size_of_batches_does_not_matter_without_batchnorm(plain_networks):
    curve = connected(plain_networks)
    one = mc.evaluate(curve, test=batched(*arrays(1), size=48), num_points=3)
    many = mc.evaluate(curve, test=batched(*arrays(1), size=7), num_points=3)
    pd.testing.assert_frame_equal(one, many, rtol=1e-5)


def test_one_hot_targets_and_softmax_outputs_give_the_same_metrics(plain_networks):
    curve = connected(plain_networks)
    x, y = arrays(1)
    labels = mc.evaluate(curve, test=(x, y), t=[0.5])
    one_hot = (x, np.eye(CLASSES, dtype="float32")[y])
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    pd.testing.assert_frame_equal(mc.evaluate(curve, test=one_hot, t=[0.5], loss=loss), labels)

    def with_softmax(network):
        return keras.Sequential([keras.Input((6, 6, 1)), *network.layers, keras.layers.Softmax()])

    soft = connected([with_softmax(n) for n in plain_networks])
    loss = keras.losses.SparseCategoricalCrossentropy()
    found = mc.evaluate(soft, test=(x, y), t=[0.5], loss=loss)
    pd.testing.assert_frame_equal(found, labels, rtol=1e-4)


def test_regression_has_loss_and_mse_alone():
    def network(seed):
        keras.utils.set_random_seed(seed)
        layers = [keras.layers.Dense(5, "tanh"), keras.layers.Dense(2)]
        return keras.Sequential([keras.layers.Input((3,)), *layers])

    a, b = network(1), network(2)
    curve = mc.connect(a, b, weight_decay=WEIGHT_DECAY)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 3)).astype("float32"), rng.normal(size=(30, 2)).astype("float32")
    points = mc.evaluate(curve, test=(x, y), num_points=2, loss="mse")
    assert list(points.columns[4:]) == ["test/loss", "test/mse"]
    for i, end in enumerate((a, b)):
        mse = sklearn.metrics.mean_squared_error(y, end.predict(x, verbose=0))
        assert points["test/mse"][i] == pytest.approx(mse, rel=1e-5)
        penalty = 0.5 * WEIGHT_DECAY * np.sum(pack(end).astype("float64") ** 2)
        assert points["test/loss"][i] == pytest.approx(mse + penalty, rel=1e-5)


def test_regression_targets_without_an_axis_of_their_own_count_alike():
    keras.utils.set_random_seed(1)
    pair = [keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)]) for _ in range(2)]
    curve = mc.connect(*pair)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 3)).astype("float32"), rng.normal(size=30).astype("float32")
    points = mc.evaluate(curve, test=(x, y), num_points=2, loss="mse")
    expected = sklearn.metrics.mean_squared_error(y, pair[0].predict(x, verbose=0))
    assert points["test/mse"][0] == pytest.approx(expected, rel=1e-5)
    column = mc.evaluate(curve, test=(x, y[:, None]), num_points=2, loss="mse")
    pd.testing.assert_frame_equal(points, column)


def test_probabilities_are_told_from_logits_whatever_the_loss(plain_networks):
    x, y = arrays(1)
    one_hot = np.eye(CLASSES, dtype="float32")[y]

    def with_softmax(network):
        return keras.Sequential([keras.Input((6, 6, 1)), *network.layers, keras.layers.Softmax()])

    soft = connected([with_softmax(n) for n in plain_networks])
    squared = mc.evaluate(soft, test=(x, one_hot), t=[0.0], loss="mse", num_classes=CLASSES)
    expected = expected_row(plain_networks[0], x, y)["nll"]
    assert squared["test/nll"][0] == pytest.approx(expected, rel=1e-4)


def test_several_inputs_are_evaluated():
    def network(seed):
        keras.utils.set_random_seed(seed)
        inputs = [keras.Input((2,)), keras.Input((3,))]
        return keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Concatenate()(inputs)))

    a, b = network(1), network(2)
    rng = np.random.default_rng(0)
    x = [rng.normal(size=(40, n)).astype("float32") for n in (2, 3)]
    y = rng.integers(0, 2, 40)
    points = mc.evaluate(mc.connect(a, b), test=(x, y), num_points=2, loss=logits_loss())
    accuracy = sklearn.metrics.accuracy_score(y, a.predict(x, verbose=0).argmax(-1))
    assert points["test/accuracy"][0] == pytest.approx(accuracy)


def test_classes_need_an_output_each(plain_networks):
    curve = connected(plain_networks)
    with pytest.raises(ValueError, match="For two classes use two outputs"):
        mc.evaluate(curve, test=arrays(), num_classes=CLASSES + 1)
    with pytest.raises(ValueError, match="needs targets"):
        mc.evaluate(curve, test=arrays()[0])


def test_an_interrupted_evaluation_continues_to_the_same_table(networks, monkeypatch):
    curve, train = connected(networks), batched(*arrays(3, n=45))
    monkeypatch.setattr(evaluator, "BLOCK", 3)
    whole = mc.evaluate(curve, train=train, num_points=4)
    kept, read = [], []

    def interrupt(values):
        kept.append(values.copy())
        if len(kept) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        mc.evaluate(curve, train=train, num_points=4, after_block=interrupt)
    assert [len(values["train/loss"]) for values in kept] == [3, 6]

    def reading(batches, label):
        read.append(label)
        return batches

    rest = mc.evaluate(
        curve,
        train=train,
        num_points=4,
        after_block=kept.append,
        snapshot=kept[-1],
        progress=reading,
    )
    pd.testing.assert_frame_equal(rest, whole, check_exact=True)
    assert read == [f"{what}, points 7 to 8 of 8" for what in ("BatchNorm statistics", "train")]


def test_what_is_missing_is_named(networks):
    curve = connected(networks)
    with pytest.raises(ValueError, match="pass train=, valid= or test="):
        mc.evaluate(curve)
    with pytest.raises(ValueError, match="The network has BatchNorm: pass train="):
        mc.evaluate(curve, test=arrays())
    with pytest.raises(ValueError, match="No loss"):
        mc.evaluate(mc.connect(*networks), train=arrays())
    empty = batched(*arrays()).take(0)
    with pytest.raises(ValueError, match="received no batch"):
        mc.evaluate(curve, train=arrays(), test=empty, num_classes=CLASSES)
    plain = connected([build(s, batchnorm=False) for s in (1, 2)])
    probabilities = keras.losses.SparseCategoricalCrossentropy()
    with pytest.raises(ValueError, match="not probabilities"):
        mc.evaluate(plain, test=arrays(), loss=probabilities)
