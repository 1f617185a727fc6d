"""The lowest paths that are known between networks, from tables of points along them.

Nothing here imports TensorFlow: which curves are worth training is asked before any is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from mc.evaluation import statistics

PATHS = ("curve", "linear")  # of those that stage=eval makes
Pair = tuple[int, int]  # of networks, numbered from 0, the lower first


@dataclass(frozen=True)
class Known:
    """What is known of the paths between networks.

    Attributes:
        table: a row a pair: `start, end, distance`, and of the lowest path that is known `path`
            (`linear` or `curve`), `length`, `height`, and its barriers.
        networks: a row a network: `network`, and its `<split>/<metric>`.
        height: what heights are of, such as `train/loss`: the largest on the path.
    """

    table: pd.DataFrame
    networks: pd.DataFrame
    height: str

    @property
    def heights(self) -> np.ndarray:
        """`[n, n]`, nan on its diagonal."""
        return matrix(self.table, "height")

    @property
    def barriers(self) -> np.ndarray:
        """Of the heights over the higher end of each path, `[n, n]`."""
        return matrix(self.table, f"{self.height}/barrier_max")

    @property
    def floors(self) -> np.ndarray:
        """The loss of every network, `[n]`."""
        return self.networks[self.height].to_numpy()


def known(
    segments: pd.DataFrame, curves: Mapping[Pair, pd.DataFrame], names: Sequence[str]
) -> Known:
    """The lowest path of every pair; of those with a curve, of what was measured with it.

    Args:
        segments: `points.csv` of the straight segments between all pairs.
        curves: of some pairs, the points of the paths `curve` and `linear` that stage=eval makes.
        names: of the networks.
    """
    height = height_of(segments)
    parts = [own for _, own in segments.groupby("path", sort=False)]
    rows = []
    for pair, own in zip(combinations(range(len(names)), 2), parts, strict=True):
        paths = {"linear": own}
        if pair in curves:
            paths = {path: own for path, own in curves[pair].groupby("path") if path in PATHS}
        found = [_row(points, height, path) for path, points in paths.items()]
        best = min(found, key=lambda row: (_finite(row["height"]), row["path"]))
        distance = paths["linear"]["arc_length"].iloc[-1]
        named = {"start": names[pair[0]], "end": names[pair[1]], "distance": distance}
        rows.append(named | best)
    ends = [parts[0].iloc[0], *(own.iloc[-1] for own in parts[: len(names) - 1])]
    networks = pd.DataFrame([end[measured(segments)] for end in ends]).reset_index(drop=True)
    networks.insert(0, "network", list(names))
    return Known(pd.DataFrame(rows), networks.infer_objects(), height)


def height_of(points: pd.DataFrame) -> str:
    """The loss by which paths are compared: of the training data, if they were looked at."""
    splits = ("train", "valid", "test")
    return next(f"{split}/loss" for split in splits if f"{split}/loss" in points)


def _row(points: pd.DataFrame, height: str, path: str) -> dict:
    row = {"path": path, "length": points["arc_length"].iloc[-1]}
    row["height"] = points[height].max(skipna=False)
    return row | barriers_of(points)


def _finite(height: float) -> float:
    return height if np.isfinite(height) else np.inf


def barriers_of(points: pd.DataFrame) -> dict[str, float]:
    """The barriers on one path, `<split>/<metric>/barrier_max`, from a row a point."""
    return statistics.barriers_of({name: points[name] for name in measured(points)}, points["t"])


def measured(points: pd.DataFrame) -> list[str]:
    """The columns `<split>/<metric>`."""
    return [name for name in points.columns if "/" in name]


def matrix(pairs: pd.DataFrame, column: str) -> np.ndarray:
    """A column of a row a pair as a symmetric matrix `[n, n]`, nan on its diagonal."""
    n = len(names_of(pairs))
    made = np.full((n, n), np.nan)
    made[np.triu_indices(n, 1)] = pairs[column]
    return np.where(np.isnan(made), made.T, made)


def names_of(pairs: pd.DataFrame) -> list[str]:
    """The names of the networks, in their order."""
    count = round((1 + np.sqrt(1 + 8 * len(pairs))) / 2)  # n of n (n - 1) / 2 pairs
    return [str(pairs["start"].iloc[0]), *map(str, pairs["end"].iloc[: count - 1])]
