"""Predictive means: what an ensemble predicts, as its members join one by one."""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from mc import curve_file
from mc.ensembles.joint import INSIDE, OOD, Joint, Member
from mc.evaluation import statistics, tasks
from mc.network.weights import FlatNetwork


def saved(files: Iterable[Path], run: str) -> Iterator[Member]:
    """The networks that saved epochs hold, named as settings name them: `fge:1/1`, `fge:1/2`, ...

    `run`: the name of them all, `fge:1`.
    """
    for number, path in enumerate(files, 1):
        file = curve_file.read(path)
        yield Member(f"{run}/{number}", file["control_points"][0], file["state"])


def join(
    network: FlatNetwork,
    members: Iterable[Member],
    splits: dict,
    loss: Any,
    *,
    num_classes: int | None = None,
    task: tasks.Task | str | None = None,
    token_characters: ArrayLike | None = None,
    keep: Callable[[str, int, Any], None] | None = None,
    ood: Iterable | None = None,
    look: Callable[[dict[str, np.ndarray]], None] | None = None,
) -> pd.DataFrame:
    """Metrics of every member, and of the predictive mean of it and all before it.

    The predictive mean of k classifiers is the mean of their probabilities,

        p(c | x) = 1/k sum_j softmax(f_j(x))_c;

    that of regressions the mean of their outputs; other tasks see `tasks`. Of the members, one
    weight vector is in memory at a time, and one batch of outputs: what the members before it
    predict together lies in files meanwhile.

    Args:
        network: the plain network of all members.
        members: an iterable, at least one, read once.
        splits: name -> batches (x, y) or (x, y, sample_weight), read once a member.
        loss: what the networks were trained with, as in `keras.Model.compile`.
        num_classes, task, token_characters: as of `Evaluator`.
        keep: called at the end for every batch with the name of its split, its number, and what all
            members predict together: `[batch, ..., C]` probabilities, or outputs of a regression;
            not for a task that has its loss alone. Of other data the split is called `ood`.
        ood: batches of other data, as those of a split, whose targets are not looked at. They are
            told apart from the split `test` by predictive entropy.
        look: called at the end with what all members predict together for the examples of the split
            `test` that count, if each has one label: `confidence, right, weight, entropy [n]`, and
            of other data `ood_entropy [m]`.

    Returns:
        A row a member: `members` (1, 2, ...), `name`, and for every split `<split>/<metric>` of the
        member itself and `ensemble/<split>/<metric>` of the first so many together: the metrics of
        the task, of classes those of calibration and uncertainty too (see `tasks.Labels`); nan of
        outputs that are not finite. Of other data `ood/entropy`, the mean, and the numbers of
        `uncertainty.told_apart`, `ood/auroc`, ...

    Raises:
        ValueError: there is no member; or there are other data, and no split `test`, or the task
            is not to tell one label an example.
    """
    if ood is not None and INSIDE not in splits:
        raise ValueError(
            f"Other data are told apart from the split {INSIDE}; received {', '.join(splits)}."
        )
    rows: list[dict[str, Any]] = []
    told: dict[str, Any] = {"num_classes": num_classes, "named": task}
    told["token_characters"] = token_characters
    with tempfile.TemporaryDirectory() as scratch:
        joint = Joint(network, loss, told, Path(scratch))
        for count, member in enumerate(members, 1):
            row = {"members": count, "name": member.name}
            for name, batches in splits.items():
                for prefix, found in joint.scores(member, count, name, batches).items():
                    row |= {f"{prefix}{name}/{metric}": v.item() for metric, v in found.items()}
            if ood is not None:
                for prefix, values in joint.told_apart(member, count, ood).items():
                    row |= {f"{prefix}{OOD}/{metric}": v for metric, v in values.items()}
            rows.append(row)
        if not rows:
            raise ValueError("An ensemble needs at least one member; received none.")
        if keep and joint.task.signature:
            for name, number, total in joint.totals():
                keep(name, number, joint.task.values(joint.task.mean(total, len(rows))))
        if look and joint.examples:
            look(joint.examples)
    return pd.DataFrame(rows)


def summary(table: pd.DataFrame) -> dict:
    """Of each metric: of the whole ensemble, of its members (mean, min, max), and of the average.

    Names: `ensemble/<split>/<metric>`, `member/<split>/<metric>/mean`, `swa/<split>/<metric>`, of
    the network that training went on from `start/<split>/<metric>`, and of members as their
    training left them `moving/<split>/<metric>/mean`.
    """
    result: dict[str, float] = {"num_members": len(table)}
    for column in (name for name in table.columns if "/" in name):
        values = table[column]
        if column.startswith(("ensemble/", "swa/", "start/")):
            result[column] = float(values.iloc[-1])
        else:
            name = column if column.startswith("moving/") else f"member/{column}"
            result |= statistics.spread(name, values)
    return result
