"""CurveModel: the identity at the ends, the gradient, and Keras' own fit, evaluate and predict."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import CLASSES, arrays, build, logits_loss

import mc
from mc import curves
from mc.network.weights import FlatNetwork, pack

WEIGHT_DECAY = 0.01


def connected(networks, optimizer="sgd", **options):
    curve = mc.connect(*networks, **({"weight_decay": WEIGHT_DECAY, "seed": 3} | options))
    curve.compile(optimizer=optimizer, loss=logits_loss(), metrics=["accuracy"])
    return curve


def plain_loss(network, x, y):
    """Loss of a plain network as the design defines it, from Keras' own parts."""
    penalty = 0.5 * WEIGHT_DECAY * float(np.sum(pack(network).astype("float64") ** 2))
    nll = float(logits_loss()(y, network(x, training=False)))
    return nll + penalty + float(sum(network.losses))


@pytest.mark.parametrize("family", ["bezier", "polychain"])
@pytest.mark.parametrize("num_bends", [0, 1, 3])
def test_logits_and_loss_at_the_ends_are_the_endpoint_networks(networks, family, num_bends):
    x, y = arrays(5)
    curve = connected(networks, curve=family, num_bends=num_bends)
    for t, network in ((0.0, networks[0]), (1.0, networks[1])):
        curve.t = t
        expected = network.predict(x, verbose=0)
        np.testing.assert_allclose(curve.predict(x, verbose=0), expected, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(curve(x), expected, rtol=1e-5, atol=1e-5)
        loss, _ = curve.evaluate(x, y, batch_size=len(x), verbose=0)
        assert loss == pytest.approx(plain_loss(network, x, y), rel=1e-5)


def test_ends_stay_the_endpoint_networks_after_training(networks):
    x, y = arrays(5)
    curve = connected(networks)
    curve.fit(x, y, epochs=2, verbose=0)
    for t, network in ((0.0, networks[0]), (1.0, networks[1])):
        curve.t = t
        expected = network.predict(x, verbose=0)
        np.testing.assert_allclose(curve.predict(x, verbose=0), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("curve", [curves.Bezier(2), curves.PolyChain(2)])
def test_the_step_follows_the_gradient_of_the_full_objective(curve):
    a, b = build(1, dropout=False), build(2, dropout=False)
    x, y = arrays(6)
    sample_weight = np.random.default_rng(0).uniform(0.5, 2, len(x)).astype("float32")
    class_weight = {0: 1.0, 1: 3.0, 2: 0.5}
    model = connected((a, b), curve=curve, optimizer=keras.optimizers.SGD(1.0), fix_end=False)
    before = model.control_points
    model.fit(x, y, batch_size=len(x), sample_weight=sample_weight, verbose=0, shuffle=False)
    moved = before - model.control_points  # the gradient, at learning rate 1

    # The same objective through the tape: variables for the control points, a plain call.
    t = tf.random.stateless_uniform([], seed=[3, 0])
    points = [tf.Variable(row) for row in before]
    with tf.GradientTape() as tape:
        c = curve.coefficients(t)
        w = sum(c[k] * p for k, p in enumerate(points))
        parts = tf.split(w, [int(np.prod(v.shape)) for v in a.trainable_variables])
        values = [tf.reshape(p, v.shape) for p, v in zip(parts, a.trainable_variables, strict=True)]
        state = [v.value for v in a.non_trainable_variables]
        logits, _ = a.stateless_call(values, state, x, training=True)
        cross_entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)
        kernel = values[4]  # the regularised layer's: conv kernel and bias, gamma, beta before
        assert kernel.shape == a.layers[-2].kernel.shape
        objective = (
            tf.reduce_mean(sample_weight * cross_entropy)
            + 0.01 * tf.reduce_sum(kernel**2)
            + 0.5 * WEIGHT_DECAY * tf.reduce_sum(w**2)
        )
    gradients = [g.numpy() if g is not None else 0 for g in tape.gradient(objective, points)]
    np.testing.assert_array_equal(moved[0], np.zeros_like(moved[0]))
    for k in (1, 2, 3):
        np.testing.assert_allclose(moved[k], gradients[k], rtol=2e-4, atol=2e-6)

    # Class weights are sample weights by class.
    by_class = connected((a, b), curve=curve, optimizer=keras.optimizers.SGD(1.0))
    by_sample = connected((a, b), curve=curve, optimizer=keras.optimizers.SGD(1.0))
    options = {"batch_size": len(x), "verbose": 0, "shuffle": False}
    by_class.fit(x, y, class_weight=class_weight, **options)
    by_sample.fit(x, y, sample_weight=np.array([class_weight[c] for c in y], "float32"), **options)
    np.testing.assert_allclose(
        by_class.control_points, by_sample.control_points, rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_follows_the_same_gradient(precision):
    def moved():
        pair = [build(s, dropout=False, batchnorm=False) for s in (1, 2)]
        model = connected(pair, optimizer=keras.optimizers.SGD(1.0))
        before = model.control_points
        model.fit(*arrays(6), batch_size=48, verbose=0, shuffle=False)
        assert model.control_points.dtype == np.float32
        return before[1] - model.control_points[1]

    expected = moved()
    keras.config.set_dtype_policy(precision)
    try:
        found = moved()
    finally:
        keras.config.set_dtype_policy("float32")
    # A penalty that misses the loss scale, 2^15 under float16, would be far off.
    assert np.linalg.norm(found - expected) < 0.05 * np.linalg.norm(expected)


def test_reported_training_loss_is_the_objective(plain_networks):
    a, b = plain_networks
    x, y = arrays(7)
    curve = connected((a, b), optimizer=keras.optimizers.SGD(0.0))
    history = curve.fit(x, y, batch_size=len(x), verbose=0).history
    t = float(tf.random.stateless_uniform([], seed=[3, 0]))
    into = build(0, batchnorm=False, dropout=False)
    assert history["loss"][0] == pytest.approx(
        plain_loss(curve.network_at(t, into=into), x, y), rel=1e-5
    )


@pytest.mark.parametrize(("fix_start", "fix_end"), [(True, True), (True, False), (False, True)])
def test_fixed_points_are_bit_identical_after_fit_and_free_ones_move(networks, fix_start, fix_end):
    curve = connected(networks, "adam", num_bends=2, fix_start=fix_start, fix_end=fix_end)
    before = curve.control_points
    curve.fit(*arrays(1), epochs=2, verbose=0)
    same = [np.array_equal(a, b) for a, b in zip(before, curve.control_points, strict=True)]
    assert same == [fix_start, False, False, fix_end]


def test_training_leaves_t_and_the_endpoint_networks_alone(networks):
    values = [[v.numpy().copy() for v in n.variables] for n in networks]
    curve = connected(networks)
    curve.t = 0.25
    curve.fit(*arrays(1), verbose=0)
    assert curve.t == 0.25
    for network, before in zip(networks, values, strict=True):
        for variable, value in zip(network.variables, before, strict=True):
            np.testing.assert_array_equal(variable.numpy(), value)


def test_the_same_seed_repeats_and_another_does_not(networks):
    def points(seed):
        curve = connected(networks, seed=seed)
        curve.fit(*arrays(1), epochs=2, verbose=0, shuffle=False)
        return curve.control_points

    np.testing.assert_array_equal(points(1), points(1))
    assert not np.array_equal(points(1), points(2))


drawn = []


class Watched(mc.Bezier):
    """Keeps every t that it is asked for."""

    def coefficients(self, t):
        tf.py_function(lambda t: drawn.extend(np.ravel(t)), [t], [])
        return super().coefficients(t)


def test_every_step_draws_its_own_t_also_while_gradients_accumulate(plain_networks):
    optimizer = keras.optimizers.SGD(0.1, gradient_accumulation_steps=4)
    curve = connected(plain_networks, curve=Watched(1), optimizer=optimizer)
    drawn.clear()
    curve.fit(*arrays(1), batch_size=6, epochs=2, verbose=0, shuffle=False)
    last = drawn[-16:]
    assert len(set(last)) == 16
    assert 0.2 < np.mean(last) < 0.8


REPLICAS = """
import sys
import numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import keras
from conftest import arrays, build, logits_loss
import mc

def moved(strategy, **options):
    with strategy.scope():
        networks = [build(s, batchnorm=False, dropout=False) for s in (1, 2, 3)]
        curve = mc.connect(*networks[: options.pop("num", 2)], weight_decay=0.5, seed=3, **options)
        curve.compile(keras.optimizers.SGD(1.0), logits_loss())
        before = curve.control_points
        loss = curve.fit(*arrays(6), batch_size=48, shuffle=False, verbose=0).history["loss"][0]
        return before - curve.control_points, loss

terms = mc.Terms(draws=2, volume=0.1, cosine=0.5)
simplex = {"num": 3, "curve": mc.Simplex(3), "fix": (0,), "terms": terms}
options = simplex if sys.argv[1] == "simplex" else {}
one, loss = moved(tf.distribute.get_strategy(), **options)
two, again = moved(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]), **options)
assert np.abs(one).max() > 0.01
np.testing.assert_allclose(two, one, rtol=1e-4, atol=1e-5)
np.testing.assert_allclose(again, loss, rtol=1e-5)
"""


@pytest.mark.slow
@pytest.mark.parametrize("family", ["curve", "simplex"])
def test_two_replicas_make_the_step_of_one(family):
    here = str(Path(__file__).parent)
    environment = os.environ | {"PYTHONPATH": here}
    done = subprocess.run(
        [sys.executable, "-c", REPLICAS, family],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_dropout_draws_a_new_mask_every_step(networks):
    curve = connected(networks)
    names = [v.name for v in networks[0].non_trainable_variables]
    generator = curve.state[names.index("seed_generator_state")]
    before = generator.numpy().copy()
    curve.fit(*arrays(1), verbose=0)
    assert not np.array_equal(generator.numpy(), before)


def test_a_single_network_trains_as_keras_trains_it(plain_networks):
    network = build(4, batchnorm=False, dropout=False)
    x, y = arrays(2)
    point = mc.CurveModel(network, mc.Point(), pack(network)[None])
    point.compile(keras.optimizers.SGD(0.1, momentum=0.9), logits_loss())
    ours = point.fit(x, y, epochs=3, batch_size=16, shuffle=False, verbose=0).history["loss"]
    network.compile(keras.optimizers.SGD(0.1, momentum=0.9), logits_loss())
    theirs = network.fit(x, y, epochs=3, batch_size=16, shuffle=False, verbose=0).history["loss"]
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    np.testing.assert_allclose(point.control_points[0], pack(network), rtol=1e-4, atol=1e-6)


def test_weights_at_and_network_at_agree(plain_networks):
    curve = connected(plain_networks, num_bends=2)
    x = arrays(1)[0]
    network = curve.network_at(0.3)
    np.testing.assert_array_equal(pack(network), curve.weights_at(0.3))
    curve.t = 0.3
    np.testing.assert_allclose(curve(x), network(x), rtol=1e-5, atol=1e-6)


def test_network_at_takes_statistics_from_data_and_warns_without(networks):
    curve = connected(networks)
    x, y = arrays(1)
    with pytest.warns(UserWarning, match="BatchNorm needs data"):
        curve.network_at(0.5)
    middle = curve.network_at(0.5, data=(x, y))
    hidden = keras.Model(middle.inputs[0], middle.layers[0].output)(x).numpy()
    np.testing.assert_allclose(
        middle.layers[1].moving_mean, hidden.mean((0, 1, 2)), rtol=1e-5, atol=1e-6
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        start = curve.network_at(0)
    np.testing.assert_array_equal(start.layers[1].moving_mean, networks[0].layers[1].moving_mean)


def test_inference_between_the_ends_warns_of_batchnorm(networks):
    curve = connected(networks)
    for use in (curve.predict, curve.__call__):
        with pytest.warns(UserWarning, match=r"statistics of its own"):
            use(arrays(1)[0])


def test_random_bends_are_fresh_initial_weights(networks):
    curve = connected(networks, init="random", num_bends=2)
    again = connected(networks, init="random", num_bends=2)
    np.testing.assert_array_equal(curve.control_points, again.control_points)
    gamma = mc.unpack(networks[0], curve.control_points[1])[2]
    np.testing.assert_array_equal(gamma, np.ones(4))
    assert not np.array_equal(curve.control_points[1], curve.control_points[2])


def test_a_model_that_adds_losses_of_any_shape_trains(plain_networks):
    class Activity(keras.layers.Layer):
        def call(self, x):
            self.add_loss(0.1 * tf.reduce_mean(x**2, axis=0))
            return x

    def network(seed):
        keras.utils.set_random_seed(seed)
        return keras.Sequential([keras.Input((4,)), Activity(), keras.layers.Dense(CLASSES)])

    x = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
    curve = connected((network(1), network(2)), optimizer=keras.optimizers.SGD(0.0))
    loss = curve.fit(x, np.arange(8) % CLASSES, verbose=0).history["loss"][0]
    assert loss > 0.1 * np.sum(np.mean(x**2, axis=0))


def test_endpoints_that_compute_different_functions_are_refused():
    def network(activation):
        layers = [keras.layers.Dense(5, activation), keras.layers.Dense(CLASSES)]
        return keras.Sequential([keras.Input((4,)), *layers])

    with pytest.raises(ValueError, match="At t=1 the curve does not compute"):
        mc.connect(network("relu"), network("tanh"))


def test_freezing_a_layer_later_does_not_change_the_curve():
    pair = [build(s, batchnorm=False, dropout=False) for s in (1, 2)]
    curve = connected(pair)
    before = curve(arrays()[0])
    pair[0].layers[0].trainable = False
    np.testing.assert_array_equal(curve(arrays()[0]), before)


def test_a_saved_curve_loads_as_it_was(networks, tmp_path):
    curve = connected(networks, curve="polychain", num_bends=2, fix_end=False)
    curve.fit(*arrays(1), verbose=0)
    curve.save(tmp_path / "curve.npz", endpoints=["a", "b"])
    loaded = mc.load_curve(tmp_path / "curve.npz", build(9))
    np.testing.assert_array_equal(loaded.control_points, curve.control_points)
    assert (loaded.family, loaded.fix_start, loaded.fix_end) == (mc.PolyChain(2), True, False)
    assert loaded.weight_decay == WEIGHT_DECAY
    for ours, theirs in zip(loaded.state, curve.state, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    loaded.t = curve.t = 0.0
    np.testing.assert_array_equal(loaded(arrays()[0]), curve(arrays()[0]))
    with np.load(tmp_path / "curve.npz") as file:  # with NumPy alone
        assert file["control_points"].shape == (4, curve.network.size)
        assert file["endpoints"].tolist() == ["a", "b"]
        assert file["paths"][0].endswith("kernel")


def test_a_curve_file_that_does_not_fit_is_refused(networks, tmp_path):
    path = tmp_path / "curve.npz"
    connected(networks).save(path)
    with pytest.raises(ValueError, match=r"shape \(3, 3, 1, 4\), but the network's .* \(4, 2\)"):
        mc.load_curve(path, keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(2)]))
    with pytest.raises(FileExistsError, match="overwrite=True"):
        connected(networks).save(path, overwrite=False)
    with pytest.raises(ValueError, match=r"saved as a \.npz file"):
        connected(networks).save(tmp_path / "curve.keras")
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match="damaged or not a curve"):
        mc.load_curve(path, networks[0])
    with pytest.raises(FileNotFoundError):
        mc.load_curve(tmp_path / "none.npz", networks[0])


@pytest.mark.parametrize("name", ["Lamb", "Adafactor", "Muon"])
def test_optimizers_that_look_at_shapes_are_refused_by_name(plain_networks, name):
    with pytest.raises(ValueError, match=f"The optimizer {name} looks at the shape"):
        connected(plain_networks, optimizer=getattr(keras.optimizers, name)())


def test_clipping_by_weight_is_refused(plain_networks):
    with pytest.raises(ValueError, match="global_clipnorm"):
        connected(plain_networks, optimizer=keras.optimizers.SGD(clipnorm=1.0))


def test_softmax_with_a_loss_on_logits_is_refused_and_the_reverse(plain_networks):
    x, y = arrays(1)
    curve = connected(plain_networks)
    curve.compile("sgd", keras.losses.SparseCategoricalCrossentropy())
    with pytest.raises(ValueError, match="from_logits=True in the loss"):
        curve.fit(x, y, verbose=0)

    def softmax():
        layers = [keras.layers.Flatten(), keras.layers.Dense(CLASSES, "softmax")]
        return keras.Sequential([keras.layers.Input((6, 6, 1)), *layers])

    curve = connected((softmax(), softmax()))
    with pytest.raises(ValueError, match="Remove the softmax"):
        curve.fit(x, y, verbose=0)
    curve.compile("sgd", keras.losses.SparseCategoricalCrossentropy())
    assert len(curve.fit(x, y, verbose=0).history["loss"]) == 1


def test_bad_arguments_say_what_is_expected(plain_networks):
    a, b = plain_networks
    with pytest.raises(ValueError, match=r"must have shape \[num_points, P\] = \[3, "):
        mc.CurveModel(a, mc.Bezier(1), np.stack([pack(a), pack(b)]))
    with pytest.raises(ValueError, match=r"t=1.5"):
        connected((a, b)).t = 1.5
    with pytest.raises(ValueError, match="linear or random"):
        mc.connect(a, b, init="zeros")
    with pytest.raises(ValueError, match="weight_decay must be at least 0"):
        mc.connect(a, b, weight_decay=-1)
    with pytest.raises(ValueError, match="Nothing to train"):
        connected((a, b), num_bends=0).fit(*arrays(), verbose=0)


@pytest.mark.long
def test_the_networks_of_keras_applications_connect():
    x = np.random.default_rng(0).uniform(size=(8, 32, 32, 3)).astype("float32")
    y = np.arange(8) % CLASSES

    def network(seed):
        keras.utils.set_random_seed(seed)
        return keras.applications.MobileNetV2(
            (32, 32, 3), alpha=0.35, weights=None, classes=CLASSES, classifier_activation=None
        )

    check_connects(network, x, y)


def test_a_transformer_connects():
    class Block(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.attention = keras.layers.MultiHeadAttention(2, 4, dropout=0.1)
            self.norms = [keras.layers.LayerNormalization() for _ in range(2)]
            self.dense = keras.layers.Dense(8, activation="gelu")

        def call(self, x, training=False):
            x = x + self.attention(self.norms[0](x), self.norms[0](x), training=training)
            return x + self.dense(self.norms[1](x))

    def network(seed):
        keras.utils.set_random_seed(seed)
        tokens = keras.Input((10,), dtype="int32")
        x = keras.layers.Embedding(20, 8)(tokens)
        x = keras.layers.GlobalAveragePooling1D()(Block()(x))
        return keras.Model(tokens, keras.layers.Dense(CLASSES)(x))

    x = np.random.default_rng(0).integers(0, 20, (16, 10)).astype("int32")
    check_connects(network, x, np.arange(16) % CLASSES, into=True)


def test_a_subclassed_model_with_dropout_connects():
    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.hidden = keras.layers.Dense(8, activation="relu")
            self.dropout = keras.layers.Dropout(0.5)
            self.out = keras.layers.Dense(CLASSES)

        def call(self, x, training=False):
            return self.out(self.dropout(self.hidden(x), training=training))

    def network(seed):
        keras.utils.set_random_seed(seed)
        net = Net()
        net(np.zeros((1, 5), "float32"))
        return net

    x = np.random.default_rng(0).normal(size=(16, 5)).astype("float32")
    check_connects(network, x, np.arange(16) % CLASSES, into=True)


def check_connects(network, x, y, into=False):
    """A curve between two instances trains, and its ends are the instances."""
    a, b = network(1), network(2)
    curve = connected((a, b), optimizer=keras.optimizers.SGD(0.01))
    start = curve.control_points
    curve.fit(x, y, batch_size=8, epochs=1, verbose=0)
    assert not np.array_equal(curve.control_points[1], start[1])
    for t, end in ((0, a), (1, b)):
        target = network(3) if into else None
        found = curve.network_at(t, into=target)(x, training=False)
        np.testing.assert_allclose(found, end(x, training=False), rtol=1e-4, atol=1e-5)
    state = FlatNetwork(a).state()
    assert len(curve.state) == len(state)


def test_training_follows_the_same_t_with_xla_and_without(plain_networks):
    def trained_curve(jit_compile):
        curve = mc.connect(*plain_networks, weight_decay=WEIGHT_DECAY, seed=5)
        curve.compile(keras.optimizers.SGD(0.1), logits_loss(), jit_compile=jit_compile)
        curve.fit(*arrays(6), batch_size=16, epochs=2, shuffle=False, verbose=0)
        return curve.control_points

    np.testing.assert_allclose(trained_curve(True), trained_curve(False), rtol=1e-4, atol=1e-5)
