"""Curvature: products against dense Hessians and differences, spectra against exact ones."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import logits_loss
from keras import layers

import mc
from mc.curvature.chosen import Chosen
from mc.curvature.lanczos import lanczos
from mc.curvature.products import Products
from mc.curvature.spectrum import spectrum, unknown
from mc.network.weights import FlatNetwork, pack

RNG = np.random.default_rng(3)
X = RNG.normal(size=(23, 4)).astype("float32")
LABELS = RNG.integers(0, 3, 23)
Y = RNG.normal(size=(23, 3)).astype("float32")


@pytest.fixture
def network():
    keras.utils.set_random_seed(1)
    parts = [layers.Dense(5, "tanh"), layers.BatchNormalization(), layers.Dense(3)]
    built = keras.Sequential([keras.Input((4,)), *parts])
    statistics = built.layers[1].moving_mean, built.layers[1].moving_variance
    for value, like in zip((0.1, 2.0), statistics, strict=True):
        like.assign(np.full(5, value))
    return built


def dense_hessian(network, loss, y, weight_decay=0.0, dtype="float64"):
    """By Keras' own variables, in one batch: rows of second derivatives."""
    variables = network.trainable_variables
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            value = loss(y, network(X, training=False))
            value += 0.5 * weight_decay * sum(tf.reduce_sum(v.value**2) for v in variables)
        parts = inner.gradient(value, variables)
        flat = tf.concat([tf.reshape(p, [-1]) for p in parts], 0)
    rows = outer.jacobian(flat, variables)
    return np.concatenate([np.reshape(r, (len(flat), -1)) for r in rows], 1).astype(dtype)


@pytest.mark.parametrize("batch", [23, 5])
@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_products_are_those_of_the_dense_hessian(network, batch, decay):
    loss = logits_loss()
    whole = dense_hessian(network, loss, LABELS, decay)
    data = tf.data.Dataset.from_tensor_slices((X, LABELS)).batch(batch)
    before = [v.numpy() for v in network.variables]
    for v in RNG.normal(size=(3, len(whole))):
        found = mc.hessian_vector_product(network, v, data, loss, weight_decay=decay)
        np.testing.assert_allclose(found, whole @ v, rtol=1e-4, atol=1e-5)
    for variable, value in zip(network.variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)


def test_products_are_differences_of_gradients_at_other_weights(network):
    w = pack(network) + 0.1
    v = RNG.normal(size=len(w))
    loss = keras.losses.MeanSquaredError()
    found = mc.hessian_vector_product(network, v, (X, Y), loss, w=w)
    flat = FlatNetwork(network)

    def gradient(at):
        at = tf.constant(at, tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(at)
            value = loss(Y, flat(at, flat.state(), X, training=False)[0])
        return tape.gradient(value, at).numpy().astype(float)

    step = 1e-2 / np.linalg.norm(v)
    expected = (gradient(w + step * v) - gradient(w - step * v)) / (2 * step)
    np.testing.assert_allclose(found, expected, rtol=2e-2, atol=2e-3 * np.abs(expected).max())


def test_products_are_symmetric_and_weigh_examples_as_asked(network):
    u, v = RNG.normal(size=(2, FlatNetwork(network).size))
    weights = np.arange(23) % 2 * 2.0  # every other example twice, as if the rest were not there
    data = (X, LABELS, weights.astype("float32"))

    def product(of, data=data):
        return mc.hessian_vector_product(network, of, data, logits_loss())

    assert u @ product(v) == pytest.approx(v @ product(u), rel=1e-4)
    half = product(v, (X[1::2], LABELS[1::2]))
    np.testing.assert_allclose(product(v) * 23 / 22, half, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", ["labels", "numbers", "two outputs"])
def test_gauss_newton_is_that_of_the_jacobian(network, kind):
    loss = {"labels": logits_loss(), "numbers": "mse", "two outputs": {"a": "mse", "b": "mse"}}
    y = {"labels": LABELS, "numbers": Y, "two outputs": {"a": Y, "b": Y}}
    if kind == "two outputs":
        x = keras.Input((4,))
        hidden = layers.Dense(3, "tanh")(x)
        both = {name: layers.Dense(3, name=name)(hidden) for name in ("a", "b")}
        network = keras.Model(x, both)
    variables = network.trainable_variables
    with tf.GradientTape() as tape:
        outputs = network(X, training=False)
        flat = tf.concat(tf.nest.flatten(outputs), -1)  # [n, C]
    parts = tape.jacobian(flat, variables)
    jacobian = np.concatenate([np.reshape(p, (*flat.shape, -1)) for p in parts], -1).astype(float)
    if kind == "labels":
        p = tf.nn.softmax(flat).numpy().astype(float)
        inner = np.einsum("nc,cd->ncd", p, np.eye(3)) - np.einsum("nc,nd->ncd", p, p)
    else:
        inner = np.broadcast_to(2 / 3 * np.eye(flat.shape[-1]), (23, *[flat.shape[-1]] * 2))
    expected = np.einsum("ncp,ncd,ndq->pq", jacobian, inner, jacobian) / 23
    v = RNG.normal(size=len(expected))
    found = mc.hessian_vector_product(
        network, v, (X, y[kind]), loss[kind], operator="gauss_newton", weight_decay=0.1
    )
    np.testing.assert_allclose(found, expected @ v + 0.1 * v, rtol=1e-4, atol=1e-5)


def test_penalties_of_layers_bend_the_loss_too():
    penalty = keras.regularizers.L2(0.7)
    own = keras.Sequential([keras.Input((4,)), layers.Dense(3, kernel_regularizer=penalty)])
    v = RNG.normal(size=15)
    for operator in ("hessian", "gauss_newton"):
        found = mc.hessian_vector_product(own, v, (X, Y), "mse", operator=operator)
        plain = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
        plain.set_weights(own.get_weights())
        without = mc.hessian_vector_product(plain, v, (X, Y), "mse", operator=operator)
        kernel = np.r_[np.full(12, 2 * 0.7), np.zeros(3)]
        np.testing.assert_allclose(found - without, kernel * v, rtol=1e-4, atol=1e-5)


def matrix(values, seed=0):
    """A symmetric matrix with these eigenvalues."""
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(len(values), len(values))))
    return q @ np.diag(values) @ q.T


EXACT = np.r_[-5.0, -1.0, np.linspace(0.0, 1.0, 57), 20.0]


def test_the_ends_of_a_known_spectrum_are_found_with_what_they_lack():
    of = matrix(EXACT)
    found = spectrum(lambda v: of @ v, len(of), top=2, probes=0, steps=60, tolerance=1e-6)
    np.testing.assert_allclose(found.largest[0], 20.0, rtol=1e-5)
    np.testing.assert_allclose(found.smallest, [-5.0, -1.0], rtol=1e-4)
    values = np.r_[found.largest, found.smallest]
    for value, residual in zip(values, found.residuals, strict=True):
        assert np.min(np.abs(EXACT - value)) <= residual + 1e-4
    q = found.vectors[0]
    assert np.linalg.norm(of @ q - 20 * q) < 1e-3
    few = spectrum(lambda v: of @ v, len(of), top=1, probes=0, steps=6)
    assert few.residuals.max() > found.residuals.max()


def test_all_eigenvalues_come_once_and_a_low_rank_does_not_end_the_method():
    of = matrix(EXACT)
    run = lanczos(lambda v: of @ v, RNG.normal(size=60), 60)
    np.testing.assert_allclose(run.eigen()[0], np.sort(EXACT), atol=1e-3)
    np.testing.assert_allclose(run.vectors @ run.vectors.T, np.eye(60), atol=1e-5)
    low = matrix(np.r_[3.0, 2.0, np.zeros(58)])
    whole = lanczos(lambda v: low @ v, RNG.normal(size=60), 60)
    np.testing.assert_allclose(whole.eigen()[0], [*[0.0] * 58, 2.0, 3.0], atol=1e-5)
    np.testing.assert_allclose(whole.vectors @ whole.vectors.T, np.eye(60), atol=1e-5)


def test_copies_of_eigenvalues_are_found_and_too_few_steps_refused():
    of = matrix(np.r_[4.0, 4.0, 4.0, np.zeros(27)])
    found = spectrum(lambda v: of @ v, 30, top=3, probes=1, steps=30, tolerance=0.0)
    np.testing.assert_allclose(found.largest, [4.0] * 3, rtol=1e-5)
    assert found.nodes.shape == (1, 30)
    with pytest.raises(ValueError, match="take steps=10 or more"):
        spectrum(lambda v: of @ v, 30, top=5, probes=1, steps=8)


def test_what_is_not_finite_is_told(network):
    w = np.full(FlatNetwork(network).size, 1e30)
    with pytest.raises(FloatingPointError, match="not finite"):
        mc.hessian_spectrum(network, (X, Y), "mse", w=w)
    with pytest.raises(ValueError, match="w must have shape"):
        mc.hessian_spectrum(network, (X, LABELS), logits_loss(), w=np.zeros(3))
    nothing = unknown(9, top=2, probes=2, steps=80)
    assert nothing.nodes.shape == (2, 9)
    assert np.isnan(nothing.trace)


def test_gauss_newton_knows_loops_and_outputs_that_do_not_move():
    x = keras.Input((3, 2))
    fixed = layers.Dense(1, name="b")
    fixed.trainable = False
    both = {"a": layers.Dense(1, name="a")(layers.LSTM(2)(x)), "b": fixed(x[:, 0])}
    own = keras.Model(x, both)
    inputs = RNG.normal(size=(7, 3, 2)).astype("float32")
    y = {"a": Y[:7, :1], "b": Y[:7, :1]}
    v = RNG.normal(size=FlatNetwork(own).size)
    found = mc.hessian_vector_product(
        own, v, (inputs, y), {"a": "mse", "b": "mse"}, operator="gauss_newton"
    )
    with tf.GradientTape(persistent=True) as tape:
        outputs = own(inputs)["a"]
    parts = tape.jacobian(outputs, own.trainable_variables, experimental_use_pfor=False)
    jacobian = np.concatenate([np.reshape(p, (7, -1)) for p in parts], 1).astype(float)
    np.testing.assert_allclose(found, 2 / 7 * jacobian.T @ (jacobian @ v), rtol=1e-3, atol=1e-5)


def test_the_trace_is_within_its_error_and_the_density_is_one():
    of = matrix(EXACT)
    found = spectrum(lambda v: of @ v, 60, top=0, probes=40, steps=20, seed=5)
    assert abs(found.trace - EXACT.sum()) < 3 * found.trace_error
    np.testing.assert_allclose(found.weights.sum(-1), 1.0)
    x = np.linspace(-10, 25, 7001)
    density = found.density(x)
    assert np.trapezoid(density, x) == pytest.approx(1.0, abs=1e-3)
    # A sixtieth of all lies at 20, and as much at -5.
    for place in (20.0, -5.0):
        near = np.abs(x - place) < 2
        assert np.trapezoid(density[near], x[near]) == pytest.approx(1 / 60, abs=0.01)
    again = spectrum(lambda v: of @ v, 60, top=0, probes=40, steps=20, seed=5)
    np.testing.assert_array_equal(found.nodes, again.nodes)


@pytest.mark.slow
def test_weight_decay_shifts_the_spectrum_by_itself(network):
    options = {"top": 2, "probes": 2, "steps": 48, "tolerance": 1e-6}
    whole = dense_hessian(network, logits_loss(), LABELS)
    exact = np.linalg.eigvalsh(whole)
    for decay in (0.0, 0.5):
        found = mc.hessian_spectrum(network, (X, LABELS), logits_loss(), None, decay, **options)
        np.testing.assert_allclose(found.largest, exact[::-1][:2] + decay, rtol=1e-3)
        np.testing.assert_allclose(found.smallest, exact[:2] + decay, rtol=1e-2, atol=1e-4)
        assert found.examples == 23


def test_a_block_is_of_the_layers_that_match(network):
    names = FlatNetwork(network).paths
    whole = dense_hessian(network, logits_loss(), LABELS)
    kernel = slice(0, 20)  # of the first layer
    found = mc.hessian_spectrum(
        network, (X, LABELS), logits_loss(), layers=f"^{names[0]}$", top=1, probes=0, steps=20
    )
    assert found.size == 20
    assert found.largest[0] == pytest.approx(
        np.linalg.eigvalsh(whole[kernel, kernel])[-1], rel=1e-3
    )
    chosen = Chosen.of(FlatNetwork(network), "kernel")
    v = RNG.normal(size=chosen.size)
    np.testing.assert_array_equal(chosen.pick(chosen.fill(v)), v)


def test_what_has_no_curvature_is_refused(network):
    flat = FlatNetwork(network)
    for options, words in (
        ({"v": np.zeros(3)}, "v must have shape"),
        ({"w": np.zeros(3)}, "w must have shape"),
        ({"operator": "fisher"}, "hessian, gauss_newton"),
        ({"data": X}, r"needs targets: data \(x, y\)"),
        ({"data": tf.data.Dataset.from_tensor_slices((X[:0], LABELS[:0])).batch(2)}, "no batch"),
    ):
        given = {"v": np.zeros(flat.size), "data": (X, LABELS), "loss": logits_loss()} | options
        with pytest.raises(ValueError, match=words):
            mc.hessian_vector_product(network, **given)
    with pytest.raises(ValueError, match=r"matches none of the network's weights: .*kernel"):
        mc.hessian_spectrum(network, (X, LABELS), logits_loss(), layers="conv")
    with pytest.raises(ValueError, match="no regular expression"):
        mc.hessian_spectrum(network, (X, LABELS), logits_loss(), layers="(")
    with pytest.raises(ValueError, match="top from 0 to"):
        mc.hessian_spectrum(network, (X, LABELS), logits_loss(), top=1000)


def test_dropout_takes_no_part():
    keras.utils.set_random_seed(2)
    parts = [layers.Dense(4, "tanh"), layers.Dropout(0.5), layers.Dense(3)]
    own = keras.Sequential([keras.Input((4,)), *parts])
    products = Products(FlatNetwork(own), [(X, LABELS)], logits_loss())
    product = products.at(pack(own), FlatNetwork(own).state())
    v = RNG.normal(size=FlatNetwork(own).size)
    np.testing.assert_array_equal(product(v), product(v))
    whole = dense_hessian(own, logits_loss(), LABELS)
    np.testing.assert_allclose(product(v), whole @ v, rtol=1e-4, atol=1e-5)
