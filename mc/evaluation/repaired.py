"""The straight segment between two networks with the statistics of units repaired."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from mc import between
from mc.evaluation.evaluator import Evaluator
from mc.network.repair import Repair

if TYPE_CHECKING:
    from mc.curve_model import CurveModel

Values = dict[str, np.ndarray]


class Repaired:
    """The path from a curve's start to its end on which every network is repaired; see `Repair`.

    Args:
        curve: whose ends it joins.
        data: batches that units are measured on.
        at_points: makes an `Evaluator` of control points, and of their `own_state`.
        compare: whether predictions are compared with those of the two ends.
    """

    def __init__(
        self,
        curve: CurveModel,
        data: Iterable,
        at_points: Callable[..., Evaluator],
        compare: bool = False,
    ):
        ends = [np.asarray(curve.points[k]) for k in (0, -1)]
        self.repair = Repair(curve.network.model, ends, curve.state_values, data)
        self.states = {
            t: between.EndStates(curve, {} if end is None else {0: end})
            for t, end in ((0.0, 0), (1.0, 1), (None, None))
        }
        # One graph for all: its point is assigned before each.
        self.w = tf.Variable(ends[0])
        points, units = [self.w, *(ends if compare else ())], np.eye(3)
        beside = {"start": units[1], "end": units[2]} if compare else None
        self.at = at_points(points, own_state=self.states[None], beside=beside)
        self.row = units[:1, : len(points)]

    def beside(
        self, evaluate: Evaluator, t: np.ndarray, rows: np.ndarray
    ) -> tuple[Callable[..., Values], np.ndarray]:
        """What gives the values of other paths and then of this one, and the rows that it takes.

        A row has one more number than the coefficients `[n, num_points]` of the others: of this
        path the position t, of others -1.
        """
        others = np.pad(rows, ((0, 0), (0, 1)), constant_values=-1)
        own = np.zeros((len(t), others.shape[1]), np.float32)
        own[:, -1] = t

        def values(given: np.ndarray, note: str = "") -> Values:
            is_own = given[:, -1] >= 0
            found = []
            if not is_own.all():
                found.append(evaluate(given[~is_own, :-1], note))
            if is_own.any():
                found.append(self(given[is_own, -1], note))
            return {name: np.concatenate([part[name] for part in found]) for name in found[0]}

        return values, np.concatenate([others, own])

    def __call__(self, t: np.ndarray, note: str = "") -> Values:
        """The values at some t."""
        found = [self._at(float(position), note) for position in t]
        return {name: np.concatenate([values[name] for values in found]) for name in found[0]}

    def _at(self, t: float, note: str) -> Values:
        self.w.assign(self.repair(t))
        self.at.own_state = self.states.get(t, self.states[None])
        return self.at(self.row, note)
