"""The loss of an evaluation against Keras' own `evaluate` of the same network and batches."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, losses

import mc
from mc.models import gpt
from mc.network.weights import pack

N, SIZE, STEPS = 22, 8, 7  # examples, in batches of which the last is short; steps of a sequence
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 5)).astype("float32")
SEQUENCES = RNG.normal(size=(N, STEPS, 3)).astype("float32")
TOKENS = RNG.integers(1, 9, (N, STEPS)) * (np.arange(STEPS) < RNG.integers(2, STEPS + 1, (N, 1)))
LABELS = RNG.integers(0, 3, N)
ONE_HOT = np.eye(3, dtype="float32")[LABELS]
REAL = RNG.normal(size=N).astype("float32")
YES = RNG.integers(0, 2, N)
WEIGHT = RNG.uniform(0, 2, N).astype("float32")


def dense(units, activation=None):
    return lambda: keras.Sequential(
        [keras.Input((5,)), layers.Dense(4, "tanh"), layers.Dense(units, activation)]
    )


def per_step(units, activation=None):
    """A masked sequence of steps, each with outputs of its own."""
    return lambda: keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            layers.Embedding(9, 4, mask_zero=True),
            layers.LSTM(4, return_sequences=True),
            layers.Dense(units, activation),
        ]
    )


def sequence():
    return keras.Sequential([keras.Input((STEPS, 3)), layers.Dense(4, "tanh"), layers.Dense(2)])


def with_blanks():
    return keras.Sequential([keras.Input((STEPS, 3)), layers.Dense(4)])


def several(kind):
    def build():
        inputs = keras.Input((5,))
        hidden = layers.Dense(4, "tanh")(inputs)
        outputs = {"a": layers.Dense(1, name="a")(hidden)}
        outputs["b"] = layers.Dense(3, "softmax", name="b")(hidden)
        return keras.Model(inputs, outputs if kind == "dict" else list(outputs.values()))

    return build


def unet(units):
    """Down, up, and a connection between; outputs for every pixel."""

    def build():
        inputs = keras.Input((4, 4, 2))
        wide = layers.Conv2D(3, 3, padding="same", activation="tanh")(inputs)
        deep = layers.Conv2D(4, 3, padding="same", activation="tanh")(layers.MaxPooling2D(2)(wide))
        joined = layers.Concatenate()([wide, layers.UpSampling2D(2)(deep)])
        return keras.Model(inputs, layers.Conv2D(units, 1)(joined))

    return build


def from_dict():
    """Two inputs and two outputs, all by name."""
    x, tokens = keras.Input((5,), name="x"), keras.Input((STEPS,), dtype="int32", name="tokens")
    words = layers.GlobalAveragePooling1D()(layers.Embedding(9, 4)(tokens))
    hidden = layers.Dense(4, "tanh")(layers.Concatenate()([x, words]))
    outputs = {"a": layers.Dense(1)(hidden), "b": layers.Dense(3, "softmax")(hidden)}
    return keras.Model({"x": x, "tokens": tokens}, outputs)


def own(y_true, y_pred):
    return keras.ops.mean(keras.ops.abs(y_true - y_pred) ** 1.5, axis=-1)


PICTURES = RNG.normal(size=(N, 4, 4, 2)).astype("float32")
PIXELS = RNG.integers(0, 3, (N, 4, 4))
SPARSE = losses.SparseCategoricalCrossentropy(from_logits=True)
PARTIAL = functools.partial(losses.sparse_categorical_crossentropy, from_logits=True)
BOTH = {"a": "mse", "b": "sparse_categorical_crossentropy"}
# name -> network, x, y, loss, then sample weights and loss weights where there are some
KINDS = {
    "labels by object": (dense(3), X, LABELS, SPARSE),
    "labels by name": (dense(3, "softmax"), X, LABELS, "sparse_categorical_crossentropy"),
    "labels by function": (dense(3, "softmax"), X, LABELS, losses.sparse_categorical_crossentropy),
    "labels by partial": (dense(3), X, LABELS, PARTIAL),
    "labels, by shape": (dense(3, "softmax"), X, LABELS, "crossentropy"),
    "labels weighted": (dense(3), X, LABELS, SPARSE, WEIGHT),
    "labels of [n, 1]": (dense(3), X, LABELS[:, None], SPARSE),
    "one-hot by name": (dense(3, "softmax"), X, ONE_HOT, "categorical_crossentropy"),
    "binary by name": (dense(1, "sigmoid"), X, YES, "binary_crossentropy"),
    "binary of logits": (dense(1), X, YES[:, None], losses.BinaryCrossentropy(from_logits=True)),
    "multi-label": (dense(3, "sigmoid"), X, (RNG.random((N, 3)) < 0.5) * 1, "bce"),
    "y [n], outputs [n, 1]": (dense(1), X, REAL, "mse"),
    "absolute by name": (dense(1), X, REAL[:, None], "mae"),
    "counts": (dense(2), X, RNG.poisson(3, (N, 2)), "mse"),
    "own function": (dense(1), X, REAL[:, None], own),
    "sequences": (sequence, SEQUENCES, RNG.normal(size=(N, STEPS, 2)).astype("float32"), "mse"),
    "steps masked": (per_step(1), TOKENS, RNG.normal(size=(N, STEPS, 1)).astype("float32"), "mse"),
    "tokens masked": (
        *(per_step(3, "softmax"), TOKENS, RNG.integers(0, 3, (N, STEPS))),
        "sparse_categorical_crossentropy",
    ),
    "steps masked and weighted": (
        *(per_step(1), TOKENS, RNG.normal(size=(N, STEPS, 1)).astype("float32"), "mse"),
        RNG.uniform(0, 2, (N, STEPS)).astype("float32"),
    ),
    "weights of the batch": (
        *(dense(1), X, REAL, losses.MeanSquaredError(reduction="mean_with_sample_weight")),
        WEIGHT,
    ),
    "a class ignored": (
        *(dense(3), X, LABELS),
        losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=1),
    ),
    "summed": (dense(1), X, REAL, losses.MeanSquaredError(reduction="sum")),
    "without reduction": (dense(1), X, REAL, losses.MeanSquaredError(reduction=None)),
    "outputs by name": (several("dict"), X, {"a": REAL, "b": LABELS}, BOTH),
    "outputs by name, weighed": (
        *(several("dict"), X, {"a": REAL, "b": LABELS}, BOTH, None, {"a": 0.1, "b": 3.0}),
    ),
    "outputs in a list": (
        *(several("list"), X, (REAL, LABELS), ["mse", "sparse_categorical_crossentropy"]),
        *(None, [0.5, 2.0]),
    ),
    "one loss for names of a list": (several("list"), X, (REAL, LABELS), BOTH),
    "inputs and outputs by name": (
        *(from_dict, {"x": X, "tokens": TOKENS}, {"a": REAL, "b": LABELS}, BOTH, None),
        {"a": 0.5, "b": 2.0},
    ),
    "a decoder of padded tokens": (
        *(lambda: gpt((STEPS,), 9, layers=1, width=8, mask_zero=True), TOKENS),
        *(np.roll(TOKENS, -1, 1), SPARSE),
    ),
    "pixels": (unet(3), PICTURES, PIXELS, SPARSE),
    "pixels, yes and no": (
        *(unet(1), PICTURES, (PIXELS > 1)[..., None] * 1),
        losses.BinaryCrossentropy(from_logits=True),
    ),
    "rates": (dense(2, "softplus"), X, RNG.poisson(3, (N, 2)), losses.Poisson()),
    "sequences without places": (
        *(with_blanks, SEQUENCES, 1 + RNG.integers(0, 3, (N, 2)), losses.CTC()),
    ),
}


def data_of(x, y, weight=None, size=SIZE):
    parts = (x, y) if weight is None else (x, y, weight)
    return tf.data.Dataset.from_tensor_slices(parts).batch(size)


def pair_of(build):
    """Two networks, and the straight segment between them."""
    networks = []
    for seed in (1, 2):
        keras.utils.set_random_seed(seed)
        networks.append(build())
    points = np.stack([pack(n) for n in networks])
    return networks[0], mc.CurveModel(networks[0], mc.Linear(), points)


def keras_says(network, data, loss, loss_weights=None, metrics=()):
    network.compile("sgd", loss, loss_weights=loss_weights, weighted_metrics=metrics or None)
    return network.evaluate(data, verbose=0, return_dict=True)


# Of which the loss depends on how examples are put into batches.
DEPENDENT = {
    "steps masked": "masked",
    "tokens masked": "masked",
    "steps masked and weighted": "masked",
    "weights of the batch": "no mean over the examples",
    "a class ignored": "ignores a class",
    "summed": "adds up each batch",
    "a decoder of padded tokens": "masked",
}


LABELED = ["nll", "error", "accuracy", "f1"]
SCORES = {"labels": LABELED, "regression": ["mse"], "tokens": [*LABELED, "perplexity"]}
SCORES |= {"pixels": [*LABELED, "iou"], "loss": []}
SCORES["several"] = ["a_mse", *(f"b_{name}" for name in LABELED)]
TASKS = {
    **dict.fromkeys(["binary by name", "binary of logits", "multi-label"], "labels"),
    **dict.fromkeys(["outputs by name", "outputs by name, weighed"], "several"),
    **dict.fromkeys(["outputs in a list", "one loss for names of a list"], "several"),
    **dict.fromkeys(["tokens masked", "a decoder of padded tokens"], "tokens"),
    "inputs and outputs by name": "several",
    "pixels": "pixels",
    "pixels, yes and no": "pixels",
    "rates": "regression",
    "sequences without places": "loss",
    **dict.fromkeys(["labels by object", "labels by name", "labels by function"], "labels"),
    **dict.fromkeys(["labels by partial", "labels, by shape", "labels weighted"], "labels"),
    **dict.fromkeys(["labels of [n, 1]", "one-hot by name", "a class ignored"], "labels"),
    **dict.fromkeys(["y [n], outputs [n, 1]", "absolute by name", "counts"], "regression"),
    **dict.fromkeys(["own function", "sequences", "steps masked"], "regression"),
    **dict.fromkeys(["steps masked and weighted", "weights of the batch"], "regression"),
    **dict.fromkeys(["summed", "without reduction"], "regression"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_is_the_one_of_keras_and_known_to_depend_on_batches_where_it_does(kind, caplog):
    build, x, y, loss, weight, loss_weights = (*KINDS[kind], None, None)[:6]
    start, curve = pair_of(build)
    networks = [start, build(), build()]
    for network, t in zip(networks[1:], (0.5, 1.0), strict=True):
        network.set_weights(mc.unpack(start, curve.weights_at(t)))
    found, reasons = [], []
    for size in (SIZE, 5):
        data = data_of(x, y, weight, size)
        table = mc.evaluate(curve, test=data, num_points=3, loss=loss, loss_weights=loss_weights)
        for row, network in enumerate(networks[: 3 if size == SIZE else 1]):
            expected = keras_says(network, data, loss, loss_weights)["loss"]
            assert table["test/loss"][row] == pytest.approx(expected, rel=1e-5), kind
        found.append(table["test/loss"][0])
        reasons.append(table.attrs["dependence"].get("test"))
    if kind in DEPENDENT:
        assert DEPENDENT[kind] in reasons[0]
        assert found[1] != pytest.approx(found[0], rel=2e-6)
    else:
        assert reasons == [None, None]
        assert found[1] == pytest.approx(found[0], rel=1e-5)

    metrics = SCORES[TASKS[kind]]
    assert list(table.columns[4:]) == [f"test/{m}" for m in ["loss", *metrics]]
    said = [r.getMessage() for r in caplog.records]
    assert any("loss alone" in text for text in said) == (TASKS[kind] == "loss")


def test_a_network_whose_loss_is_all_its_own_is_evaluated_by_that():
    """Of `add_loss` alone, as of an autoencoder: there is neither another loss nor a target."""

    class Own(keras.layers.Layer):
        def call(self, x):
            self.add_loss(keras.ops.mean(keras.ops.square(x)))
            return x

    def build():
        inputs = keras.Input((5,))
        return keras.Model(inputs, Own()(layers.Dense(3)(inputs)))

    start = build()
    curve = mc.connect(start, build())
    curve.compile("sgd")
    assert curve.fit(X, epochs=1, verbose=0).history["loss"][0] > 0
    table = mc.evaluate(curve, test=data_of(X, REAL), t=[0.0, 1.0])
    start.compile("sgd")
    assert table["test/loss"][0] == pytest.approx(start.evaluate(X, verbose=0, batch_size=SIZE))
    assert list(table.columns[4:]) == ["test/loss"]


@pytest.mark.parametrize("kind", ["outputs by name, weighed", "labels by name", "binary by name"])
def test_a_curve_that_is_compiled_is_evaluated_by_what_it_was_compiled_with(kind):
    build, x, y, loss, weight, loss_weights = (*KINDS[kind], None, None)[:6]
    start, curve = pair_of(build)
    curve.compile("sgd", loss, loss_weights=loss_weights)
    data = data_of(x, y, weight)
    found = mc.evaluate(curve, test=data, num_points=2)["test/loss"][0]
    assert found == pytest.approx(keras_says(start, data, loss, loss_weights)["loss"], rel=1e-5)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16"])
def test_outputs_of_few_bits_have_keras_loss_too(policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        start, curve = pair_of(dense(3))
        start.layers[-1].bias.assign([300.0, 0, -300.0])  # 300^2 is more than float16 can hold
        curve = mc.CurveModel(start, mc.Point(), pack(start)[None])
        for loss, y in ((PARTIAL, LABELS), ("mse", ONE_HOT)):
            found = mc.evaluate(curve, test=data_of(X, y), t=[0.0], loss=loss)["test/loss"][0]
            expected = keras_says(start, data_of(X, y), loss)["loss"]
            assert np.isfinite(expected)
            assert found == pytest.approx(expected, rel=1e-3)
    finally:
        keras.config.set_dtype_policy(before)
