"""gpt and vit: their formula in NumPy, what they count, what they see, and their files."""

import inspect
import math
import subprocess
import sys

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import erf, softmax

import mc
from mc.models import gpt, vit

BLOCK = ("norm1", "attention", "norm2", "mlp1", "mlp2")


def tokens(shape=(3, 7), vocabulary=5, low=0):
    return np.random.default_rng(0).integers(low, vocabulary, shape).astype("int32")


def images(count=3):
    return np.random.default_rng(0).normal(size=(count, 4, 6, 2)).astype("float32")


def numbered(build, *arguments, seed=1, **options):
    """A network with weights from a seed, none of them zero or one."""
    keras.utils.set_random_seed(seed)
    network = build(*arguments, **options)
    rng = np.random.default_rng(seed)
    network.set_weights([w + 0.3 * rng.normal(size=w.shape) for w in network.get_weights()])
    return network


# --- what they compute ---


def normed(layer, x):
    if isinstance(layer, keras.layers.RMSNormalization):
        return (
            x / np.sqrt(np.mean(x**2, -1, keepdims=True) + layer.epsilon) * layer.get_weights()[0]
        )
    gamma, beta = layer.get_weights()
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt(x.var(-1, keepdims=True) + layer.epsilon) * gamma + beta


def attended(layer, x, seen):
    """Softmax attention of `x [n, width]` over the positions that `seen [n, n]` allows."""
    wq, bq, wk, bk, wv, bv, wo, bo = layer.get_weights()
    total = np.zeros_like(x) + bo
    for h in range(wq.shape[1]):
        q, k, v = (x @ w[:, h] + b[h] for w, b in ((wq, bq), (wk, bk), (wv, bv)))
        scores = np.where(seen, q @ k.T / math.sqrt(q.shape[-1]), -np.inf)
        total += softmax(scores, -1) @ v @ wo[h]
    return total


def through_blocks(network, x, seen):
    for i in (1, 2):
        norm1, attention, norm2, mlp1, mlp2 = (network.get_layer(f"block{i}_{n}") for n in BLOCK)
        x = x + attended(attention, normed(norm1, x), seen)
        (w1, b1), (w2, b2) = mlp1.get_weights(), mlp2.get_weights()
        hidden = normed(norm2, x) @ w1 + b1
        x = x + hidden * 0.5 * (1 + erf(hidden / math.sqrt(2))) @ w2 + b2
    return normed(network.get_layer("norm"), x)


def logits_of(network, x):
    w, b = network.get_layer("logits").get_weights()
    return x @ w + b


@pytest.mark.parametrize("options", [{}, {"norm": "rms"}, {"predict": "document", "vocabulary": 6}])
def test_gpt_is_its_formula(options):
    network = numbered(gpt, (7,), 5, width=8, **options)
    tables = [network.get_layer(n).get_weights()[0] for n in ("embedding", "positions")]
    causal = np.tril(np.ones((7, 7), bool))
    x = tokens()
    hidden = np.array([through_blocks(network, tables[0][row] + tables[1], causal) for row in x])
    expected = logits_of(network, hidden.mean(1) if "predict" in options else hidden)
    np.testing.assert_allclose(network(x), expected, rtol=1e-3, atol=1e-4)


def test_vit_is_its_formula():
    network = numbered(vit, (4, 6, 2), 3, width=8)
    kernel, bias = network.get_layer("patches").get_weights()
    (positions,) = network.get_layer("positions").get_weights()
    x = images()
    corners = [(i, j) for i in (0, 2) for j in (0, 2, 4)]
    patches = np.stack([x[:, i : i + 2, j : j + 2].reshape(len(x), -1) for i, j in corners], 1)
    vectors = patches @ kernel.reshape(8, 8) + bias + positions
    all_seen = np.ones((6, 6), bool)
    hidden = np.array([through_blocks(network, row, all_seen).mean(0) for row in vectors])
    np.testing.assert_allclose(network(x), logits_of(network, hidden), rtol=1e-3, atol=1e-4)


@settings(max_examples=6)
@given(
    layers=st.integers(1, 3),
    heads=st.integers(1, 3),
    times=st.integers(1, 4),
    context=st.integers(1, 9),
    vocabulary=st.none() | st.integers(2, 9),
    norm=st.sampled_from(["layer", "rms"]),
)
def test_gpt_counts_its_weights_by_hand(layers, heads, times, context, vocabulary, norm):
    d, classes = heads * times, 6
    network = gpt((context,), classes, layers, heads, d, norm, vocabulary=vocabulary)
    a_norm = d if norm == "rms" else 2 * d
    block = 2 * a_norm + 4 * (d * d + d) + (d * 4 * d + 4 * d) + (4 * d * d + d)
    ends = (vocabulary or classes) * d + context * d + a_norm + d * classes + classes
    assert network.count_params() == ends + layers * block
    assert network.output_shape == (None, context, classes)


@pytest.mark.parametrize(("patch_size", "classes"), [(1, 10), (2, 10), (4, None)])
def test_vit_counts_its_weights_by_hand(patch_size, classes):
    d, count = 12, (8 // patch_size) * (4 // patch_size)
    network = vit((8, 4, 3), classes, patch_size, layers=3, heads=3, width=d)
    block = 4 * d + 4 * (d * d + d) + (d * 4 * d + 4 * d) + (4 * d * d + d)
    ends = patch_size**2 * 3 * d + d + count * d + 2 * d + d * (classes or 1) + (classes or 1)
    assert network.count_params() == ends + 3 * block
    assert network.output_shape == (None, classes or 1)


def test_gpt_begins_as_gpt2_does():
    keras.utils.set_random_seed(0)
    network = gpt((64,), 100, layers=8, heads=2, width=64)
    assert set(np.unique(network.get_layer("norm").gamma)) == {1}
    for variable in network.variables:
        if variable.name in ("kernel", "embeddings"):
            ends = variable.path.endswith(("attention_output/kernel", "mlp2/kernel"))
            expected = 0.02 / 4 if ends else 0.02  # sqrt(2 * 8) is 4
            assert np.std(variable.numpy()) == pytest.approx(expected, rel=0.06), variable.path
    biases = [v.numpy() for v in network.variables if v.name in ("bias", "beta")]
    assert not any(b.any() for b in biases)


@pytest.mark.parametrize(
    "build",
    [lambda: gpt((7,), 5, width=8, dropout=0.1), lambda: vit((4, 6, 2), 5, width=8, dropout=0.1)],
)
def test_equal_seeds_make_equal_networks_and_blocks_differ(build):
    keras.utils.set_random_seed(3)
    first = build()
    keras.utils.set_random_seed(3)
    second = build()
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    paths = [[v.path for v in one.trainable_variables] for one in (first, second)]
    assert paths[0] == paths[1]
    for part in ("query", "key", "value", "output"):
        one, two = (first.get_layer(f"block{i}_attention") for i in (1, 2))
        kernels = [getattr(layer, f"{part}_dense").kernel.numpy() for layer in (one, two)]
        assert not np.array_equal(*kernels)


@pytest.mark.parametrize("norm", ["layer", "rms"])
def test_blocks_whose_branches_end_in_zero_change_nothing(norm):
    network = numbered(gpt, (7,), 5, width=8, norm=norm)
    for i in (1, 2):
        ends = network.get_layer(f"block{i}_attention").output_dense
        for layer in (ends, network.get_layer(f"block{i}_mlp2")):
            layer.set_weights([np.zeros_like(w) for w in layer.get_weights()])
    tables = [network.get_layer(n).get_weights()[0] for n in ("embedding", "positions")]
    x = tokens()
    expected = logits_of(network, normed(network.get_layer("norm"), tables[0][x] + tables[1]))
    np.testing.assert_allclose(network(x), expected, rtol=1e-4, atol=1e-5)


# --- what they see ---


@settings(max_examples=6)
@given(changed=st.integers(0, 6), mask_zero=st.booleans())
def test_a_token_changes_nothing_before_it(changed, mask_zero):
    network = numbered(gpt, (7,), 5, width=8, mask_zero=mask_zero)
    x = tokens(low=1)
    other = x.copy()
    other[:, changed] = x[:, changed] % 4 + 1
    before, after = np.asarray(network(x)), np.asarray(network(other))
    np.testing.assert_array_equal(before[:, :changed], after[:, :changed])
    assert (before[:, changed:] != after[:, changed:]).any(axis=(0, 2)).all()


@pytest.mark.parametrize("norm", ["layer", "rms"])
def test_padding_is_attended_by_none_and_reaches_the_loss_as_a_mask(norm):
    network = numbered(gpt, (7,), 5, width=8, norm=norm, mask_zero=True)
    x = tokens(low=1)
    x[0, 4:], x[1, :2] = 0, 0
    real = x != 0
    outputs = network(x)
    np.testing.assert_array_equal(outputs._keras_mask, real)
    # Other contents of padding, which a table of vectors lets us give it, change no real position.
    table = network.get_layer("embedding").embeddings
    table.assign(np.concatenate([table[:1] + 1, table[1:]]))
    np.testing.assert_allclose(np.asarray(outputs)[real], np.asarray(network(x))[real], rtol=1e-5)
    network.compile(
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")
    )
    y = tokens()
    chances = softmax(np.asarray(network(x), "float64"), -1)
    expected = -np.log(np.take_along_axis(chances, y[..., None], -1)[..., 0][real]).sum()
    assert network.evaluate(x, y, verbose=0) == pytest.approx(expected, rel=1e-4)


def test_without_mask_zero_token_0_is_a_token():
    network = numbered(gpt, (7,), 5, width=8)
    x = tokens(low=1)
    other = x.copy()
    other[:, 2] = 0
    assert getattr(network(x), "_keras_mask", None) is None
    assert not np.array_equal(network(x)[:, -1], network(other)[:, -1])


def test_the_mean_of_a_document_leaves_padding_out():
    options = {"predict": "document", "vocabulary": 6, "mask_zero": True}
    network = numbered(gpt, (7,), 3, width=8, **options)
    x = tokens(low=1)
    x[:, 5:] = 0
    hidden = keras.Model(network.input, network.get_layer("mask").output)(x)
    expected = logits_of(network, np.asarray(hidden)[:, :5].mean(1))
    np.testing.assert_allclose(network(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("build", "x"),
    [
        (lambda: gpt((7,), 5, width=8, dropout=0.5), tokens()),
        (lambda: vit((4, 6, 2), 5, width=8, dropout=0.5), images()),
    ],
    ids=["gpt", "vit"],
)
def test_dropout_acts_in_training_alone(build, x):
    network = build()
    assert np.array_equal(network(x), network(x))
    assert not np.array_equal(network(x, training=True), network(x, training=True))


# --- files, curves, precision ---

READ = """
import sys
import keras, numpy as np
for name in sys.argv[1:]:
    saved = np.load(name + ".npz")
    outputs = keras.models.load_model(name + ".keras")(saved["x"])
    np.testing.assert_allclose(outputs, saved["y"], rtol=1e-5, atol=1e-6)
    assert (getattr(outputs, "_keras_mask", None) is not None) == bool(saved["masked"])
    print(name)
assert not any(name.partition(".")[0] == "mc" for name in sys.modules)
"""
NETWORKS = {
    "gpt": (gpt, (7,), {"norm": "rms", "mask_zero": True, "dropout": 0.1}, tokens()),
    "vit": (vit, (4, 6, 2), {"dropout": 0.1}, images()),
}


@pytest.mark.slow
def test_files_load_where_nothing_of_ours_is_imported(tmp_path):
    for name, (build, shape, options, x) in NETWORKS.items():
        network = numbered(build, shape, 5, width=8, **options)
        network.save(tmp_path / f"{name}.keras")
        outputs = network(x)
        masked = getattr(outputs, "_keras_mask", None) is not None
        assert masked == (name == "gpt")
        np.savez(tmp_path / f"{name}.npz", x=x, y=outputs, masked=masked)
    command = [sys.executable, "-c", READ, *NETWORKS]
    found = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert (found.returncode, found.stdout.split()) == (0, list(NETWORKS)), found.stderr


@pytest.mark.parametrize("name", NETWORKS)
def test_a_curve_trains_and_its_ends_are_the_networks(name):
    build, shape, options, x = NETWORKS[name]
    a, b = (numbered(build, shape, 5, width=8, seed=seed, **options) for seed in (1, 2))
    curve = mc.connect(a, b)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    curve.compile(keras.optimizers.SGD(0.01), loss)
    y = tokens((3, 7)) if name == "gpt" else tokens((3,))
    before = np.asarray(curve.weights_at(0.5))
    curve.fit(x, y, epochs=1, verbose=0)
    assert not np.array_equal(before, curve.weights_at(0.5))
    for t, network in ((0.0, a), (1.0, b)):
        curve.t = t
        np.testing.assert_allclose(curve(x), network(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_half_precision_computes_nearly_the_same(name):
    build, shape, options, x = NETWORKS[name]
    network = numbered(build, shape, 5, width=8, **options)
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        half = build(shape, 5, width=8, **options)
    finally:
        keras.config.set_dtype_policy(policy)
    half.set_weights(network.get_weights())
    outputs = half(x)
    assert outputs.dtype == "bfloat16"
    found, expected = np.asarray(keras.ops.cast(outputs, "float32")), np.asarray(network(x))
    assert np.abs(found - expected).max() < 0.1 * np.abs(expected).max()


def test_a_gpt_of_kerashub_is_connected():
    keras_hub = pytest.importorskip("keras_hub", reason="KerasHub is not installed")

    def backbone(seed):
        keras.utils.set_random_seed(seed)
        return keras_hub.models.GPT2Backbone(
            vocabulary_size=11,
            num_layers=1,
            num_heads=2,
            hidden_dim=8,
            intermediate_dim=16,
            max_sequence_length=7,
        )

    a, b = backbone(1), backbone(2)
    curve = mc.connect(a, b)
    x = {"token_ids": tokens(vocabulary=11), "padding_mask": np.ones((3, 7), "int32")}
    x["padding_mask"][0, 4:] = 0
    for t, network in ((0.0, a), (1.0, b)):
        curve.t = t
        np.testing.assert_allclose(curve(x), network(x), rtol=1e-4, atol=1e-5)


# --- what they refuse ---


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"width": 10, "heads": 4}, r"model\.heads must divide model\.width.*heads=2 or .*width=8"),
        ({"layers": 0}, r"model\.layers must be a whole number >= 1, received 0"),
        ({"heads": True}, r"model\.heads must be a whole number"),
        ({"width": 64.0}, r"model\.width must be a whole number >= 1, received 64\.0"),
        ({"dropout": 1}, r"model\.dropout must be a number from 0 to below 1, received 1"),
        ({"dropout": "much"}, r"model\.dropout .* received 'much'"),
    ],
)
@pytest.mark.parametrize(("build", "shape"), [(gpt, (7,)), (vit, (4, 6, 2))], ids=["gpt", "vit"])
def test_sizes_of_another_form_are_refused(build, shape, options, words):
    with pytest.raises(ValueError, match=words):
        build(shape, 5, **options)


@pytest.mark.parametrize(
    ("shape", "classes", "options", "words"),
    [
        ((8, 8, 1), 5, {}, r"model=gpt needs tokens \[T\], received inputs of shape \(8, 8, 1\)"),
        ((7,), None, {}, "the data set is a regression"),
        ((7,), 5, {"norm": "batch"}, r"model\.norm must be layer or rms, received 'batch'"),
        ((7,), 5, {"predict": "all"}, r"model\.predict must be next or document"),
        ((7,), 5, {"predict": "document"}, r"predict=document needs model\.vocabulary"),
        ((7,), 5, {"vocabulary": 0}, r"model\.vocabulary must be a whole number >= 1"),
        ((7,), 5, {"mask_zero": "yes"}, r"model\.mask_zero must be true or false"),
    ],
)
def test_gpt_says_what_it_needs(shape, classes, options, words):
    with pytest.raises(ValueError, match=words):
        gpt(shape, classes, **options)


@pytest.mark.parametrize(
    ("shape", "patch_size", "words"),
    [
        ((28, 28), 2, r"model=vit needs images .* received inputs of shape \(28, 28\)"),
        ((8, 12, 1), 5, r"patch_size=5 for 8x12 pixels; these do: 1, 2, 4$"),
        ((8, 8, 1), 0, r"model\.patch_size must be a whole number"),
    ],
)
def test_vit_says_what_it_needs(shape, patch_size, words):
    with pytest.raises(ValueError, match=words):
        vit(shape, 5, patch_size)


@pytest.mark.parametrize("name", ["gpt", "vit"])
def test_options_state_every_argument_and_its_default(name):
    import yaml

    from mc import run

    written = yaml.safe_load((run.CONF / "model" / f"{name}.yaml").read_text())
    assert written.pop("_target_") == f"mc.models.{name}"
    arguments = inspect.signature({"gpt": gpt, "vit": vit}[name]).parameters.values()
    assert written == {a.name: a.default for a in arguments if a.default is not a.empty}
