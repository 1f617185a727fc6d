"""Surfaces of networks: families whose t has more than one coordinate.

They are curve families in everything but t: w(t) = coefficients(t) @ control_points, with t a
vector, `[..., dim]`. Beside `num_points` and `coefficients` such a family says how many corners
networks are given for, and what `mc.domains` asks for: `dim`, `draw`, `anchors`, `centre`, `grid`,
`edges` and `start`.
"""

from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
import tensorflow as tf

from mc.curves import Bezier, Positions, uniform

OFFSET = 1e-2  # of a free vertex from the centroid, as a part of the vertices' distance from it
ON = 1e-6  # of the sum of barycentric coordinates: float32's rounding


def _vectors(t: Positions, dim: int, family: object) -> tf.Tensor:
    t = tf.convert_to_tensor(t, tf.float32)
    if t.shape.rank == 0 or t.shape[-1] != dim:
        raise ValueError(
            f"t of {family} has {dim} coordinates, t: [..., {dim}]; received shape {t.shape}."
        )
    return t


@dataclass(frozen=True)
class Simplex:
    """The simplex of all mixtures of its vertices (Benton et al. 2021; Wortsman et al. 2021).

    t are the coefficients themselves, barycentric coordinates: at least 0, of sum 1. The corners
    are given networks; `num_bends` further vertices are free, and begin near the centroid.

    Raises:
        ValueError: no corner, a negative number of free vertices, or a single vertex.
    """

    num_corners: int = 2
    num_bends: int = 1

    def __post_init__(self) -> None:
        if self.num_corners < 1 or self.num_bends < 0 or self.num_points < 2:
            raise ValueError(
                "A simplex has at least one corner, num_bends further vertices (0 or more), and "
                f"two or more in all; received num_corners={self.num_corners} and "
                f"num_bends={self.num_bends}."
            )

    @property
    def num_points(self) -> int:
        """Number of vertices."""
        return self.num_corners + self.num_bends

    @property
    def dim(self) -> int:
        """Number of coordinates of t, one a vertex."""
        return self.num_points

    def coefficients(self, t: Positions) -> tf.Tensor:
        """t itself; `t: [..., num_points]` -> the same in float32."""
        return _vectors(t, self.dim, self)

    def draw(self, seed: int | tf.Tensor, step: int | tf.Tensor) -> tf.Tensor:
        """t of a training step, uniform in the simplex: Dirichlet(1, ..., 1); `[num_points]`.

        t_i = e_i / sum_j e_j, with e_i = -log(u_i) of uniform u_i.
        """
        e = -tf.math.log(1.0 - uniform(seed, step, self.num_points))
        return e / tf.reduce_sum(e)

    @property
    def anchors(self) -> list[tuple[tuple[float, ...], int]]:
        """Each corner: where it is, and its control point."""
        rows = np.eye(self.num_points)[: self.num_corners].tolist()
        return [(tuple(row), k) for k, row in enumerate(rows)]

    @property
    def centre(self) -> tuple[float, ...]:
        """The centroid."""
        return (1 / self.num_points,) * self.num_points

    def check(self, t: np.ndarray) -> str | None:
        """What is wrong with positions `t: [..., num_points]`, or None."""
        inside = t.min() >= 0 and np.abs(t.sum(-1) - 1).max() <= ON
        return None if inside else "coordinates must be at least 0 and have sum 1"

    def grid(self, cells: int) -> np.ndarray:
        """All t whose coordinates are multiples of 1 / cells; `[n, num_points] float32`."""
        bars = combinations(range(cells + self.num_points - 1), self.num_points - 1)
        rows = [np.diff([-1, *bar, cells + self.num_points - 1]) - 1 for bar in bars]
        return np.array(rows[::-1], np.float32) / np.float32(cells)  # the first vertex first

    def edges(self, num: int) -> dict[str, np.ndarray]:
        """Name -> `num` equidistant t along each edge; `[num, num_points] float32`."""
        along = np.linspace(0, 1, num, dtype=np.float32)
        found = {}
        for i, j in combinations(range(self.num_points), 2):
            t = np.zeros((num, self.num_points), np.float32)
            t[:, i], t[:, j] = 1 - along, along
            found[f"{i + 1}-{j + 1}"] = t
        return found

    def start(self, corners: np.ndarray, seed: int) -> np.ndarray:
        """The vertices before training, of which some are given.

        `corners: [n, P]`, n at least num_corners -> `[num_points, P] float32`. A further one begins
        near the centroid of these and not on it, where the volume has no gradient: at a random
        offset of .01 of their root mean square distance from it (of a single one: of its norm).
        """
        centroid = corners.mean(axis=0)
        away = corners - centroid if len(corners) > 1 else corners
        length = OFFSET * np.sqrt((away.astype(float) ** 2).sum(axis=1).mean())
        points = [*corners]
        for k in range(len(corners), self.num_points):
            offset = np.random.default_rng([seed, k]).standard_normal(len(centroid), np.float32)
            points.append(centroid + np.float32(length / np.linalg.norm(offset)) * offset)
        return np.array(points, np.float32)


@dataclass(frozen=True)
class BezierSurface:
    """The Bezier surface over the unit square, between four networks.

        w(u, v) = sum_ij B_i(u) B_j(v) theta_ij,  i, j = 0 .. n,

    with Bernstein polynomials B of degree n = num_bends + 1, so that each edge is the Bezier curve
    of its control points. theta_ij is control point number i (n + 1) + j; the corners are those of
    t = (u, v) = (0, 0), (0, 1), (1, 0) and (1, 1), in this order.

    Raises:
        ValueError: `num_bends` is negative.
    """

    num_bends: int = 1

    num_corners = 4
    dim = 2
    centre = (0.5, 0.5)

    def __post_init__(self) -> None:
        Bezier(self.num_bends)  # which says what is wrong with a number of bends

    @property
    def side(self) -> int:
        """Number of control points along an edge."""
        return self.num_bends + 2

    @property
    def num_points(self) -> int:
        """Number of control points, corners included."""
        return self.side**2

    def coefficients(self, t: Positions) -> tf.Tensor:
        """Products of Bernstein polynomials; `t: [..., 2]` -> `[..., num_points] float32`."""
        t = _vectors(t, 2, self)
        u, v = (Bezier(self.num_bends).coefficients(t[..., axis]) for axis in (0, 1))
        both = u[..., :, tf.newaxis] * v[..., tf.newaxis, :]
        return tf.reshape(both, [*both.shape[:-2], self.num_points])

    def draw(self, seed: int | tf.Tensor, step: int | tf.Tensor) -> tf.Tensor:
        """t of a training step, uniform in the square; `[2]`."""
        return uniform(seed, step, 2)

    @property
    def anchors(self) -> list[tuple[tuple[float, ...], int]]:
        """Each corner: where it is, and its control point."""
        last = self.side - 1
        return [
            ((float(u), float(v)), last * (u * self.side + v)) for u, v in product((0, 1), repeat=2)
        ]

    def check(self, t: np.ndarray) -> str | None:
        """What is wrong with positions `t: [..., 2]`, or None."""
        return None if t.min() >= 0 and t.max() <= 1 else "coordinates must lie in [0, 1]"

    def grid(self, cells: int) -> np.ndarray:
        """(cells + 1)^2 equidistant t of the square; `[n, 2] float32`, v fastest."""
        axis = np.linspace(0, 1, cells + 1, dtype=np.float32)
        return np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)

    def edges(self, num: int) -> dict[str, np.ndarray]:
        """Name -> `num` equidistant t along each edge, between corners; `[num, 2] float32`."""
        along = np.linspace(0, 1, num, dtype=np.float32)
        zero, one = np.zeros_like(along), np.ones_like(along)
        pairs = {"1-2": (zero, along), "1-3": (along, zero)}
        pairs |= {"2-4": (along, one), "3-4": (one, along)}
        return {name: np.stack(pair, axis=-1) for name, pair in pairs.items()}

    def start(self, corners: np.ndarray, seed: int) -> np.ndarray:
        """The control points before training, bilinear between the corners.

        `corners: [4, P]` -> `[num_points, P] float32`; `seed` is not used: nothing is drawn.
        """
        axis = np.linspace(0, 1, self.side, dtype=np.float32)
        rows = [
            [(1 - u) * (1 - v), (1 - u) * v, u * (1 - v), u * v] for u, v in product(axis, repeat=2)
        ]
        return np.array([sum(c * w for c, w in zip(row, corners, strict=True)) for row in rows])
