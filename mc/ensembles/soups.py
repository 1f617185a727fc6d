"""Soups: averages of the weights of several networks, and sums of what fine-tuning has changed."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

CHOSEN_BY = ("error", "mse", "loss")  # of held-out data; the first that there is


def chosen_by(names: Iterable[str]) -> str:
    """The number that decides what is in a soup, of those with names such as `valid/error`.

    Of tokens it is nll: errors are too coarse there, and tell little.
    """
    there = set(names)
    if "valid/perplexity" in there:
        return "valid/nll"
    return next(f"valid/{name}" for name in CHOSEN_BY if f"valid/{name}" in there)


@dataclass(frozen=True)
class Step:
    """A member that a greedy soup has tried.

    Attributes:
        member: its position in the list of members.
        row: coefficients `[n]` of the average of the soup so far and of it.
        kept: whether it stayed in the soup.
    """

    member: int
    row: np.ndarray
    kept: bool


def average(members: Iterable[int], num_members: int) -> np.ndarray:
    """Coefficients of the mean of some of n members, by their positions; `[n] float32`.

        w = 1/k sum_{i of the k members} w_i

    With all of them it is the uniform soup (Wortsman et al. 2022, arXiv:2203.05482).
    """
    chosen = np.isin(np.arange(num_members), list(members))
    return (chosen / chosen.sum()).astype(np.float32)


def greedy(alone: ArrayLike, score: Callable[[np.ndarray], float]) -> list[Step]:
    """The steps of a greedy soup (Wortsman et al. 2022, arXiv:2203.05482, Recipe 1).

    Members are tried in the order of their own scores, the best first; each stays if the average
    with it is no worse than the one without. A score that is not a number is worse than all others.

    Args:
        alone: `[n]`, of every member alone a number of which less is better, of held-out data.
        score: gives that number of the network at coefficients `[n]`.

    Returns:
        A step a member, in the order in which they are tried; the first is the best member, which
        is kept as it is and not scored again. The soup is the row of the last that is kept.
    """
    alone = np.asarray(alone, np.float64)
    first, *rest = np.argsort(alone, kind="stable").tolist()  # not a number comes last
    soup, best = [first], alone[first]
    steps = [Step(first, average(soup, len(alone)), kept=True)]
    for member in rest:
        row = average([*soup, member], len(alone))
        found = score(row)
        kept = bool(found <= best)
        steps.append(Step(member, row, kept))
        if kept:
            soup, best = [*soup, member], found
    return steps


def task_vectors(num_members: int, scales: ArrayLike) -> np.ndarray:
    """Coefficients of a start network w_0 and n members, a row a scale; `[len(scales), 1 + n]`.

        w = w_0 + scale * sum_i (w_i - w_0)

    (Ilharco et al. 2023, arXiv:2212.04089, "task arithmetic": w_i - w_0 is the task vector of a
    member that was trained on from w_0.)
    """
    scales = np.asarray(scales, np.float64)[:, np.newaxis]
    members = np.repeat(scales, num_members, axis=1)
    return np.hstack([1 - num_members * scales, members]).astype(np.float32)


def best(scores: ArrayLike) -> int:
    """The position of the least of some scores, of equal ones the first; nan is the worst."""
    return int(np.argsort(np.asarray(scores, np.float64), kind="stable")[0])
