"""What groups of units touch, and the table that shows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mc.symmetry.blocks import blocks

if TYPE_CHECKING:
    from mc.symmetry.groups import Symmetries


def touched(found: Symmetries, name: str) -> list[tuple[str, tuple[int, ...]]]:
    """The weights that a group touches, by path, and on which of their axes."""
    told = []
    for place, weight in found.weights.items():
        shape, own = found.shapes[place], set[int]()
        for block in blocks(weight.axes, found.members[name], weight.shape, found.alike(name)):
            for k, positions in enumerate(block.positions):
                if positions.ndim > 1:
                    own |= _along(positions, _within(weight.shape, shape, k), shape)
        if own:
            told.append((found.paths[place], tuple(sorted(own))))
    return told


def _within(view: Sequence[int], shape: Sequence[int], k: int) -> list[int]:
    """The axes of an array that lie in the axis k that it has in another shape, or around it."""
    inner, outer = (np.cumprod([1, *sizes]) for sizes in (view, shape))
    return [
        axis
        for axis in range(len(shape))
        if max(inner[k], outer[axis]) < min(inner[k + 1], outer[axis + 1])
    ]


def _along(positions: np.ndarray, inside: list[int], shape: Sequence[int]) -> set[int]:
    """Of axes that are one in another shape those along which positions `[n, .., m]` differ."""
    if len(inside) < 2:
        return set(inside)
    places = np.unravel_index(positions, [shape[axis] for axis in inside])
    return {a for a, place in zip(inside, places, strict=True) if (place != place[:1]).any()}


def table(found: Symmetries) -> str:
    """A row for each group: its name, its size, and what it touches."""
    unseen = [f"not seen through: {', '.join(found.unseen)}"] if found.unseen else []
    if not found.members:
        return "\n".join(["no units that may be renumbered", *unseen])
    shown = _shown(found)
    width = max(map(len, shown))
    rows = [f"{'group':{width}}  size  weights [axes]"]
    for title, name in shown.items():
        told = (f"{path} {list(of)}" for path, of in touched(found, name))
        rows.append(f"{title:{width}}  {len(found.members[name]):4}  {', '.join(told)}")
    return "\n".join([*rows, *unseen])


def _shown(found: Symmetries) -> dict[str, str]:
    """What is shown of the groups, and their names; of those within heads one for all heads."""
    kinds = [kind for kinds in found.heads.values() for kind in kinds]
    firsts = {kind[0]: len(kind) for kind in kinds}
    others = {own for kind in kinds for own in kind[1:]}
    return {
        f"{n.rpartition(',')[0]}, each of {firsts[n]} heads" if n in firsts else n: n
        for n in found.members
        if n not in others
    }
