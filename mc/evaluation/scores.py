"""What predictions are worth: metrics from counts of classes."""

import numpy as np
from numpy.typing import ArrayLike

BINS = 15  # of confidence, for the expected calibration error


def classification(hits: ArrayLike, predicted: ArrayLike, support: ArrayLike) -> dict[str, float]:
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
    f1 = _shares(2 * hits, support + predicted)
    return {
        # The count of wrong examples, not 1 - accuracy: an error of 0 or 1/360 is then exact.
        "error": float((total - hits.sum()) / total),
        "accuracy": float(hits.sum() / total),
        "f1": float(f1 @ support / total),
    }


def of_counts(hits: ArrayLike, predicted: ArrayLike, support: ArrayLike) -> dict[str, float]:
    """`classification`, nan where nothing counts."""
    if not np.sum(support) > 0:
        return dict.fromkeys(("error", "accuracy", "f1"), float("nan"))
    return classification(hits, predicted, support)


def weighted_f1(hits: ArrayLike, predicted: ArrayLike, support: ArrayLike) -> float:
    """The mean F1 of labels that may hold together, weighted by how often each does.

        f1 = sum_l support_l / sum(support) * 2 hits_l / (support_l + predicted_l)

    scikit-learn's `f1_score(average="weighted", zero_division=0)` of label indicators. 0 where no
    label ever holds.

    Args:
        hits, predicted, support: `[L]`, how often each label is right, predicted, and true.
    """
    hits, predicted, support = np.asarray([hits, predicted, support], np.float64)
    f1 = _shares(2 * hits, support + predicted)
    total = support.sum()
    return float(f1 @ support / total) if total > 0 else 0.0


def iou(hits: ArrayLike, predicted: ArrayLike, support: ArrayLike) -> float:
    """Mean intersection over union of the classes that occur or are predicted; nan if none does.

        iou = mean_c hits_c / (support_c + predicted_c - hits_c)

    Args:
        hits, predicted, support: `[C]`, as of `classification`.
    """
    hits, predicted, support = np.asarray([hits, predicted, support], np.float64)
    union = support + predicted - hits
    return float(_shares(hits, union)[union > 0].mean()) if np.any(union > 0) else float("nan")


def _shares(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, 0 where there is nothing."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
