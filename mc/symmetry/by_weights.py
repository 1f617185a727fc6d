"""Units matched by their weights: <w_a, pi(w_b)> is climbed group by group."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mc.symmetry.assignment import Assignment
from mc.symmetry.blocks import Block, blocks
from mc.symmetry.groups import Symmetries

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


def match(
    found: Symmetries, a: Arrays, b: dict[int, np.ndarray], seed: int = 0, restarts: int = 0
) -> Matched:
    """The renumbering pi of a network's units that brings its weights close to another's.

    Maximises <w_a, pi(w_b)>, which is to minimise ||w_a - pi(w_b)||, by weight matching (Ainsworth
    et al. 2023, Algorithm 1): one group after another is renumbered as is best while all others
    stay, until none has anything to gain. A group that an array has on two axes is a quadratic
    assignment problem; see `assignment.Assignment`. The objective never falls.

    Args:
        found: the symmetries of both networks.
        a, b: their trained weights, by place. Those of b are renumbered in place, since another
            copy of each is as large as the network.
        seed: of the order in which groups take turns, and of the restarts.
        restarts: how often to begin again, from a random renumbering; the best is kept. None is
            made once the objective is at its bound, the sum of ||a_i|| ||b_i|| over all arrays.
    """
    bound = sum(float(np.linalg.norm(a[i]) * np.linalg.norm(b[i])) for i in a)
    best, best_value = Matched({}), -np.inf
    history: list[dict[str, float]] = []
    one = Climb(found, a, b, bound)
    for start in range(restarts + 1):
        rng = np.random.default_rng([seed, start])
        if start:
            one.renumber({name: rng.permutation(n) for name, n in found.groups.items()})
        values = one.climb(rng)
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

    def __init__(self, found: Symmetries, a: Arrays, b: dict[int, np.ndarray], bound: float):
        self.found, self.a, self.b = found, a, b
        self.least = LEAST * bound
        self.orders = {name: np.arange(n) for name, n in found.groups.items()}
        self.blocks: dict[str, list[tuple[int, Block]]] = {}
        for name, members in found.members.items():
            self.blocks[name] = [
                (place, block)
                for place, weight in found.weights.items()
                if place in a
                for block in blocks(weight.axes, members, weight.shape, found.alike(name))
            ]

    def objective(self) -> float:
        """<w_a, pi(w_b)> over all weights."""
        return sum(float(np.vdot(self.a[i].astype(float), self.b[i])) for i in self.a)

    def renumber(self, orders: Mapping[str, np.ndarray]) -> None:
        """Renumber some groups of the second network."""
        self.orders = self.found.composed(self.orders, orders)
        places = {place for name in orders for place, _ in self.blocks[name]}
        for place, gather in self.found.gathers(orders, places).items():
            self.b[place] = gather(self.b[place])

    def climb(self, rng: np.random.Generator) -> list[float]:
        """The objective at first, and after each pass over the groups that may still gain."""
        values = [self.objective()]
        waiting = set(self.blocks)
        for _ in range(PASSES):
            names = sorted(waiting)
            rng.shuffle(names)
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
        """Renumber a group as is best while all others stay; whether that gained anything.

        Heads are matched with the units within them, each pair of heads as is best for these.
        """
        n = self.found.groups[name]
        kinds = [self._within(kind) for kind in self.found.heads.get(name, ())]
        inside = {place for kind in self.found.heads.get(name, ()) for place in self._places(kind)}
        gain, pairs = np.zeros((n, n)), []
        for place, block in self.blocks[name]:
            if place in inside:
                continue
            parts = self._parts(place, block)
            if block.count == 1:
                gain += parts[0] @ parts[1].T
            else:
                pairs.append(parts)
        for kind in kinds:
            gain += kind.best
        problem = Assignment(gain, pairs)
        units, stay = problem.best(), np.arange(n)
        gained = problem(units) - problem(stay)
        gained += sum(kind.best[stay, stay].sum() - kind.now for kind in kinds)
        if gained <= self.least:
            return False
        orders = {name: np.argsort(units)}
        for kind in kinds:
            orders |= {
                kind.names[unit]: kind.order(place, unit) for place, unit in enumerate(units)
            }
        self.renumber(orders)
        return True

    def _parts(self, place: int, block: Block) -> tuple[np.ndarray, np.ndarray]:
        """A part of a weight of both networks, in float64."""
        shape = self.found.weights[place].shape
        a, b = (block(array[place].reshape(shape)).astype(float) for array in (self.a, self.b))
        return a, b

    def _places(self, kind: list[str]) -> set[int]:
        return {place for name in kind for place, _ in self.blocks[name]}

    def _within(self, kind: list[str]) -> Heads:
        """The gains of units of one kind within heads."""
        parts = []
        for name in kind:
            both = zip(
                *(self._parts(place, block) for place, block in self.blocks[name]), strict=True
            )
            parts.append([np.concatenate(of, axis=1) for of in both])
        return Heads(kind, *zip(*parts, strict=True))


class Heads:
    """How well the units within one head fit those within another, for all pairs of heads.

    Args:
        names: of the groups of units, by head.
        a, b: of each head the weights of its units, `[n, rest]`, in both networks.

    Attributes:
        best: `[heads, heads]`, the gain of a head of b (second axis) at the place of one of a, its
            units in the best order.
        now: the gain as they are.
    """

    def __init__(self, names: list[str], a: Sequence[np.ndarray], b: Sequence[np.ndarray]):
        self.names, self.fits = names, [[self._fit(x, y) for y in b] for x in a]
        self.best = np.array([[value for _, value in row] for row in self.fits])
        self.now = sum(float(np.vdot(x, y)) for x, y in zip(a, b, strict=True))

    @staticmethod
    def _fit(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, float]:
        problem = Assignment(x @ y.T)
        units = problem.best()
        return units, problem(units)

    def order(self, place: int, unit: int) -> np.ndarray:
        """Where the units of a head of b go within the head of a whose place it takes."""
        return np.argsort(self.fits[place][unit][0])
