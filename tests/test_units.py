"""Axes in units: what moves together where axes are one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mc.symmetry import axes
from mc.symmetry.axes import Axis
from mc.symmetry.units import Units


def renumbered(units, seed):
    """Random images of all units in use, within their groups."""
    rng = np.random.default_rng(seed)
    images = np.arange(len(units.group))
    for members in units.groups().values():
        images[members] = rng.permutation(members)
    return images


def sizes(units, *of):
    """How many units the groups of some axes have."""
    used = np.unique(np.concatenate([units.of(axis).units.ravel() for axis in of]))
    return sorted(
        len(members) for members in units.groups().values() if np.isin(members, used).any()
    )


def check(units, *pairs):
    """Axes that are one move alike, whatever the numbers."""
    for seed in range(3):
        images = renumbered(units, seed)
        for x, y in pairs:
            x, y = units.of(x), units.of(y)
            np.testing.assert_array_equal(axes.moved(x, images), axes.moved(y, images))


def test_two_groups_that_meet_are_one():
    units = Units()
    a, b = units.fresh(4), units.fresh(4)
    units.unify(a, b)
    assert sizes(units, a, b) == [4]
    check(units, (a, b))


def test_a_sum_cuts_what_it_meets():
    units = Units()
    a, b, whole = units.fresh(3), units.fresh(2), units.fresh(5)
    units.unify(axes.concatenated([a, b]), whole)
    assert sizes(units, whole) == [2, 3]
    check(units, (axes.concatenated([a, b]), whole))


def test_pixels_of_a_channel_move_together():
    units = Units()
    channels, flat = units.fresh(3), units.fresh(6)
    pixels = axes.product(axes.fixed(2), channels)
    units.unify(pixels, flat)
    assert sizes(units, flat) == [3]
    check(units, (pixels, flat))


def test_two_images_meet_pixel_by_pixel():
    units = Units()
    a, b = (axes.product(axes.fixed(2), units.fresh(3)) for _ in range(2))
    units.unify(a, b)
    assert sizes(units, a, b) == [3]
    check(units, (a, b))


def test_channels_that_meet_in_another_order_are_a_group_of_pairs():
    units = Units()
    a = units.fresh(4)
    units.unify(a, axes.taken(a, [1, 0, 3, 2]))
    assert sizes(units, a) == [2]
    check(units, (a, axes.taken(a, [1, 0, 3, 2])))


def test_what_meets_what_stays_stays():
    units = Units()
    a = units.fresh(4)
    units.unify(axes.taken(a, [0, 1]), axes.fixed(2))
    assert sizes(units, a) == [2]
    check(units, (axes.taken(a, [0, 1]), axes.fixed(2)))


def test_a_group_that_is_split_in_rows_becomes_a_group_each_way():
    units = Units()
    whole = units.fresh(12)
    rows, columns = units.split(whole, 3)
    assert (len(rows), len(columns)) == (3, 4)
    assert sizes(units, whole) == [3, 4]
    check(units, (whole, axes.product(rows, columns)))


def test_pixels_and_channels_are_split_as_they_were_joined():
    units = Units()
    channels = units.fresh(3)
    pixels, rest = units.split(axes.product(axes.fixed(4), channels), 4)
    assert units.of(pixels).counts.max(initial=0) == 0
    assert sizes(units, rest) == [3]
    check(units, (rest, channels))


def test_rows_of_other_groups_move_alike_once_they_are_split():
    units = Units()
    a, b = units.fresh(4), units.fresh(4)
    _, columns = units.split(axes.concatenated([a, b]), 2)
    assert sizes(units, columns) == [4]
    check(units, (a, b), (columns, a))


def test_a_pair_of_groups_meets_one():
    units = Units()
    pairs = axes.product(units.fresh(3), units.fresh(2))
    whole = units.fresh(6)
    units.unify(whole, pairs)
    assert sizes(units, whole) == [2, 3]
    check(units, (whole, pairs))
    other = axes.product(units.fresh(3), units.fresh(2))
    units.unify(other, whole)
    assert sizes(units, whole, other) == [2, 3]
    check(units, (whole, pairs), (other, pairs))


def test_axes_of_other_lengths_are_refused():
    units = Units()
    with pytest.raises(ValueError, match="4 and 3 positions"):
        units.unify(units.fresh(4), units.fresh(3))


def test_a_renumbering_of_other_axes_is_refused():
    units = Units()
    a = units.fresh(3)
    with pytest.raises(ValueError, match="to where there is none"):
        axes.moved(axes.taken(a, [0, 1]), np.array([1, 2, 0]))


LENGTH = 6


@st.composite
def axis(draw, groups):
    """An axis of six positions that sums, products and slices make of some groups."""
    how = draw(
        st.sampled_from(["whole", "pixels", "sum", "order", "pairs", "fixed", "outer", "part"])
    )
    one, two = (draw(st.sampled_from(groups)) for _ in range(2))
    three, half = one[3], two[2]
    if how == "whole":
        return one[6]
    if how == "pixels":
        return axes.product(axes.fixed(2), three)
    if how == "outer":
        return axes.product(three, axes.fixed(2))
    if how == "sum":
        return axes.concatenated([three, two[3]])
    if how == "order":
        return axes.taken(one[6], draw(st.permutations(range(6))))
    if how == "part":
        some = draw(st.permutations(range(6)))[:3]
        return axes.concatenated([three, axes.taken(two[6], some)])
    if how == "pairs":
        return axes.product(three, half)
    return axes.concatenated([axes.fixed(3), three])


@pytest.mark.slow
@given(st.data())
def test_whatever_meets_moves_alike(data):
    units = Units()
    groups = [{n: units.fresh(n) for n in (2, 3, 6)} for _ in range(3)]
    pairs = []
    for _ in range(data.draw(st.integers(1, 5))):
        x, y = (data.draw(axis(groups)) for _ in range(2))
        units.unify(x, y)
        pairs.append((x, y))
    check(units, *pairs)
    for x, _ in pairs:
        rows = units.split(x, data.draw(st.sampled_from([2, 3])))
        check(units, *pairs, (x, axes.product(*rows)))


@given(st.data())
def test_moving_there_and_back_moves_nothing(data):
    units = Units()
    groups = [{n: units.fresh(n) for n in (2, 3, 6)} for _ in range(2)]
    x = data.draw(axis(groups))
    units.settle(x)
    images = renumbered(units, data.draw(st.integers(0, 99)))
    there, back = (axes.moved(units.of(x), i) for i in (images, np.argsort(images)))
    np.testing.assert_array_equal(there[back], np.arange(LENGTH))
    assert isinstance(x, Axis)
