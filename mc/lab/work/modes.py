"""What finished runs say of the paths between networks: heights, and which to look for next."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from mc.evaluation import modes, pairs
from mc.evaluation.modes import Pair
from mc.lab.graph import Run
from mc.lab.words import SPLITS

CURVE = "curve"  # the path of an evaluation, and what a row says that is of one


@dataclass(frozen=True)
class Known:
    """What is known of the paths between networks.

    Attributes:
        table: a row a pair, as `pairs.barriers` has them, of the lowest path that is known, with
            `path` (`linear` or `curve`), `length` of it, and `height`.
        floors: the loss of every network, `[n]`.
        height: what heights are of, such as `train/loss`.
    """

    table: pd.DataFrame
    floors: np.ndarray
    height: str

    @property
    def heights(self) -> np.ndarray:
        """`[n, n]`, nan on its diagonal."""
        return pairs.matrix(self.table, "height")

    @property
    def barriers(self) -> np.ndarray:
        """Of the heights over the higher end, `[n, n]`."""
        floors = np.maximum.outer(self.floors, self.floors)
        return self.heights - floors


def known(segments: pd.DataFrame, curves: Mapping[Pair, pd.DataFrame], names: list[str]) -> Known:
    """The lowest path of every pair.

    Args:
        segments: `points.csv` of the straight segments between all pairs.
        curves: those along the curves of some, as stage=eval makes them.
        names: of the networks.
    """
    height = height_of(segments)
    rows = [_row(own, height, "linear") for _, own in segments.groupby("path", sort=False)]
    numbers = {pair: k for k, pair in enumerate(combinations(range(len(names)), 2))}
    for pair, table in curves.items():
        own = _row(table[table["path"] == CURVE], height, CURVE)
        before = rows[numbers[pair]]
        if not own["height"] > before["height"]:  # so that a pair that is as low has its curve
            rows[numbers[pair]] = own
    named = pd.DataFrame(combinations(names, 2), columns=["start", "end"])
    table = pd.concat([named, pd.DataFrame(rows)], axis=1)
    table.insert(2, "distance", distances(segments))
    return Known(table, floors(segments, height, len(names)), height)


def height_of(points: pd.DataFrame) -> str:
    """The loss by which paths are compared: of the training data, if they were looked at."""
    return next(f"{split}/loss" for split in SPLITS if f"{split}/loss" in points)


def distances(segments: pd.DataFrame) -> np.ndarray:
    """Between the two networks of each pair."""
    return segments.groupby("path", sort=False)["arc_length"].last().to_numpy()


def floors(segments: pd.DataFrame, height: str, count: int) -> np.ndarray:
    """The loss of every network: the ends of its segments."""
    ends = segments.groupby("path", sort=False)[height].agg(["first", "last"]).to_numpy()
    return np.array([ends[0, 0], *ends[: count - 1, 1]])


def _row(points: pd.DataFrame, height: str, path: str) -> dict:
    row = {"path": path, "length": points["arc_length"].iloc[-1]}
    row["height"] = points[height].max(skipna=False)
    return row | pairs.barriers_of(points)


def next_pairs(segments: Run, curves: Mapping[Pair, Run]) -> list[Pair]:
    """The pairs whose curves are worth training next, by what finished runs say."""
    found = of_runs(segments, curves)
    return modes.next_pairs(found.heights, found.floors, set(curves))


def of_runs(segments: Run, curves: Mapping[Pair, Run]) -> Known:
    """What is known by finished runs."""
    names = pairs.names_of(pd.read_csv(segments.folder / "pairs.csv"))
    tables = {pair: pd.read_csv(run.folder / "points.csv") for pair, run in curves.items()}
    return known(pd.read_csv(segments.folder / "points.csv"), tables, names)
