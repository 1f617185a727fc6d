"""The number that a sweeper improves: which names a stage makes, and one of its summary."""

import difflib
import itertools
import math
import re

WORDS = {
    "split": ("train", "valid", "test"),
    "watched": ("train", "valid"),  # while a curve trains
    "drawn": ("train", "test"),  # on a plane
    "metric": ("loss", "nll", "error", "accuracy", "f1", "mse"),
    "measure": ("loss", "accuracy", "mse"),  # of Keras' own, while a curve trains
    "score": ("nll", "error", "accuracy", "f1", "ece", "brier", "mse"),
    "path": ("curve", "linear", "initial"),
    "statistic": (
        *("start", "end", "min", "max", "mean", "integral"),
        *("barrier_mean", "barrier_linear", "barrier_max"),
    ),
    "spread": ("mean", "min", "max"),
    "place": ("min", "max", "point_0", "point_1", "point_2"),
}
ENSEMBLE = ("ensemble/<split>/<score>", "member/<split>/<score>/<spread>")
NAMES = {
    "base": ("<split>/<metric>", "moving/<split>/<metric>"),
    "curve": ("<watched>/<measure>",),
    "eval": (
        "<path>/<split>/<metric>/<statistic>",
        *("curve/length", "curve/chord", "curve/length_ratio"),
    ),
    "chain": ("chain/<split>/<metric>/<statistic>",),
    "plane": ("plane/<drawn>/<metric>/<place>",),
    "ensemble": ("num_members", *ENSEMBLE),
    "fge": (
        *("num_members", "distance/max", "swa/<split>/<score>"),
        *("moving/<split>/<score>/<spread>", *ENSEMBLE),
    ),
}


def check(objective: str, stage: str, seeds: list[int]) -> None:
    """Nothing, if a stage may make a number of that name; found out before hours of training.

    Args:
        objective: the name.
        stage: of the run.
        seeds: of the base networks that stage=all trains.

    Raises:
        ValueError: it does not; says the nearest names, and how all of them are made.
    """
    forms = _forms(stage, seeds)
    names = [name for form in forms for name in _names(form)]
    if objective in names:
        return
    (near,) = difflib.get_close_matches(objective, names, n=1, cutoff=0)
    used = dict.fromkeys(re.findall("<(.*?)>", " ".join(forms)))
    words = "; ".join(f"<{word}>: {', '.join(WORDS[word])}" for word in used)
    raise ValueError(
        f"objective={objective} is not made by stage={stage}, which makes {', '.join(forms)}"
        f" with {words}. Type for example objective={near}."
    )


def _forms(stage: str, seeds: list[int]) -> list[str]:
    """The names of a stage's numbers, with `<word>` for each of several words."""
    if stage != "all":
        return list(NAMES["eval" if stage == "figures" else stage])
    bases = [f"base_{seed}/{form}" for seed in seeds for form in NAMES["base"]]
    return [*bases, *(f"training/{form}" for form in NAMES["curve"]), *NAMES["eval"]]


def _names(form: str) -> list[str]:
    parts = [WORDS[part[1:-1]] if part.startswith("<") else (part,) for part in form.split("/")]
    names = ["/".join(words) for words in itertools.product(*parts)]
    return [name for name in names if "/barrier_" not in name or _has_barrier(name)]


def _has_barrier(name: str) -> bool:
    from mc.metrics import BARRIER_METRICS  # with NumPy, which few commands need so early

    return name.split("/")[-2] in BARRIER_METRICS


def of(summary: dict, objective: str) -> float:
    """The number of that name.

    Raises:
        ValueError: the summary has none, as without a split of that name; lists those it has.
        FloatingPointError: it is not finite, as of a network whose outputs are not. A sweeper is
            told by this that the job has failed.
    """
    if objective not in summary:
        made = ", ".join(summary)
        raise ValueError(f"objective={objective} is not made by this run, which makes: {made}.")
    value = summary[objective]
    if value is None or not math.isfinite(value):
        raise FloatingPointError(
            f"objective={objective} is not finite in this run, whose outputs, or whose loss, "
            "overflow. Try a smaller learning rate, or choose another objective."
        )
    return value
