"""What classifiers are unsure of: entropy, disagreement, calibration, and data told apart by it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import entr
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from mc.evaluation.scores import BINS

RECALL = 0.95  # of other data, at which FPR95 is taken


class Together(NamedTuple):
    """What k classifiers predict together, as sums over those that have joined.

        H[p] = - sum_c p_c log p_c

    Of the members no prediction is kept, so that there may be any number.

    Attributes:
        members: k.
        log_p: `[..., C] float64`, logarithms of the sums of their probabilities.
        entropies: `[...]`, the sum of their entropies.
        votes: `[..., C]`, how many of them give each class the highest probability.
    """

    members: int
    log_p: np.ndarray
    entropies: np.ndarray
    votes: np.ndarray

    @classmethod
    def of(cls, log_p: ArrayLike) -> Together:
        """Of one classifier: logarithms of probabilities `[..., C]`."""
        log_p = np.asarray(log_p, np.float64)
        chosen = log_p.argmax(-1)[..., np.newaxis] == np.arange(log_p.shape[-1])
        return cls(1, log_p, entropy(np.exp(log_p)), chosen.astype(np.int32))

    def joined(self, other: Together) -> Together:
        """With other classifiers besides, for the same examples.

        Raises:
            ValueError: these have other examples or classes.
        """
        if self.log_p.shape != other.log_p.shape:
            raise ValueError(
                "Classifiers predict together the same classes of the same examples; received "
                f"log_p of shapes {self.log_p.shape} and {other.log_p.shape}."
            )
        with np.errstate(invalid="ignore"):  # of outputs that are not finite
            log_p = np.logaddexp(self.log_p, other.log_p)
        sums = (a + b for a, b in zip(self[2:], other[2:], strict=True))
        return Together(self.members + other.members, log_p, *sums)

    @property
    def log_mean(self) -> np.ndarray:
        """Logarithms of the mean probabilities, `[..., C]`."""
        return self.log_p - np.log(self.members)

    @property
    def entropy(self) -> np.ndarray:
        """Predictive entropy H[1/k sum_j p_j] in nats, `[...]`: what there is of uncertainty."""
        return entropy(np.exp(self.log_mean))

    @property
    def mutual_information(self) -> np.ndarray:
        """H[1/k sum_j p_j] - 1/k sum_j H[p_j] in nats, `[...]`: what more members would tell.

        Of class and member (Houlsby et al. 2011, arXiv:1112.5745, equation 2). Never negative.
        """
        return np.maximum(self.entropy - self.entropies / self.members, 0)  # of rounding

    @property
    def disagreement(self) -> np.ndarray:
        """The fraction of pairs of members that choose different classes, `[...]`; of one 0.

        1 - sum_c v_c (v_c - 1) / (k (k - 1)),    v_c the votes for class c
        """
        pairs = self.members * (self.members - 1)
        alike = (self.votes * (self.votes - 1.0)).sum(-1)
        return 1 - alike / pairs if pairs else np.zeros(alike.shape)


def entropy(p: ArrayLike) -> np.ndarray:
    """Entropy in nats of probabilities `[..., C]`, `[...]`; 0 log 0 is 0."""
    return entr(np.asarray(p, np.float64)).sum(-1)


class Reliability(NamedTuple):
    """What falls into bins of confidence, from low to high.

    Attributes:
        weight: `[bins]`, how many examples, or the sum of their weights.
        confidence, accuracy: `[bins]`, their means; nan of an empty bin.
    """

    weight: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @property
    def error(self) -> float:
        """Expected calibration error: the mean of |accuracy - confidence| over examples."""
        gaps = np.nan_to_num(np.abs(self.accuracy - self.confidence))
        total = self.weight.sum()
        return float(gaps @ self.weight / total) if total > 0 else float("nan")


def reliability(
    confidence: ArrayLike,
    right: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    adaptive: bool = False,
    bins: int = BINS,
) -> Reliability:
    """How often predictions are right, in bins of how sure they are (Guo et al. 2017, equation 2).

    Bins are of one width, `((b - 1)/bins, b/bins]`, with 0 in the first. Adaptive ones hold one
    number of examples each (Nixon et al. 2019, "Measuring Calibration in Deep Learning"):

        b = floor(bins * W(less than confidence) / W)

    with W the weight of examples, so that equal confidences share a bin, whatever their order.

    Args:
        confidence: `[n]`, the highest probability of each example.
        right: `[n]`, whether its class is the true one.
        weight: `[n]`, what each counts; None: 1.

    Raises:
        ValueError: other shapes, or confidences outside [0, 1].
    """
    confidence, right = np.asarray(confidence, np.float64), np.asarray(right, np.float64)
    weight = np.ones(len(confidence)) if weight is None else np.asarray(weight, np.float64)
    if not confidence.shape == right.shape == weight.shape or confidence.ndim != 1:
        raise ValueError(
            "reliability needs confidence, right and weight of one shape [n]; received "
            f"{confidence.shape}, {right.shape} and {weight.shape}."
        )
    if not np.all((confidence >= 0) & (confidence <= 1 + 1e-6)):  # softmax rounds
        raise ValueError(
            "reliability needs confidences from 0 to 1: pass probabilities, no logits."
        )
    which = _equally_full if adaptive else _equally_wide
    place = np.clip(which(confidence, weight, bins), 0, bins - 1)
    sums = [
        np.bincount(place, weight * of, bins) for of in (np.ones_like(right), confidence, right)
    ]
    with np.errstate(invalid="ignore"):
        return Reliability(sums[0], sums[1] / sums[0], sums[2] / sums[0])


def _equally_wide(confidence: np.ndarray, weight: np.ndarray, bins: int) -> np.ndarray:
    return np.ceil(confidence * bins).astype(int) - 1


def _equally_full(confidence: np.ndarray, weight: np.ndarray, bins: int) -> np.ndarray:
    _, which = np.unique(confidence, return_inverse=True)
    full = np.cumsum(np.bincount(which, weight))
    below = np.concatenate([[0.0], full])[which]
    return np.floor(below * bins / max(full[-1], np.finfo(float).tiny)).astype(int)


def told_apart(inside: ArrayLike, outside: ArrayLike) -> dict[str, float]:
    """How well a score tells other data from those that networks were trained for.

    Other data are the positive class, and are expected to have the higher score, such as predictive
    entropy (Hendrycks and Gimpel 2017, arXiv:1610.02136): `auroc` is the probability that one of
    theirs is higher than one from inside, ties by half; `aupr` average precision, which grows with
    the share of other data; `fpr95` the fraction of data from inside with a score at least as high
    as the threshold that finds 95 % of the others.

    Args:
        inside, outside: scores `[n]` and `[m]`.

    Returns:
        `{"auroc", "aupr", "fpr95"}`, fractions; nan where a score is not finite.

    Raises:
        ValueError: there are no scores of one of them.
    """
    inside, outside = (np.ravel(np.asarray(s, np.float64)) for s in (inside, outside))
    if not (len(inside) and len(outside)):
        raise ValueError(
            "Data are told apart by scores of both; received "
            f"{len(inside)} of those from inside and {len(outside)} of others."
        )
    given = np.concatenate([inside, outside])
    if not np.isfinite(given).all():
        return dict.fromkeys(("auroc", "aupr", "fpr95"), float("nan"))
    other = np.repeat([0, 1], [len(inside), len(outside)])
    false, true, _ = roc_curve(other, given, drop_intermediate=False)
    return {
        "auroc": float(roc_auc_score(other, given)),
        "aupr": float(average_precision_score(other, given)),
        "fpr95": float(false[np.argmax(true >= RECALL)]),
    }
