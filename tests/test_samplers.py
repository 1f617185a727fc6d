"""Draws from a prior times a likelihood, and whether they are right."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mc.posteriors import convergence
from mc.posteriors.elliptical import EllipticalSlice
from mc.posteriors.quadrature import on_grid


def linear_gaussian(temperature, prior_std, noise=0.5):
    """y = A z + noise: its tempered log-likelihood, and mean and covariance of its posterior."""
    rng = np.random.default_rng(0)
    a, y = rng.normal(size=(7, 2)), rng.normal(size=7)

    def log_likelihood(z):
        apart = y - z @ a.T
        return -0.5 * np.sum(apart**2, axis=-1) / noise**2 / temperature

    precision = a.T @ a / noise**2 / temperature + np.eye(2) / prior_std**2
    covariance = np.linalg.inv(precision)
    return log_likelihood, covariance @ a.T @ y / noise**2 / temperature, covariance


@pytest.mark.parametrize("temperature", [0.5, 1, 10, np.inf])
def test_draws_of_a_linear_gaussian_model_are_those_of_its_closed_form(temperature):
    log_likelihood, mean, covariance = linear_gaussian(temperature, prior_std=2.0)
    chains = EllipticalSlice(log_likelihood, np.zeros((16, 2)), 2.0, 800, seed=1).run()
    draws = chains.samples[:, 50:]
    effective = convergence.effective_sample_size(draws)
    error = np.sqrt(np.diag(covariance) / effective)
    assert (np.abs(draws.mean(axis=(0, 1)) - mean) < 4 * error).all()
    np.testing.assert_allclose(
        np.cov(draws.reshape(-1, 2).T), covariance, atol=0.08 * covariance.max()
    )
    assert (convergence.split_r_hat(draws) < 1.02).all()
    np.testing.assert_allclose(
        chains.log_likelihoods, log_likelihood(chains.samples.reshape(-1, 2)).reshape(16, -1)
    )


def test_without_a_likelihood_draws_are_those_of_the_prior():
    chains = EllipticalSlice(lambda z: np.zeros(len(z)), np.zeros((8, 3)), 0.7, 500).run()
    assert chains.evaluations == 8 + 8 * 500  # every first angle is taken
    draws = chains.samples[:, 20:].reshape(-1, 3)
    for k in range(3):
        assert stats.kstest(draws[::5, k], stats.norm(0, 0.7).cdf).pvalue > 1e-3


def banana(z):
    """Thin and bent, as the posterior in the plane of a curve is."""
    return -0.5 * ((z[:, 1] - z[:, 0] ** 2) / 0.15) ** 2


def test_draws_of_a_banana_are_those_of_exact_quadrature():
    chains = EllipticalSlice(banana, np.tile([[0.5, 0.25]], (32, 1)), 1.0, 900, seed=2).run()
    draws = chains.samples[:, 200:].reshape(-1, 2)
    prior = stats.norm(0, 1)
    grid = on_grid(
        lambda z: banana(z) + prior.logpdf(z).sum(axis=1), [(-4.0, 4.0), (-2.0, 8.0)], 400
    )
    for k in range(2):
        low, high = draws[:, k].min(), draws[:, k].max()
        edges = np.linspace(low, high, 21)
        found = np.histogram(draws[:, k], edges)[0] / len(draws)
        exact = np.histogram(grid.axes[k], edges, weights=grid.marginal(k))[0]
        assert 0.5 * np.abs(found - exact).sum() < 0.05


def test_chains_beside_others_are_those_alone_and_go_on_where_they_were():
    starts = np.random.default_rng(0).normal(size=(4, 2))
    log_likelihood, *_ = linear_gaussian(1, 1.0)
    together = EllipticalSlice(log_likelihood, starts, 1.0, 30, seed=3).run()
    taken = []

    def until_killed():
        taken.append(halfway.state())

    halfway = EllipticalSlice(log_likelihood, starts, 1.0, 30, seed=3)
    for _ in range(25):
        halfway.step()
        until_killed()
    again = EllipticalSlice(log_likelihood, starts, 1.0, 30, seed=3)
    again.restore(taken[-1])
    again.run()
    np.testing.assert_array_equal(again.samples, together.samples)
    assert again.evaluations == together.evaluations
    first = EllipticalSlice(log_likelihood, starts[:1], 1.0, 30, seed=3).run()
    np.testing.assert_allclose(first.samples[0], together.samples[0], rtol=1e-12)
    other = EllipticalSlice(log_likelihood, starts, 1.0, 30, seed=4).run()
    assert (other.samples != together.samples).all()


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1), st.floats(0.1, 5.0))
def test_every_draw_lies_above_its_level_and_is_met_in_the_end(seed, width):
    def box(z):  # nothing outside: brackets must shrink towards where the chain is
        return np.where((np.abs(z) < width / 10).all(axis=1), 0.0, -np.inf)

    chains = EllipticalSlice(box, np.zeros((2, 2)), width, 5, seed=seed).run()
    assert (np.abs(chains.samples) < width / 10).all()


def test_a_start_without_a_likelihood_is_refused():
    with pytest.raises(ValueError, match="Chain 1 starts where the log-likelihood is -inf"):
        EllipticalSlice(lambda z: np.array([0.0, -np.inf]), np.zeros((2, 1)), 1.0, 5)
    with pytest.raises(ValueError, match="prior_std must be positive; received prior_std=0"):
        EllipticalSlice(lambda z: np.zeros(len(z)), np.zeros((2, 1)), 0, 5)


def test_quadrature_gives_marginals_and_the_evidence_of_a_gaussian():
    covariance = np.array([[1.0, 0.6], [0.6, 2.0]])
    normal = stats.multivariate_normal([0.5, -1.0], covariance)
    grid = on_grid(lambda z: normal.logpdf(z) + np.log(3), [(-7, 8), (-11, 9)], 300)
    assert grid.log_evidence == pytest.approx(np.log(3), abs=1e-6)
    for k, (mean, variance) in enumerate(zip([0.5, -1.0], np.diag(covariance), strict=True)):
        share = grid.marginal(k)
        assert share @ grid.axes[k] == pytest.approx(mean, abs=1e-6)
        assert share @ (grid.axes[k] - mean) ** 2 == pytest.approx(variance, rel=1e-4)
    draws = grid.draw(20000, seed=0)
    np.testing.assert_allclose(np.cov(draws.T), covariance, atol=0.06)
    np.testing.assert_array_equal(grid.at(grid.points), grid.log_density.ravel())
    np.testing.assert_allclose(grid.at(draws), normal.logpdf(draws) + np.log(3), atol=1)
    one = on_grid(lambda z: stats.norm.logpdf(z[:, 0]), [(-8, 8)], 200)
    assert one.log_evidence == pytest.approx(0, abs=1e-8)


def test_quadrature_of_three_dimensions_or_of_nothing_is_refused():
    with pytest.raises(ValueError, match=r"has 3\. Use elliptical slice sampling"):
        on_grid(lambda z: z[:, 0], [(0, 1)] * 3, 5)
    with pytest.raises(ValueError, match="density is 0 in the whole box"):
        on_grid(lambda z: np.full(len(z), -np.inf), [(0, 1)], 5)
    with pytest.raises(ValueError, match="two cells or more"):
        on_grid(lambda z: z[:, 0], [(0, 1)], 1)


def autoregressive(coefficient, chains=8, draws=4000):
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(chains, draws))
    x = np.zeros((chains, draws))
    x[:, 0] = noise[:, 0] / np.sqrt(1 - coefficient**2)
    for i in range(1, draws):
        x[:, i] = coefficient * x[:, i - 1] + noise[:, i]
    return x[..., np.newaxis]


@pytest.mark.parametrize("coefficient", [0.0, 0.5, 0.9, -0.5])
def test_the_effective_sample_size_of_autoregressions_is_known(coefficient):
    draws = autoregressive(coefficient)
    expected = draws.size * (1 - coefficient) / (1 + coefficient)
    assert convergence.effective_sample_size(draws)[0] == pytest.approx(expected, rel=0.1)
    assert convergence.split_r_hat(draws)[0] == pytest.approx(1, abs=0.01)


def test_chains_that_disagree_or_drift_are_told():
    rng = np.random.default_rng(0)
    draws = rng.normal(size=(4, 1000, 1))
    apart, drifting = draws.copy(), draws.copy()
    apart[0] += 3
    drifting += np.linspace(0, 3, 1000)[:, np.newaxis]
    # By hand: four chains, one of them 3 away, have means of variance 9 * (1/4 - 1/16) * 8/7.
    assert convergence.split_r_hat(apart)[0] == pytest.approx(np.sqrt(1 + 9 * 3 / 16 * 8 / 7), 0.03)
    # Halves have means .75 and 2.25, and a variance of 1 + 1.5**2 / 12 within.
    by_hand = np.sqrt(1 + 0.75**2 * 8 / 7 / (1 + 1.5**2 / 12))
    assert convergence.split_r_hat(drifting)[0] == pytest.approx(by_hand, 0.03)
    assert convergence.effective_sample_size(apart)[0] < 20
    still = np.zeros((2, 10, 1))
    assert np.isnan(convergence.split_r_hat(still)).all()
    assert np.isnan(convergence.effective_sample_size(still)).all()
    with pytest.raises(ValueError, match="at least four"):
        convergence.split_r_hat(np.zeros((2, 3, 1)))
