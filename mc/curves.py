"""Curve families: a position t on the curve -> the coefficients of its control points.

Every curve here is linear in its control points, w(t) = coefficients(t) @ control_points, so a
family is nothing but that function of t. The rest of the system needs only two things of it:
`num_points`, and `coefficients(t)`, with t a float or a tensor of any shape [...] and the result
float32 [..., num_points]. At t=0 it is the first unit vector and at t=1 the last one, exactly.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
import tensorflow as tf

Positions: TypeAlias = float | np.ndarray | tf.Tensor  # t, of any shape
Points: TypeAlias = Sequence[np.ndarray | tf.Tensor] | np.ndarray  # control points, each [P]


class Curve(Protocol):
    """What the system needs of a curve family; a family of your own needs no base class."""

    @property
    def num_points(self) -> int:
        """Number of control points, ends included."""
        ...

    def coefficients(self, t: Positions) -> tf.Tensor:
        """Weights of the control points at t; `t: [...]` -> `[..., num_points] float32`."""
        ...


@dataclass(frozen=True)
class Point:
    """A single network: one control point, coefficient 1 at every t."""

    num_points = 1

    def coefficients(self, t: Positions) -> tf.Tensor:
        """Ones; `t: [...]` -> `[..., 1] float32`."""
        return tf.ones_like(_column(t))


@dataclass(frozen=True)
class _WithBends:
    num_bends: int = 1

    def __post_init__(self) -> None:
        if self.num_bends < 0:
            raise ValueError(
                f"num_bends, the number of inner control points, must be at least 0; "
                f"received num_bends={self.num_bends}. (0 is the straight segment.)"
            )

    @property
    def num_points(self) -> int:
        """Number of control points, ends included."""
        return self.num_bends + 2


@dataclass(frozen=True)
class Bezier(_WithBends):
    """The Bezier curve, coefficient k = C(n, k) t^k (1-t)^(n-k) with n = num_bends + 1.

    Garipov et al. 2018, Eq. 5, is the case of one bend. `num_bends=0` is the straight segment.

    Raises:
        ValueError: `num_bends` is negative.
    """

    def coefficients(self, t: Positions) -> tf.Tensor:
        """Bernstein polynomials at t; `t: [...]` -> `[..., num_points] float32`."""
        t = _column(t)
        n = self.num_points - 1
        k = tf.range(n + 1, dtype=tf.float32)
        binomial = tf.constant([math.comb(n, i) for i in range(n + 1)], tf.float32)
        return binomial * tf.pow(t, k) * tf.pow(1.0 - t, n - k)


@dataclass(frozen=True)
class PolyChain(_WithBends):
    """The polygonal chain through the control points, each link of equal length in t.

    Coefficient k = max(0, 1 - |t (num_points - 1) - k|); Garipov et al. 2018, Eq. 4, is the case
    of one bend. `num_bends=0` is the straight segment.

    Raises:
        ValueError: `num_bends` is negative.
    """

    def coefficients(self, t: Positions) -> tf.Tensor:
        """Hat functions at t; `t: [...]` -> `[..., num_points] float32`."""
        k = tf.range(self.num_points, dtype=tf.float32)
        return tf.nn.relu(1.0 - tf.abs(_column(t) * (self.num_points - 1) - k))


@dataclass(frozen=True)
class Linear(PolyChain):
    """The straight segment: coefficients (1-t, t)."""

    num_bends: int = 0

    def __post_init__(self) -> None:
        if self.num_bends != 0:
            raise ValueError(f"Linear has no bends; received num_bends={self.num_bends}.")


FAMILIES = {"point": Point, "linear": Linear, "bezier": Bezier, "polychain": PolyChain}
SURFACES = ("simplex", "bezier_surface")  # of mc.surfaces


def resolve(curve: str | Curve, num_bends: int = 1) -> Curve:
    """The curve that a name and `num_bends`, or a curve object, stand for.

    Raises:
        ValueError: no family has that name; the message lists the known ones.
        TypeError: an object without `num_points` and `coefficients`.
    """
    if isinstance(curve, str):
        if curve in SURFACES:
            raise ValueError(
                f"The name {curve!r} does not say how many corners it has: pass mc.Simplex(3) or "
                "mc.BezierSurface(), or join networks by mc.connect."
            )
        if curve not in FAMILIES:
            raise ValueError(
                f"Unknown curve {curve!r}. Known: {', '.join([*FAMILIES, *SURFACES])}."
            )
        family = FAMILIES[curve]
        return family() if family in (Point, Linear) else family(num_bends)
    if not hasattr(curve, "coefficients") or not hasattr(curve, "num_points"):
        raise TypeError(
            "curve must be a name or an object with num_points and coefficients(t), such as "
            f"mc.Bezier(num_bends=1); received {curve!r}."
        )
    return curve


def check_family(curve: Curve) -> Curve:
    """A family, if its coefficients are those of a curve between two networks.

    Raises:
        ValueError: not one for each control point at every t, or at t=0 or t=1 another than the
            first or the last control point.
    """
    t = np.linspace(0.0, 1.0, 5, dtype=np.float32)
    found = np.asarray(curve.coefficients(t))
    if found.shape != (5, curve.num_points):
        raise ValueError(
            f"coefficients(t) of {curve!r} must give [..., num_points] = [5, {curve.num_points}] "
            f"for five t at once, t: [5]; received shape {found.shape}."
        )
    ends = np.eye(curve.num_points, dtype=np.float32)[[0, -1]]
    for t, row, end in zip((0, 1), found[[0, -1]], ends, strict=True):
        if not np.allclose(row, end, atol=1e-6):
            raise ValueError(
                f"At t={t} the coefficients of {curve!r} must be {end.tolist()}, so that the curve "
                f"{'ends' if t else 'starts'} at its network; received {row.tolist()}."
            )
    return curve


def mix(coefficients: np.ndarray | tf.Tensor, points: Iterable) -> tf.Tensor:
    """The weight vector sum_k coefficients[k] * points[k]; `points`: num_points vectors [P]."""
    return tf.add_n([coefficients[k] * tf.convert_to_tensor(p) for k, p in enumerate(points)])


def random_t(seed: int | tf.Tensor, step: int | tf.Tensor) -> tf.Tensor:
    """The t of a training step, uniform in [0, 1), the same on every device, with XLA or without.

    `seed, step`: int32 scalars. XLA draws the bits of TensorFlow's Philox generator, but makes
    other floats of them; these are TensorFlow's: the lower 23 bits are the fraction.
    """
    return _fractions(seed, step, [])


def uniform(seed: int | tf.Tensor, step: int | tf.Tensor, num: int) -> tf.Tensor:
    """`num` numbers uniform in [0, 1), of which the same holds; `[num]`."""
    return _fractions(seed, step, [num])


def _fractions(seed: int | tf.Tensor, step: int | tf.Tensor, shape: list[int]) -> tf.Tensor:
    bits = tf.random.stateless_uniform(
        shape, tf.stack([seed, step]), minval=None, maxval=None, dtype=tf.uint32, alg="philox"
    )
    return tf.cast(tf.bitwise.bitwise_and(bits, 2**23 - 1), tf.float32) * 2.0**-23


def linear_points(start: np.ndarray, end: np.ndarray, num_points: int) -> np.ndarray:
    """Control points evenly spaced on the straight segment, start first.

    Row k is start + k / (num_points - 1) * (end - start); `start, end: [P]` ->
    `[num_points, P] float32`, with the first and last row exactly start and end.
    """
    points = np.empty((num_points, len(start)), np.float32)
    for k in range(num_points):
        fraction = k / max(num_points - 1, 1)
        points[k] = np.float32(1 - fraction) * start + np.float32(fraction) * end
    return points


def check_t(t: float) -> float:
    """`t`, if it lies in [0, 1].

    Raises:
        ValueError: it does not.
    """
    if not 0.0 <= t <= 1.0:
        raise ValueError(f"t, the position on the curve, must lie in [0, 1]; received t={t}.")
    return float(t)


def _column(t: Positions) -> tf.Tensor:
    return tf.convert_to_tensor(t, tf.float32)[..., tf.newaxis]
