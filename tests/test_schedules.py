"""Learning-rate factors against values worked out by hand."""

import math
from itertools import pairwise

import pytest

from mc import schedules


def test_garipov_holds_then_falls_to_a_hundredth():
    factors = [schedules.factor("garipov", e, 20) for e in range(1, 21)]
    assert factors[:10] == [1.0] * 10
    # e/E = 0.7 is halfway down from 1 to 0.01.
    assert factors[13] == pytest.approx(0.505)
    assert factors[17:] == pytest.approx([0.01] * 3)
    steps = [a - b for a, b in pairwise(factors[9:18])]
    assert steps == pytest.approx([0.99 / 8] * 8)


def test_drbayes_holds_then_falls_to_a_twentieth():
    factors = [schedules.factor("drbayes", e, 20) for e in range(1, 21)]
    assert factors[:10] == [1.0] * 10
    assert factors[13] == pytest.approx(0.525)  # halfway down from 1 to 0.05
    assert factors[17:] == pytest.approx([0.05] * 3)


def test_cosine_starts_at_one_and_is_half_way_in_the_middle():
    assert schedules.factor("cosine", 1, 10) == 1.0
    assert schedules.factor("cosine", 6, 10) == pytest.approx(0.5)
    assert schedules.factor("cosine", 10, 10) == pytest.approx((1 + math.cos(0.9 * math.pi)) / 2)


def test_constant_is_one():
    assert [schedules.factor("constant", e, 3) for e in (1, 2, 3)] == [1.0] * 3


def test_an_unknown_schedule_lists_the_known_ones():
    with pytest.raises(ValueError, match="constant, cosine, drbayes, garipov"):
        schedules.factor("step", 1, 2)
