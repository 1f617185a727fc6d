"""Averages of the weights of several networks."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import ArrayLike


def running_means(vectors: Iterable[ArrayLike]) -> Iterator[np.ndarray]:
    """The mean of the first, the first two, the first three, ... weight vectors; `[P] float32`.

    With the members of fast geometric ensembling this is stochastic weight averaging (Izmailov et
    al. 2018, "Averaging Weights Leads to Wider Optima and Better Generalization"). The statistics
    of BatchNorm layers are no part of it: estimate them anew (`batchnorm.estimate`).

    Args:
        vectors: an iterable of `[P]`; one is in memory at a time.
    """
    total = 0.0
    for count, w in enumerate(vectors, 1):
        total = total + np.asarray(w, np.float64)
        yield (total / count).astype(np.float32)
