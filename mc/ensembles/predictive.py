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
from mc.evaluation import tasks
from mc.network.batches import unpacked
from mc.network.weights import FlatNetwork

log = logging.getLogger(__name__)


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
            not for a task that has its loss alone.

    Returns:
        A row a member: `members` (1, 2, ...), `name`, and for every split `<split>/<metric>` of the
        member itself and `ensemble/<split>/<metric>` of the first so many together: the metrics of
        the task, of classes ece and brier too; nan of outputs that are not finite.

    Raises:
        ValueError: there is no member.
    """
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
            rows.append(row)
        if not rows:
            raise ValueError("An ensemble needs at least one member; received none.")
        if keep and joint.task.signature:
            for name, number, total in joint.totals(splits):
                keep(name, number, joint.task.values(joint.task.mean(total, len(rows))))
    return pd.DataFrame(rows)


class _Joint:
    """What members predict together, batch by batch in files."""

    def __init__(self, network: FlatNetwork, loss: Any, told: dict, scratch: Path):
        names = getattr(network.model, "output_names", None)
        self.network, self.loss, self.told = network, loss, told | {"output_names": names}
        self.scratch, self.count = scratch, dict[str, int]()
        self.task = tasks.Task()  # until the first batch shows which it is
        self.call = tf.function(self._call, reduce_retracing=True, autograph=False)

    def _call(self, w: tf.Tensor, state: list, x: Any, sample_weight: Any) -> tuple:
        outputs = self.network(w, state, x, training=False)[0]
        return outputs, self.task.weights(outputs, sample_weight)

    def scores(
        self, member: Member, count: int, split: str, batches: Iterable
    ) -> dict[str, dict[str, np.ndarray]]:
        """The metrics of a member, under an empty prefix, and of all so far, under `ensemble/`."""
        w = tf.convert_to_tensor(member.w)
        state = [tf.convert_to_tensor(s) for s in member.state]
        sums: list[dict] = [{}, {}]
        broken = [False, False]
        for number, batch in enumerate(map(unpacked, batches)):
            x, y, sample_weight = batch
            if not self.count:
                self.count[split] = 0
                outputs = self.network(w, state, x, training=False)[0]
                self.task = tasks.of(self.loss, y, outputs, **self.told).calibrated()
                self.task.say(log)
            if not self.task.signature:
                return {}
            outputs, weights = self.call(w, state, x, sample_weight)
            own = to_numpy(self.task.averaged(outputs))
            total = own if count == 1 else self.task.added(self._read(split, number), own)
            self._write(split, number, total)
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
                sums[i] = {k: sums[i].get(k, 0) + v for k, v in found.items()}
            self.count[split] = number + 1
        tasks.check_counted(sums[0], split)
        prefixes = zip(("", "ensemble/"), sums, broken, strict=True)
        return {prefix: self._finished(own, nan) for prefix, own, nan in prefixes}

    def _finished(self, sums: dict, broken: bool) -> dict[str, np.ndarray]:
        totals = {name: value[np.newaxis] for name, value in sums.items()}
        found = self.task.scores(totals)
        return {k: np.full(1, np.nan) for k in found} if broken else found

    def totals(self, splits: Iterable[str]) -> Iterator[tuple[str, int, Any]]:
        """Split, number and sum of every batch."""
        for split in splits:
            for number in range(self.count[split]):
                yield split, number, self._read(split, number)

    def _read(self, split: str, number: int) -> Any:
        with np.load(self.scratch / f"{split}-{number}.npz") as file:
            arrays = dict(file)
        return arrays.get("", arrays)

    def _write(self, split: str, number: int, total: Any) -> None:
        arrays = total if isinstance(total, dict) else {"": total}
        np.savez(self.scratch / f"{split}-{number}.npz", **arrays)


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
            for statistic in ("mean", "min", "max"):
                value = getattr(values, statistic)(skipna=False)  # of nan there is no mean
                result[f"{name}/{statistic}"] = float(value)
    return result
