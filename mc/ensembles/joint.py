"""What members of an ensemble predict together, batch by batch."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from mc.evaluation import tasks, uncertainty
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


class Joint:
    """What members predict together, which lies in files, batch by batch.

    Arguments: as of `predictive.join`; `told`, of `tasks.of`; `scratch`, a folder for the files.
    """

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
