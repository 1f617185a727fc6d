"""Parts of arrays by how many units of a group every entry has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from mc.symmetry.axes import NONE, Axis, numbered


@dataclass(frozen=True, eq=False)
class Block:
    """The part of an array in which every entry has `count` units of a group of n.

    Attributes:
        count: how many.
        positions: of each axis `[n, ..., n, m] int`, with an n for each unit that it has.
    """

    count: int
    positions: tuple[np.ndarray, ...]

    def __call__(self, array: np.ndarray) -> np.ndarray:
        """The part, `[n, ..., n, rest]`: an axis for each unit of an entry, and one of all else."""
        part = array[np.ix_(*(p.ravel() for p in self.positions))]
        part = part.reshape([n for p in self.positions for n in p.shape])
        units, rest, axis = list[int](), list[int](), 0
        for p in self.positions:
            units += range(axis, axis + p.ndim - 1)
            rest.append(axis + p.ndim - 1)
            axis += p.ndim
        part = part.transpose(units + rest)
        return part.reshape(*part.shape[: self.count], -1)


def blocks(
    axes: Sequence[Axis | None],
    members: np.ndarray,
    shape: Sequence[int],
    alike: np.ndarray | None = None,
) -> list[Block]:
    """The parts of an array that have units of a group, of one count each.

    Args:
        axes: of the array, in units that are in use; None: nothing of the axis is a unit.
        members: the units of the group, `[n]`.
        shape: of the array.
        alike: of all units, which stands for each: those that go along with units of the group are
            told by these alone (`Symmetries.alike`).
    """
    found = []
    each = (_parts(axis, members, n, alike) for axis, n in zip(axes, shape, strict=True))
    for parts in product(*each):
        if count := sum(p.ndim - 1 for p in parts):
            found.append(Block(count, tuple(parts)))
    return found


def _parts(
    axis: Axis | None, members: np.ndarray, length: int, alike: np.ndarray | None
) -> list[np.ndarray]:
    """Positions of an axis, in an array for each count of units of the group that they have."""
    if axis is None or not np.isin(axis.units, members).any():
        return [np.arange(length)]
    rank = np.full(max(axis.units.max(), members.max()) + 2, NONE)
    rank[members] = np.arange(len(members))
    ranks = rank[axis.units]  # of `NONE` the last, which is none
    counts = (ranks != NONE).sum(axis=1)
    found = []
    for count in np.unique(counts):
        rows = np.flatnonzero(counts == count)
        if count == 0:
            found.append(rows)
            continue
        own = ranks[rows]
        first = np.argsort(own == NONE, axis=1, kind="stable")[:, :count]
        units = np.take_along_axis(own, first, axis=1)
        others = axis.units[rows]
        if alike is not None:
            others = np.where(others == NONE, NONE, alike[others])
        others = np.where(own == NONE, others, NONE)
        role = numbered(np.column_stack([others, axis.roles[rows]]))
        order = np.lexsort((role, *units.T[::-1]))
        found.append(rows[order].reshape(*[len(members)] * count, -1))
    return found
