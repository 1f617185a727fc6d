"""Metrics of one network, and statistics of a metric along a path in weight space."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pandas import DataFrame

# A barrier asks how much worse a path gets than its ends, so it is taken only of metrics for
# which higher is worse.
BARRIER_METRICS = ("loss", "nll", "error", "mse")
# What figures and pages show first, where it is there: the paper's, or regression's counterpart.
SHOWN = ("train/loss", "test/error", "test/mse")
NAMES = {
    "nll": "negative log-likelihood",
    "error": "error (fraction)",
    "accuracy": "accuracy (fraction)",
    "f1": "F1 (weighted)",
    "mse": "MSE",
}


def label(column: str) -> str:
    """What an axis says of `<split>/<metric>`: `test/error` is "test error (fraction)"."""
    split, metric = column.split("/")
    return f"{split} {NAMES.get(metric, metric)}"


def classification(hits, predicted, support) -> dict[str, float]:
    """Error, accuracy and weighted F1 from the counts of each class.

        accuracy = sum_c hits_c / N
        error    = (N - sum_c hits_c) / N
        f1       = sum_c (support_c / N) * 2 hits_c / (support_c + predicted_c)

    A class that neither occurs nor is predicted adds nothing. `f1` is scikit-learn's
    `f1_score(average="weighted", zero_division=0)`.

    Args:
        hits: `[C]`, right predictions of each class: their number, or the sum of their weights.
        predicted: `[C]`, predictions of each class.
        support: `[C]`, examples of each class; N in all.

    Returns:
        `{"error", "accuracy", "f1"}`, fractions.

    Raises:
        ValueError: counts that contradict one another, or no example at all.
    """
    counts = np.asarray([hits, predicted, support], dtype=np.float64)
    hits, predicted, support = counts
    total = support.sum()
    slack = 1e-5 * total if np.any(counts % 1) else 0  # sums of weights are rounded
    contrary = abs(predicted.sum() - total) > slack
    if not np.all(np.isfinite(counts)) or counts.min() < 0 or contrary:
        raise ValueError(
            "predictions and examples must be counts with one sum; received"
            f" {predicted.sum()} predictions of {total} examples."
        )
    if total == 0 or np.any(hits > np.minimum(predicted, support) + slack):
        raise ValueError(
            "there must be an example, and no more right predictions of a class than predictions"
            f" and examples of it; received {counts.tolist()}."
        )
    occurs = support + predicted > 0
    f1 = np.zeros_like(hits)
    f1[occurs] = 2 * hits[occurs] / (support + predicted)[occurs]
    return {
        # The count of wrong examples, not 1 - accuracy: an error of 0 or 1/360 is then exact.
        "error": float((total - hits.sum()) / total),
        "accuracy": float(hits.sum() / total),
        "f1": float(f1 @ support / total),
    }


def nll(logits, labels) -> float:
    """Mean cross-entropy of logits against integer labels, in nats.

        nll = -1/n sum_i log softmax(logits_i)[labels_i]

    Computed in float64. Non-finite logits give nan.

    Args:
        logits: `[n, C]`, unnormalised log-probabilities.
        labels: `[n]`, integers in [0, C).

    Raises:
        ValueError: shapes that do not fit, no example, or a label that is no class.
    """
    logits, labels = _check_predictions(logits, labels)
    with np.errstate(invalid="ignore"):
        shifted = logits - logits.max(axis=1, keepdims=True)  # exp cannot overflow then
        log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return float(-log_probabilities[np.arange(len(labels)), labels].mean())


def error(logits, labels) -> float:
    """Fraction of examples whose largest logit is not at the label; nan if logits are not finite.

    Args:
        logits: `[n, C]`; of equal largest logits the first counts.
        labels: `[n]`, integers in [0, C).

    Raises:
        ValueError: shapes that do not fit, no example, or a label that is no class.
    """
    logits, labels = _check_predictions(logits, labels)
    if not np.isfinite(logits).all():
        return float("nan")
    return float(np.mean(logits.argmax(axis=1) != labels))


def ece(logits, labels, bins: int = 15) -> float:
    """Expected calibration error: how far confidence is from accuracy, on average.

        ece = sum_b |B_b| / n * |accuracy(B_b) - confidence(B_b)|

    over bins B_b of equal width by confidence, the largest probability of an example (Guo et al.
    2017, "On Calibration of Modern Neural Networks", eq. 3).

    Args:
        logits: `[n, C]`; log-probabilities are logits too.
        labels: `[n]`, integers in [0, C).
        bins: number of bins; a confidence on the border of two counts in the lower.

    Raises:
        ValueError: shapes that do not fit, no example, or a label that is no class.
    """
    logits, labels = _check_predictions(logits, labels)
    probabilities = _softmax(logits)
    confidence = probabilities.max(axis=1)
    if not np.isfinite(confidence).all():
        return float("nan")
    right = probabilities.argmax(axis=1) == labels
    bin_of = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gaps = np.bincount(bin_of, weights=right - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(labels))


def brier(logits, labels) -> float:
    """Brier score: mean squared distance of the probabilities from the one-hot labels, in [0, 2].

        brier = 1/n sum_i sum_c (p_ic - [c = label_i])^2        (Brier 1950)

    Args:
        logits: `[n, C]`; log-probabilities are logits too.
        labels: `[n]`, integers in [0, C).

    Raises:
        ValueError: shapes that do not fit, no example, or a label that is no class.
    """
    logits, labels = _check_predictions(logits, labels)
    distance = _softmax(logits)
    distance[np.arange(len(labels)), labels] -= 1
    return float((distance**2).sum(axis=1).mean())


def of_logits(logits, labels) -> dict[str, float]:
    """All metrics of a classifier: nll, error, accuracy, f1, ece, brier; nan of infinite logits.

    Args:
        logits: `[n, C]`; log-probabilities are logits too.
        labels: `[n]`, integers in [0, C).

    Raises:
        ValueError: shapes that do not fit, no example, or a label that is no class.
    """
    logits, labels = _check_predictions(logits, labels)
    if not np.isfinite(logits).all():
        return dict.fromkeys(("nll", "error", "accuracy", "f1", "ece", "brier"), float("nan"))
    predicted, classes = logits.argmax(axis=1), logits.shape[1]
    counts = [np.bincount(a, minlength=classes) for a in (predicted, labels)]
    hits = np.bincount(labels[predicted == labels], minlength=classes)
    score = {"nll": nll(logits, labels)} | classification(hits, *counts)
    return score | {"ece": ece(logits, labels), "brier": brier(logits, labels)}


def _softmax(logits: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)


def _check_predictions(logits, labels) -> tuple[np.ndarray, np.ndarray]:
    logits, labels = np.asarray(logits, dtype=np.float64), np.asarray(labels)
    if logits.ndim != 2 or labels.shape != logits.shape[:1] or logits.size == 0:
        raise ValueError(
            "logits must be [n, classes] and labels [n], with n at least 1; received shapes"
            f" {logits.shape} and {labels.shape}. Pass one row of logits a label."
        )
    classes = logits.shape[1]
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= classes:
        raise ValueError(
            f"labels must be integers from 0 to {classes - 1}, as the logits have {classes}"
            f" columns; received {labels.dtype} from {labels.min()} to {labels.max()}."
            " Pass class numbers, not one-hot rows or names."
        )
    return logits, labels


def summarise(values, segment_length, t, barrier: bool = False) -> dict[str, float]:
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
            start, end, top = values[0], values[-1], values.max()
            chord = (1 - t) * start + t * end
            statistics["barrier_mean"] = top - (start + end) / 2
            statistics["barrier_linear"] = (values - chord).max()
            statistics["barrier_max"] = top - np.maximum(start, end)
    return {name: float(value) for name, value in statistics.items()}


def _check_path(values, segment_length, t) -> list[np.ndarray]:
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


def summarise_paths(points: DataFrame, chord: float | None = None) -> dict[str, float]:
    """Flat summary of every metric along every path, and the length of the curve.

    Keys are `<path>/<split>/<metric>/<statistic>` with the statistics of `summarise`, barriers
    for loss, nll, error and mse only, and `curve/length`, `curve/chord`, `curve/length_ratio`:
    the curve's length by its segments, the distance of its ends, and the first over the second.
    What the points leave undefined is absent.

    Args:
        points: a row a point, columns `path, t, segment_length`, then `<split>/<metric>`; other
            columns are ignored.
        chord: the distance of the curve's two ends in weight space.

    Raises:
        ValueError: a missing column, or a path whose positions decrease.
    """
    missing = [name for name in ("path", "t", "segment_length") if name not in points.columns]
    if missing:
        raise ValueError(
            f"points must have the columns path, t and segment_length; {', '.join(missing)} missing"
            f" among {', '.join(points.columns)}. Pass the table that points.csv holds."
        )
    summary = {}
    for path, rows in points.groupby("path", sort=False):
        t, segment_length = rows["t"].to_numpy(), rows["segment_length"].to_numpy()
        for column in (name for name in points.columns if "/" in name):
            barrier = column.rsplit("/", 1)[1] in BARRIER_METRICS
            statistics = summarise(rows[column].to_numpy(), segment_length, t, barrier)
            summary |= {f"{path}/{column}/{name}": v for name, v in statistics.items()}
        if path == "curve":
            summary |= _lengths(t, segment_length, chord)
    return summary


def _lengths(t, segment_length, chord: float | None) -> dict[str, float]:
    lengths = {}
    if t[0] == 0 and t[-1] == 1:  # a part of the curve has a length, but not the curve's
        lengths["curve/length"] = float(segment_length[1:].sum())
    if chord is not None:
        lengths["curve/chord"] = float(chord)
    if chord and "curve/length" in lengths:
        lengths["curve/length_ratio"] = lengths["curve/length"] / float(chord)
    return lengths
