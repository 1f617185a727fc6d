"""Units in groups, and what they turn out to be where two axes must be one."""

from __future__ import annotations

from collections import deque

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mc.symmetry.axes import NONE, Axis, numbered, taken, tidy

PINNED = -1  # the group of units that stay, and of those that have become others


class Units:
    """The units of a network: members of one group may be exchanged with one another.

    What is found out later changes what earlier labels mean: a unit may become another one, or a
    pair of others, in a role, or stay for good. `of` gives an axis as it is known now.

    Attributes:
        group: of each unit its group, `PINNED` of those that are no more.
    """

    def __init__(self) -> None:
        self.group = np.empty(0, int)
        self._becomes = np.empty((0, 2), int)  # itself, in role 0, of what is in use
        self._role = np.empty(0, int)
        self._groups = 0

    def fresh(self, n: int) -> Axis:
        """An axis of n new units, a group of their own."""
        return Axis(self._new(np.full(n, self._groups))[:, np.newaxis], np.zeros(n, int))

    def _new(self, groups: np.ndarray) -> np.ndarray:
        first = len(self.group)
        made = np.arange(first, first + len(groups))
        self.group = np.append(self.group, groups)
        self._becomes = np.concatenate([self._becomes, np.stack([made, made * 0 + NONE], axis=1)])
        self._role = np.append(self._role, made * 0)
        self._groups = max(self._groups, groups.max(initial=-1) + 1)
        return made

    def groups(self) -> dict[int, np.ndarray]:
        """The units of every group that has several."""
        found = {g: np.flatnonzero(self.group == g) for g in np.unique(self.group)}
        return {int(g): units for g, units in found.items() if g != PINNED and len(units) > 1}

    def of(self, axis: Axis) -> Axis:
        """An axis in units that are in use."""
        while (old := (axis.units != NONE) & (self.group[axis.units] == PINNED)).any():
            columns, roles = [], [axis.roles]
            for units, gone in zip(axis.units.T, old.T, strict=True):
                there = units != NONE
                now = np.where(there[:, np.newaxis], self._becomes[units], NONE)
                columns += list(now.T)
                roles.append(np.where(gone, 1 + self._role[units], 0))
            axis = tidy(np.stack(columns, axis=1), np.stack(roles, axis=1))
        return axis

    def pin(self, *axes: Axis) -> None:
        """Have all units of some axes stay where they are."""
        for axis in axes:
            units = np.unique(self.of(axis).units)
            self._retire(units[units != NONE])

    def _retire(
        self,
        units: np.ndarray,
        becomes: np.ndarray | None = None,
        roles: np.ndarray | None = None,
    ) -> None:
        """Let units be others, `[n, 2]`, from now on; default: let them stay, each a role."""
        self.group[units] = PINNED
        self._becomes[units] = NONE if becomes is None else becomes
        self._role[units] = 1 + units if roles is None else roles

    def settle(self, axis: Axis) -> None:
        """Have units change places only with those that an axis has in the same roles.

        So part of an axis, by itself, parts its units from the others of their group.
        """
        axis = self.of(axis)
        while True:
            groups = np.where(axis.units == NONE, PINNED, self.group[axis.units])
            if not len(axis) or not (groups != PINNED).any():
                return
            rows = numbered(np.column_stack([groups, axis.roles]))
            where = [rows + column * len(axis) for column in range(groups.shape[1])]
            kinds = self._told_apart(axis.units.T.ravel(), np.concatenate(where))
            if not kinds:
                break
            for units in kinds:
                self.group[units] = self._groups
                self._groups += 1
        if axis.units.shape[1] > 1 and not self._is_product(axis):
            self.pin(axis)

    def _told_apart(self, units: np.ndarray, keys: np.ndarray) -> list[np.ndarray]:
        """The units of a group that have other keys than its first, in sets of equal ones."""
        known: dict[int, list[int]] = {}
        order = np.lexsort((keys, units))
        for unit, key in zip(units[order].tolist(), keys[order].tolist(), strict=True):
            known.setdefault(unit, []).append(key)
        known.pop(NONE, None)
        found: dict[tuple, list[int]] = {}
        groups = np.unique(self.group[list(known)])
        for unit in np.flatnonzero(np.isin(self.group, groups)).tolist():
            found.setdefault((int(self.group[unit]), *known.get(unit, ())), []).append(unit)
        seen, others = set(), []
        for (group, *_), members in found.items():
            if group in seen:
                others.append(np.array(members))
            seen.add(group)
        return others

    def _is_product(self, axis: Axis) -> bool:
        """Whether an axis has all combinations of the units of its groups, in every role."""
        groups = np.where(axis.units == NONE, PINNED, self.group[axis.units])
        kinds = numbered(np.column_stack([groups, axis.roles]))
        for kind in np.unique(kinds):
            row = groups[kinds == kind][0]
            sizes = [np.sum(self.group == group) for group in row if group != PINNED]
            if np.prod(sizes) != np.sum(kinds == kind):
                return False
        return True

    def unify(self, x: Axis, y: Axis) -> None:
        """Have two axes of one length move alike: positions at one place are one.

        What cannot be told is pinned, which is always right.
        """
        if len(x) != len(y):
            raise ValueError(f"Axes of {len(x)} and {len(y)} positions cannot be one.")
        self.settle(x)
        self.settle(y)
        x, y = self.of(x), self.of(y)
        kinds = np.stack([x.counts, y.counts], axis=1)
        found = np.unique(kinds, axis=0)
        if len(found) > 1:
            for kind in found:
                here = (kinds == kind).all(axis=1)
                self.unify(taken(x, here), taken(y, here))
        elif found.min() == 0:
            self.pin(x, y)
        elif found.max() == 1:
            self._merge(x, y)
        elif found.min() == 1:
            self._bind(*((x, y) if found[0, 0] == 1 else (y, x)))
        else:
            self._merge_columns(x, y)

    def _merge(self, x: Axis, y: Axis) -> None:
        """Of positions with a unit each: those that always move together become one."""
        u, v = x.units[:, 0], y.units[:, 0]
        told = (u != v) | (x.roles != y.roles)
        u, v, s, t = u[told], v[told], x.roles[told], y.roles[told]
        if not len(u):
            return
        colour = numbered(np.stack([self.group[u], s, self.group[v], t], axis=1))
        nodes, ends = np.unique(np.stack([u, v]), return_inverse=True)
        ends = ends.reshape(2, -1)
        links = coo_array((np.ones(len(u)), tuple(ends)), shape=(len(nodes),) * 2)
        count, component = connected_components(links, directed=False)
        if len(u) == count and len(nodes) == 2 * count:  # in pairs
            kind = np.empty(count, int)
            kind[component[ends[0]]] = colour
            place = np.empty(len(nodes), int)
            place[ends[0]], place[ends[1]] = 0, 1
        else:
            kind, place = _forms(ends, colour, component, count, self.group[nodes])
        # A group a form; in the order of their first units, so that equal networks get equal ones.
        made = self._new(self._groups + kind)
        pairs = np.stack([made[component], np.full(len(nodes), NONE)], axis=1)
        self._retire(nodes, pairs, place)

    def _bind(self, single: Axis, several: Axis) -> None:
        """Of positions with one unit here and two there: the one is the pair."""
        units, groups = single.units[:, 0], self.group[several.units]
        where = numbered(np.column_stack([groups, several.roles]))
        what = numbered(np.stack([self.group[units], single.roles], axis=1))
        alike = len(np.unique(np.stack([where, what], axis=1), axis=0)) == len(np.unique(where))
        once = len(np.unique(units)) == len(units)
        if (
            several.units.shape[1] != 2
            or not alike
            or not once
            or np.isin(units, several.units).any()
        ):
            self.pin(single, several)
            return
        self._retire(units, several.units, where)

    def _merge_columns(self, x: Axis, y: Axis) -> None:
        """Of positions with several units each: the first are one, and so are the second."""
        same = x.units.shape == y.units.shape
        roles = np.unique(np.stack([x.roles, y.roles], axis=1), axis=0)
        alike = len(roles) == len(np.unique(x.roles)) == len(np.unique(y.roles))
        columns = zip(x.units.T, y.units.T, strict=True) if same and alike else ()
        pairs = [np.unique(np.stack(column, axis=1), axis=0) for column in columns]
        one = [len(np.unique(p[:, 0])) == len(np.unique(p[:, 1])) == len(p) for p in pairs]
        if not pairs or not all(one):
            self.pin(x, y)
            return
        for pair in pairs:
            zeros = np.zeros(len(pair), int)
            self.unify(Axis(pair[:, :1], zeros), Axis(pair[:, 1:], zeros))

    def split(self, axis: Axis, rows: int) -> tuple[Axis, Axis]:
        """An axis of a * b positions in C order as two axes, of a = `rows` and of b positions.

        One group of a * b units becomes two, of a and of b. Where rows have groups of their own,
        these move alike from now on.
        """
        axis = self.of(axis)
        count = len(axis) // rows
        units = axis.units.reshape(rows, count, -1)
        across = (units == units[:, :1]).all(axis=(0, 1))
        down = (units == units[:1]).all(axis=(0, 1))
        if (free := ~(across | down)).any():
            self._split_units(axis, rows, int(np.flatnonzero(free)[0]))
            return self.split(axis, rows)
        roles = axis.roles.reshape(rows, count)
        first = tidy(units[:, 0, across & ~down], numbered(roles)[:, np.newaxis])
        second = tidy(units[0][:, down], numbered(roles.T)[:, np.newaxis])
        self.settle(first)
        self.settle(second)
        return first, second

    def _split_units(self, axis: Axis, rows: int, column: int) -> None:
        """Renumber what a column of units is made of, so that it is of one of two axes."""
        units = axis.units[:, column].reshape(rows, -1)
        groups = np.where(units == NONE, PINNED, self.group[units])
        alone = axis.units.shape[1] == 1 and len(np.unique(units)) == units.size
        if alone and (groups == groups[0, 0]).all() and groups[0, 0] != PINNED:
            pairs = np.indices(units.shape).reshape(2, -1)
            a, b = (self.fresh(n).units[:, 0] for n in units.shape)
            self._retire(
                units.ravel(), np.stack([a[pairs[0]], b[pairs[1]]], axis=1), units.ravel() * 0
            )
        elif alone and (groups == groups[:, :1]).all() and (groups != PINNED).all():
            parts = [
                taken(axis, slice(i * units.shape[1], (i + 1) * units.shape[1]))
                for i in range(rows)
            ]
            for part in parts[1:]:
                self.unify(parts[0], part)
        else:
            self.pin(axis)


def _forms(
    ends: np.ndarray, colour: np.ndarray, component: np.ndarray, count: int, group: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Which components of coloured links have one form, and the place of each node in its form.

    A node has a colour at most once among the links that leave it, and among those that come to it,
    so walking them in the order of their colours tells places.
    """
    links: list[list[tuple[int, int, int]]] = [[] for _ in group]
    for a, b, c in zip(*ends.tolist(), colour.tolist(), strict=True):
        links[a].append((0, c, b))
        links[b].append((1, c, a))
    first = np.lexsort((np.arange(len(group)), group))  # a node of the lowest group
    roots = dict(zip(component[first][::-1].tolist(), first[::-1].tolist(), strict=True))
    forms: dict[tuple, int] = {}
    kind, place = np.empty(count, int), np.full(len(group), NONE)
    for number in range(count):
        waiting, form, seen = deque([roots[number]]), [], 1
        place[roots[number]] = 0
        while waiting:
            node = waiting.popleft()
            found = []
            for way, c, other in sorted(links[node]):
                if place[other] == NONE:
                    place[other], seen = seen, seen + 1
                    waiting.append(other)
                found.append((way, c, int(place[other])))
            form.append((int(group[node]), tuple(found)))
        kind[number] = forms.setdefault(tuple(form), len(forms))
    return kind, place
