"""Which unit goes to which place."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mc.symmetry.assignment import Assignment


@settings(max_examples=30)
@given(st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_assignments_are_the_best_of_all_orders(n, seed):
    rng = np.random.default_rng(seed)
    gain = rng.normal(size=(n, n))
    best = Assignment(gain).best()
    orders = list(permutations(range(n)))
    assert Assignment(gain)(best) == pytest.approx(
        max(sum(gain[i, p[i]] for i in range(n)) for p in orders)
    )


@settings(max_examples=30)
@given(st.integers(2, 5), st.integers(0, 2**32 - 1))
def test_quadratic_assignments_are_as_their_formula_and_better_than_staying(n, seed):
    rng = np.random.default_rng(seed)
    gain, a, b = rng.normal(size=(n, n)), *rng.normal(size=(2, n, n, 3))
    problem = Assignment(gain, [(a, b)])

    def by_hand(p):
        p = np.eye(n)[list(p)]
        return np.sum(gain * p) + sum(np.sum(a[..., r] * (p @ b[..., r] @ p.T)) for r in range(3))

    best = problem.best()
    assert sorted(best) == list(range(n))
    assert problem(best) == pytest.approx(by_hand(best))
    assert problem(best) >= problem(np.arange(n))
    planted = rng.permutation(n)
    back = Assignment(0 * gain, [(a[np.ix_(planted, planted)], a)])
    assert back(planted) == pytest.approx(np.sum(a**2))  # where a place has its own unit


def test_the_slope_of_a_quadratic_assignment_is_that_of_its_formula():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 4, 4, 3))
    problem, p, d = Assignment(np.zeros((4, 4)), [(a, b)]), *rng.random((2, 4, 4))

    def at(q):
        return sum(np.sum(a[..., r] * (q @ b[..., r] @ q.T)) for r in range(3))

    slope = (at(p + 1e-5 * d) - at(p - 1e-5 * d)) / 2e-5
    assert np.vdot(problem._gradient(p), d) == pytest.approx(slope, rel=1e-6)
