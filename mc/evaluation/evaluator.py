"""Metrics of networks at many weight vectors, all in one pass over the data."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from mc import between, curves
from mc.evaluation import likeness, tasks
from mc.evaluation.compiled import CompiledLoss
from mc.evaluation.geometry import gram
from mc.network import batchnorm, losses
from mc.network.batches import any_batch, counted, size_of, unpacked
from mc.network.weights import FlatNetwork, State

log = logging.getLogger(__name__)

BLOCK = 32  # points whose values are handed on together


class Evaluator:
    """The function of `coefficients [n, num_points]` that gives `<split>/<metric>`, `[n]` each.

    Metrics are those of the networks at w = coefficients[i] @ points: `loss`, as Keras' `evaluate`
    takes it at the same batches, and what the task has besides (`tasks.of`); those are functions
    of sums over all steps that count, whatever the batches. Where a network's outputs are not
    finite, all of its metrics are nan. One graph serves all calls.

    Args:
        network: the plain network.
        points: num_points control points, each `[P] float32`; where one is a `tf.Variable`, the
            value counts that it has when metrics are taken.
        state: the untrained variables, the same at every point, but for BatchNorm statistics.
        splits: name -> batches (x, y) or (x, y, sample_weight), read once a call.
        bn_data: batches that BatchNorm statistics are estimated from at every point; None: those in
            `state` are used.
        loss: as in `keras.Model.compile`.
        loss_weights: as in `keras.Model.compile`.
        weight_decay: of the penalty 0.5 * weight_decay * ||w||^2, a part of the metric `loss`; or
            one for each control point, mixed by the coefficients as the weights are.
        num_classes: the number of classes, where the loss and the shapes do not say it.
        task: a `Task`, or one of `tasks.NAMES`, in place of what the loss says.
        token_characters: `[C]`, how many characters each class stands for, if it is a token.
        progress: wraps an iterable of batches and a label, to show how far it is.
        own_state: further state that points have of their own (`between.EndStates`).
        beside: coefficients `[num_points]` of networks, by name, with whose predictions those of
            others are compared, where they are of classes: metrics `disagreement_<name>` and
            `js_distance_<name>`, see `Task.likeness`.

    Attributes:
        task: what the loss and the first batch say, after the first call.
        dependence: split -> why its loss is no plain mean over examples, so that it depends on the
            batches; the others are left out.

    Raises:
        ValueError: when called: there is no batch, or outputs do not fit the loss or the classes.
    """

    def __init__(
        self,
        network: FlatNetwork,
        points: curves.Points,
        state: State,
        splits: dict,
        *,
        bn_data: Iterable | None,
        loss: Any,
        weight_decay: float | Sequence[float],
        loss_weights: Any = None,
        num_classes: int | None = None,
        task: tasks.Task | str | None = None,
        token_characters: ArrayLike | None = None,
        progress: Callable[[Iterable, str], Iterable] | None = None,
        own_state: between.EndStates | None = None,
        beside: Mapping[str, ArrayLike] | None = None,
    ):
        self.network = network
        names = getattr(network.model, "output_names", None)
        self.loss = CompiledLoss(loss, loss_weights, names)
        self.told: dict[str, Any] = {
            "num_classes": num_classes,
            "named": task,
            "output_names": names,
            "token_characters": token_characters,
        }
        # Tensors, which graphs take as inputs: arrays would become constants of every graph.
        self.points = [p if _may_change(p) else tf.convert_to_tensor(p) for p in points]
        self.state = [tf.convert_to_tensor(s) for s in state]
        self.splits = splits
        self.bn_data = bn_data if network.batchnorm else None
        self.estimated = [] if self.bn_data is None else list(network.batchnorm)
        self.own_state = own_state
        self.beside = {name: np.asarray(row, np.float32) for name, row in (beside or {}).items()}
        self.estimated += own_state.positions if own_state else []
        self.estimate = batchnorm.estimator(network, self.points, self.state)
        decays = np.broadcast_to(np.asarray(weight_decay, float), len(self.points))
        alike = float(decays[0]) if np.all(decays == decays[0]) else None
        self.decay_of = (lambda _: 1.0) if alike is not None else (lambda rows: rows @ decays)
        self.factor = 0.5 * (1.0 if alike is None else alike)
        self.half_inner = None if any(map(_may_change, points)) else self._half_inner()
        self.progress = progress or (lambda batches, label: batches)
        self.task = tasks.Task()  # until the first batch shows which it is
        self.dependence: dict[str, str] = {}
        self.seen: set[str] = set()
        # Of lengths that vary.
        self.step = tf.function(self._step, reduce_retracing=True, autograph=False)

    def __call__(self, coefficients: ArrayLike, note: str = "") -> dict[str, np.ndarray]:
        """The values at n points; `note` is added to the labels of what progress shows."""
        coefficients = np.asarray(coefficients, np.float32)
        count, others = len(coefficients), [row[np.newaxis] for row in self.beside.values()]
        coefficients = np.concatenate([coefficients, *others])
        statistics = {}
        if self.bn_data is not None:
            batches = self.progress(self.bn_data, f"BatchNorm statistics{note}")
            statistics = self.estimate(coefficients, batches)
        if self.own_state:
            statistics |= self.own_state(coefficients)
        inner = self._half_inner() if self.half_inner is None else self.half_inner
        penalty = np.einsum("nk,kl,nl->n", coefficients, inner, coefficients)
        penalty = penalty * self.decay_of(coefficients)
        values: dict[str, np.ndarray] = {}
        for split, batches in self.splits.items():
            batches = self.progress(batches, split + note)
            own = self._one_pass(split, coefficients, statistics, batches)
            own["loss"] = own["loss"] + penalty[:count]
            values |= {f"{split}/{metric}": value for metric, value in own.items()}
        return values

    def _half_inner(self) -> np.ndarray:
        return self.factor * gram(self.points, center=False)

    def _one_pass(
        self,
        split: str,
        coefficients: np.ndarray,
        statistics: dict[int, np.ndarray],
        batches: Iterable,
    ) -> dict[str, np.ndarray]:
        examples = 0
        totals: Any = None
        points = (tf.constant(coefficients), [tf.constant(statistics[i]) for i in self.estimated])
        for batch in map(unpacked, counted(batches)):
            if examples == 0:
                self._look(split, coefficients[0], *batch)
                self.step.get_concrete_function(*any_batch((*points, *batch)))  # of any size
            size = size_of(batch[0])
            found = self.step(*points, *batch)
            found = {k: value.numpy().astype(np.float64) for k, value in found.items()}
            found["loss"] *= size  # the loss is a mean over the batch, all else a sum
            totals = found if totals is None else {k: totals[k] + v for k, v in found.items()}
            examples += size
        if examples == 0:
            raise ValueError("Evaluation needs data; received no batch.")
        tasks.check_counted(totals, split)
        result = {"loss": totals["loss"] / examples} | self.task.scores(totals)
        result |= likeness.scores(totals)
        broken = totals["broken"] > 0
        return {name: np.where(broken, np.nan, values) for name, values in result.items()}

    def _look(self, split: str, row: np.ndarray, x: Any, y: Any, sample_weight: Any) -> None:
        """What the first batch of a split shows: the task, and whether its loss is a plain mean.

        Raises:
            ValueError: the outputs do not fit the loss, the targets or the classes.
        """
        if split in self.seen:
            return
        if y is None:
            raise ValueError("Evaluation needs targets: batches (x, y), as fit takes them.")
        outputs = self.network(curves.mix(row, self.points), self.state, x, training=False)[0]
        loss = self.loss.single()
        if loss is not None:
            losses.check_targets(loss, y, outputs)
            losses.check_outputs(loss, outputs)
        if not self.seen:
            self.task = tasks.of(self.loss.given, y, outputs, **self.told)
            self.loss.build(x, y, outputs, sample_weight)
            if not isinstance(self.told["named"], tasks.Task):
                self.task.say(log)
            if self.beside and not self.task.alike:
                log.warning(
                    "Predictions of no classes are not compared: those of %s.", self.task.name
                )
        if reason := self.loss.dependence(x, y, outputs, sample_weight):
            self.dependence[split] = reason
        self.seen.add(split)

    def _step(
        self,
        coefficients: tf.Tensor,
        statistics: list[tf.Tensor],
        x: Any,
        y: Any,
        sample_weight: Any,
    ) -> dict:
        """Of one batch, at every point: its loss, what is summed, whether outputs are broken."""
        scalar = tf.TensorSpec([], tf.float32)
        signature = {"loss": scalar, "broken": scalar} | self.task.signature
        signature |= likeness.signature(self.task, self.beside)
        last = tf.shape(coefficients)[0] - len(self.beside)
        others = {
            name: self._outputs(coefficients[last + k], [s[last + k] for s in statistics], x)[1]
            for k, name in enumerate(self.beside if self.task.alike else ())
        }
        # One point at a time: parallel ones would each hold a weight vector.
        return tf.map_fn(
            lambda point: self._at(*point, x, y, sample_weight, others),  # type: ignore[call-arg]  # point is a pair
            (coefficients[:last], [s[:last] for s in statistics]),
            fn_output_signature=signature,
            parallel_iterations=1,
        )

    def _outputs(self, row: tf.Tensor, statistics: list[tf.Tensor], x: Any) -> tuple:
        """A network's own losses, and its outputs."""
        own = dict(zip(self.estimated, statistics, strict=True))
        state = [own.get(i, s) for i, s in enumerate(self.state)]
        w = curves.mix(row, self.points)
        outputs, _, own_loss = self.network(w, state, x, training=False)
        return own_loss, outputs

    def _at(
        self,
        row: tf.Tensor,
        statistics: list[tf.Tensor],
        x: Any,
        y: Any,
        sample_weight: Any,
        others: Mapping[str, Any],
    ) -> dict:
        own_loss, outputs = self._outputs(row, statistics, x)
        value = self.loss(x, y, outputs, sample_weight) + own_loss
        parts = [o for o in tf.nest.flatten(outputs) if o.dtype.is_floating]
        broken = 1.0 - tf.cast(tf.reduce_all([True, *map(_is_finite, parts)]), tf.float32)
        sums = self.task.sums(y, outputs, sample_weight)
        sums |= likeness.sums(self.task, y, outputs, others, sample_weight)
        return {"loss": value, "broken": broken} | sums


def _may_change(point: Any) -> bool:
    return isinstance(point, tf.Variable)


def _is_finite(outputs: tf.Tensor) -> tf.Tensor:
    """Whether all outputs are finite; `[]`."""
    # The sum is fast, and says so where it is finite: else it may be too large a one.
    whole = tf.math.is_finite(tf.reduce_sum(outputs))
    return tf.cond(whole, lambda: True, lambda: tf.reduce_all(tf.math.is_finite(outputs)))


def in_blocks(
    evaluate: Callable[[np.ndarray, str], dict[str, np.ndarray]],
    coefficients: np.ndarray,
    after_block: Callable[[dict], None],
    snapshot: dict | None = None,
) -> dict[str, np.ndarray]:
    """The values of an `Evaluator` at all points, some at a time, so that it can be interrupted.

    Args:
        evaluate: the evaluator, or what takes rows and a note as one does.
        coefficients: `[n, num_points]`.
        after_block: called with the values at all points so far.
        snapshot: what `after_block` was given last, to continue from there.
    """
    done = dict(snapshot or {})
    start = len(next(iter(done.values()), ()))
    for first in range(start, len(coefficients), BLOCK):
        last = min(first + BLOCK, len(coefficients))
        note = f", points {first + 1} to {last} of {len(coefficients)}"
        for name, values in evaluate(coefficients[first:last], note).items():
            done[name] = np.concatenate([done.get(name, values[:0]), values])
        after_block(done)
    return done
