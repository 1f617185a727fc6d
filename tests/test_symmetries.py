"""Which units of a network may be renumbered."""

import functools

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers, ops

from mc import models
from mc.network import first_look
from mc.network.weights import FlatNetwork
from mc.symmetry import proof
from mc.symmetry.symmetries import symmetries


@functools.cache
def of_size(n):
    """What may be renumbered of a network with n hidden units."""
    return symmetries(row(layers.Dense(n)))


def row(*inner, shape=(6, 5)):
    return keras.Sequential([keras.Input(shape), *inner, layers.Dense(3)])


def unet():
    x = keras.Input((16, 16, 1))
    fine = layers.Conv2D(8, 3, padding="same", activation="relu")(x)
    coarse = layers.Conv2D(12, 3, padding="same")(layers.MaxPooling2D()(fine))
    up = layers.Conv2DTranspose(6, 2, strides=2)(coarse)
    both = layers.Concatenate()([fine, up])
    return keras.Model(x, layers.Conv2D(2, 1)(layers.Conv2D(8, 3, padding="same")(both)))


def grouped_queries():
    x = keras.Input((6, 12))
    stream = layers.Dense(16)(x)
    attention = layers.GroupQueryAttention(head_dim=5, num_query_heads=6, num_key_value_heads=3)
    return keras.Model(x, layers.Dense(3)(layers.Add()([stream, attention(stream, stream)])))


def attention_by_hand():
    x = keras.Input((6, 12))
    stream = layers.Dense(16)(x)
    asked, key, value = (
        ops.transpose(ops.reshape(layers.Dense(20)(stream), (-1, 6, 4, 5)), (0, 2, 1, 3))
        for _ in range(3)
    )
    scores = ops.softmax(ops.matmul(asked, ops.transpose(key, (0, 1, 3, 2))))
    mixed = ops.transpose(ops.matmul(scores, value), (0, 2, 1, 3))
    return keras.Model(
        x, layers.Dense(3)(layers.Dense(16)(ops.reshape(mixed, (-1, 6, 20))) + stream)
    )


def shared():
    x = keras.Input((5,))
    again = layers.Dense(7)
    return keras.Model(x, layers.Dense(3)(again(again(layers.Dense(7)(x)))))


def two_of_each():
    a, b = keras.Input((5,), name="a"), keras.Input((4,), name="b")
    both = layers.Multiply()([layers.Dense(8)(a), layers.Dense(8)(b)])
    return keras.Model([a, b], [layers.Dense(2)(both), layers.Dense(3)(layers.Dense(6)(both))])


def nested():
    inner = keras.Sequential([keras.Input((5,)), layers.Dense(8), layers.Dense(6)])
    x = keras.Input((5,))
    return keras.Model(x, layers.Dense(3)(inner(x)))


def gated():
    x = keras.Input((5,))
    one, other = ops.split(layers.Dense(16)(x), 2, axis=-1)
    return keras.Model(x, layers.Dense(3)(one * ops.sigmoid(other)))


def in_parts():
    x = keras.Input((5,))
    y = layers.Dense(8)(x)
    return keras.Model(x, layers.Dense(3)(ops.concatenate([y[:, :3], 2 * y[:, 3:]], axis=-1)))


def one_picked():
    x = keras.Input((5,))
    y = layers.Dense(8)(x)
    return keras.Model(x, layers.Dense(3)(y * ops.expand_dims(ops.tanh(y[:, 0]), -1)))


def tied():
    x = keras.Input((6,), dtype="int32")
    embedding = layers.Embedding(9, 8)
    y = layers.Dense(8)(embedding(x))
    return keras.Model(x, ops.matmul(y, ops.transpose(embedding.embeddings)))


@keras.saving.register_keras_serializable("test_symmetries")
class Scaled(layers.Layer):
    """A layer of one's own, of Keras' parts."""

    def build(self, shape):
        self.scale = self.add_weight(shape=(shape[-1],))
        self.inner = layers.Dense(shape[-1])
        self.inner.build(shape)

    def call(self, x):
        return x * self.scale + self.inner(x)


@keras.saving.register_keras_serializable("test_symmetries")
class SelfAttention(layers.Layer):
    """Attention of three heads to itself, as a layer of somebody's own, and on a stream."""

    def build(self, shape):
        self.inner = layers.MultiHeadAttention(3, 5, value_dim=6, use_bias=False)
        self.inner.build(shape, shape)

    def call(self, x):
        return x + self.inner(x, x)


@keras.saving.register_keras_serializable("test_symmetries")
class Ranked(layers.Layer):
    """A layer whose units are not alike, by a function that is no Keras."""

    def call(self, x):
        import tensorflow as tf

        return tf.math.cumsum(x, axis=-1)

    def compute_output_shape(self, shape):
        return shape


@keras.saving.register_keras_serializable("test_symmetries")
def summed_up(x):
    return ops.cumsum(x, axis=-1)


# Each with the sizes of its groups, counted by hand.
NETWORKS = {
    "mlp": (lambda: models.mlp((8, 8, 1), 10, widths=(7, 6)), [6, 7]),
    # The stem and every block's second convolution write one stream, as do their shortcuts.
    "preresnet20": (
        lambda: models.preresnet((32, 32, 3), 10, depth=20),
        [16] * 4 + [32] * 4 + [64] * 4,
    ),
    "cnn": (lambda: models.cnn((28, 28, 1), 10), [32, 64, 64, 64, 64]),
    # A block: two heads, in each units of queries and keys, and of values; units of the
    # perceptron; and the stream.
    "gpt": (lambda: models.gpt((16,), 50), 2 * [2, *4 * [32], 256] + [64]),
    "vit": (lambda: models.vit((8, 8, 1), 10), 2 * [2, *4 * [32], 256] + [64]),
    "recurrent": (lambda: row(layers.LSTM(8, return_sequences=True), layers.GRU(7)), [7, 8]),
    "bidirectional": (
        lambda: row(layers.Bidirectional(layers.LSTM(8)), layers.Dense(6)),
        [6, 8, 8],
    ),
    "time": (lambda: row(layers.TimeDistributed(layers.Dense(8)), layers.Flatten()), [8]),
    "unet": (unet, [6, 8, 8, 12]),
    # Six heads of queries on three of keys: three, and two of each, alike for all three; in each of
    # the three units of queries and keys, and of values.
    "grouped queries": (grouped_queries, [2, 3, *6 * [5], 16]),
    "attention without biases": (
        lambda: row(layers.Dense(16), SelfAttention(), layers.Dense(4)),
        [3, 4, *3 * [5], *3 * [6], 16],
    ),
    "attention by hand": (attention_by_hand, [4, 5, 5, 16]),
    "shared": (shared, [7]),
    "two of each": (two_of_each, [6, 8]),
    "nested": (nested, [6, 8]),
    "tied": (tied, [8]),
    "gated": (gated, [8]),
    "in parts": (in_parts, [3, 5]),
    "one picked": (one_picked, [7]),
    "own layer": (lambda: row(layers.Dense(8), Scaled(), layers.Dense(6)), [6, 8]),
    # Of a kernel of two blocks each channel stays in its block: 6 + 6 are cut to be read in three.
    "blocks": (
        lambda: row(
            *(layers.Conv2D(12, 3, groups=2), layers.Conv2D(18, 3, groups=3), layers.Flatten()),
            shape=(8, 8, 4),
        ),
        [2, 2, 4, 4, 6, 6, 6],
    ),
    # A depthwise kernel gives each channel two, which go with it.
    "depthwise": (
        lambda: row(
            *(layers.SeparableConv2D(8, 3, depth_multiplier=2), layers.PReLU(shared_axes=[1, 2])),
            *(layers.DepthwiseConv2D(3, depth_multiplier=2), layers.GlobalAveragePooling2D()),
            shape=(12, 12, 4),
        ),
        [8],
    ),
    "groupnorm": (lambda: row(layers.Dense(8), layers.GroupNormalization(2)), [4, 4]),
    "channels first": (
        lambda: row(
            *(layers.Dense(8), layers.Permute((2, 1)), layers.Reshape((2, 4, 6))),
            *(layers.BatchNormalization(axis=2), layers.Permute((3, 1, 2)), layers.Reshape((6, 8))),
        ),
        [2, 4],
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_groups_are_those_counted_by_hand_and_leave_the_outputs(name):
    build, sizes = NETWORKS[name]
    network = build()
    found = symmetries(network)
    assert sorted(found.groups.values()) == sorted(sizes)
    assert found.unseen == []
    assert_unchanged(network, found)


def set_to(network, values):
    for variable, value in zip(network.variables, values, strict=True):
        variable.assign(value)


def assert_unchanged(network, found):
    rng = np.random.default_rng(1)
    for variable in network.variables:
        if variable.dtype == "float32":
            noise = rng.uniform(0.5, 1.5, variable.shape) * rng.choice([0.1, -0.1], variable.shape)
            variable.assign(np.abs(noise) if "variance" in variable.path else noise)
    x = first_look.made_up_inputs(FlatNetwork(network))
    before = first_look.plain_outputs(network, x)
    permutation = found.random(0)
    set_to(network, permutation.of_arrays([v.numpy() for v in network.variables]))
    after = first_look.plain_outputs(network, x)
    assert first_look.farthest(after, before, 1e-4) is None
    if found.groups:
        assert first_look.farthest(before, [np.zeros_like(b) for b in before], 1e-4) is not None
        moved = [v.numpy() for v in network.variables]
        set_to(network, permutation.inverse().of_arrays(moved))
        back = [v.numpy() for v in network.variables]
        assert any(not np.array_equal(a, b) for a, b in zip(moved, back, strict=True))
        assert first_look.farthest(first_look.plain_outputs(network, x), before, 1e-6) is None


@pytest.mark.parametrize(
    ("inner", "name"),
    [
        (lambda: layers.Lambda(lambda x: x * 2, output_shape=lambda s: s, name="twice"), "twice"),
        (lambda: Ranked(name="ranked"), "ranked"),
        (lambda: layers.Activation(summed_up), "activation summed_up"),
    ],
)
def test_what_cannot_be_seen_through_stays_and_is_named(inner, name):
    found = symmetries(row(layers.Dense(8), inner(), layers.Dense(6)))
    assert found.groups == {"dense_1/kernel": 6} or list(found.groups.values()) == [6]
    assert found.unseen == [name]
    assert f"not seen through: {name}" in str(found)


@pytest.mark.parametrize("order", [layers.Conv1D(4, 3), layers.MaxPooling1D(2), layers.LSTM(4)])
def test_units_along_which_a_layer_goes_stay(caplog, order):
    network = row(layers.Dense(8, name="wide"), layers.Permute((2, 1)), order, layers.Flatten())
    assert not any(name.endswith("wide/kernel") for name in symmetries(network).groups)
    assert caplog.text == ""  # known, and not only found by the proof


def test_units_that_a_mask_tells_apart_stay(caplog):
    x = keras.Input((6, 5))
    steps = layers.Permute((2, 1))(layers.Dense(8, name="wide")(x))  # a step a unit
    seen = layers.MultiHeadAttention(2, 3)(steps, steps, use_causal_mask=True)
    found = symmetries(keras.Model(x, layers.Dense(3)(layers.Flatten()(seen))))
    assert "wide/kernel" not in {path for name in found.groups for path, _ in found.touched(name)}
    assert caplog.text == ""


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_rounding_is_no_change(caplog, policy):
    keras.config.set_dtype_policy(policy)
    try:
        network = models.cnn((28, 28, 1), 10)
    finally:
        keras.config.set_dtype_policy("float32")
    assert sorted(symmetries(network).groups.values()) == [32, 64, 64, 64, 64]
    assert caplog.text == ""
    assert keras.config.dtype_policy().name == "float32"


@given(st.integers(2, 6), st.integers(0, 2**32 - 1))
def test_random_orders_move_something(n, seed):
    found = of_size(n)
    (order,) = found.orders(found.members, seed).values()
    assert sorted(order) == list(range(n))
    assert (order != np.arange(n)).any()


def test_a_wrong_group_is_found_told_and_stays(caplog):
    network = row(layers.Dense(8), Ranked(), layers.Dense(6))
    found = symmetries(network)
    right = symmetries(row(layers.Dense(8), layers.ReLU(), layers.Dense(6)))  # of other layers
    assert proof.changing(right, keras.models.clone_model(network)) == [
        name for name, size in right.groups.items() if size == 8
    ]
    assert proof.changing(found, keras.models.clone_model(network)) == []


def test_adapters_are_renumbered_with_what_they_belong_to():
    network = row(layers.Dense(8), layers.Dense(6))
    network.layers[0].enable_lora(2)
    found = symmetries(network)
    assert sorted(found.groups.values()) == [2, 6, 8]
    assert_unchanged(network, found)


def test_a_quantized_layer_is_refused():
    network = row(layers.Dense(8))
    network.layers[0].quantize("int8")
    with pytest.raises(ValueError, match=r"is quantized to int8.*before they are quantized"):
        symmetries(network)


def test_the_table_tells_heads_from_units_within_them():
    network = models.gpt((16,), 50)
    found = symmetries(network)
    ((heads, (values, keys)), *_) = found.heads.items()
    path = "block1_attention/query/kernel"  # [d, heads, units]
    assert dict(found.touched(heads))[path] == (1,)
    assert dict(found.touched(keys[0]))[path] == (2,)
    assert dict(found.touched(values[1]))["block1_attention/value/bias"] == (1,)
    assert dict(found.touched("embedding/embeddings"))[path] == (0,)
    assert f"{values[0].rpartition(',')[0]}, each of 2 heads" in str(found)


def test_the_table_says_what_each_group_touches():
    network = row(layers.Dense(8, name="first"))
    first, bias, last, _ = (variable.path for variable in network.variables)
    assert str(symmetries(network)).splitlines() == [
        f"{'group':{len(first)}}  size  weights [axes]",
        f"{first}     8  {first} [1], {bias} [0], {last} [0]",
    ]


APPLICATIONS = {
    # 58 layers of 128 and 32 channels, the stem, and three transitions.
    "DenseNet121": (64, [128] * 58 + [32] * 58 + [64, 128, 256, 512]),
    "MobileNetV2": (64, None),
    "MobileNetV3Small": (64, None),
    "ResNet50V2": (64, None),
    "EfficientNetB0": (64, None),
    # Four streams, and the four times wider middle of each of the 18 blocks.
    "ConvNeXtTiny": (64, [96, 192, 384, 768] + [384] * 3 + [768] * 3 + [1536] * 9 + [3072] * 3),
    "Xception": (71, None),
    "NASNetMobile": (64, None),
}


LONG = ("ResNet50V2", "ConvNeXtTiny", "NASNetMobile", "Xception", "EfficientNetB0", "MobileNetV2")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=pytest.mark.long if n in LONG else pytest.mark.slow)
        for n in APPLICATIONS
    ],
)
def test_published_networks_are_seen_through(name):
    side, sizes = APPLICATIONS[name]
    build = getattr(keras.applications, name)
    network = build(weights=None, input_shape=(side, side, 3), classes=7)
    found = symmetries(network)
    assert all("normalization" in layer for layer in found.unseen)  # of pixels, which stay anyway
    if sizes:
        assert sorted(found.groups.values()) == sorted(sizes)
    kernels = [v for v in network.trainable_variables if v.name in ("kernel", "pointwise_kernel")]
    touched = {path for name in found.groups for path, _ in found.touched(name)}
    assert {v.path for v in kernels} <= touched
    assert_unchanged(network, found)
