"""Units matched by their weights: <w_a, pi(w_b)> is climbed group by group."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from mc.symmetry.assignment import Assignment
from mc.symmetry.blocks import Block, blocks
from mc.symmetry.symmetries import Symmetries

log = logging.getLogger(__name__)

PASSES = 1000  # it ends by itself: the objective rises with every step
LEAST = 1e-9  # a gain that counts, as a share of the bound
CLOSE = 1e-6  # to the bound, as a share of it

Arrays = Mapping[int, np.ndarray]  # values of the trained variables, by place


@dataclass
class Matched:
    """What a method has found.

    Attributes:
        orders: of each group the place `[n] int` that each unit of the second network goes to.
        history: how the objective rose: `start, step, objective`.
    """

    orders: dict[str, np.ndarray]
    history: list[dict[str, float]] = field(default_factory=list)


def match(found: Symmetries, a: Arrays, b: Arrays, seed: int = 0, restarts: int = 0) -> Matched:
    """The renumbering pi of a network's units that brings its weights close to another's.

    Maximises <w_a, pi(w_b)>, which is to minimise ||w_a - pi(w_b)||, by weight matching (Ainsworth
    et al. 2023, Algorithm 1): one group after another is renumbered as is best while all others
    stay, until none has anything to gain. A group that an array has on two axes is a quadratic
    assignment problem; see `assignment.Assignment`. The objective never falls.

    Args:
        found: the symmetries of both networks.
        a, b: their trained weights, by place.
        seed: of the order in which groups take turns, and of the restarts.
        restarts: how often to begin again, from a random renumbering; the best is kept. None is
            made once the objective is at its bound, the sum of ||a_i|| ||b_i|| over all arrays.
    """
    bound = sum(float(np.linalg.norm(a[i]) * np.linalg.norm(b[i])) for i in a)
    best, best_value = Matched({}), -np.inf
    history: list[dict[str, float]] = []
    for start in range(restarts + 1):
        rng = np.random.default_rng([seed, start])
        one = Climb(found, a, b, bound, rng)
        if start:
            one.renumber({name: rng.permutation(n) for name, n in found.groups.items()})
        values = one.climb()
        history += [
            {"start": start, "step": step, "objective": value} for step, value in enumerate(values)
        ]
        if values[-1] > best_value:
            best, best_value = Matched(one.orders), values[-1]
        if best_value >= (1 - CLOSE) * bound:
            break
    best.history = history
    return best


class Climb:
    """One ascent; see `match`."""

    def __init__(
        self, found: Symmetries, a: Arrays, b: Arrays, bound: float, rng: np.random.Generator
    ):
        self.found, self.a, self.b, self.rng = found, a, dict(b), rng
        self.least = LEAST * bound
        self.orders = {name: np.arange(n) for name, n in found.groups.items()}
        self.blocks: dict[str, list[tuple[int, Block]]] = {}
        for name, members in found.members.items():
            self.blocks[name] = [
                (place, block)
                for place, weight in found.weights.items()
                if place in a
                for block in blocks(weight.axes, members, weight.shape)
            ]

    def objective(self) -> float:
        """<w_a, pi(w_b)> over all weights."""
        return sum(float(np.vdot(self.a[i].astype(float), self.b[i])) for i in self.a)

    def renumber(self, orders: Mapping[str, np.ndarray]) -> None:
        """Renumber some groups of the second network."""
        for name, order in orders.items():
            self.orders[name] = order[self.orders[name]]
        places = {place for name in orders for place, _ in self.blocks[name]}
        for place, gather in self.found.gathers(orders, places).items():
            self.b[place] = gather(self.b[place])

    def climb(self) -> list[float]:
        """The objective at first, and after each pass over the groups that may still gain."""
        values = [self.objective()]
        waiting = set(self.blocks)
        for _ in range(PASSES):
            names = sorted(waiting)
            self.rng.shuffle(names)
            for name in names:
                waiting.discard(name)
                if self._step(name):
                    places = {place for place, _ in self.blocks[name]}
                    waiting |= {
                        other
                        for other, parts in self.blocks.items()
                        if other != name and places & {place for place, _ in parts}
                    }
            values.append(self.objective())
            if not waiting:
                return values
        log.warning("Weight matching was stopped after %d passes.", PASSES)
        return values

    def _step(self, name: str) -> bool:
        """Renumber a group as is best while all others stay; whether that gained anything."""
        n = self.found.groups[name]
        gain = np.zeros((n, n))
        pairs = []
        for place, block in self.blocks[name]:
            weight = self.found.weights[place]
            parts = [
                block(array.reshape(weight.shape)).astype(float)
                for array in (self.a[place], self.b[place])
            ]
            if block.count == 1:
                gain += parts[0] @ parts[1].T
            else:
                pairs.append((parts[0], parts[1]))
        problem = Assignment(gain, pairs)
        units = problem.best()
        gained = problem(units) - problem(np.arange(n))
        if gained <= self.least:
            return False
        self.renumber({name: np.argsort(units)})
        return True
