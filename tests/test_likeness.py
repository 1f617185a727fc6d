"""How alike networks along a path predict to those at its ends, and the barrier of each layer."""

import json

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from conftest import QUICK, logits_loss, only
from hypothesis import given
from hypothesis import strategies as st
from keras import layers
from scipy.spatial.distance import jensenshannon
from scipy.special import softmax

import mc
from mc import plots
from mc.datasets import digits
from mc.evaluation import layers as of_layers
from mc.evaluation import tasks
from mc.evaluation.tasks.labels import Labels
from mc.network.weights import FlatNetwork

RNG = np.random.default_rng(5)
X = RNG.normal(size=(40, 4)).astype("float32")
Y = RNG.integers(0, 3, 40)


def network(seed, batchnorm=False, out=None):
    keras.utils.set_random_seed(seed)
    parts = [layers.Dense(6, "tanh"), layers.Dense(3)]
    parts[1:1] = [layers.BatchNormalization()] if batchnorm else []
    return keras.Sequential([keras.Input((4,)), *parts, *([out] if out else [])])


def by_hand(one, other, x=X, weight=None, logits=True):
    p, q = (n.predict(x, verbose=0).astype(float) for n in (one, other))
    differs = p.argmax(-1) != q.argmax(-1)
    if logits:
        p, q = softmax(p, -1), softmax(q, -1)
    distance = [jensenshannon(a, b, 2) for a, b in zip(p, q, strict=True)]
    return np.average(differs, weights=weight), np.average(distance, weights=weight)


@given(st.integers(0, 10**6), st.sampled_from([0.1, 1.0, 30.0]))
def test_the_distance_is_scipy_s(seed, scale):
    rng = np.random.default_rng(seed)
    one, other = rng.normal(scale=scale, size=(2, 5, 4)).astype("float32")
    y = np.zeros(5, int)
    found = Labels(num_classes=4).likeness(y, tf.constant(one), tf.constant(other))
    p, q = softmax(one.astype(float), -1), softmax(other.astype(float), -1)
    wanted = sum(jensenshannon(a, b, 2) for a, b in zip(p, q, strict=True))
    np.testing.assert_allclose(found["distance"], wanted, atol=1e-5)
    assert found["differs"] == np.sum(one.argmax(-1) != other.argmax(-1))
    same = Labels(num_classes=4).likeness(y, tf.constant(one), tf.constant(one))
    assert same["distance"] == same["differs"] == 0


def test_certain_predictions_are_one_apart_and_do_not_break():
    one = np.array([[1.0, 0.0]], "float32")
    task = Labels(num_classes=2, logits=False)
    found = task.likeness([0], tf.constant(one), tf.constant(one[:, ::-1].copy()))
    np.testing.assert_allclose(found["distance"], 1, atol=1e-5)
    far = np.array([[1e4, -1e4]], "float32")
    found = Labels(num_classes=2).likeness([0], tf.constant(far), tf.constant(-far))
    np.testing.assert_allclose(found["distance"], 1)


def test_what_does_not_count_is_not_compared():
    one, other = RNG.normal(size=(2, 4, 3)).astype("float32")
    task = Labels(num_classes=3, ignored=2)
    y, weight = np.array([0, 2, 1, 0]), np.array([1.0, 1.0, 2.0, 0.0], "float32")
    found = task.likeness(y, tf.constant(one), tf.constant(other), tf.constant(weight))
    differs = one.argmax(-1) != other.argmax(-1)
    assert found["differs"] == differs[0] + 2 * differs[2]


@pytest.mark.parametrize("batchnorm", [False, True])
@pytest.mark.parametrize("batch", [40, 7])
def test_along_a_path_networks_are_compared_with_its_ends(batchnorm, batch):
    a, b = network(1, batchnorm), network(2, batchnorm)
    curve = mc.connect(a, b, curve="bezier", num_bends=1, init="random", seed=3)
    data = tf.data.Dataset.from_tensor_slices((X, Y)).batch(batch)
    given = {"train": data, "loss": logits_loss(), "t": [0.0, 0.3, 1.0]}
    table = mc.evaluate(curve, **given, compare=True)
    plain = mc.evaluate(curve, **given)
    pd.testing.assert_frame_equal(table[plain.columns], plain)
    start, end = (curve.network_at(t, data) for t in (0.0, 1.0))
    end = curve.network_at(1.0, data, into=network(9, batchnorm))
    for _, row in table[table["path"] == "curve"].iterrows():
        own = curve.network_at(row["t"], data, into=network(8, batchnorm))
        for name, other in (("start", start), ("end", end)):
            found = row[f"train/disagreement_{name}"], row[f"train/js_distance_{name}"]
            np.testing.assert_allclose(found, by_hand(own, other), atol=2e-6)
    ends = table[(table["path"] == "linear") & (table["t"] == 1.0)].iloc[0]
    assert ends["train/js_distance_end"] == 0
    assert ends["train/js_distance_start"] > 0.01


def test_repaired_networks_are_compared_too():
    a, b = network(1), network(2)
    curve = mc.connect(a, b)
    table = mc.evaluate(
        curve, train=(X, Y), loss=logits_loss(), t=[0.0, 0.5, 1.0], repair=True, compare=True
    )
    own = table[table["path"] == "repaired"]
    np.testing.assert_allclose(own["train/js_distance_start"].iloc[0], 0, atol=1e-3)
    np.testing.assert_allclose(own["train/js_distance_end"].iloc[0], by_hand(a, b)[1], rtol=1e-3)


def test_yes_and_no_and_each_of_several_outputs_are_compared():
    def binary(seed):
        keras.utils.set_random_seed(seed)
        return keras.Sequential([keras.Input((4,)), layers.Dense(1, "sigmoid")])

    a, b = binary(1), binary(2)
    told = (Y > 0).astype("float32")[:, None]
    given = {"loss": "binary_crossentropy", "t": [0.0, 1.0], "compare": True}
    table = mc.evaluate(mc.connect(a, b), train=(X, told), **given)
    p, q = (np.hstack([1 - n.predict(X, verbose=0), n.predict(X, verbose=0)]) for n in (a, b))
    wanted = np.mean([jensenshannon(i, j, 2) for i, j in zip(p, q, strict=True)])
    np.testing.assert_allclose(table["train/js_distance_end"].iloc[0], wanted, rtol=1e-4)

    def two(seed):
        keras.utils.set_random_seed(seed)
        inputs = keras.Input((4,))
        outputs = {"kind": layers.Dense(3)(inputs), "size": layers.Dense(1)(inputs)}
        return keras.Model(inputs, outputs)

    losses = {"kind": logits_loss(), "size": "mse"}
    table = mc.evaluate(
        mc.connect(two(1), two(2)),
        train=(X, {"kind": Y, "size": X[:, :1]}),
        **given | {"loss": losses},
    )
    assert table["train/kind_js_distance_end"].iloc[0] > 0
    assert not [name for name in table if "size_disagreement" in name]


def test_a_regression_has_nothing_to_compare(caplog):
    caplog.set_level("INFO")
    keras.utils.set_random_seed(1)
    a, b = (keras.Sequential([keras.Input((4,)), layers.Dense(1)]) for _ in range(2))
    table = mc.evaluate(
        mc.connect(a, b), train=(X, X[:, :1]), loss="mse", t=[0.0, 1.0], compare=True
    )
    assert not [name for name in table if "disagreement" in name]
    assert "no classes are not compared" in caplog.text
    assert tasks.Task().likeness(None, None, None) == {}


# --- layers


def test_every_layer_moves_alone():
    a, b = network(1), network(2)
    flat = FlatNetwork(a)
    places = of_layers.layers_of(flat)
    assert [len(own) for own in places.values()] == [4 * 6 + 6, 6 * 3 + 3]
    assert np.concatenate(list(places.values())).tolist() == list(range(flat.size))
    curve = mc.connect(a, b)
    from mc.evaluation.along import evaluators

    at = evaluators(curve, {"train": (X, Y)}, None, loss=logits_loss(), loss_weights=None)
    table = of_layers.barriers(flat, mc.pack(a), mc.pack(b), at)
    assert table["weights"].tolist() == [30, 21]
    mixed, heights = network(3), []
    for layer in range(2):
        values = []
        for t in np.linspace(0, 1, 11):
            mixed.set_weights(a.get_weights())
            parts = zip(a.layers[layer].get_weights(), b.layers[layer].get_weights(), strict=True)
            mixed.layers[layer].set_weights([(1 - t) * u + t * v for u, v in parts])
            values.append(logits_loss()(Y, mixed.predict(X, verbose=0)).numpy())
        ends = [logits_loss()(Y, n.predict(X, verbose=0)).numpy() for n in (a, b)]
        heights.append(max(values) - max(ends))
    np.testing.assert_allclose(table["train/nll/barrier_max"], heights, atol=1e-5)
    distance = np.linalg.norm((mc.pack(b) - mc.pack(a))[:30])
    assert table["distance"].iloc[0] == pytest.approx(distance, rel=1e-5)


BUILD = [*QUICK, "build=true", "stage=eval"]


def run(cli, *arguments):
    status, output = cli(*arguments)
    assert status == 0, output
    return output


@pytest.mark.slow
def test_eval_compares_and_looks_at_layers(cli, tmp_path):
    run(cli, *BUILD, "eval.compare=true", "eval.layers=true")
    folder = only(tmp_path, "eval/*")
    points = pd.read_csv(folder / "points.csv")
    start = points[(points["path"] == "curve") & (points["t"] == 0)].iloc[0]
    assert start["test/disagreement_start"] == 0
    models = [
        keras.models.load_model(only(tmp_path, f"base/*seed{k}*/model.keras")) for k in (1, 2)
    ]
    x, _ = (array[:32] for array in digits()["test"])
    found = start["test/disagreement_end"], start["test/js_distance_end"]
    np.testing.assert_allclose(found, by_hand(*models, x), atol=1e-5)
    table = pd.read_csv(folder / "layers.csv")
    assert len(table) == 2
    summary = json.loads((folder / "summary.json").read_text())
    name = "test/error/barrier_max"
    assert summary[f"layers/{name}/max"] == table[name].max()
    assert "curve/test/js_distance_start/max" in summary
    for figure in ("layers", "likeness_along_t"):
        assert (folder / "figures" / f"{figure}.pdf").exists()


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (["objective=curve/test/disagreement_start/max"], "made with eval.compare=true alone"),
        (["objective=all/test/disagreement_start/max"], "is not made by stage=eval"),
        (
            ["stage=chain", "objective=chain/test/disagreement_start/max"],
            "is not made by stage=chain",
        ),
        (["objective=layers/test/error/barrier_max/max"], "made with eval.layers=true alone"),
        (["curve=simplex", "endpoints=[1,2,3]", "eval.layers=true"], "eval.layers: these are of"),
    ],
)
def test_what_is_not_made_is_told(cli, typed, told):
    status, output = cli(*BUILD, *typed)
    assert status != 0
    assert told in output


def test_the_figure_of_layers_needs_a_barrier_each():
    with pytest.raises(ValueError, match="layers needs panels of 2 barriers"):
        plots.layers(["a", "b"], {"barrier": [1.0]})
