"""The first batch: what a curve is checked for before it is trained or evaluated."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import CLASSES, arrays, logits_loss

import mc
from mc.network import first_look
from mc.network.weights import FlatNetwork, pack

X = np.random.default_rng(0).normal(size=(40, 5)).astype("float32")
Y = np.arange(40) % CLASSES


class Subclassed(keras.Model):
    """A network of whose inputs Keras knows nothing."""

    def __init__(self, activation):
        super().__init__()
        self.hidden = keras.layers.Dense(8, activation)
        self.out = keras.layers.Dense(CLASSES)

    def call(self, x):
        return self.out(self.hidden(x["u"] if isinstance(x, dict) else x))


def subclassed(activation, x):
    network = Subclassed(activation)
    network(x)
    return network


def batches(x):
    return tf.data.Dataset.from_tensor_slices((x, Y)).batch(8)


GIVEN = {
    "arrays": lambda x: (x, Y),
    "dataset": lambda x: (batches(x),),
    "generator": lambda x: ((b for b in batches(x)),),
}


class Lists(keras.utils.PyDataset):
    """Batches in lists, which Keras takes for tuples."""

    def __len__(self):
        return 1

    def __getitem__(self, _):
        return [{"u": X}, Y]


def drawn():
    """A data set whose length nobody knows."""
    signature = ({"u": tf.TensorSpec((None, 5))}, tf.TensorSpec((None,), tf.int64))
    return tf.data.Dataset.from_generator(lambda: iter([({"u": X}, Y)]), output_signature=signature)


@pytest.mark.parametrize(
    "data",
    [
        drawn,
        lambda: batches({"u": X}).filter(lambda x, y: tf.size(y) == 8),
        lambda: batches({"u": X}).map(lambda x, y: (x, y, None)),
        Lists,
    ],
)
@pytest.mark.filterwarnings(
    "ignore:Your input ran out of data"
)  # Keras', where lengths are unknown
def test_data_of_every_form_of_keras_are_looked_at(data):
    one, options = {"u": X[:1]}, {"verbose": 0, "shuffle": False}
    curve = mc.connect(subclassed("relu", one), subclassed("relu", one))
    curve.compile("sgd", logits_loss())
    assert len(curve.fit(data(), **options).history["loss"]) == 1
    assert np.isfinite(curve.evaluate(data(), verbose=0))
    others = mc.connect(subclassed("relu", one), subclassed("tanh", one))
    others.compile("sgd", logits_loss())
    with pytest.raises(ValueError, match="At t=1 the curve does not compute"):
        others.fit(data(), **options)


@pytest.mark.parametrize("given", GIVEN)
def test_networks_of_other_layers_are_refused_on_the_first_batch_of_fit(given):
    x = {"u": X}  # in a dict, so that no inputs can be made up
    one = {"u": X[:1]}
    curve = mc.connect(subclassed("relu", one), subclassed("tanh", one))
    curve.compile("sgd", logits_loss())
    before = curve.control_points
    with pytest.raises(ValueError, match="At t=1 the curve does not compute"):
        curve.fit(*GIVEN[given](x), shuffle=False, verbose=0)
    np.testing.assert_array_equal(curve.control_points, before)
    equal = mc.connect(subclassed("relu", one), subclassed("relu", one))
    equal.compile("sgd", logits_loss())
    options = {"steps_per_epoch": 5} if given == "generator" else {}
    history = equal.fit(*GIVEN[given](x), shuffle=False, verbose=0, **options).history
    assert len(history["loss"]) == 1
    assert equal.first_look.others == []


def test_networks_of_other_layers_are_refused_in_evaluate():
    one = {"u": X[:1]}
    curve = mc.connect(subclassed("relu", one), subclassed("tanh", one))
    with pytest.raises(ValueError, match="At t=1 the curve does not compute"):
        mc.evaluate(curve, test=batches({"u": X}), loss=logits_loss(), num_points=2)


def test_a_subclassed_network_is_looked_at_with_the_shape_it_was_built_with():
    with pytest.raises(ValueError, match="At t=1 the curve does not compute"):
        mc.connect(subclassed("relu", X[:1]), subclassed("tanh", X[:1]))


@pytest.mark.parametrize("kind", ["strings", "open size"])
def test_networks_on_strings_and_open_sizes_are_compared(kind):
    def network(activation):
        keras.utils.set_random_seed(1)
        if kind == "strings":
            inputs = keras.Input((1,), dtype="string")
            words = keras.layers.StringLookup(vocabulary=["a", "b"])(inputs)
            x = keras.layers.Flatten()(keras.layers.Embedding(3, 4)(words))
        else:
            inputs = keras.Input((None, None, 1))
            x = keras.layers.GlobalMaxPooling2D()(keras.layers.Conv2D(4, 3)(inputs))
        x = keras.layers.Dense(4, activation)(x)
        return keras.Model(inputs, keras.layers.Dense(CLASSES)(x))

    with pytest.raises(ValueError, match="At t=1 the curve does not compute"):
        mc.connect(network("relu"), network("tanh"))
    x = np.array([["a"], ["b"]] * 4) if kind == "strings" else arrays(0, 8)[0]
    curve = mc.connect(network("relu"), network("relu"))
    curve.compile("sgd", logits_loss())
    curve.fit(tf.convert_to_tensor(x), Y[:8], verbose=0)


@pytest.mark.filterwarnings("ignore:.*produced by a Softmax")  # Keras' own word
@pytest.mark.parametrize("form", ["dict", "list"])
@pytest.mark.parametrize("given", GIVEN)
def test_softmax_with_a_loss_on_logits_is_refused_for_every_form_of_inputs(form, given):
    def network():
        parts = {k: keras.Input((n,), name=k) for k, n in (("b", 2), ("a", 3))}
        x = keras.layers.Concatenate()(list(parts.values()))
        outputs = keras.layers.Dense(CLASSES, "softmax")(x)
        return keras.Model(parts if form == "dict" else list(parts.values()), outputs)

    x = {"b": X[:, :2], "a": X[:, 2:]}
    x = x if form == "dict" else tuple(x.values())
    curve = mc.connect(network(), network())
    curve.compile("sgd", logits_loss())
    x = list(x) if given == "arrays" and form == "list" else x
    with pytest.raises(ValueError, match="Remove the softmax"):
        curve.fit(*GIVEN[given](x), shuffle=False, verbose=0)


def test_a_watched_dataset_keeps_its_order_and_is_looked_at_once():
    def order(watch):
        tf.random.set_seed(0)
        dataset = tf.data.Dataset.range(20).shuffle(20).batch(4)
        dataset = watch.over(dataset) if watch else dataset
        assert dataset.cardinality() == 5
        return [batch.numpy().tolist() for _ in range(2) for batch in dataset]

    looked = []
    assert order(first_look.Watch(looked.append)) == order(None)
    assert len(looked) == 1


def test_fit_under_several_replicas_looks_too(plain_networks):
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        curve = mc.connect(*plain_networks)
        curve.compile("sgd", keras.losses.SparseCategoricalCrossentropy())
    with pytest.raises(ValueError, match="from_logits=True in the loss"):
        curve.fit(tf.data.Dataset.from_tensor_slices(arrays()).batch(8), shuffle=False, verbose=0)


def functional(seed, *layers, shape=(4,), dtype="float32", batch_size=None):
    keras.utils.set_random_seed(seed)
    inputs = x = keras.Input(shape, dtype=dtype, batch_size=batch_size)
    for layer in layers:
        x = layer(x)
    return keras.Model(inputs, keras.layers.Dense(CLASSES)(x))


@keras.saving.register_keras_serializable("first_look")
class Log(keras.layers.Layer):
    """Takes positive inputs only."""

    def call(self, x):
        return keras.ops.log(x)


def valid_uses():
    """name -> (network of a seed, inputs): networks that were refused, or changed by a look."""
    layers = keras.layers
    tokens = np.random.default_rng(0).integers(1, 9, (8, 5))
    steps = np.random.default_rng(0).normal(size=(8, 5, 2)).astype("float32")

    def masked(seed):
        embedding = layers.Embedding(10, 4, mask_zero=True)
        return functional(
            seed, embedding, layers.GlobalAveragePooling1D(), shape=(5,), dtype="int32"
        )

    def noisy(seed):
        noise = layers.GaussianNoise(0.5)
        return functional(seed, lambda x: noise(x, training=True))

    def stateful(seed):
        return functional(seed, layers.LSTM(4, stateful=True), shape=(5, 2), batch_size=8)

    def named(seed):
        keras.utils.set_random_seed(seed)
        parts = {k: keras.Input((n,), name=k) for k, n in (("b", 2), ("a", 3))}
        x = layers.Concatenate()([layers.Dense(2)(parts["b"]), parts["a"]])
        return keras.Model(parts, layers.Dense(CLASSES)(x))

    return {
        "masked": (masked, tokens),
        "log": (lambda seed: functional(seed, Log()), np.abs(X[:8, :4]) + 0.1),
        "noise": (noisy, X[:8, :4]),
        "stateful": (stateful, steps),
        "dict": (named, {"a": X[:8, :3], "b": X[:8, 3:]}),
    }


@pytest.mark.parametrize("use", valid_uses())
def test_networks_that_a_look_must_not_refuse_nor_change(use):
    build, x = valid_uses()[use]
    a, b = build(1), build(2)
    b.predict(x, verbose=0)  # moves generators and the states of RNNs
    before = [FlatNetwork(n).state() for n in (a, b)]
    curve = mc.connect(a, b)
    curve.compile("sgd", logits_loss())
    curve.fit(x, Y[:8], batch_size=8, verbose=0)
    for network, values in zip((a, b), before, strict=True):
        for now, value in zip(FlatNetwork(network).state(), values, strict=True):
            np.testing.assert_array_equal(now, value)
    middle = curve.network_at(0.5)
    np.testing.assert_array_equal(pack(middle), curve.weights_at(0.5))


def test_a_stateful_rnn_carries_its_state_from_batch_to_batch_as_in_keras():
    build, x = valid_uses()["stateful"]
    network = build(1)
    point = mc.CurveModel(network, mc.Point(), pack(network)[None])
    options = {"batch_size": 8, "epochs": 3, "shuffle": False, "verbose": 0}
    point.compile(keras.optimizers.SGD(0.1), logits_loss())
    ours = point.fit(x, Y[:8], **options).history["loss"]
    network.compile(keras.optimizers.SGD(0.1), logits_loss())
    theirs = network.fit(x, Y[:8], **options).history["loss"]
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)


@pytest.mark.parametrize("form", ["dict", "list"])
def test_losses_metrics_and_targets_by_output_name_are_as_keras_takes_them(form):
    def network(seed):
        keras.utils.set_random_seed(seed)
        inputs = keras.Input((4,))
        outputs = [keras.layers.Dense(n, name=k)(inputs) for k, n in (("u", CLASSES), ("v", 1))]
        if form == "dict":
            outputs = dict(zip("uv", outputs, strict=True))
        return keras.Model(inputs, outputs)

    a = network(1)
    point = mc.CurveModel(a, mc.Point(), pack(a)[None])
    y = {"u": Y[:8], "v": X[:8, :1]}
    history = []
    for model in (point, a):
        losses = {"u": logits_loss(), "v": "mse"}
        model.compile("sgd", losses, loss_weights={"u": 1.0, "v": 2.0}, metrics={"u": ["accuracy"]})
        history.append(model.fit(X[:8, :4], y, epochs=2, verbose=0).history)
    assert history[0].keys() == history[1].keys()
    for key, values in history[1].items():
        np.testing.assert_allclose(history[0][key], values, rtol=1e-5)
    curve = mc.connect(network(1), network(2))
    wrong = {"u": keras.losses.SparseCategoricalCrossentropy(), "v": "mse"}
    curve.compile("sgd", wrong)
    with pytest.raises(ValueError, match="from_logits=True in the loss"):
        curve.fit(X[:8, :4], y, verbose=0)


def test_a_look_warns_of_nothing_where_all_is_well(plain_networks):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mc.connect(*plain_networks).check_on(arrays()[0])


def test_made_up_inputs_have_the_form_that_the_network_takes():
    flat = FlatNetwork(functional(1, shape=(4,)))
    assert first_look.made_up_inputs(flat).shape == (8, 4)
    build, _ = valid_uses()["dict"]
    made = first_look.made_up_inputs(FlatNetwork(build(1)))
    assert {k: v.shape[1] for k, v in made.items()} == {"a": 3, "b": 2}
    one = {"u": X[:1]}
    assert first_look.made_up_inputs(FlatNetwork(subclassed("relu", one))) is None


def test_differences_are_told_apart_from_what_is_no_number_in_both():
    nan, inf = np.float32("nan"), np.float32("inf")
    a = np.array([1.0, nan, inf], "float32")
    assert first_look.farthest([a], [a.copy()], 0.0) is None
    assert first_look.farthest([a], [np.array([1.5, nan, inf])], 1e-4) == pytest.approx(0.5)
    assert np.isnan(first_look.farthest([a], [np.array([1.0, 2.0, inf])], 1e-4))
