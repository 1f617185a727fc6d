"""How a training step draws t, and what it adds to the loss, of control points alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from mc import curves, domains
from mc.network.weights import FlatNetwork
from mc.surfaces import Simplex

LAWS = ("uniform", "arc_length")
GRID = np.linspace(0.0, 1.0, 257, dtype=np.float32)  # of the chain by which lengths are measured
SPREAD = 1_000_003  # between the seeds of one step's draws
TINY = 1e-24  # of a squared length: a simplex of equal points stays finite, too
FLAT = 1e-6  # added to a Gram matrix, as a part of its mean diagonal: flat simplexes stay finite


@dataclass(frozen=True)
class Terms:
    """The terms of training beyond the plain expected loss; all are off by default.

    The loss that training shows is the plain one, without volume and cosine.

    Attributes:
        draws: how many t a step draws; its gradient is their mean.
        volume: the coefficient of -log V, V the volume of a simplex (Benton et al. 2021, Eq. 3):
            what is subtracted from the loss.
        cosine: the coefficient of cos^2 of the angle between the kernels of two control points, a
            pair drawn each step (Wortsman et al. 2021, Eq. 4), which is added to the loss.
        law: of t on a curve: `uniform`, or `arc_length`, by which equal lengths of the curve are
            equally likely.

    Raises:
        ValueError: a number is out of its range, or the law is unknown.
    """

    draws: int = 1
    volume: float = 0.0
    cosine: float = 0.0
    law: str = "uniform"

    def __post_init__(self) -> None:
        if self.draws < 1:
            raise ValueError(f"draws, of t in a step, must be at least 1; received {self.draws}.")
        for name in ("volume", "cosine"):
            if not getattr(self, name) >= 0:
                raise ValueError(
                    f"{name}, a coefficient, must be at least 0 (0: off); received "
                    f"{name}={getattr(self, name)}."
                )
        if self.law not in LAWS:
            raise ValueError(f"law must be one of {', '.join(LAWS)}; received {self.law!r}.")

    def check(self, family: Any, network: FlatNetwork | None = None) -> Terms:
        """These, if they are defined for a family, and for a network where it is known.

        Raises:
            ValueError: a volume of what is no simplex, a cosine of a single point or of no kernels,
                or an arc length of a surface.
        """
        if self.volume and not isinstance(family, Simplex):
            raise ValueError(
                f"volume={self.volume} rewards the volume of a simplex, and the family is {family}."
                " Choose curve=simplex, or volume=0."
            )
        none = network is not None and not kernels(network).any()
        if self.cosine and (family.num_points < 2 or none):
            raise ValueError(
                f"cosine={self.cosine} is of the kernels of two control points, and here "
                f"{'is one' if family.num_points < 2 else 'are no kernels'}. Choose cosine=0."
            )
        if self.law == "arc_length" and not domains.is_curve(family):
            raise ValueError(
                f"law=arc_length is of curves, and {family} is a surface. Choose law=uniform."
            )
        return self


def kernels(network: FlatNetwork) -> np.ndarray:
    """1 for the entries of kernels, 0 for biases, scales and all else; `[P] float32`."""
    parts = zip(network.paths, network.sizes, strict=True)
    return np.concatenate([np.full(n, "kernel" in p.rsplit("/")[-1], np.float32) for p, n in parts])


def draw(
    terms: Terms, family: Any, points: Sequence, seed: int, step: tf.Tensor, number: int
) -> tf.Tensor:
    """The t of draw `number` of a step."""
    own = (seed + SPREAD * number) % 2**31  # the first is that of a step with one draw
    t = domains.draw(family, own, step)
    return t if terms.law == "uniform" else at_length(family, points, t)


def at_length(family: Any, points: Sequence, part: tf.Tensor) -> tf.Tensor:
    """The t by which a part, in [0, 1], of a curve's arc length lies behind; `[]`."""
    rows = tf.cast(family.coefficients(GRID), tf.float64)
    steps = rows[1:] - rows[:-1]
    squared = tf.einsum("ij,jk,ik->i", steps, _gram(points), steps)
    along = tf.cumsum(tf.sqrt(tf.maximum(squared, 0.0)))
    goal = tf.cast(part, tf.float64) * along[-1]
    i = tf.minimum(tf.reduce_sum(tf.cast(along <= goal, tf.int32)), len(GRID) - 2)
    before = tf.where(i > 0, along[tf.maximum(i - 1, 0)], 0.0)
    within = (goal - before) / tf.maximum(along[i] - before, 1e-300)
    t = (tf.cast(i, tf.float64) + tf.clip_by_value(within, 0.0, 1.0)) / (len(GRID) - 1)
    return tf.cast(t, tf.float32)


def gradients(terms: Terms, points: Sequence, mask: Any, seed: int, step: tf.Tensor) -> list:
    """Of the terms, to each control point `[P]`; None where there are none.

    `points`: of the simplex, each `[P]`; `mask`: `kernels`, where the cosine is on.
    """
    points = [tf.convert_to_tensor(p) for p in points]
    total: list = [None] * len(points)
    if terms.volume:
        total = _volume(points, terms.volume)
    if terms.cosine:
        of_cosine = _cosine(points, mask, terms.cosine, seed, step)
        total = [b if a is None else a + b for a, b in zip(total, of_cosine, strict=True)]
    return total


def _volume(points: Sequence[tf.Tensor], strength: float) -> list[tf.Tensor]:
    """Gradients of -strength log V, V = sqrt(det G) / k!, G the Gram matrix of offsets from p_0.

    d log V / dW = D^T G^-1 D W for control points W [n, P] and offsets D W: mixtures of these.
    """
    gram = _gram(points)[1:, 1:]
    k = len(points) - 1
    gram += FLAT * tf.maximum(tf.linalg.trace(gram) / k, TINY) * tf.eye(k, dtype=tf.float64)
    offsets = tf.constant(np.hstack([-np.ones((k, 1)), np.eye(k)]))
    mixture = tf.matmul(offsets, tf.linalg.inv(gram) @ offsets, transpose_a=True)
    rows = tf.cast(-strength * mixture, tf.float32)
    # Of offsets, which are short: rows have the sum 0.
    away = [p - points[0] for p in points[1:]]
    return [tf.add_n([rows[i, j + 1] * o for j, o in enumerate(away)]) for i in range(k + 1)]


def _cosine(
    points: Sequence[tf.Tensor], mask: Any, strength: float, seed: int, step: tf.Tensor
) -> list[tf.Tensor]:
    """Gradients of strength cos^2(a, b) of a drawn pair of control points' kernels.

    d cos^2 / da = 2 c (b / (|a| |b|) - c a / |a|^2) with c = <a, b> / (|a| |b|).
    """
    n = len(points)
    pairs = np.array([(i, j) for i in range(n) for j in range(i)], np.int32)
    pair = tf.gather(pairs, _whole(seed, step, len(pairs)))
    one, other = (tf.one_hot(pair[k], n) for k in (0, 1))
    a, b = (mask * tf.add_n([h[k] * p for k, p in enumerate(points)]) for h in (one, other))
    aa, bb, ab = (tf.reduce_sum(x * y) for x, y in ((a, a), (b, b), (a, b)))
    over = tf.math.divide_no_nan(1.0, tf.sqrt(aa * bb))  # kernels of zeros have no angle
    cosine = ab * over
    of_a = strength * 2 * cosine * (b * over - cosine * tf.math.divide_no_nan(a, aa))
    of_b = strength * 2 * cosine * (a * over - cosine * tf.math.divide_no_nan(b, bb))
    return [one[k] * of_a + other[k] * of_b for k in range(n)]


def _whole(seed: int, step: tf.Tensor, num: int) -> tf.Tensor:
    """A whole number below `num`, by another seed than t."""
    u = curves.random_t((seed + SPREAD // 2) % 2**31, step)
    return tf.cast(u * num, tf.int32)


def _gram(points: Sequence) -> tf.Tensor:
    """Inner products of the control points' offsets from the first; `[n, n] float64`.

    Offsets are taken in float32, in which they are exact where points are close to each other.
    """
    points = [tf.convert_to_tensor(p) for p in points]
    away = tf.stack([p - points[0] for p in points])
    return tf.cast(tf.matmul(away, away, transpose_b=True), tf.float64)
