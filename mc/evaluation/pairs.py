"""The straight segments between all pairs of several networks, and the barriers on them."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from mc import curves
from mc.evaluation import along, statistics
from mc.evaluation.geometry import positions
from mc.evaluation.passes import barriers_of, measured


def segments(num_networks: int, num_points: int) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients of all points of all segments, each point once, and which of them a segment has.

    The pairs are (0, 1), (0, 2), ..., (n - 2, n - 1), and pair (i, j) has its points at
    w(t) = (1 - t) w_i + t w_j. A network is an end of n - 1 segments and one point.

    Args:
        num_networks: n.
        num_points: equidistant t of each segment, ends included.

    Returns:
        `rows: [n + n (n - 1) / 2 * (num_points - 2), n] float32`, the networks first, and
        `index: [n (n - 1) / 2, num_points]`, the rows of each pair.

    Raises:
        ValueError: fewer than two points.
    """
    t = positions(num_points)[1:-1, np.newaxis]
    first, second = np.triu_indices(num_networks, 1)
    ends = np.eye(num_networks, dtype=np.float32)
    inner = (1 - t) * ends[first][:, np.newaxis] + t * ends[second][:, np.newaxis]
    rows = np.concatenate([ends, inner.reshape(-1, num_networks)])
    numbers = num_networks + np.arange(len(first) * len(t)).reshape(len(first), len(t))
    return rows, np.column_stack([first, numbers, second])


def points_table(
    names: Sequence[str],
    points: curves.Points,
    num_points: int,
    values: Mapping[str, np.ndarray],
) -> pd.DataFrame:
    """A row a point of every segment, as `points.csv` has them.

    Args:
        names: of the n networks, all different.
        points: their weight vectors, each `[P]`.
        num_points: of each segment.
        values: the metrics at the rows of `segments`.

    Returns:
        Columns: `path`, which is `A|B` on the segment from A to B, `t, segment_length,
        arc_length`, and `<split>/<metric>`; the ends of a segment are rows of its own.
    """
    rows, index = segments(len(names), num_points)
    paths = {
        f"{a}|{b}": rows[own] for (a, b), own in zip(combinations(names, 2), index, strict=True)
    }
    table = along.positions_table(paths, positions(num_points), points)
    return table.assign(**{name: found[index.ravel()] for name, found in values.items()})


def barriers(table: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """A row a pair: `start, end, distance`, and its barriers, `<split>/<metric>/barrier_max`.

    The formulas are those of `statistics.summarise`; of metrics without barriers there are none.

    Args:
        table: of `points_table`.
        names: as there.
    """
    paths, rows = table.groupby("path", sort=False), []
    for (start, end), (_, own) in zip(combinations(names, 2), paths, strict=True):
        row = {"start": start, "end": end, "distance": own["arc_length"].iloc[-1]}
        rows.append(row | barriers_of(own))
    return pd.DataFrame(rows)


def summary(pairs: pd.DataFrame) -> dict[str, float]:
    """Mean and extremes over all pairs: `pairs/<split>/<metric>/barrier_max/mean`, and distances.

    Where one pair has a value that is not finite, so have its mean and extremes.

    Args:
        pairs: of `barriers`.
    """
    summary: dict[str, float] = {}
    for name in ("distance", *measured(pairs)):
        summary |= statistics.spread(f"pairs/{name}", pairs[name])
    return summary
