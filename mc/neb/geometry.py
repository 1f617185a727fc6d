"""The geometry of a band of pivots: its tangents, how pivots are spread, where new ones go.

A band is a polygonal chain through N points of weight space, `[N, P]`: its two ends and the pivots
between them.
"""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike


def tangents(points: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """The direction of the band at every pivot, of length 1; `[N - 2, P]`.

    With u- and u+ the unit vectors from the pivot before and to the one after, of losses L- and L+
    where its own is L: u+ where L- < L < L+, and u- where L- > L > L+: the side of the higher
    neighbour. At an extremum, with d = |L+ - L| and e = |L- - L|, the unit vector along

        max(d, e) u+ + min(d, e) u-    if L+ > L-,    min(d, e) u+ + max(d, e) u-    else,

    which turns smoothly from one side to the other (Henkelman and Jonsson 2000, Eq. 8 to 11). Where
    all three are equal, along u- + u+. Of points that coincide the side between them is 0.

    Args:
        points: `[N, P]`.
        values: the loss at each, `[N]`.
    """
    steps = _unit(points[1:] - points[:-1])
    before, after = steps[:-1], steps[1:]
    rises, falls = values[2:] - values[1:-1], values[1:-1] - values[:-2]
    up, down = (rises > 0) & (falls > 0), (rises < 0) & (falls < 0)
    large = tf.maximum(tf.abs(rises), tf.abs(falls))
    small = tf.minimum(tf.abs(rises), tf.abs(falls))
    flat = tf.equal(large, 0)
    large, small = tf.where(flat, 1.0, large), tf.where(flat, 1.0, small)
    higher = values[2:] > values[:-2]
    of_after = tf.where(up, 1.0, tf.where(down, 0.0, tf.where(higher, large, small)))
    of_before = tf.where(up, 0.0, tf.where(down, 1.0, tf.where(higher, small, large)))
    return _unit(of_after[:, None] * after + of_before[:, None] * before)


def across(gradients: tf.Tensor, directions: tf.Tensor) -> tf.Tensor:
    """Gradients without their part along directions of length 1; each `[n, P]`."""
    along = tf.reduce_sum(gradients * directions, axis=1, keepdims=True)
    return gradients - along * directions


def spread(points: tf.Tensor, shares: tf.Tensor) -> tf.Tensor:
    """Pivots moved along the band so that each link has its share of the length; `[N, P]`.

    A band whose pivots are spread before every step needs no springs: it is that of springs of
    infinite strength, the string method. The ends are the same, bit for bit.

    Args:
        points: `[N, P]`.
        shares: of the length of the band, one a link, in any unit; `[N - 1]`.
    """
    lengths = tf.norm(points[1:] - points[:-1], axis=1)
    ends = tf.concat([[0.0], tf.cumsum(lengths)], 0)
    wanted = tf.cumsum(shares)[:-1] / tf.reduce_sum(shares) * ends[-1]
    last = tf.shape(lengths)[0] - 1
    link = tf.clip_by_value(tf.searchsorted(ends, wanted, side="right") - 1, 0, last)
    left = wanted - tf.gather(ends, link)
    part = tf.clip_by_value(tf.math.divide_no_nan(left, tf.gather(lengths, link)), 0.0, 1.0)
    start, end = tf.gather(points, link), tf.gather(points, link + 1)
    inner = (1 - part)[:, None] * start + part[:, None] * end
    return tf.concat([points[:1], inner, points[-1:]], 0)


def _unit(vectors: tf.Tensor) -> tf.Tensor:
    return tf.math.divide_no_nan(vectors, tf.norm(vectors, axis=-1, keepdims=True))


def between(num_points: int, parts: int) -> np.ndarray:
    """Coefficients of points that cut each link into so many equal parts, ends included.

    `[(num_points - 1) * parts + 1, num_points] float32`; every `parts`-th is a point itself.
    """
    position = np.arange((num_points - 1) * parts + 1)[:, np.newaxis] / parts
    distance = np.abs(position - np.arange(num_points))
    return np.maximum(0.0, 1.0 - distance).astype(np.float32)


@dataclass(frozen=True)
class Insertions:
    """Where further pivots go.

    Attributes:
        links: the links that get one, numbered from 0, increasing.
        places: how far along each, between 0 and 1.
    """

    links: list[int]
    places: list[float]

    def rows(self, num_points: int) -> np.ndarray:
        """The points with the new ones among them, as coefficients; `[more, num_points]`."""
        rows = np.eye(num_points, dtype=np.float32)
        new = [(1 - p) * rows[i] + p * rows[i + 1] for i, p in self._each()]
        return np.insert(rows, [i + 1 for i in self.links], np.reshape(new, (-1, num_points)), 0)

    def shares(self, shares: ArrayLike) -> np.ndarray:
        """The shares of the links, of which those that are cut divide their own."""
        shares = np.asarray(shares, np.float32)
        cut = {i: [p * shares[i], (1 - p) * shares[i]] for i, p in self._each()}
        parts = [cut.get(i, [share]) for i, share in enumerate(shares)]
        return np.array([share for part in parts for share in part], np.float32)

    def _each(self) -> list[tuple[int, float]]:
        return list(zip(self.links, self.places, strict=True))


def highest(values: ArrayLike, parts: int, count: int, threshold: float) -> Insertions:
    """Where a band rises most above what its pivots show.

    On each link the point with the largest excess of its loss over the linear interpolation of
    those at the link's two ends. The `count` links with the largest excess get a pivot there, of
    those whose excess is more than `threshold` times the range of the loss over the points (Draxler
    et al. 2018, Section 3.2).

    Args:
        values: the loss at the rows of `between`, finite.
        parts: as there, at least 2.
        count: how many links at most.
        threshold: a fraction of the range.
    """
    values = np.asarray(values, float)
    at_points = values[::parts]
    part = np.arange(1, parts) / parts
    inner = values[:-1].reshape(-1, parts)[:, 1:]
    line = (1 - part) * at_points[:-1, np.newaxis] + part * at_points[1:, np.newaxis]
    excess = inner - line
    most = excess.max(axis=1)
    chosen = [i for i in np.argsort(-most, kind="stable")[:count] if most[i] > 0]
    least = threshold * np.ptp(at_points)
    links = sorted(int(i) for i in chosen if most[i] > least)
    return Insertions(links, [float(part[excess[i].argmax()]) for i in links])
