"""The units of a network that may be renumbered, found from its graph and proved on a copy."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import keras
import numpy as np

import mc.symmetry.rules  # noqa: F401  # which registers them
from mc.network import copying, unpromised
from mc.symmetry import axes, heads, proof
from mc.symmetry.axes import NONE, Axis
from mc.symmetry.permutation import Gather, Permutation
from mc.symmetry.walk import Walk, Weight, still

log = logging.getLogger(__name__)


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
        """A random renumbering of all groups at once."""
        rng = np.random.default_rng(seed)
        return self.permutation({name: rng.permutation(n) for name, n in self.groups.items()})

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
        found = []
        for place, weight in self.weights.items():
            of = [bool(np.isin(a.units, self.members[name]).any()) for a in weight.axes]
            if any(of):
                found.append((self.paths[place], _axes_of(weight.shape, self.shapes[place], of)))
        return found

    def __str__(self) -> str:
        """A table: group, size, and what it touches."""
        if not self.members:
            return "no units that may be renumbered"
        shown = self._shown()
        width = max(map(len, shown))
        rows = [f"{'group':{width}}  size  weights [axes]"]
        for title, name in shown.items():
            members = self.members[name]
            told = (f"{path} {list(of)}" for path, of in self.touched(name))
            rows.append(f"{title:{width}}  {len(members):4}  {', '.join(told)}")
        if self.unseen:
            rows.append(f"not seen through: {', '.join(self.unseen)}")
        return "\n".join(rows)

    def _shown(self) -> dict[str, str]:
        """What is shown of the groups, and their names; of those within heads one for all heads."""
        firsts = {kind[0]: len(kind) for kinds in self.heads.values() for kind in kinds}
        others = {own for kinds in self.heads.values() for kind in kinds for own in kind[1:]}
        return {
            f"{n.rpartition(',')[0]}, each of {firsts[n]} heads" if n in firsts else n: n
            for n in self.members
            if n not in others
        }


def symmetries(network: keras.Model) -> Symmetries:
    """The groups of units of a network that may be renumbered.

    They follow from what every operation of its graph says of the axes of its inputs, outputs and
    weights. What cannot be seen through (a Lambda, raw TensorFlow) lets nothing that it touches
    move. Then all groups are renumbered at once, at random, in a copy of the network with random
    weights: groups that change its outputs are told, and stay.

    Args:
        network: a functional or sequential model, built; what layers of one's own are made of is
            looked at where Keras can trace it.

    Raises:
        ValueError: it has no graph; a layer is quantized; or Keras cannot copy it.
    """
    # Tracing leaves marks in layers, and proving other weights.
    own = copying.copy(network)
    graph = unpromised.graph_of(own)
    if graph is None:
        raise ValueError(
            f"The network {network.name!r} is no functional or sequential model, so what its units "
            "are cannot be seen. Build it by keras.Model(inputs, outputs)."
        )
    walk = Walk()
    inputs = keras.tree.map_structure(lambda x: still(x.shape), graph.inputs)
    for array in keras.tree.flatten(walk.through(graph, inputs)):
        walk.pin(array)
    if walk.unseen:
        log.info("Not seen through, so what they touch stays: %s", ", ".join(walk.unseen))
    found = _found(walk, network.variables, own.variables)
    changing = proof.changing(found, own)
    for name in changing:
        told = ", ".join(path for path, _ in found.touched(name))
        log.warning(
            "Renumbering the units of %s changes what the network computes: they stay.", told
        )
    return found.without(changing)


def _axes_of(view: Sequence[int], shape: Sequence[int], chosen: Sequence[bool]) -> tuple[int, ...]:
    """The axes of an array that lie in some of those that it has in another shape."""
    inner, outer = (np.cumprod([1, *sizes]) for sizes in (view, shape))
    return tuple(
        axis
        for axis in range(len(shape))
        if any(
            of and max(inner[k], outer[axis]) < min(inner[k + 1], outer[axis + 1])
            for k, of in enumerate(chosen)
        )
    )


def _found(walk: Walk, variables: list, own: list) -> Symmetries:
    """What a walk through a copy has found, of the variables of the network."""
    weights: dict[int, Weight] = {}
    first: dict[int, str] = {}
    for place, variable in enumerate(own):
        if (weight := walk.weights.get(id(variable))) is None:
            continue
        now = Weight(weight.shape, tuple(map(walk.units.of, weight.axes)))
        weights[place] = now
        for axis in now.axes[::-1]:
            for unit in np.unique(axis.units[axis.units != NONE]).tolist():
                first.setdefault(unit, variables[place].path)
    names: dict[int, str] = {}
    groups = walk.units.groups()
    for group in sorted(groups, key=lambda group: int(groups[group][0])):
        if (path := first.get(int(groups[group][0]))) is not None:
            taken = sum(name == path or name.startswith(f"{path} (") for name in names.values())
            names[group] = f"{path} ({taken + 1})" if taken else path
    weights, split = heads.apart(walk.units, walk.within, weights)
    apart = {one.group: one for one in split}
    members: dict[str, np.ndarray] = {}
    within: dict[str, list[list[str]]] = {}
    for group, name in names.items():
        if (one := apart.get(group)) is None:
            members[name] = groups[group]
            continue
        kind = [f"{name}, head {number}" for number in range(1, len(one.units) + 1)]
        members |= dict(zip(kind, one.units, strict=True))
        within.setdefault(names[one.heads], []).append(kind)
    moving = np.concatenate([*members.values(), np.empty(0, int)])
    moves = {
        place: weight
        for place, weight in weights.items()
        if any(np.isin(axis.units, moving).any() for axis in weight.axes)
    }
    sites = [
        Site(
            call, place, tuple(None if axis is None else walk.units.of(axis) for axis in array.axes)
        )
        for call, place, array in walk.sites
    ]
    return Symmetries(
        members,
        moves,
        [variable.path for variable in variables],
        [tuple(variable.shape) for variable in variables],
        within,
        walk.unseen,
        sites,
        len(walk.units.group) + sum(one.units.size for one in split),
    )
