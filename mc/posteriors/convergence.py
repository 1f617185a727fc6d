"""Whether chains of draws have converged, and how many independent draws they are worth."""

import numpy as np


def split_r_hat(draws: np.ndarray) -> np.ndarray:
    """How much wider all chains are together than alone; near 1 where they agree; `[d]`.

    Each chain is split in halves, so that a trend within chains shows too: sqrt((n-1)/n + B/(n W)),
    with W the mean variance within the m halves of n draws each, and B n times the variance of
    their means (Gelman et al. 2013, Bayesian Data Analysis, Section 11.4).

    `draws`: `[chains, draws, d]`, at least four of each. nan where a half does not vary.
    """
    halves = _halves(draws)
    n = halves.shape[1]
    within = halves.var(axis=1, ddof=1).mean(axis=0)
    between = n * halves.mean(axis=1).var(axis=0, ddof=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.sqrt((n - 1) / n + between / (n * within))


def effective_sample_size(draws: np.ndarray) -> np.ndarray:
    """How many independent draws would tell the mean as well; `[d]`.

    m n / (1 + 2 sum_t rho_t) over the split chains; the autocorrelations rho_t are summed in
    pairs as long as these are positive, each at most the pair before (Geyer 1992; Gelman et al.
    2013, Section 11.5; Vehtari et al. 2021, Section 3.2).

    `draws`: `[chains, draws, d]`, at least four of each. nan where a half does not vary.
    """
    halves = _halves(draws)
    m, n, dim = halves.shape
    found = np.full(dim, np.nan)
    for k in range(dim):
        x = halves[..., k]
        within = x.var(axis=1, ddof=1).mean()
        if within == 0:
            continue
        variance = (n - 1) / n * within + x.mean(axis=1).var(ddof=1)
        rho = 1 - (within - _autocovariance(x).mean(axis=0)) / variance
        rho[0] = 1
        pairs = rho[: n // 2 * 2].reshape(-1, 2).sum(axis=1)
        last = np.argmax(pairs < 0) if (pairs < 0).any() else len(pairs)
        kept = np.minimum.accumulate(pairs[: max(last, 1)])
        time = max(2 * kept.sum() - 1, 1 / np.log10(m * n))  # of antithetic chains no more
        found[k] = m * n / time
    return found


def _halves(draws: np.ndarray) -> np.ndarray:
    """`[2 * chains, n, d]`; of an odd number of draws the middle one is left out."""
    if draws.ndim != 3 or draws.shape[1] < 4:
        raise ValueError(
            f"draws must be [chains, draws, d], at least four of each; received {draws.shape}."
        )
    n = draws.shape[1] // 2
    return np.concatenate([draws[:, :n], draws[:, -n:]]).astype(float)


def _autocovariance(x: np.ndarray) -> np.ndarray:
    """Of each chain at every lag, sums divided by n - 1; `[m, n]`."""
    n = x.shape[1]
    x = x - x.mean(axis=1, keepdims=True)
    spectrum = np.fft.rfft(x, 2 * n, axis=1)
    return np.fft.irfft(np.abs(spectrum) ** 2, axis=1)[:, :n] / (n - 1)
