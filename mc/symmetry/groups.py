"""Groups of units that may be renumbered, and renumberings of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from mc.symmetry import axes, table
from mc.symmetry.axes import Axis
from mc.symmetry.permutation import Gather, Permutation
from mc.symmetry.walk import Weight


@dataclass(frozen=True, eq=False)
class Site:
    """An array that a layer is given when a network is called.

    Attributes:
        call: the number of the call of the layer, of all calls that a run through the graph makes.
        place: the array's, among those that the layer is given.
        axes: None where a length is open.
    """

    call: int
    place: int
    axes: tuple[Axis | None, ...]


@dataclass(frozen=True, eq=False)
class Symmetries:
    """What of a network may be renumbered without a change of what it computes.

    Attributes:
        members: group -> its units, which may be exchanged with one another; a group is called by
            the first weight that it touches.
        weights: of the variables of `network.variables`, by place, the axes of those that move.
        paths, shapes: the path and the shape of each variable.
        heads: of groups of heads, for each kind of units within these the groups' names by head:
            where heads change places, their units go with them.
        unseen: names of layers and functions that could not be seen through: what they touch stays.
        sites: where units can be seen at work: what layers with weights are given.
        size: how many units there are, those of no group too.
    """

    members: Mapping[str, np.ndarray]
    weights: Mapping[int, Weight]
    paths: list[str]
    shapes: list[tuple[int, ...]]
    heads: Mapping[str, list[list[str]]]
    unseen: list[str]
    sites: list[Site]
    size: int

    @property
    def groups(self) -> dict[str, int]:
        """Group -> how many units it has."""
        return {name: len(members) for name, members in self.members.items()}

    def random(self, seed: int) -> Permutation:
        """A random renumbering of all groups at once, of which none stays as it is."""
        return self.permutation(self.orders(self.members, seed))

    def orders(self, names: Iterable[str], seed: int) -> dict[str, np.ndarray]:
        """Random orders of some groups, none of which leaves all units where they are."""
        rng = np.random.default_rng(seed)
        return {name: _moving(rng, len(self.members[name])) for name in names}

    def permutation(self, orders: Mapping[str, np.ndarray]) -> Permutation:
        """The renumbering that puts unit i of a group to place `orders[group][i]`, `[n] int`.

        Groups that are not named stay. Units within a head change places there, and then go with
        it.
        """
        return Permutation(self.shapes, self.gathers(orders, self.weights))

    def gathers(self, orders: Mapping[str, np.ndarray], places: Iterable[int]) -> dict[int, Gather]:
        """How the variables at some places are renumbered; those that stay are left out."""
        images = np.arange(self.size)
        for name, order in orders.items():
            images[self.members[name]] = self.members[name][order]
        for name in orders.keys() & self.heads.keys():
            for kind in self.heads[name]:
                inside = np.stack([self.members[own] for own in kind])
                where = np.argsort(np.argsort(images[inside], axis=1), axis=1)
                images[inside] = np.take_along_axis(inside[orders[name]], where, axis=1)
        gathers = {}
        for place in places:
            weight = self.weights[place]
            sources = tuple(axes.moved(axis, images) for axis in weight.axes)
            if any((source != np.arange(len(source))).any() for source in sources):
                gathers[place] = Gather(weight.shape, sources)
        return gathers

    def composed(
        self, first: Mapping[str, np.ndarray], then: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """The orders of what puts units to places by `first`, and then by `then`."""
        found = dict(first)
        inner = {own for kinds in self.heads.values() for kind in kinds for own in kind}
        for name, order in then.items():
            if name not in inner:
                found[name] = order[first[name]] if name in first else order
        for name, kinds in self.heads.items():
            for kind in kinds:
                at = first.get(name, np.arange(len(kind)))
                for own, place in zip(kind, at, strict=True):
                    if (order := then.get(kind[place])) is not None:
                        found[own] = order[first[own]] if own in first else order
        return found

    def alike(self, name: str) -> np.ndarray:
        """Of all units, which stands for each, of those within heads the one of the first head."""
        found = np.arange(self.size)
        for kind in self.heads.get(name, ()):
            for own in kind:
                found[self.members[own]] = self.members[kind[0]]
        return found

    def without(self, names: Iterable[str]) -> Symmetries:
        """The same, but that some groups stay, and heads with units that stay."""
        gone = set(names)
        for name, kinds in self.heads.items():
            if any(own in gone for kind in kinds for own in kind):
                gone.add(name)
        return replace(
            self,
            members={n: m for n, m in self.members.items() if n not in gone},
            heads={n: kinds for n, kinds in self.heads.items() if n not in gone},
        )

    def touched(self, name: str) -> list[tuple[str, tuple[int, ...]]]:
        """The weights that a group touches, by path, and on which of their axes."""
        return table.touched(self, name)

    def __str__(self) -> str:
        """A table: group, size, and what it touches."""
        return table.table(self)


def _moving(rng: np.random.Generator, n: int) -> np.ndarray:
    """A random order of two units or more that is not the one that they are in."""
    order = rng.permutation(n)
    return np.roll(order, 1) if (order == np.arange(n)).all() else order
