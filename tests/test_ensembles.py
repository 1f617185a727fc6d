"""Rates, averages and predictive means, against the formulas written out again."""

import keras
import numpy as np
import pytest
import scipy.special
import tensorflow as tf
from conftest import CLASSES, arrays, build, logits_loss, trained
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, log_loss

from mc import schedules
from mc.datasets import Split
from mc.ensembles import averages, fge, predictive
from mc.network.weights import FlatNetwork, pack

RATES = st.floats(1e-4, 1.0)


@given(st.integers(0, 10_000), st.integers(1, 500), RATES, RATES)
def test_the_cyclical_rate_is_a_triangle_between_the_two_rates(i, half, lr_1, lr_2):
    cycle = 2 * half
    place = i % cycle
    distance = min(place, cycle - place) / half  # 0 at a cycle's ends, 1 in its middle
    expected = lr_1 + distance * (lr_2 - lr_1)
    assert schedules.cyclical(i, cycle, lr_1, lr_2) == pytest.approx(expected, rel=1e-9)


def test_the_callback_gives_every_step_the_rate_of_the_formula():
    seen = []

    class Look(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            seen.append(float(self.model.optimizer.learning_rate))

    network = build(0, dropout=False)
    network.compile(keras.optimizers.SGD(1.0), logits_loss())
    rate = fge.CyclicalRate(cycle=2, lr_1=0.05, lr_2=0.01)
    network.fit(*arrays(n=48), batch_size=12, epochs=4, callbacks=[rate, Look()], verbose=0)
    fall = [0.05, 0.04, 0.03, 0.02]  # four steps an epoch, so eight a cycle
    rise = [0.01, 0.02, 0.03, 0.04]
    np.testing.assert_allclose(seen, (fall + rise) * 2, rtol=1e-5)


def test_a_member_is_collected_in_the_middle_of_every_cycle():
    assert list(fge.low_points(40, 2)) == list(range(1, 40, 2))
    assert list(fge.low_points(10, 4)) == [2, 6, 10]
    assert list(fge.low_points(1, 4)) == []


@pytest.mark.parametrize("cycle", [3, 0, 1])
def test_an_odd_cycle_is_refused(cycle):
    with pytest.raises(ValueError, match="even number of epochs"):
        fge.CyclicalRate(cycle, 0.05, 0.01)


def test_running_means_are_means_of_the_first_so_many():
    w = np.random.default_rng(0).normal(size=(4, 9)).astype("float32")
    means = list(averages.running_means(iter(w)))
    for k, mean in enumerate(means, 1):
        np.testing.assert_allclose(mean, w[:k].mean(axis=0), rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(means[0], w[0])


def three_members():
    """Three networks, and the members that stand for them."""
    networks = [trained(seed) for seed in (1, 2, 3)]
    members = [
        predictive.Member(f"n{i}", pack(n), FlatNetwork(n).state()) for i, n in enumerate(networks)
    ]
    return networks, members


def test_the_predictive_mean_is_that_of_the_probabilities_and_members_are_the_networks():
    networks, members = three_members()
    x, y = arrays(7)
    table = predictive.join(
        FlatNetwork(networks[0]), iter(members), {"test": Split(x, y).batches(20)}, logits_loss()
    )
    assert table["members"].tolist() == [1, 2, 3]
    p = [keras.ops.softmax(n.predict(x, verbose=0)).numpy().astype("float64") for n in networks]
    for k in range(3):
        for prefix, probabilities in (("", p[k]), ("ensemble/", np.mean(p[: k + 1], axis=0))):
            probabilities = probabilities / probabilities.sum(axis=1, keepdims=True)
            row, predicted = table.iloc[k], probabilities.argmax(axis=1)
            squares = (probabilities - np.eye(CLASSES)[y]) ** 2
            expected = {
                "nll": log_loss(y, probabilities, labels=range(CLASSES)),
                "accuracy": accuracy_score(y, predicted),
                "f1": f1_score(y, predicted, average="weighted", zero_division=0),
                "brier": squares.sum(axis=1).mean(),
            }
            for metric, value in expected.items():
                assert row[f"{prefix}test/{metric}"] == pytest.approx(value, rel=1e-5), metric


def test_an_ensemble_of_one_and_of_twins_equals_its_member():
    networks, members = three_members()
    batches = {"test": Split(*arrays(7)).batches(48)}
    twins = [members[0], members[0]]
    table = predictive.join(FlatNetwork(networks[0]), twins, batches, logits_loss())
    for metric in ("nll", "error", "accuracy", "f1", "ece", "brier"):
        single = table[f"test/{metric}"][0]
        np.testing.assert_allclose(table[f"ensemble/test/{metric}"], [single] * 2, rtol=1e-12)


def test_regressions_are_averaged_by_their_outputs():
    x = np.linspace(-1, 1, 10, dtype="float32")[:, None]
    y = 3 * x

    def line(slope):
        network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
        network.set_weights([np.array([[slope]], "float32")])
        return network

    networks = [line(1.0), line(4.0)]
    members = [predictive.Member("line", pack(n), []) for n in networks]
    kept = {}

    def keep(split, number, mean):
        kept[split, number] = mean

    splits = {"test": Split(x, y).batches(4)}
    table = predictive.join(FlatNetwork(networks[0]), members, splits, "mse", keep=keep)
    assert list(kept) == [("test", 0), ("test", 1), ("test", 2)]
    np.testing.assert_allclose(np.concatenate(list(kept.values())), 2.5 * x, rtol=1e-6)
    square = np.mean(x**2)
    np.testing.assert_allclose(table["test/mse"], [4 * square, square], rtol=1e-5)
    np.testing.assert_allclose(table["ensemble/test/mse"], [4 * square, square / 4], rtol=1e-5)


def test_an_ensemble_of_nobody_is_refused():
    with pytest.raises(ValueError, match="at least one member"):
        predictive.join(
            FlatNetwork(build(0)), [], {"test": Split(*arrays()).batches(9)}, logits_loss()
        )


def test_a_member_that_is_not_finite_leaves_its_ensemble_without_numbers():
    networks, members = three_members()
    broken = predictive.Member("broken", np.full_like(members[1].w, np.nan), members[1].state)
    splits = {"test": Split(*arrays(7)).batches(48)}
    table = predictive.join(FlatNetwork(networks[0]), [members[0], broken], splits, logits_loss())
    assert table.loc[0].notna().all()
    assert table.filter(like="/").loc[1].isna().all()
    found = predictive.summary(table)
    assert np.isnan([v for k, v in found.items() if k != "num_members"]).all()


def test_examples_of_an_ignored_class_do_not_count():
    networks, members = three_members()
    x, y = arrays(7)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=1)
    flat = FlatNetwork(networks[0])
    found = predictive.join(flat, members, {"test": Split(x, y).batches(20)}, loss)
    kept = Split(x[y != 1], y[y != 1])
    expected = predictive.join(flat, members, {"test": kept.batches(20)}, logits_loss())
    assert list(found.columns) == list(expected.columns)
    np.testing.assert_allclose(found.filter(like="/"), expected.filter(like="/"), rtol=1e-5)


@pytest.mark.parametrize("leading", [(), (4,)])
def test_the_mean_of_decisions_is_that_of_their_probabilities(leading):
    rng = np.random.default_rng(5)
    networks = []
    for seed in (1, 2, 3):
        keras.utils.set_random_seed(seed)
        networks.append(
            keras.Sequential([keras.Input((*leading, 3)), keras.layers.Dense(2, "sigmoid")])
        )
    x = rng.normal(size=(20, *leading, 3)).astype("float32")
    y = rng.integers(0, 2, (20, *leading, 2))
    members = [predictive.Member(str(i), pack(n), []) for i, n in enumerate(networks)]
    kept = []
    table = predictive.join(
        FlatNetwork(networks[0]),
        iter(members),
        {"test": tf.data.Dataset.from_tensor_slices((x, y)).batch(8)},
        "binary_crossentropy",
        keep=lambda split, number, mean: kept.append(mean),
    )
    p = np.mean([n.predict(x, verbose=0).astype("float64") for n in networks], axis=0)
    np.testing.assert_allclose(np.concatenate(kept), p, rtol=1e-6)
    last = table.iloc[-1]
    wrong = np.mean((p > 0.5) != y)
    assert last["ensemble/test/error"] == pytest.approx(wrong)
    nll = -np.mean(np.where(y, np.log(p), np.log1p(-p)))
    assert last["ensemble/test/nll"] == pytest.approx(nll, rel=1e-6)


def test_masked_steps_do_not_count_in_ensembles_and_outputs_are_apart():
    def network(seed):
        keras.utils.set_random_seed(seed)
        tokens = keras.Input((5,), dtype="int32")
        hidden = keras.layers.Embedding(7, 4, mask_zero=True)(tokens)
        steps = keras.layers.LSTM(4, return_sequences=True)(hidden)
        outputs = {"tag": keras.layers.Dense(3, name="tag")(steps)}
        outputs["size"] = keras.layers.Dense(1, name="size")(keras.layers.LSTM(3)(hidden))
        return keras.Model(tokens, outputs)

    rng = np.random.default_rng(6)
    x = rng.integers(1, 7, (12, 5)) * (np.arange(5) < rng.integers(1, 6, (12, 1)))
    y = {"tag": rng.integers(0, 3, (12, 5)), "size": rng.normal(size=(12, 1))}
    networks = [network(1), network(2)]
    states = [FlatNetwork(n).state() for n in networks]
    members = [
        predictive.Member(str(i), pack(n), s)
        for i, (n, s) in enumerate(zip(networks, states, strict=True))
    ]
    loss = {"tag": logits_loss(), "size": "mse"}
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(5)
    table = predictive.join(FlatNetwork(networks[0]), members, {"test": data}, loss)
    outputs = [n.predict(x, verbose=0) for n in networks]
    size = np.mean([o["size"] for o in outputs], axis=0)
    p = np.mean([scipy.special.softmax(o["tag"].astype("float64"), -1) for o in outputs], axis=0)[
        x != 0
    ]
    last = table.iloc[-1]
    assert last["ensemble/test/size_mse"] == pytest.approx(np.mean((size - y["size"]) ** 2))
    tags = y["tag"][x != 0]
    nll = log_loss(tags, p.astype("float64") / p.sum(1, keepdims=True), labels=range(3))
    assert last["ensemble/test/tag_nll"] == pytest.approx(nll, rel=1e-5)
    assert last["ensemble/test/tag_error"] == pytest.approx(np.mean(p.argmax(1) != tags))


def test_an_ensemble_of_a_task_that_has_its_loss_alone_has_no_metrics(caplog):
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    member = predictive.Member("a", pack(network), [])
    x, y = np.ones((8, 3), "float32"), np.ones((8, 1), "float32")
    splits = {"test": Split(x, y).batches(4)}
    table = predictive.join(FlatNetwork(network), [member] * 2, splits, "hinge")
    assert list(table.columns) == ["members", "name"]
    assert "its loss alone, for its outputs are margins" in caplog.text
