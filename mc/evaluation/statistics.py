"""Statistics of a metric along a path in weight space."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from mc.evaluation import metrics

if TYPE_CHECKING:
    from pandas import DataFrame, Series


def summarise(
    values: ArrayLike, segment_length: ArrayLike, t: ArrayLike, barrier: bool = False
) -> dict[str, float]:
    """Statistics of one metric along a path: ends, extremes, means and barriers.

        integral       = sum_i (v_i + v_{i+1}) / 2 * |w_{i+1} - w_i|  /  sum_i |w_{i+1} - w_i|
        barrier_mean   = max_t L(t) - (L(0) + L(1)) / 2
        barrier_linear = max_t [L(t) - ((1 - t) L(0) + t L(1))]
        barrier_max    = max_t L(t) - max(L(0), L(1))

    `integral` is the mean over arc length (Garipov et al., 2018, eq. 1, by the trapezoid rule);
    `barrier_linear` is the barrier of Frankle et al. (2020) and Entezari et al. (2022) when the
    path is a straight segment. A statistic that the given points leave undefined is absent:
    `start` without t = 0, `end` without t = 1, barriers without both, `integral` on a path
    without length. A value that is not finite passes through: the maximum of nan is nan.

    Args:
        values: `[n]`, the metric at each point, in the order of the path.
        segment_length: `[n]`, the distance of each point's weights from the one before; the
            first is 0.
        t: `[n]`, positions of the points, never decreasing.
        barrier: whether to add the barriers.

    Returns:
        Some of `start, end, min, max, mean, integral, barrier_mean, barrier_linear, barrier_max`.

    Raises:
        ValueError: no point, lengths that differ, or positions that decrease.
    """
    values, segment_length, t = _check_path(values, segment_length, t)
    statistics = {}
    has_start, has_end = t[0] == 0, t[-1] == 1
    if has_start:
        statistics["start"] = values[0]
    if has_end:
        statistics["end"] = values[-1]
    with np.errstate(invalid="ignore"):  # inf - inf is nan, which is the honest answer
        statistics |= {"min": values.min(), "max": values.max(), "mean": values.mean()}
        length = segment_length[1:].sum()
        if length > 0:
            middles = (values[:-1] + values[1:]) / 2
            statistics["integral"] = middles @ segment_length[1:] / length
        if barrier and has_start and has_end:
            statistics |= _barriers(values, t, values[0], values[-1])
    return {name: float(value) for name, value in statistics.items()}


def barriers_of(
    values: Mapping[str, ArrayLike], t: ArrayLike, ends: Mapping[str, ArrayLike] | None = None
) -> dict[str, float]:
    """How much worse than two networks those between them are, by the formulas of `summarise`.

    Args:
        values: `[n]` of each `<split>/<metric>` on the way; those without barriers are left out.
        t: `[n]`, positions from 0 to 1.
        ends: `[2]` of each, the two networks'; default: those at the ends of the way.

    Returns:
        `<split>/<metric>/barrier_mean`, `barrier_linear` and `barrier_max` of each.
    """
    found: dict[str, float] = {}
    for name in filter(metrics.has_barrier, values):
        own = np.asarray(values[name], float)
        start, end = (own[0], own[-1]) if ends is None else np.asarray(ends[name], float)
        with np.errstate(invalid="ignore"):  # as in `summarise`
            of_path = _barriers(own, np.asarray(t, float), start, end)
        found |= {f"{name}/{barrier}": float(value) for barrier, value in of_path.items()}
    return found


def _barriers(values: np.ndarray, t: np.ndarray, start: float, end: float) -> dict[str, float]:
    top, chord = values.max(), (1 - t) * start + t * end
    return {
        "barrier_mean": top - (start + end) / 2,
        "barrier_linear": (values - chord).max(),
        "barrier_max": top - np.maximum(start, end),
    }


def _check_path(values: ArrayLike, segment_length: ArrayLike, t: ArrayLike) -> list[np.ndarray]:
    arrays = [np.asarray(a, dtype=np.float64) for a in (values, segment_length, t)]
    shapes = [a.shape for a in arrays]
    if len(set(shapes)) != 1 or arrays[0].ndim != 1 or arrays[0].size == 0:
        raise ValueError(
            "values, segment_length and t must be vectors of one length, at least 1; received"
            f" shapes {shapes[0]}, {shapes[1]} and {shapes[2]}. Pass one number a point in each."
        )
    if np.any(np.diff(arrays[2]) < 0):
        raise ValueError(
            "t must not decrease along the path, or segments would join points that are not"
            f" neighbours; received {arrays[2].tolist()}. Sort the points by t."
        )
    return arrays


def summarise_paths(table: DataFrame, chord: float | None = None) -> dict[str, float]:
    """Flat summary of every metric along every path, and the length of the curve.

    Keys are `<path>/<split>/<metric>/<statistic>` with the statistics of `summarise`, barriers
    for loss, nll, error and mse only, and `curve/length`, `curve/chord`, `curve/length_ratio`:
    the curve's length by its segments, the distance of its ends, and the first over the second.
    What the points leave undefined is absent.

    Args:
        table: a row a point, columns `path, t, segment_length`, then `<split>/<metric>`; other
            columns are ignored.
        chord: the distance of the curve's two ends in weight space.

    Raises:
        ValueError: a missing column, or a path whose positions decrease.
    """
    missing = [name for name in ("path", "t", "segment_length") if name not in table.columns]
    if missing:
        raise ValueError(
            "the table must have the columns path, t and segment_length;"
            f" {', '.join(missing)} missing among {', '.join(table.columns)}."
            " Pass the one that points.csv holds."
        )
    summary: dict[str, float] = {}
    for path, rows in table.groupby("path", sort=False):
        t, segment_length = rows["t"].to_numpy(), rows["segment_length"].to_numpy()
        for column in (name for name in table.columns if "/" in name):
            barrier = metrics.has_barrier(column)
            statistics = summarise(rows[column].to_numpy(), segment_length, t, barrier)
            summary |= {f"{path}/{column}/{name}": v for name, v in statistics.items()}
        if path == "curve":
            summary |= _lengths(t, segment_length, chord)
    return summary


def _lengths(t: np.ndarray, segment_length: np.ndarray, chord: float | None) -> dict[str, float]:
    lengths = {}
    if t[0] == 0 and t[-1] == 1:  # a part of the curve has a length, but not the curve's
        lengths["curve/length"] = float(segment_length[1:].sum())
    if chord is not None:
        lengths["curve/chord"] = float(chord)
    if chord and "curve/length" in lengths:
        lengths["curve/length_ratio"] = lengths["curve/length"] / float(chord)
    return lengths


def spread(name: str, values: Series) -> dict[str, float]:
    """`<name>/mean`, `min` and `max`; where one value is nan, so are these."""
    hows = ("mean", "min", "max")
    return {f"{name}/{how}": float(getattr(values, how)(skipna=False)) for how in hows}
