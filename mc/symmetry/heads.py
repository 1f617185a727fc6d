"""Units that every head of attention has for itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mc.symmetry.axes import NONE, Axis, product
from mc.symmetry.units import PINNED, Units
from mc.symmetry.walk import Weight


@dataclass(frozen=True, eq=False)
class Apart:
    """Groups of units, alike in all heads as they were found, that each head has for itself.

    Attributes:
        group, heads: the group that was found, and that of the heads; their numbers.
        units: `[heads, n] int`, the units that take its place.
    """

    group: int
    heads: int
    units: np.ndarray


def apart(
    units: Units, within: Sequence[tuple[Axis, Axis]], weights: Mapping[int, Weight]
) -> tuple[dict[int, Weight], list[Apart]]:
    """Weights with units of each head in place of those alike in all heads, where they may differ.

    Within its heads, attention has sums over the units of one head alone, so each head may have its
    own order, if all that has its units has heads too: an axis of heads before that of the units,
    of which the two become one.

    Args:
        units: of a walk.
        within: axes of units within heads and of these heads, as rules of attention have told.
        weights: of the network, in units that are in use.
    """
    found: list[Apart] = []
    now = dict(weights)
    size = len(units.group)
    for inner, outer in within:
        pair = _group_of(units, inner), _group_of(units, outer)
        if None in pair or pair[0] in [one.group for one in found]:
            continue
        group, heads = (int(g) for g in pair if g is not None)
        inside, across = (np.flatnonzero(units.group == g) for g in (group, heads))
        joined = {
            place: _joined(weight, inside, across)
            for place, weight in now.items()
            if any(np.isin(axis.units, inside).any() for axis in weight.axes)
        }
        if group == heads or None in joined.values():
            continue
        own = size + np.arange(len(across) * len(inside)).reshape(len(across), -1)
        size += own.size
        for place, weight in joined.items():
            assert weight is not None
            relabelled = (_with_own(axis, inside, across, own) for axis in weight.axes)
            now[place] = Weight(weight.shape, tuple(relabelled))
        found.append(Apart(group, heads, own))
    return now, found


def _group_of(units: Units, axis: Axis) -> int | None:
    """The group of which an axis has all units, each once and alone."""
    axis = units.of(axis)
    if axis.units.shape[1] != 1 or (axis.units == NONE).any():
        return None
    groups = np.unique(units.group[axis.units])
    if len(groups) != 1 or groups[0] == PINNED:
        return None
    alone = len(np.unique(axis.units)) == len(axis) == np.sum(units.group == groups[0])
    return int(groups[0]) if alone else None


def _joined(weight: Weight, inside: np.ndarray, across: np.ndarray) -> Weight | None:
    """A weight whose axes of heads and of units are one; None where it has units without heads."""
    where = [k for k, axis in enumerate(weight.axes) if np.isin(axis.units, inside).any()]
    if len(where) != 1:
        return None
    (k,) = where
    outer = weight.axes[k - 1] if k else None
    if outer is None or not np.isin(outer.units, across).any(axis=1).all():
        return None
    if not np.isin(weight.axes[k].units, inside).any(axis=1).all():
        return None
    shape = weight.shape
    return Weight(
        (*shape[: k - 1], shape[k - 1] * shape[k], *shape[k + 1 :]),
        (*weight.axes[: k - 1], product(outer, weight.axes[k]), *weight.axes[k + 1 :]),
    )


def _with_own(axis: Axis, inside: np.ndarray, across: np.ndarray, own: np.ndarray) -> Axis:
    """An axis in which the units of each head are its own."""
    here = np.isin(axis.units, inside)
    if not here.any():
        return axis
    head = np.isin(axis.units, across)
    which = [np.searchsorted(of, axis.units[mask]) for of, mask in ((across, head), (inside, here))]
    now = axis.units.copy()
    now[here] = own[which[0], which[1]]
    return Axis(now, axis.roles)
