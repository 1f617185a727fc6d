"""A Gaussian over the weights that training passes through."""

import numpy as np
import pytest

from mc.ensembles.swag import Swag


def gathered(snapshots, rank=20):
    swag = Swag(snapshots.shape[1], rank)
    for w in snapshots:
        swag.collect(w)
    return swag


def snapshots(n=8, size=3, seed=0):
    return np.random.default_rng(seed).normal(size=(n, size)).astype(np.float32)


def test_mean_and_variance_are_those_of_numpy():
    w = snapshots(30, 5)
    swag = gathered(w)
    np.testing.assert_allclose(swag.mean, w.mean(axis=0, dtype=float), rtol=1e-12)
    np.testing.assert_allclose(swag.variance, w.var(axis=0, dtype=float), rtol=1e-10)


def test_deviations_are_the_last_ones_from_the_mean_up_to_then():
    w = snapshots(6)
    swag = gathered(w, rank=4)
    expected = [w[i] - w[: i + 1].mean(axis=0) for i in range(2, 6)]
    np.testing.assert_allclose(np.array(swag.deviations), expected, atol=1e-6)


def test_large_weights_that_vary_little_keep_their_digits():
    small = 1e-3 * np.random.default_rng(0).normal(size=(50, 4))
    w = (1e2 + small).astype(np.float32)  # what float32 leaves of them
    np.testing.assert_allclose(gathered(w).variance, w.var(axis=0, dtype=float), rtol=1e-9)
    assert (gathered(np.full((5, 3), 1e2, np.float32)).variance == 0).all()


def test_at_scale_zero_a_draw_is_the_average_of_the_weights():
    swag = gathered(snapshots())
    np.testing.assert_array_equal(swag.draw(0, 0, scale=0), swag.mean.astype(np.float32))


@pytest.mark.parametrize("n", [5, 30])  # fewer snapshots than are kept, and more
def test_the_covariance_of_draws_is_that_of_the_formula(n):
    w = snapshots(n) @ np.array([[1.0, 0.9, 0.0], [0.0, 0.3, 0.5], [0.0, 0.0, 1.0]])
    swag = gathered(w.astype(np.float32))
    draws = np.array([swag.draw(1, i) for i in range(20_000)])
    means = np.array([w[: i + 1].mean(axis=0) for i in range(n)])
    d = (w - means)[-20:]
    expected = 0.5 * (np.diag(w.var(axis=0)) + d.T @ d / (len(d) - 1))
    np.testing.assert_allclose(np.cov(draws.T), expected, atol=0.03 * expected.max())
    np.testing.assert_allclose(draws.mean(axis=0), w.mean(axis=0), atol=0.03)


def test_without_its_diagonal_a_draw_lies_in_the_span_of_the_deviations():
    w = snapshots(4, 10)
    swag = gathered(w)
    swag.squares[:] = 0
    apart = (swag.draw(0, 0) - swag.mean).astype(float)
    d = np.array(swag.deviations, float)
    rest = apart - d.T @ np.linalg.lstsq(d.T, apart, rcond=None)[0]
    assert np.linalg.norm(rest) < 1e-5 * np.linalg.norm(apart)


def test_a_diagonal_alone_varies_each_weight_for_itself():
    swag = gathered(snapshots(12), rank=0)
    assert len(swag.deviations) == 0
    draws = np.array([swag.draw(0, i, scale=1) for i in range(10_000)])
    np.testing.assert_allclose(np.cov(draws.T), np.diag(swag.variance), atol=0.03)


def test_draws_are_repeated_by_seed_and_number_and_come_back_from_a_file(tmp_path):
    swag = gathered(snapshots())
    np.savez(tmp_path / "swag.npz", **swag.state())
    with np.load(tmp_path / "swag.npz") as file:
        again = Swag.of_state(dict(file))
    np.testing.assert_array_equal(again.draw(3, 1), swag.draw(3, 1))
    assert (swag.draw(3, 2) != swag.draw(3, 1)).all()
    assert (swag.draw(4, 1) != swag.draw(3, 1)).all()
    more = snapshots(1, seed=9)[0]
    for one in (swag, again):
        one.collect(more)
    np.testing.assert_array_equal(again.draw(3, 1), swag.draw(3, 1))


def test_what_is_no_scale_rank_or_too_few_snapshots_is_refused():
    with pytest.raises(ValueError, match="two snapshots or more"):
        gathered(snapshots(1)).draw(0, 0)
    with pytest.raises(ValueError, match="scale must be at least 0; received scale=-1"):
        gathered(snapshots()).draw(0, 0, scale=-1)
    with pytest.raises(ValueError, match="received rank=1"):
        Swag(3, rank=1)
