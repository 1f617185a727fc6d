"""Many networks as a graph whose edges are the heights of the passes between them.

The height of a path is the highest loss on it. Over several paths in turn the highest decides, so
the lowest pass between two networks of a graph is that of the way whose highest edge is lowest: the
way in the minimum spanning tree (Draxler et al. 2018, Section 3.3).
"""

from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike
from scipy.cluster import hierarchy
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree
from scipy.spatial.distance import squareform
from scipy.stats import rankdata

from mc.evaluation.passes import Pair


def tree(heights: ArrayLike) -> list[Pair]:
    """The edges of the minimum spanning tree, the lowest first.

    `heights: [n, n]`, symmetric; what is not finite is higher than all else.
    """
    heights = np.asarray(heights, float)
    found = minimum_spanning_tree(csr_matrix(np.triu(squareform(_ranks(heights)))))
    pairs = sorted((int(min(i, j)), int(max(i, j))) for i, j in zip(*found.nonzero(), strict=True))
    return sorted(pairs, key=lambda pair: _finite(heights)[pair])


def bottlenecks(heights: ArrayLike) -> np.ndarray:
    """The lowest pass between any two, over all ways through others; `[n, n]`, nan on its diagonal.

    `heights: [n, n]`, symmetric. These are distances of single linkage: B(a, c) is at most the
    larger of B(a, b) and B(b, c).
    """
    ranks = hierarchy.cophenet(hierarchy.linkage(_ranks(heights), "single"))
    made = squareform(_of_ranks(heights, ranks))
    np.fill_diagonal(made, np.nan)
    return made


def merges(heights: ArrayLike) -> np.ndarray:
    """How networks come together as a level of the loss rises, the lowest pass first.

    `heights: [n, n]`, symmetric -> SciPy's linkage `[n - 1, 4]`: the two groups, the height, and
    how many networks they have together.
    """
    found = hierarchy.linkage(_ranks(heights), "single")
    found[:, 2] = _of_ranks(heights, found[:, 2])
    return found


def clusters(barriers: ArrayLike, threshold: float) -> np.ndarray:
    """The cluster of each network, numbered from 1 in their order: `[n]`.

    Two are of one where a pass between them, or between others in turn, has a barrier of at most
    `threshold`; `barriers: [n, n]`, symmetric.
    """
    joined = np.asarray(barriers, float) <= threshold  # nan is not
    _, labels = connected_components(csr_matrix(joined), directed=False)
    seen = dict.fromkeys(labels.tolist())
    number = {label: count for count, label in enumerate(seen, 1)}
    return np.array([number[label] for label in labels.tolist()])


def next_pairs(heights: ArrayLike, floors: ArrayLike, tried: set[Pair]) -> list[Pair]:
    """The pairs whose paths are worth looking for next: those that could lower a bottleneck.

    For every edge of the tree, the highest first: the networks on its one side and on its other are
    joined by nothing lower. Of the pairs across that were not tried, whose two ends are both lower
    than the edge, the one with the lowest height so far; the edge's own pair, if it is one of them.
    A pair that would be chosen twice is chosen once.

    Args:
        heights: of the lowest path that is known between two, `[n, n]`.
        floors: the loss of each network, below which no path from it can stay, `[n]`.
        tried: pairs whose paths were looked for.
    """
    heights, floors = _finite(heights), np.asarray(floors, float)
    edges, n = tree(heights), len(floors)
    chosen: list[Pair] = []
    for edge in reversed(edges):
        others = [other for other in edges if other != edge]
        rows, columns = zip(*others, strict=True) if others else ((), ())
        kept = csr_matrix((np.ones(len(others)), (rows, columns)), (n, n))
        _, side = connected_components(kept, directed=False)
        across = [
            pair
            for pair in combinations(range(n), 2)
            if side[pair[0]] != side[pair[1]]
            and pair not in tried
            and np.max(floors[list(pair)]) < heights[edge]  # never, where one is nan
        ]
        if not across:
            continue
        best = min(across, key=lambda pair: (pair != edge, heights[pair], pair))
        if best not in chosen:
            chosen.append(best)
    return chosen


def _ranks(heights: ArrayLike) -> np.ndarray:
    """1, 2, ... of all pairs, in `squareform`'s order: a tree needs the order alone.

    SciPy's sparse matrices take a height of 0 for no edge, and its distances are none below 0.
    """
    flat = squareform(np.asarray(heights, float), checks=False)
    return rankdata(_finite(flat), method="ordinal").astype(float)


def _of_ranks(heights: ArrayLike, ranks: np.ndarray) -> np.ndarray:
    """The heights that have these ranks."""
    order = np.sort(_finite(squareform(np.asarray(heights, float), checks=False)))
    return order[np.rint(ranks).astype(int) - 1]


def _finite(heights: ArrayLike) -> np.ndarray:
    return np.nan_to_num(np.asarray(heights, float), nan=np.inf, posinf=np.inf)
