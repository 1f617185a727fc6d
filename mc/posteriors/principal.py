"""Principal directions of a few weight vectors, by their Gram matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mc.evaluation.geometry import gram, gram_about_mean


def principal(
    vectors: Sequence[Any], dim: int | None, what: str, centred: bool = True
) -> np.ndarray:
    """Eigenvectors of the Gram matrix of deviations, the largest first; `[dim, n]`.

    Signs are such that the largest number of each is positive.

    Args:
        vectors: n weight vectors.
        dim: how many; None: all.
        what: the vectors are, for the error.
        centred: whether deviations are those from the mean; else the vectors are deviations.

    Raises:
        ValueError: there is no vector, or fewer deviations than `dim` are independent.
    """
    n = len(vectors)
    if n == 0:
        raise ValueError(f"There are no {what} to take principal directions of.")
    inner = gram_about_mean(vectors) if centred else gram(vectors, center=False)
    values, eigenvectors = np.linalg.eigh(inner)
    longest = max(np.linalg.norm(np.asarray(w)) for w in vectors)
    # What is shorter is the rounding of float32.
    shortest = np.sqrt(n) * np.finfo(np.float32).eps * longest
    rank = int(np.sum(values > shortest**2))
    dim = rank or 1 if dim is None else dim
    check_dim(dim)
    if dim > rank:
        raise ValueError(
            f"{n} {what} span {rank} dimensions, and dim={dim} needs more: give a dim of at most "
            f"{rank}, or more {what}."
        )
    found = eigenvectors[:, ::-1][:, :dim].T
    largest = np.take_along_axis(found, np.abs(found).argmax(axis=1)[:, np.newaxis], axis=1)
    return found * np.sign(largest)


def check_dim(dim: int) -> None:
    """Raise unless a subspace has a dimension."""
    if dim < 1:
        raise ValueError(f"dim, the dimensions of a subspace, must be at least 1; received {dim}.")
