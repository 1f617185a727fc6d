"""Renumberings of the units of a network."""

import numpy as np
import pytest
from symmetric_networks import PLAIN, randomized, recurrent

import mc
from mc import models
from mc.network.weights import pack
from mc.symmetry.blocks import blocks
from mc.symmetry.permutation import Gather, Permutation


def test_renumberings_compose_invert_and_come_back_from_files(tmp_path):
    network = randomized(recurrent(), 0)
    found = mc.symmetries(network)
    one, other = found.random(1), found.random(2)
    both = other.compose(one)
    expected = pack(other.apply(one.apply(network)))
    np.testing.assert_array_equal(pack(both.apply(network)), expected)
    np.testing.assert_array_equal(both.of_weights(network, pack(network)), expected)
    np.testing.assert_array_equal(pack(both.inverse().apply(both.apply(network))), pack(network))
    both.save(tmp_path / "both.npz")
    read = mc.Permutation.load(tmp_path / "both.npz")
    np.testing.assert_array_equal(pack(read.apply(network)), expected)


@pytest.mark.parametrize("name", ["gpt", "recurrent"])
def test_orders_compose_as_the_renumberings_do(name):
    network = randomized(PLAIN[name](), 0)
    found = mc.symmetries(network)
    rng = np.random.default_rng(1)
    one, other = (
        {group: rng.permutation(n) for group, n in list(found.groups.items())[start:]}
        for start in (0, 1)
    )
    expected = found.permutation(other).compose(found.permutation(one))
    both = found.permutation(found.composed(one, other))
    np.testing.assert_array_equal(pack(both.apply(network)), pack(expected.apply(network)))


def test_each_head_has_an_order_of_its_own_and_takes_it_along():
    network = randomized(PLAIN["gpt"](), 0)
    found = mc.symmetries(network)
    ((heads, (values, _)), *_) = found.heads.items()
    rng = np.random.default_rng(1)
    inside = [rng.permutation(32) for _ in values]
    orders = {heads: np.array([1, 0])} | dict(zip(values, inside, strict=True))
    moved = found.permutation(orders).apply(network)
    path = values[0].partition(",")[0]
    place = next(i for i, v in enumerate(network.variables) if v.path == path)
    kernel, after = (n.variables[place].numpy() for n in (network, moved))  # [d, heads, units]
    for head, order in enumerate(inside):
        np.testing.assert_array_equal(after[:, 1 - head][:, order], kernel[:, head])


def test_renumberings_of_other_views_of_a_weight_compose_too():
    rng = np.random.default_rng(0)
    value = rng.normal(size=(4, 6))
    first = Gather((4, 6), (rng.permutation(4), rng.permutation(6)))
    then = Gather((4, 2, 3), (rng.permutation(4), rng.permutation(2), rng.permutation(3)))
    np.testing.assert_array_equal(then.after(first)(value), then(first(value)))


def test_a_renumbering_of_another_network_is_refused(tmp_path):
    one, other = models.mlp((6,), 3, widths=[5]), models.mlp((6,), 3, widths=[4])
    permutation = mc.symmetries(one).random(0)
    with pytest.raises(ValueError, match="of another network: its variable 0 has shape"):
        permutation.apply(other)
    with pytest.raises(ValueError, match="different networks"):
        permutation.compose(mc.symmetries(other).random(0))
    np.savez(tmp_path / "other.npz", x=1)
    with pytest.raises(ValueError, match="is no renumbering"):
        Permutation.load(tmp_path / "other.npz")


@pytest.mark.parametrize("name", PLAIN)
def test_parts_of_weights_move_as_their_units_do(name):
    network = randomized(PLAIN[name](), 0)
    found = mc.symmetries(network)
    rng = np.random.default_rng(1)
    for group, members in found.members.items():
        order = rng.permutation(len(members))
        gathers = found.permutation({group: order}).gathers
        for place, gather in gathers.items():
            value = network.variables[place].numpy().reshape(gather.shape)
            moved = gather(value)
            covered = 0
            for block in blocks(found.weights[place].axes, members, gather.shape):
                covered += block(value).size
                expected = block(value)
                for axis in range(block.count):
                    expected = np.take(expected, np.argsort(order), axis=axis)
                np.testing.assert_array_equal(block(moved), expected)
            assert (moved != value).sum() <= covered
