"""Axes of arrays as rows of labels: which units each position belongs to, and in which role."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

NONE = -1  # where a row has fewer units than another


@dataclass(frozen=True, eq=False)
class Axis:
    """An axis of an array: a label for every position.

    A label is some units and a role. Renumbering the units moves the position with units `u` and
    role `r` to the one with the images of `u` and the same role: after `Flatten` all pixels of a
    channel have its unit, and roles say which pixel. A position without units stays where it is. No
    two positions have one label.

    Attributes:
        units: `[n, k] int`, of each position, `NONE` where it has fewer than k.
        roles: `[n] int`, numbers that mean nothing outside of the axis.
    """

    units: np.ndarray
    roles: np.ndarray

    def __len__(self) -> int:
        return len(self.roles)

    @property
    def counts(self) -> np.ndarray:
        """How many units each position has; `[n]`."""
        return (self.units != NONE).sum(axis=1)


def fixed(n: int) -> Axis:
    """An axis of n positions that stay."""
    return Axis(np.empty((n, 0), int), np.arange(n))


def numbered(rows: np.ndarray) -> np.ndarray:
    """A number for each row of an array `[n, k]`, equal for equal rows; `[n]`."""
    if rows.shape[1] == 0:
        return np.zeros(len(rows), int)
    return np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1)


def tidy(units: np.ndarray, roles: np.ndarray) -> Axis:
    """The axis of some labels `[n, k]` and `[n, j]`: units to the left, a number a role."""
    order = np.argsort(units == NONE, axis=1, kind="stable")
    units = np.take_along_axis(units, order, axis=1)
    used = (units != NONE).any(axis=0).sum()
    return Axis(units[:, :used], numbered(roles))


def product(*axes: Axis) -> Axis:
    """The axis of all combinations of positions, the last axis moving fastest (C order)."""
    whole = fixed(1)
    for axis in axes:
        first, second = (a.ravel() for a in np.indices((len(whole), len(axis))))
        units = np.hstack([whole.units[first], axis.units[second]])
        whole = tidy(units, np.stack([whole.roles[first], axis.roles[second]], axis=1))
    return whole


def concatenated(axes: Sequence[Axis]) -> Axis:
    """The axis of all positions of several, one axis after another."""
    width = max(axis.units.shape[1] for axis in axes)
    pad = [((0, 0), (0, width - axis.units.shape[1])) for axis in axes]
    units = [np.pad(a.units, p, constant_values=NONE) for a, p in zip(axes, pad, strict=True)]
    which = np.repeat(np.arange(len(axes)), [len(axis) for axis in axes])
    roles = np.concatenate([axis.roles for axis in axes])
    return tidy(np.concatenate(units), np.stack([which, roles], axis=1))


def taken(axis: Axis, index: np.ndarray | slice) -> Axis:
    """The axis of some of the positions, each at most once."""
    return Axis(axis.units[index], axis.roles[index])


def moved(axis: Axis, images: np.ndarray) -> np.ndarray:
    """Where each position of an axis takes its value from when units are renumbered; `[n]`.

    Args:
        axis: of units that are all in use; see `Units.of`.
        images: `[number of units]`, the unit whose place each one takes.

    Raises:
        ValueError: the renumbering is none of this axis.
    """
    images = np.append(images, NONE)  # of `NONE`, whose place is the last
    found = numbered(
        np.concatenate(
            [
                np.column_stack([images[axis.units], axis.roles]),
                np.column_stack([axis.units, axis.roles]),
            ]
        )
    )
    after, before = found[: len(axis)], found[len(axis) :]
    place = np.full(max(found.max(initial=-1) + 1, 1), NONE)
    place[before] = np.arange(len(axis))
    source = np.empty(len(axis), int)
    targets = place[after]
    if (targets == NONE).any() or len(np.unique(targets)) < len(axis):
        raise ValueError("This renumbering moves a position of an axis to where there is none.")
    source[targets] = np.arange(len(axis))
    return source
