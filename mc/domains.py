"""Where a family's t lies: of curves in [0, 1]; surfaces say so themselves.

A family with `num_points` and `coefficients(t)` alone is a curve. One with `dim` is a surface, and
its t a vector `[dim]`; see `mc.surfaces`.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from mc import curves

Position: TypeAlias = float | tuple[float, ...]  # t of one network

NEEDED = ("coefficients", "draw", "anchors", "centre", "check", "grid", "edges", "start")


def is_curve(family: Any) -> bool:
    """Whether a family's t is a number."""
    return not hasattr(family, "dim")


def anchors(family: Any) -> list[tuple[Position, int]]:
    """Positions at which a network is one control point by itself, and which: ends, or corners.

    A single network has none.
    """
    if not is_curve(family):
        return list(family.anchors)
    return [(0.0, 0), (1.0, family.num_points - 1)] if family.num_points > 1 else []


def num_networks(family: Any) -> int:
    """How many networks a family joins."""
    return 2 if is_curve(family) else len(family.anchors)


def centre(family: Any) -> Position:
    """The middle of all t."""
    return 0.5 if is_curve(family) else family.centre


def spread(family: Any, num: int) -> np.ndarray:
    """t spread over all: of a curve `num` equidistant ones; of a surface a grid of some cells."""
    return np.linspace(0, 1, num, dtype=np.float32) if is_curve(family) else family.grid(4)


def draw(family: Any, seed: int | tf.Tensor, step: int | tf.Tensor) -> tf.Tensor:
    """The t of a training step: of a curve `[]`, uniform in [0, 1); else `[dim]`."""
    return curves.random_t(seed, step) if is_curve(family) else family.draw(seed, step)


def check(family: Any, t: ArrayLike) -> Position:
    """`t`, if it is a position on a curve or a surface.

    Raises:
        ValueError: it is none; says what the rule is.
    """
    if is_curve(family):
        return curves.check_t(t)  # type: ignore[arg-type]
    found = np.asarray(t, np.float32)
    if found.shape != (family.dim,):
        raise ValueError(
            f"t, the position on {family}, has {family.dim} coordinates; received t={t!r}. Its "
            f"centre is t={list(family.centre)}."
        )
    if (wrong := family.check(found)) is not None:
        raise ValueError(f"t, the position on {family}: {wrong}; received t={found.tolist()}.")
    return tuple(found.tolist())


def fixed_points(
    family: Any, fix: Sequence[int] | None, fix_start: bool, fix_end: bool
) -> tuple[int, ...]:
    """The control points that training leaves as they are.

    `fix`: their numbers, from 0; None: of a curve the ends that are asked for, of a surface all
    corners.

    Raises:
        ValueError: a number is none of a control point.
    """
    if fix is None:
        ends = (fix_start, fix_end) if is_curve(family) else (True,) * num_networks(family)
        pairs = zip(anchors(family), ends, strict=False)
        return tuple(k for (_, k), fixed in pairs if fixed)
    if outside := [k for k in fix if not 0 <= k < family.num_points]:
        raise ValueError(
            f"fix lists control points to be left as they are, numbered from 0 to "
            f"{family.num_points - 1} here; received {', '.join(map(str, outside))}."
        )
    return tuple(sorted(set(map(int, fix))))


def check_fixed(
    family: Any, fix: Sequence[int] | None, fix_start: bool, fix_end: bool
) -> tuple[int, ...]:
    """The same, where no end is freed by a setting that does not act.

    Raises:
        ValueError: of a surface, or beside `fix`; or see `fixed_points`.
    """
    free = [k for k, fixed in (("fix_start", fix_start), ("fix_end", fix_end)) if not fixed]
    if free and (fix is not None or not is_curve(family)):
        why = "fix lists all that stay" if is_curve(family) else "a surface has corners, no ends"
        raise ValueError(
            f"{free[0]}=false: {why}. List in fix, by number from 0, the control points that are "
            "to stay as they are: [] for none."
        )
    return fixed_points(family, fix, fix_start, fix_end)


def check_family(family: Any) -> Any:
    """A family, if its coefficients are those of a curve or a surface between networks.

    Raises:
        ValueError: not one coefficient for each control point at every t; or at an anchor another
            than its control point's.
    """
    if is_curve(family):
        return curves.check_family(family)
    if missing := [name for name in NEEDED if not hasattr(family, name)]:
        raise ValueError(
            f"{family!r} has dim, so it is a surface, and lacks {', '.join(missing)}; see "
            "mc.surfaces. A curve, whose t is a number, has no dim."
        )
    t = np.array([position for position, _ in family.anchors], np.float32)
    found = np.asarray(family.coefficients(t))
    if found.shape != (len(t), family.num_points):
        raise ValueError(
            f"coefficients(t) of {family!r} must give [..., num_points] = [{len(t)}, "
            f"{family.num_points}] for t: {list(t.shape)}; received shape {found.shape}."
        )
    for (position, k), row in zip(family.anchors, found, strict=True):
        if not np.allclose(row, np.eye(family.num_points)[k], atol=1e-6):
            raise ValueError(
                f"At t={position} {family!r} must be its control point {k}; received the "
                f"coefficients {row.tolist()}."
            )
    return family
