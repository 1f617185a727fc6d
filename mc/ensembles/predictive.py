"""Predictive means: what an ensemble predicts, as its members join one by one."""

import logging
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf
from numpy.typing import ArrayLike

from mc import curve_file
from mc.evaluation import statistics, tasks, uncertainty
from mc.evaluation.tasks.several import BETWEEN
from mc.evaluation.tasks.task import EACH
from mc.network.batches import unpacked
from mc.network.weights import FlatNetwork

log = logging.getLogger(__name__)

OOD = "ood"  # other data, in place of a split, which are told apart from those of
INSIDE = "test"
PREFIXES = ("", "ensemble/")  # of a member itself, and of all so far


@dataclass(frozen=True, eq=False)
class Member:
    """A network of an ensemble: its name, weights `w: [P]`, and state, an array a variable."""

    name: str
    w: np.ndarray
    state: list


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
        joint = _Joint(network, loss, told, Path(scratch))
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


class _Joint:
    """What members predict together, batch by batch in files."""

    def __init__(self, network: FlatNetwork, loss: Any, told: dict, scratch: Path):
        names = getattr(network.model, "output_names", None)
        self.network, self.loss, self.told = network, loss, told | {"output_names": names}
        self.scratch, self.count = scratch, dict[str, int]()
        self.task = tasks.Task()  # until the first batch shows which it is
        self.like: Any = None  # what members predict together, as it is structured
        self.inside: list[np.ndarray] = []  # entropies of the split `INSIDE`, as of `PREFIXES`
        self.examples: dict[str, np.ndarray] = {}  # of `look`
        self.call = tf.function(self._call, reduce_retracing=True, autograph=False)

    def _call(self, w: tf.Tensor, state: list, x: Any, sample_weight: Any) -> tuple:
        outputs = self.network(w, state, x, training=False)[0]
        return outputs, self.task.weights(outputs, sample_weight)

    def scores(
        self, member: Member, count: int, split: str, batches: Iterable
    ) -> dict[str, dict[str, np.ndarray]]:
        """The metrics of a member, under an empty prefix, and of all so far, under `ensemble/`."""
        sums: list[dict] = [{}, {}]
        broken = [False, False]
        inside: list[list] = [[], []]
        for y, weights, outputs, own, total in self._predicted(member, count, split, batches):
            together = self.task.as_outputs(self.task.mean(total, count))
            # Of members together -inf is the logarithm of a probability of 0.
            parts: tuple = (
                (self.task, outputs, np.isfinite),
                (self.task.of_mean(), together, lambda v: ~np.isnan(v)),
            )
            for i, (task, values, is_sound) in enumerate(parts):
                values = tf.nest.map_structure(lambda v: tf.cast(v, tf.float64), values)
                broken[i] |= not all(is_sound(v).all() for v in tf.nest.flatten(values))
                found = to_numpy(task.sums(y, values, weights))
                if i:
                    found |= task.sums_of_members(y, values, total, weights)
                sums[i] = _added(sums[i], found)
                entropies = task.entropies((own, total)[i]) if split == INSIDE else None
                if entropies is not None:
                    inside[i].append(entropies[found[EACH][:, 2] > 0])
        if not sums[0]:
            return {}
        tasks.check_counted(sums[0], split)
        if inside[0]:
            self.inside = [np.concatenate(parts) for parts in inside]
            rows = sums[1][EACH][sums[1][EACH][:, 2] > 0]
            self.examples = dict(zip(("confidence", "right", "weight"), rows.T, strict=True))
            self.examples["entropy"] = self.inside[1]
        prefixes = zip(PREFIXES, sums, broken, strict=True)
        return {prefix: self._finished(own, nan) for prefix, own, nan in prefixes}

    def told_apart(
        self, member: Member, count: int, batches: Iterable
    ) -> dict[str, dict[str, float]]:
        """How well entropies tell other data from the split `INSIDE`, prefixes as of `scores`."""
        if not self.inside:
            raise ValueError(
                "Other data are told apart by the entropy of the predicted class, of networks that "
                f"tell one label an example; this is a task of kind {self.task.name!r}. Leave ood "
                "out."
            )
        found: list[list] = [[], []]
        for _, _, _, *states in self._predicted(member, count, OOD, batches):
            for each, state in zip(found, states, strict=True):
                each.append(self.task.entropies(state))
        others = [np.concatenate(parts) for parts in found]
        self.examples["ood_entropy"] = others[1]
        return {
            prefix: {"entropy": float(outside.mean()), **uncertainty.told_apart(inside, outside)}
            for prefix, inside, outside in zip(PREFIXES, self.inside, others, strict=True)
        }

    def _predicted(
        self, member: Member, count: int, split: str, batches: Iterable
    ) -> Iterator[tuple]:
        """Of every batch: targets, weights, and what the member outputs, and alone and all predict.

        None of a task that has its loss alone.
        """
        w = tf.convert_to_tensor(member.w)
        state = [tf.convert_to_tensor(s) for s in member.state]
        for number, batch in enumerate(map(unpacked, batches)):
            x, y, sample_weight = batch
            if not self.count:
                self.count[split] = 0
                outputs = self.network(w, state, x, training=False)[0]
                self.task = tasks.of(self.loss, y, outputs, **self.told).calibrated()
                self.task.say(log)
            if not self.task.signature:
                return
            outputs, weights = self.call(w, state, x, sample_weight)
            own = self.task.alone(to_numpy(self.task.averaged(outputs, y)))
            total = own if count == 1 else self.task.added(self._read(split, number), own)
            self._write(split, number, total)
            self.count[split] = number + 1
            yield y, weights, outputs, own, total

    def _finished(self, sums: dict, broken: bool) -> dict[str, np.ndarray]:
        totals = {name: value[np.newaxis] for name, value in sums.items()}
        found = self.task.scores(totals)
        return {k: np.full(1, np.nan) for k in found} if broken else found

    def totals(self) -> Iterator[tuple[str, int, Any]]:
        """Split, number and sum of every batch."""
        for split, count in self.count.items():
            for number in range(count):
                yield split, number, self._read(split, number)

    def _read(self, split: str, number: int) -> Any:
        with np.load(self.scratch / f"{split}-{number}.npz") as file:
            parts = [file[f"arr_{i}"] for i in range(len(file.files))]
        return tf.nest.pack_sequence_as(self.like, parts)

    def _write(self, split: str, number: int, total: Any) -> None:
        self.like = total
        np.savez(self.scratch / f"{split}-{number}.npz", *tf.nest.flatten(total))


def _added(sums: dict, found: dict) -> dict:
    """Sums over batches, with those of one more; rows of examples follow one another."""
    if not sums:
        return found
    joins = {name: name.rpartition(BETWEEN)[2] == EACH for name in found}
    return {
        name: np.concatenate([sums[name], value]) if joins[name] else sums[name] + value
        for name, value in found.items()
    }


def to_numpy(structure: Any) -> Any:
    """A structure of tensors as one of arrays."""
    return tf.nest.map_structure(np.asarray, structure)


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
