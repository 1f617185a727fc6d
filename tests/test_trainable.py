"""What w is made of: some weights alone, or adapters of low rank."""

import json

import keras
import numpy as np
import pandas as pd
import pytest
from conftest import QUICK, only
from hypothesis import given, settings
from hypothesis import strategies as st

import mc
from mc.network import adapters, copying, trainable
from mc.network.weights import FlatNetwork, pack

RNG = np.random.default_rng(0)
X = RNG.integers(0, 9, (6, 5))


def network(seed=0):
    """An embedding, attention and a dense layer, and one that takes no adapter."""
    keras.utils.set_random_seed(seed)
    tokens = keras.Input((5,), dtype="int64")
    x = keras.layers.Embedding(9, 8)(tokens)
    x = x + keras.layers.MultiHeadAttention(2, 4)(x, x)
    x = keras.layers.LayerNormalization()(x)
    return keras.Model(tokens, keras.layers.Dense(3, bias_initializer="normal")(x))


def adapted(seed, rank=2, alpha=6.0, trained=True):
    """The same network with adapters, whose factors are random where it is `trained`."""
    made = network()
    keras.utils.set_random_seed(seed)
    adapters.enable(made, rank, alpha)
    if trained:
        for v in made.trainable_variables:
            v.assign(np.random.default_rng(seed).normal(size=v.shape))
    return made


def test_adapters_leave_the_network_as_it_was_until_b_is_not_zero():
    made = adapted(3, trained=False)
    np.testing.assert_array_equal(made(X), network()(X))
    names = {v.path.rpartition("/")[2] for v in made.trainable_variables}
    assert names == {"lora_kernel_a", "lora_kernel_b", "lora_embeddings_a", "lora_embeddings_b"}
    assert np.any(pack(made) != pack(adapted(4, trained=False)))  # A is random


def merged(source):
    into = network(seed=9)
    adapters.merge(source, into)
    return into


def test_a_merged_network_computes_what_its_adapters_do():
    made = adapted(3)
    np.testing.assert_allclose(merged(made)(X), made(X), rtol=2e-4, atol=2e-5)
    assert not adapters.have(merged(made))


@pytest.mark.slow
@settings(max_examples=4)
@given(st.floats(0, 1), st.integers(1, 3), st.floats(0.5, 8))
def test_merged_minus_factor_path_is_the_product_of_the_differences(t, rank, alpha):
    """t(1-t) (alpha/r) (A1-A2)(B1-B2), of every layer."""
    ends = [adapted(seed, rank, alpha) for seed in (1, 2)]
    factors = mc.connect(*ends, curve="polychain", num_bends=0).network_at(t)
    plain = mc.connect(*map(merged, ends), curve="polychain", num_bends=0).network_at(t)
    layers = [[n.layers[1], n.layers[-1]] for n in (*ends, factors, plain)]
    for one, other, on_factors, on_merged in zip(*layers, strict=True):
        of_embedding = hasattr(one, "embeddings")
        a, b = (f"lora_{'embeddings' if of_embedding else 'kernel'}_{x}" for x in "ab")
        a = np.subtract(getattr(one, a), getattr(other, a))
        b = np.subtract(getattr(one, b), getattr(other, b))
        w = "embeddings" if of_embedding else "kernel"
        found = np.subtract(getattr(on_merged, w), getattr(on_factors, w))
        np.testing.assert_allclose(found, t * (1 - t) * alpha / rank * a @ b, atol=2e-4)


@pytest.mark.parametrize("joined", [lambda made: made, merged], ids=["factors", "merged"])
def test_both_paths_end_in_both_networks(joined):
    ends = [adapted(seed) for seed in (1, 2)]
    curve = mc.connect(*map(joined, ends))
    for t, end in ((0.0, ends[0]), (1.0, ends[1])):
        np.testing.assert_allclose(curve.network_at(t)(X), end(X), rtol=2e-4, atol=2e-5)


def test_a_network_without_such_layers_takes_no_adapters():
    convolution = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Conv2D(2, 3)])
    with pytest.raises(ValueError, match="has no layer that takes an adapter: these are Dense"):
        adapters.enable(convolution, 2)


@pytest.mark.parametrize("before", [0, 3])
def test_names_that_keras_has_numbered_count_from_the_first_of_this_network(before):
    for _ in range(before):
        network()
    made = network()
    trainable.train_only(made, r"^dense/kernel|multi_head_attention/query")
    assert [tuple(v.shape) for v in made.trainable_variables] == [(8, 2, 4), (2, 4), (8, 3)]
    assert FlatNetwork(made).size == 64 + 8 + 24


@pytest.mark.parametrize("how", ["pattern", "adapters"])
def test_batchnorm_of_which_nothing_is_trained_is_constant(how):
    layers = [keras.layers.Dense(4), keras.layers.BatchNormalization(), keras.layers.Dense(3)]
    made = keras.Sequential([keras.Input((5,)), *layers])
    if how == "pattern":
        with trainable.only(made, "^sequential/dense_1|dense_1"):
            assert FlatNetwork(made).batchnorm == {}
        assert len(FlatNetwork(made).batchnorm) == 2
        assert len(made.trainable_variables) == 6
        trainable.train_only(made, "batch_normalization/gamma")
        assert len(FlatNetwork(made).batchnorm) == 2  # whose averages follow what is trained
    else:
        adapters.enable(made, 2)
        assert FlatNetwork(made).batchnorm == {}
    other = copying.copy(made)
    other.set_weights(made.get_weights())
    curve = mc.connect(made, other, curve="polychain", num_bends=0)
    assert len(curve.network.batchnorm) == (2 if how == "pattern" else 0)


def test_weights_that_are_not_trained_stay_and_must_be_equal():
    ends = [network(1), network(1)]
    ends[1].layers[-1].kernel.assign_add(np.ones((8, 3)))
    for end in ends:
        trainable.train_only(end, "dense")
    curve = mc.connect(*ends, curve="polychain", num_bends=0)
    assert curve.control_points.shape == (2, 27)
    np.testing.assert_allclose(curve.network_at(1.0)(X), ends[1](X), rtol=1e-6)
    others = [network(1), network(2)]
    for end in others:
        trainable.train_only(end, "dense")
    with pytest.raises(ValueError, match="differs between the endpoints"):
        mc.connect(*others)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [("logits", "matches no weight.*in embedding,"), ("(", "no regular exp")],
)
def test_patterns_that_match_nothing_list_the_layers(pattern, message):
    with pytest.raises(ValueError, match=message):
        trainable.train_only(network(), pattern)


@pytest.mark.slow
def test_two_adapters_of_one_network_are_joined_from_the_command_line(cli, tmp_path):
    assert cli(*QUICK, "stage=base", "seed=7")[0] == 0
    parent = only(tmp_path, "base/*seed7-*")
    lora = [*QUICK, f"train.base.start={parent}", "lora.rank=2"]
    status, output = cli(*lora, "stage=curve", "build=true")
    assert status == 0, output
    with np.load(only(tmp_path, "curve/*/curve.npz")) as file:
        assert file["control_points"].shape[1] == 2 * (64 + 8 + 8 + 10)
    for how in ("factors", "merged"):
        status, output = cli(*lora, "stage=chain", f"lora.paths={how}")
        assert status == 0, output
    assert len(list(tmp_path.glob("base/*"))) == 3
    points = [pd.read_csv(path) for path in tmp_path.glob("chain/*/points.csv")]
    assert not points[0]["test/nll"].equals(points[1]["test/nll"])
    for seed in (1, 2):
        folder = only(tmp_path, f"base/*seed7-*-seed{seed}-*")
        base = json.loads((folder / "summary.json").read_text())
        for table in points:
            row = table[table["t"] == seed - 1].iloc[0]
            assert row["test/nll"] == pytest.approx(base["test/nll"], rel=1e-4)
        plain = keras.models.load_model(folder / "model.keras")
        assert not adapters.have(plain)
        sizes = [int(np.prod(v.shape)) for v in plain.trainable_variables]
        assert plain.count_params() == sum(sizes)
    both = [*QUICK, "stage=chain", f"chain.networks=[{parent},{folder}]"]
    status, output = cli(*both)
    assert (status, "Only one has adapters: type lora.paths=merged" in output) == (1, True)
    status, output = cli(*both, "lora.paths=merged")
    assert status == 0, output


@pytest.mark.long
def test_adapters_of_two_networks_are_not_joined_in_their_factors(cli, tmp_path):
    for seed in (7, 8):
        assert cli(*QUICK, "stage=base", f"seed={seed}")[0] == 0
        parent = only(tmp_path, f"base/smoke-digits-mlp-seed{seed}-*")
        assert cli(*QUICK, "stage=base", f"train.base.start={parent}", "lora.rank=2")[0] == 0
    both = [only(tmp_path, f"base/*seed{seed}-*-seed1-*") for seed in (7, 8)]
    typed = f"chain.networks=[{','.join(map(str, both))}]"
    status, output = cli(*QUICK, "stage=chain", typed)
    assert (status, "where they are of one base network" in output) == (1, True)


@pytest.mark.slow
def test_a_part_of_a_network_is_trained_from_the_command_line(cli, tmp_path):
    assert cli(*QUICK, "stage=base", "seed=7")[0] == 0
    parent = only(tmp_path, "base/*seed7-*")
    tuned = [*QUICK, f"train.base.start={parent}", "trainable=logits"]
    status, output = cli(*tuned, "stage=curve", "build=true")
    assert status == 0, output
    with np.load(only(tmp_path, "curve/*/curve.npz")) as file:
        assert file["control_points"].shape[1] == 8 * 10 + 10
    tune = keras.models.load_model(only(tmp_path, "base/*-seed1-*/model.keras"))
    first = keras.models.load_model(parent / "model.keras")
    np.testing.assert_array_equal(tune.get_layer("dense1").kernel, first.get_layer("dense1").kernel)
    status, output = cli(*QUICK, "stage=base", "trainable=logit$")
    assert (status, "It has weights in mlp/dense1" in output or "dense1" in output) == (1, True)
