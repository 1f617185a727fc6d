"""The cycles of AutoNEB: how they go, what was measured after each, and what was best."""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from mc.evaluation import statistics
from mc.evaluation.geometry import gram, segment_lengths
from mc.neb import geometry

log = logging.getLogger(__name__)

HEIGHT = "train/loss"  # of a point of a band: what training minimises


@dataclass(frozen=True)
class Schedule:
    """How the cycles of AutoNEB go.

    Attributes:
        steps: training steps of each.
        learning_rates: of each.
        batch_size: examples of a step, the same for all pivots.
        insert: links at most that get a pivot before a cycle, from the second on.
        threshold: of the excess of such a link, as a fraction of the range of the loss over the
            pivots.
        subsample: points within each link that are looked at after a cycle.

    Raises:
        ValueError: no cycle, another number of learning rates, or a number out of range.
    """

    steps: Sequence[int]
    learning_rates: Sequence[float]
    batch_size: int = 128
    insert: int = 2
    threshold: float = 0.1
    subsample: int = 9

    def __post_init__(self) -> None:
        if not self.steps or len(self.steps) != len(self.learning_rates):
            raise ValueError(
                "AutoNEB needs steps and learning_rates, one of each for every cycle; received "
                f"steps={list(self.steps)} and learning_rates={list(self.learning_rates)}."
            )
        least = {"steps": 1, "batch_size": 1, "insert": 0, "threshold": 0, "subsample": 1}
        for name, low in least.items():
            own = getattr(self, name)
            if min(own if name == "steps" else [own]) < low:
                raise ValueError(f"{name} must be at least {low}; received {name}={own}.")
        if not min(self.learning_rates) > 0:
            raise ValueError(
                "learning_rates must be greater than 0; received "
                f"learning_rates={list(self.learning_rates)}."
            )


@dataclass(frozen=True)
class Found:
    """What AutoNEB has found.

    Attributes:
        points: `[N, P]`, the band of the cycle whose highest point is the lowest; of several whose
            highest is the same end, that of the least `integral`.
        cycles: a row a cycle, from 0, the straight segment: `cycle, pivots, steps, learning_rate,
            gradients` (evaluations of a batch in this cycle), `length, length_ratio` (of the band,
            and over that of the segment), `<split>/<metric>/max`, `train/loss/integral` (the
            mean over arc length), and `is_best`.
        band: a row a point that was looked at: `cycle, arc_length, is_pivot`, `<split>/<metric>`.
    """

    points: np.ndarray
    cycles: pd.DataFrame
    band: pd.DataFrame


@dataclass(frozen=True)
class State:
    """Between two cycles: the band, the best so far, and what was measured.

    Attributes:
        points: the band, `[N, P]`.
        shares: of its length, one a link.
        best: the band of the best cycle.
        cycles, band: rows of the tables of `Found`.
    """

    points: np.ndarray
    shares: np.ndarray
    best: np.ndarray | None = None
    cycles: list[dict] = field(default_factory=list)
    band: list[dict] = field(default_factory=list)

    @property
    def done(self) -> int:
        """Cycles that are done; -1: the straight segment was not looked at yet."""
        return len(self.cycles) - 1

    def arrays(self) -> dict[str, np.ndarray]:
        """What a snapshot holds of it."""
        kept = {"points": self.points, "shares": self.shares}
        if self.best is not None:
            kept["best"] = self.best
        for name, rows in (("cycles", self.cycles), ("band", self.band)):
            kept |= {f"{name}:{k}": np.array([row[k] for row in rows]) for k in rows[0]}
        return kept

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "State":
        """That of a snapshot."""
        tables = {}
        for name in ("cycles", "band"):
            named = (k for k in arrays if k.startswith(f"{name}:"))
            columns = {k.partition(":")[2]: arrays[k].tolist() for k in named}
            rows = zip(*columns.values(), strict=True)
            tables[name] = [dict(zip(columns, row, strict=True)) for row in rows]
        return cls(arrays["points"], arrays["shares"], arrays.get("best"), **tables)

    def after(self, points: np.ndarray, values: Mapping[str, np.ndarray], row: dict) -> "State":
        """With a cycle's band, and what was measured on it."""
        parts = (len(values[HEIGHT]) - 1) // (len(points) - 1)
        rows = geometry.between(len(points), parts)
        lengths = segment_lengths(rows, gram(points))
        arc = np.cumsum(lengths)
        cycle, chord = len(self.cycles), self.cycles[0]["length"] if self.cycles else arc[-1]
        row = {"cycle": cycle, "pivots": len(points) - 2} | row
        row |= {"length": float(arc[-1]), "length_ratio": float(arc[-1] / chord)}
        row |= {f"{name}/max": float(np.max(own)) for name, own in values.items()}
        along = statistics.summarise(values[HEIGHT], lengths, np.linspace(0, 1, len(arc)))
        row[f"{HEIGHT}/integral"] = along.get("integral", math.nan)
        band = [
            {"cycle": cycle, "arc_length": float(a), "is_pivot": i % parts == 0}
            | {name: float(own[i]) for name, own in values.items()}
            for i, a in enumerate(arc)
        ]
        before = min((height(other) for other in self.cycles), default=height(row))
        better = self.best is None or height(row) < before
        return replace(
            self,
            points=points,
            best=points if better else self.best,
            cycles=[*self.cycles, row],
            band=[*self.band, *band],
        )

    def with_pivots(self, schedule: Schedule) -> "State":
        """With further pivots where the last cycle's band rises most between its own."""
        heights = np.array([row[HEIGHT] for row in self.band if row["cycle"] == self.done])
        if not np.isfinite(heights).all():
            log.warning("The loss is not finite everywhere on the band: it gets no further pivot.")
            return self
        new = geometry.highest(heights, schedule.subsample + 1, schedule.insert, schedule.threshold)
        points = new.rows(len(self.points)) @ self.points
        points[[0, -1]] = self.points[[0, -1]]
        return replace(self, points=points, shares=new.shares(self.shares))

    def found(self) -> Found:
        """The answer, after all cycles."""
        cycles, best = pd.DataFrame(self.cycles), min(self.cycles, key=height)
        assert self.best is not None, "the straight segment was looked at"
        cycles["is_best"] = cycles["cycle"] == best["cycle"]
        return Found(self.best, cycles, pd.DataFrame(self.band))


def height(row: dict) -> tuple[float, float]:
    """What cycles are compared by: the highest point of the band, which may be an end, then all.

    Infinite where one is not finite.
    """
    found = row[f"{HEIGHT}/max"], row[f"{HEIGHT}/integral"]
    return (math.inf, math.inf) if math.isnan(sum(found)) else found
