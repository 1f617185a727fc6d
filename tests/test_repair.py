"""REPAIR: units between two networks vary as those of the networks do."""

import keras
import numpy as np
import pytest
from keras import layers

import mc
from mc import models
from mc.network.repair import Repair, far
from mc.network.weights import FlatNetwork, pack


def deep():
    return models.mlp((6,), 3, widths=[16] * 6)


def convolutions():
    x = keras.Input((10, 10, 3))
    y = layers.SeparableConv2D(6, 3, activation="relu")(x)
    y = layers.DepthwiseConv2D(3, depth_multiplier=2, activation="gelu")(y)
    y = layers.Conv2DTranspose(5, 2, activation="relu")(y)
    y = layers.Add()([y, layers.Conv2D(5, 3, padding="same", activation="relu")(y)])
    inner = keras.Sequential([keras.Input((5,)), layers.Dense(7, activation="tanh")])
    return keras.Model(x, layers.Dense(3)(inner(layers.GlobalAveragePooling2D()(y))))


def pair(make, seed=0):
    keras.utils.set_random_seed(seed)
    a, b = make(), make()
    rng = np.random.default_rng(seed)
    for network in (a, b):
        for variable in network.trainable_variables:
            variable.assign_add(0.1 * rng.normal(size=variable.shape))
    x = rng.normal(size=(600, *a.input_shape[1:])).astype("float32")
    return a, b, x


def repair_of(a, b, x):
    ends, state = [pack(a), pack(b)], FlatNetwork(a).state()
    return Repair(a, ends, state, [x[:250], x[250:450], x[450:]])


def before_activation(network, w, x, names):
    """What layers output before their activation, by Keras alone; `[samples, units]` of each."""
    FlatNetwork(network).assign(w, FlatNetwork(network).state())
    found = []
    for layer in [network.get_layer(name) for name in names]:
        activation, layer.activation = layer.activation, keras.activations.linear
        inputs = keras.Model(network.inputs[0], layer.input)
        layer.activation = activation
        z = np.asarray(inputs(x))
        layer.activation = keras.activations.linear
        z = np.asarray(layer(z))
        layer.activation = activation
        found.append(z.reshape(-1, z.shape[-1]))
    return found


@pytest.mark.parametrize("make", [deep, convolutions])
@pytest.mark.parametrize("t", [0.25, 0.5])
def test_units_get_the_mean_and_deviation_between_those_of_the_ends(make, t):
    a, b, x = pair(make)
    names = [layer.name for layer in a.layers if getattr(layer, "use_bias", False)][:-1]
    others = [layer.name for layer in b.layers if getattr(layer, "use_bias", False)][:-1]
    w = repair_of(a, b, x)(t)
    ends = [before_activation(n, pack(n), x, found) for n, found in ((a, names), (b, others))]
    mixed = before_activation(a, w, x, names)
    for of_a, of_b, z in zip(*ends, mixed, strict=True):
        mean = (1 - t) * of_a.mean(0) + t * of_b.mean(0)
        deviation = (1 - t) * of_a.std(0) + t * of_b.std(0)
        np.testing.assert_allclose(z.mean(0), mean, atol=2e-3 * deviation.max())
        np.testing.assert_allclose(z.std(0), deviation, rtol=2e-3)


def test_layers_that_are_nested_and_all_but_the_last_are_repaired():
    a, b, x = pair(convolutions)
    repair = repair_of(a, b, x)
    kinds = [type(layer).__name__ for layer in repair.layers]
    assert sorted(kinds) == [
        "Conv2D",
        "Conv2DTranspose",
        "Dense",
        "DepthwiseConv2D",
        "SeparableConv2D",
    ]


def test_ends_are_the_networks_and_the_last_layer_is_straight():
    a, b, x = pair(deep)
    repair = repair_of(a, b, x)
    np.testing.assert_array_equal(repair(0), pack(a))
    np.testing.assert_array_equal(repair(1), pack(b))
    last = a.layers[-1].kernel.shape[0] * 3 + 3
    np.testing.assert_allclose(repair(0.5)[-last:], (pack(a) + pack(b))[-last:] / 2, rtol=1e-6)


def test_the_first_layer_is_as_the_closed_form():
    a, b, x = pair(deep)
    (kernel_a, bias_a, *_), (kernel_b, bias_b, *_) = a.get_weights(), b.get_weights()
    z_a, z_b, t = x @ kernel_a + bias_a, x @ kernel_b + bias_b, 0.3
    covariance = ((z_a - z_a.mean(0)) * (z_b - z_b.mean(0))).mean(0)
    variance = (1 - t) ** 2 * z_a.var(0) + t**2 * z_b.var(0) + 2 * t * (1 - t) * covariance
    factor = ((1 - t) * z_a.std(0) + t * z_b.std(0)) / np.sqrt(variance)
    expected = ((1 - t) * kernel_a + t * kernel_b) * factor
    found = repair_of(a, b, x)(t)[: kernel_a.size].reshape(kernel_a.shape)
    np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_the_deviation_that_mixing_loses_is_given_back():
    a, b, x = pair(deep)
    repair = repair_of(a, b, x)
    repair.flat.assign((pack(a) + pack(b)) / 2, [])
    goals = [((p[0] + q[0]) / 2, (p[1] + q[1]) / 2) for p, q in zip(*repair.at_ends, strict=True)]
    assert far(repair._measured(repair.plain), goals) > 0.3
    repair.flat.assign(repair(0.5), [])
    assert far(repair._measured(repair.plain), goals) < 1e-3


def test_units_that_never_change_stay_as_they_are():
    a, b, x = pair(deep)
    for network in (a, b):
        network.layers[1].kernel.assign(0 * network.layers[1].kernel)
    assert np.isfinite(repair_of(a, b, x)(0.5)).all()


def test_evaluation_has_the_repaired_segment_between_the_same_ends():
    a, b, x = pair(deep)
    curve = mc.connect(a, b)
    y = np.arange(len(x)) % 3
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    given = {"train": (x, y), "loss": loss, "num_points": 5}
    table = mc.evaluate(curve, **given, repair=True)
    rows = {path: rows.reset_index() for path, rows in table.groupby("path")}
    plain = mc.evaluate(curve, **given)
    assert list(plain["path"].unique()) == ["curve", "linear"]
    for path, own in plain.groupby("path"):
        np.testing.assert_allclose(rows[path]["train/loss"], own["train/loss"], rtol=1e-6)
    for column in ("train/loss", "train/error"):
        for row in (0, 4):
            assert rows["repaired"][column][row] == pytest.approx(rows["linear"][column][row])
    batches = [x[i : i + 128] for i in range(0, len(x), 128)]  # as arrays are split
    w = Repair(a, [pack(a), pack(b)], [], batches)(0.5)
    FlatNetwork(a).assign(w, [])
    expected = float(loss(y, a(x)))
    assert rows["repaired"]["train/loss"][2] == pytest.approx(expected, rel=1e-4)


def test_evaluation_goes_on_within_the_repaired_segment():
    a, b, x = pair(lambda: models.mlp((6,), 3, widths=[8]))
    curve = mc.connect(a, b)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    given = {"train": (x, np.arange(len(x)) % 3), "loss": loss, "num_points": 15, "repair": True}
    blocks = []
    whole = mc.evaluate(curve, **given, after_block=lambda done: blocks.append(dict(done)))
    assert len(blocks) == 2  # the first ends inside of it
    again = mc.evaluate(curve, **given, after_block=lambda _: None, snapshot=blocks[0])
    np.testing.assert_allclose(again["train/loss"], whole["train/loss"], rtol=1e-6)


def test_what_is_left_out_is_named(caplog):
    x = keras.Input((4, 6))
    y = layers.LSTM(5, name="memory")(layers.Dense(5)(x))
    network = keras.Model(x, layers.Dense(3)(layers.Dense(4, activation="relu")(y)))
    data = np.random.default_rng(0).normal(size=(50, 4, 6)).astype("float32")
    repair = Repair(network, [pack(network)] * 2, FlatNetwork(network).state(), [data])
    assert len(repair.layers) == 2
    assert "REPAIR leaves out memory" in caplog.text


def test_units_that_do_not_come_to_where_they_should_are_told(caplog, monkeypatch):
    a, b, x = pair(deep)
    repair = repair_of(a, b, x)
    monkeypatch.setattr(repair, "_mend", lambda *_: None)
    repair(0.5)
    assert "REPAIR at t=0.5: units stay up to" in caplog.text


def shared():
    x, again = keras.Input((6,)), layers.Dense(6)
    return keras.Model(x, layers.Dense(3)(again(again(x))))


def without_bias():
    x = keras.Input((6,))
    return keras.Model(x, layers.Dense(3)(layers.Dense(5, use_bias=False)(x)))


def frozen():
    network = deep()
    network.layers[2].trainable = False
    return network


def frozen_within():
    inner = keras.Sequential([keras.Input((5,)), layers.Dense(5), layers.Dense(4)])
    inner.layers[0].trainable = False
    x = keras.Input((6,))
    return keras.Model(x, layers.Dense(3)(inner(layers.Dense(5)(x))))


def in_time():
    x = keras.Input((4, 6))
    return keras.Model(x, layers.Dense(3)(layers.TimeDistributed(layers.Dense(5))(x)))


def with_batchnorm():
    return keras.Sequential(
        [keras.Input((6,)), layers.Dense(5), layers.BatchNormalization(), layers.Dense(3)]
    )


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (shared, "is used 2 times"),
        (without_bias, "has no bias"),
        (frozen, "weights that are not trained"),
        (frozen_within, "weights that are not trained"),
        (in_time, "has none that can be seen"),
        (with_batchnorm, "has BatchNorm"),
    ],
)
def test_networks_that_cannot_be_repaired_are_told_why(make, told):
    network = make()
    with pytest.raises(ValueError, match=rf"{told}.*Leave eval\.repair \(repair=True\) out"):
        Repair(network, [pack(network)] * 2, FlatNetwork(network).state(), [])


def test_repair_needs_training_data():
    a, b, x = pair(deep)
    with pytest.raises(ValueError, match="repair=True measures units on training data"):
        mc.evaluate(
            mc.connect(a, b),
            test=(x, np.zeros(len(x))),
            repair=True,
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
