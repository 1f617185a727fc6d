"""The state of networks on a curve: a fixed end's own, estimated, or an average over t."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from mc import domains
from mc.network import batchnorm
from mc.network.batches import as_batches
from mc.network.hidden_state import is_passing

if TYPE_CHECKING:
    from mc.curve_model import CurveModel


def state_at(curve: CurveModel, t: domains.Position, data: Any = None) -> list[np.ndarray]:
    """State of the network at t; see `CurveModel.state_at`."""
    t = domains.check(curve.family, t)
    end = fixed_end(curve, t)
    state = curve.state_values if end is None else curve.end_states.value[end]
    if end is None:
        warn_of_moved(curve)
    if data is not None and curve.network.batchnorm:
        row = curve.family.coefficients(t)[tf.newaxis]
        found = batchnorm.estimate(curve.network, curve.points, row, state, as_batches(data))
        return batchnorm.state_of(found, 0, state)
    if end is None and curve.network.batchnorm and not curve.is_point:
        warnings.warn(
            f"BatchNorm needs data at t={t}: pass data=, or the statistics are the averages "
            "over all t that training left.",
            stacklevel=4,
        )
    return state


def fixed_end(curve: CurveModel, t: domains.Position) -> int | None:
    """The number of the fixed end, or corner, that t is: 0 the start; None elsewhere."""
    for end, (position, k) in enumerate(domains.anchors(curve.family)):
        if t == position and k in curve.fixed:
            return end
    return None


class EndStates:
    """State of a fixed end's own that training has moved, for networks at many coefficients.

    Args:
        curve: the curve.
        ends: of the points of which there are coefficients those that are an end or a corner, and
            which: 0 the start, 1 the end.
    """

    def __init__(self, curve: CurveModel, ends: Mapping[int, int]):
        self.left, self.ends = curve.state_values, curve.end_states.value
        self.positions = [
            i
            for i in curve.network.movable
            if i not in curve.network.batchnorm and not curve.is_point
            if any(not np.array_equal(self.left[i], end[i]) for end in self.ends)
        ]
        fixed = [k in curve.fixed for _, k in domains.anchors(curve.family)]
        self.rows = [(k, end) for k, end in ends.items() if fixed and fixed[end]]

    def __call__(self, coefficients: ArrayLike) -> dict[int, np.ndarray]:
        """Position in the state -> its values `[n, ...]`; `coefficients: [n, num_points]`."""
        coefficients = np.asarray(coefficients)
        units = np.eye(coefficients.shape[1])
        values = {}
        for i in self.positions:
            values[i] = np.stack([self.left[i]] * len(coefficients))
            for k, end in self.rows:
                values[i][np.all(coefficients == units[k], axis=1)] = self.ends[end][i]
        return values


def warn_of_averages(curve: CurveModel) -> None:
    """Warn if the network at `curve.t` has averages over all t in place of a state of its own."""
    if curve.is_point or fixed_end(curve, curve.t) is not None:
        return
    if curve.network.batchnorm:
        warnings.warn(
            f"BatchNorm at t={curve.t} needs statistics of its own; used here are the averages "
            "over all t that training left. mc.evaluate(curve, train=...) and "
            "curve.network_at(t, data=...) estimate them.",
            stacklevel=3,
        )
    warn_of_moved(curve)


def warn_of_moved(curve: CurveModel) -> None:
    """Warn of state that training has moved and that nothing estimates between the ends."""
    network, start = curve.network, curve.end_states.value[0]
    moved = [
        network.untrained[i].path
        for i in network.movable
        if i not in network.batchnorm
        and not is_passing(network.untrained[i])
        and not np.array_equal(curve.state[i].numpy(), start[i])
    ]
    if moved and not curve.is_point:
        warnings.warn(
            f"Training updates {', '.join(moved)}, which is no BatchNorm statistic and cannot be "
            "estimated at a t of its own: between the ends, networks have the value that training "
            "left, an average over all t.",
            stacklevel=4,
        )
