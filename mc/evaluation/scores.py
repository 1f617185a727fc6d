"""What predictions are worth: the metrics of one network, and of an ensemble, on one split."""

import numpy as np
from numpy.typing import ArrayLike


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
    occurs = support + predicted > 0
    f1 = np.zeros_like(hits)
    f1[occurs] = 2 * hits[occurs] / (support + predicted)[occurs]
    return {
        # The count of wrong examples, not 1 - accuracy: an error of 0 or 1/360 is then exact.
        "error": float((total - hits.sum()) / total),
        "accuracy": float(hits.sum() / total),
        "f1": float(f1 @ support / total),
    }


def nll(logits: ArrayLike, labels: ArrayLike) -> float:
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


def error(logits: ArrayLike, labels: ArrayLike) -> float:
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


def ece(logits: ArrayLike, labels: ArrayLike, bins: int = 15) -> float:
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


def brier(logits: ArrayLike, labels: ArrayLike) -> float:
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


def of_logits(logits: ArrayLike, labels: ArrayLike) -> dict[str, float]:
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


def _check_predictions(logits: ArrayLike, labels: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
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
