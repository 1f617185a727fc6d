"""A network renumbered so that its units are where those of another are."""

from itertools import permutations

import keras
import numpy as np
import pytest
from keras import layers
from symmetric_networks import PLAIN, randomized, smooth_cnn, squared_stream

import mc
from mc import models
from mc.network import adapters, first_look
from mc.network.weights import FlatNetwork, pack
from mc.symmetry import by_activations, by_weights
from mc.symmetry.aligning import alignment


def assert_recovered(a, permutation, b):
    found = permutation.of_arrays([v.numpy() for v in b.variables])
    for variable, value in zip(a.variables, found, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value, err_msg=variable.path)


@pytest.mark.parametrize("make", PLAIN.values(), ids=PLAIN)
def test_a_planted_renumbering_is_recovered_from_weights(make):
    a = randomized(make(), 0)
    b = mc.symmetries(a).random(1).apply(a)
    assert np.abs(pack(a) - pack(b)).max() > 0
    renumbered, permutation = mc.align(a, b, restarts=30)
    assert_recovered(a, permutation, b)
    np.testing.assert_array_equal(pack(renumbered), pack(a))
    np.testing.assert_array_equal(pack(b), permutation.inverse().of_weights(a, pack(a)))


@pytest.mark.parametrize("name", ["mlp", "cnn", "recurrent"])
def test_a_planted_renumbering_is_recovered_from_activations(name):
    a = randomized(PLAIN[name](), 0)
    b = mc.symmetries(a).random(1).apply(a)
    x = np.random.default_rng(2).normal(size=(300, *a.input_shape[1:])).astype("float32")
    assert_recovered(a, mc.align(a, b, "activations", data=x)[1], b)


def test_what_is_not_seen_at_work_is_matched_by_weights(caplog):
    caplog.set_level("INFO", logger="mc")
    a = randomized(PLAIN["vit"](), 0)
    b = mc.symmetries(a).random(1).apply(a)
    x = np.random.default_rng(2).normal(size=(200, 8, 8, 1)).astype("float32")
    assert_recovered(a, mc.align(a, b, "activations", data=x)[1], b)
    assert "Not seen at work, so matched by weights: " in caplog.text
    assert "attention/query/kernel" in caplog.text


@pytest.mark.slow
def test_a_planted_renumbering_of_a_residual_network_is_recovered_most_often():
    recovered = 0
    a = randomized(models.preresnet((8, 8, 3), 4, depth=8), 0)
    found = mc.symmetries(a)
    for seed in range(10):
        b = found.random(seed).apply(a)
        matched = by_weights.match(found, *map(arrays, (a, b)), seed=seed, restarts=30)
        back = found.permutation(matched.orders).of_arrays([v.numpy() for v in b.variables])
        recovered += all(
            np.array_equal(v.numpy(), w) for v, w in zip(a.variables, back, strict=True)
        )
    assert recovered >= 9


def arrays(network):
    """Its trained weights, by place."""
    places = {id(v): i for i, v in enumerate(network.variables)}
    return {places[id(v)]: v.numpy() for v in network.trainable_variables}


@pytest.mark.parametrize("method", ["weights", "activations"])
@pytest.mark.parametrize("make", [PLAIN["mlp"], smooth_cnn, squared_stream])
def test_a_network_is_aligned_to_itself_as_it_is(method, make):
    a = randomized(make(), 0)
    x = np.random.default_rng(0).normal(size=(100, *a.input_shape[1:])).astype("float32")
    _, permutation = mc.align(a, a, method, data=x, restarts=2)
    assert permutation.gathers == {}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["cnn", "recurrent", "squared stream", "gpt"])
def test_the_objective_rises_and_is_what_the_weights_say(name, seed):
    a, b = randomized(PLAIN[name](), seed), randomized(PLAIN[name](), seed + 100)
    found = alignment(a, b, seed=seed, restarts=2)
    by_start = {}
    for line in found.history:
        by_start.setdefault(line["start"], []).append(line["objective"])
    assert list(by_start) == [0, 1, 2]
    for values in by_start.values():
        assert np.all(np.diff(values) >= -1e-9 * abs(values[-1]))
        assert values[-1] > values[0]
    best = max(values[-1] for values in by_start.values())
    moved = found.permutation.of_weights(b, pack(b)).astype(float)
    assert pack(a) @ moved == pytest.approx(best)
    assert np.linalg.norm(pack(a) - moved) < np.linalg.norm(pack(a) - pack(b))


def test_weights_of_one_layer_are_matched_as_well_as_all_of_its_orders_allow():
    make = lambda: models.mlp((4,), 3, widths=[5])  # noqa: E731
    a, b = randomized(make(), 0), randomized(make(), 1)
    w1, b1, w2, _ = (v.numpy() for v in a.variables)
    v1, c1, v2, c2 = (v.numpy() for v in b.variables)
    constant = np.sum(a.variables[3].numpy() * c2)
    gains = [
        np.sum(w1 * v1[:, p]) + b1 @ c1[list(p)] + np.sum(w2 * v2[list(p)]) + constant
        for p in permutations(range(5))
    ]
    assert alignment(a, b).history[-1]["objective"] == pytest.approx(max(gains), rel=1e-5)


def test_the_same_seed_gives_the_same_renumbering():
    a, b = randomized(squared_stream(), 0), randomized(squared_stream(), 1)
    one, other = (mc.align(a, b, seed=3, restarts=3)[0] for _ in range(2))
    np.testing.assert_array_equal(pack(one), pack(other))


def test_the_renumbered_network_computes_what_it_did_and_takes_its_state_along():
    a, b = randomized(smooth_cnn(), 0), randomized(smooth_cnn(), 1)
    renumbered, permutation = mc.align(a, b)
    x = np.random.default_rng(2).normal(size=(5, 9, 9, 2)).astype("float32")
    np.testing.assert_allclose(renumbered(x), b(x), rtol=1e-4, atol=1e-4)
    order = permutation.gathers[0].sources[-1]  # of the first kernel's units
    variance = next(i for i, v in enumerate(b.variables) if v.path.endswith("moving_variance"))
    np.testing.assert_array_equal(
        renumbered.variables[variance], b.variables[variance].numpy()[order]
    )
    flat = FlatNetwork(b)
    expected = FlatNetwork(renumbered).state()
    for one, other in zip(permutation.of_state(b, flat.state()), expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_correlations_given_part_by_part_are_those_of_numpy():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4, 90)) + 1000  # far from zero, where squares lose digits
    y = rng.normal(size=(4, 90)) + x[::-1]
    x[2], y[1] = 7.0, 0.0  # units that never change
    found = by_activations.Correlation()
    for part in np.split(np.arange(90), [17, 40]):
        found.add(x[:, part].astype(np.float32), y[:, part].astype(np.float32))
    with np.errstate(invalid="ignore"):
        expected = np.nan_to_num(np.corrcoef(x, y)[:4, 4:])
    np.testing.assert_allclose(found.matrix(4), expected, atol=1e-4)
    assert (found.matrix(4)[2] == 0).all()
    assert (found.matrix(4)[:, 1] == 0).all()


def test_activations_of_all_positions_count(monkeypatch):
    a, b = randomized(smooth_cnn(), 0), randomized(smooth_cnn(), 1)
    x = np.random.default_rng(2).normal(size=(40, 9, 9, 2)).astype("float32")
    seen = {}
    add = by_activations.Correlation.matrix

    def matrix(self, n):
        seen.setdefault(n, []).append(add(self, n))
        return seen[n][-1]

    monkeypatch.setattr(by_activations.Correlation, "matrix", matrix)
    by_activations.match(mc.symmetries(a), a, b, [x[:25], x[25:]])
    ways = [keras.Model(n.inputs[0], n.layers[0].output) for n in (a, b)]
    one, other = (np.asarray(way(x)).reshape(-1, 6).T for way in ways)  # what BatchNorm is given
    np.testing.assert_allclose(seen[6][0], np.corrcoef(one, other)[:6, 6:], atol=1e-4)


def test_heads_are_matched_with_the_units_within_them():
    a = randomized(PLAIN["gpt"](), 0)
    found = mc.symmetries(a)
    names = {name for kinds in found.heads.values() for kind in kinds for name in kind}
    rng = np.random.default_rng(0)
    orders = {n: rng.permutation(found.groups[n]) for n in (*names, *found.heads)}
    b = found.permutation(orders).apply(a)
    assert_recovered(a, mc.align(a, b)[1], b)  # from one start


def test_where_nothing_is_seen_at_work_weights_are_matched():
    x = keras.Input((6, 5))
    a = keras.Model(x, layers.MultiHeadAttention(3, 4)(x, x))
    a = randomized(a, 0)
    b = mc.symmetries(a).random(0).apply(a)
    data = np.random.default_rng(0).normal(size=(20, 6, 5)).astype("float32")
    assert_recovered(a, mc.align(a, b, "activations", data=data)[1], b)


def test_units_that_touch_what_is_not_trained_stay(caplog):
    caplog.set_level("INFO", logger="mc")
    a, b = (models.mlp((6,), 3, widths=[5, 4, 7]) for _ in range(2))
    for network in (a, b):
        network.layers[3].trainable = False
    for one, other in zip(a.layers[3].weights, b.layers[3].weights, strict=True):
        other.assign(one)
    found = alignment(a, b)
    assert [len(order) for order in found.orders.values()] == [5]
    assert "touch what is not trained" in caplog.text
    for one, other in zip(
        b.layers[3].weights, found.permutation.apply(b).layers[3].weights, strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_adapters_are_renumbered_by_their_rank_alone():
    a, b = (models.mlp((6,), 3, widths=[5, 4]) for _ in range(2))
    for network in (a, b):
        adapters.enable(network, rank=3, alpha=None)
    for one, other in zip(a.non_trainable_variables, b.non_trainable_variables, strict=True):
        other.assign(one)
    a, b = (set_trainable(network, seed) for seed, network in enumerate((a, b)))
    found = alignment(a, b)
    assert set(found.found.groups.values()) == {3}
    x = np.ones((2, 6), np.float32)
    np.testing.assert_allclose(found.permutation.apply(b)(x), b(x), rtol=1e-4, atol=1e-5)


def set_trainable(network, seed):
    rng = np.random.default_rng(seed)
    for variable in network.trainable_variables:
        variable.assign(rng.normal(size=variable.shape))
    return network


def other_layers():
    return models.mlp((6,), 3, widths=[5], activation="tanh")


def diverged():
    network = models.mlp((6,), 3, widths=[5])
    network.layers[1].kernel.assign(network.layers[1].kernel * np.nan)
    return network


def quantized():
    network = models.mlp((6,), 3, widths=[5])
    for layer in network.layers[1:]:
        if isinstance(layer, layers.Dense):
            layer.quantize("int8")
    return network


@pytest.mark.parametrize(
    ("make", "options", "told"),
    [
        (lambda: models.mlp((6,), 3, widths=[4]), {}, r"first difference is .* shape \(6, 5\)"),
        (other_layers, {}, "outputs differ by .* other layers"),
        (diverged, {}, "not finite in .*kernel"),
        (quantized, {}, "different architectures: the first difference is"),
        (None, {"method": "activations"}, "pass data="),
        (None, {"method": "weight"}, "one of weights, activations; received 'weight'"),
    ],
)
def test_pairs_that_cannot_be_aligned_are_told_why(make, options, told):
    a = models.mlp((6,), 3, widths=[5])
    with pytest.raises(ValueError, match=told):
        mc.align(a, a if make is None else make(), **options)


def test_a_network_without_hidden_units_is_told_so():
    a, b = (models.mlp((6,), 3, widths=[]) for _ in range(2))
    with pytest.raises(ValueError, match="has no units that may be renumbered"):
        mc.align(a, b)


def test_a_quantized_network_is_refused():
    a, b = quantized(), quantized()
    with pytest.raises(ValueError, match="quantized"):
        mc.align(a, b)


def test_data_without_a_batch_are_refused():
    a = models.mlp((6,), 3, widths=[5])
    with pytest.raises(ValueError, match="no batch"):
        by_activations.match(mc.symmetries(a), a, a, [])


def test_networks_with_several_inputs_and_dicts_are_looked_at():
    one, two = keras.Input((4,), name="one"), keras.Input((3,), name="two")
    both = layers.Concatenate()([layers.Dense(6)(two), layers.Dense(5)(one)])
    a = keras.Model({"two": two, "one": one}, layers.Dense(2)(layers.Dense(7)(both)))
    a = randomized(a, 0)
    b = mc.symmetries(a).random(0).apply(a)
    rng = np.random.default_rng(0)
    x = {"one": rng.normal(size=(50, 4)), "two": rng.normal(size=(50, 3))}
    x = {name: value.astype("float32") for name, value in x.items()}
    assert_recovered(a, mc.align(a, b, "activations", data=x)[1], b)
    assert (
        first_look.farthest(first_look.plain_outputs(a, x), first_look.plain_outputs(b, x), 1e-4)
        is None
    )
