"""The number that a sweeper improves: which names a run makes, and one of its summary."""

import difflib
import itertools
import math
import re
from collections.abc import Sequence

from mc.evaluation import metrics
from mc.evaluation.metrics import BARRIERS
from mc.lab.graph import Run
from mc.lab.words import SPLITS, WORDS

# Data sets of ours: these have a training and a test set, and validation where some is held out.
BUILT_IN = tuple(
    f"mc.datasets.{name}" for name in ("digits", "regression", "table", "text", "tfds_images")
)


def check(run: Run, objective: str) -> None:
    """Raise unless a run may make a number of that name; found out before hours of training.

    Raises:
        ValueError: it does not; says the nearest names, and how all of them are made, or the
            setting that would make it.
    """
    forms = run.forms()
    names = [name for form in forms for name in _names(form)]
    if _of_one_output(objective) not in names:
        (near,) = difflib.get_close_matches(objective, names, n=1, cutoff=0)
        used = dict.fromkeys(re.findall("<(.*?)>", " ".join(forms)))
        words = "; ".join(f"<{word}>: {', '.join(WORDS[word])}" for word in used)
        raise ValueError(
            f"objective={objective} is not made by stage={run.name}, which makes "
            f"{', '.join(forms)} with {words}. Type for example objective={near}."
        )
    there = run.splits_of(objective, splits_of_data(run))
    named = [word for word in objective.split("/") if word in SPLITS]
    if set(named) - set(there):
        raise ValueError(
            f"objective={objective}: this run looks at {', '.join(there)}. Set dataset.valid_size, "
            "eval.splits, or another objective."
        )
    run.check_objective(objective)


def splits_of_data(run: Run) -> Sequence[str]:
    """The splits that the data may have: of a data set of one's own, validation too."""
    data = run["dataset"]
    certain = data["_target_"] in BUILT_IN and not data.get("valid_size")
    return ("train", "test") if certain else SPLITS


def is_higher_better(objective: str) -> bool:
    """Whether a number is the better the higher it is."""
    found = (metrics.found(part) for part in objective.split("/"))
    return any(metric.higher for metric in found if metric)


def _of_one_output(objective: str) -> str:
    """The same without the names of outputs: `test/error` of `test/<output>_error`."""
    parts = objective.split("/")
    found = [metrics.found(part) if part not in WORDS["statistic"] else None for part in parts]
    return "/".join(m.name if m else part for part, m in zip(parts, found, strict=True))


def _names(form: str) -> list[str]:
    parts = [WORDS[part[1:-1]] if part.startswith("<") else (part,) for part in form.split("/")]
    names = ["/".join(words) for words in itertools.product(*parts)]
    return [name for name in names if _has_barrier(name)]


def _has_barrier(name: str) -> bool:
    """Whether a name is of no barrier, or of one of a metric that has barriers."""
    before, _, _ = name.partition("/barrier_")
    return before == name or before.rpartition("/")[2] in BARRIERS


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
