"""CurveModel: the control points of a curve in weight space, trained by Keras' own `fit`."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from mc import between, curve_file, curves, domains
from mc.looking import FirstLook
from mc.network import (
    batches,
    constraints,
    copying,
    hidden_state,
    losses,
    optimizers,
    probe,
    refusals,
    unpromised,
)
from mc.network.weights import FlatNetwork, State
from mc.terms import SPREAD, Terms, draw, kernels
from mc.terms import gradients as terms_gradients

INTO = ", or pass into=, a second instance to write into"


class CurveModel(keras.Model):
    """A curve, or a surface, w(t) = coefficients(t) @ control_points of networks, as a Keras model.

    Training minimises the expected loss along the curve (Garipov et al. 2018, Eq. 2),

        E_{t ~ U(0, 1)} [ loss(w(t)) + 0.5 * weight_decay * ||w(t)||^2 ],

    with one t a step. Since w(t) is linear in the control points, g = dL/dw at w(t), the gradient
    of a plain network, gives control point k the gradient coefficients_k(t) * g: one step costs
    what a plain network's costs. A single network is the curve `Point()`.

    `curve(x)`, `evaluate` and `predict` work at `curve.t` (0.5 until set); training draws its own
    t from (seed, step) and never touches it.

    Args:
        network: a built Keras model; called statelessly, so its own variables never change.
        curve: the family, such as `mc.Bezier(num_bends=1)`, or `mc.Simplex(3)`, whose t is a
            vector; see `mc.surfaces`.
        control_points: `[num_points, P] float32`, P trainable weights in the model's order.
        fix_start, fix_end: whether the first and the last control point of a curve stay as they
            are.
        fix: the numbers, from 0, of all control points that stay as they are, in place of these.
            Default of a surface: its corners.
        weight_decay: coefficient of the L2 penalty at w(t).
        end_states: state of the start and of the end network, of a surface that of each corner;
            used at those that are fixed. Default: the network's own.
        seed: seeds the draws of t.
        terms: what a step draws and adds to the loss; see `mc.terms.Terms`. Default: one t.

    Raises:
        ValueError: `control_points` has another shape than the curve and the network need,
            `weight_decay` is negative, or a weight has a constraint that would not hold along the
            curve (see `constraints.of_points`) or is the scale of a float8 layer.
    """

    def __init__(
        self,
        network: keras.Model,
        curve: str | curves.Curve,
        control_points: ArrayLike,
        *,
        fix_start: bool = True,
        fix_end: bool = True,
        fix: Sequence[int] | None = None,
        weight_decay: float = 0.0,
        end_states: Sequence[State] | None = None,
        seed: int = 0,
        terms: Terms | None = None,
    ):
        super().__init__(name="curve", dtype="float32")  # control points stay float32
        self.network = FlatNetwork(network)
        refusals.check_weights(self.network)
        self.family = curves.resolve(curve)
        control_points = np.asarray(control_points, np.float32)
        if control_points.shape != (self.family.num_points, self.network.size):
            raise ValueError(
                "control_points must have shape [num_points, P] = "
                f"[{self.family.num_points}, {self.network.size}]; received {control_points.shape}."
            )
        if weight_decay < 0:
            raise ValueError(f"weight_decay must be at least 0; received {weight_decay}.")
        if not 0 <= seed < 2**31:
            raise ValueError(f"seed must be from 0 to 2**31 - 1; received seed={seed}.")
        self.fix_start, self.fix_end = bool(fix_start), bool(fix_end)
        self.fixed = domains.fixed_points(self.family, fix, self.fix_start, self.fix_end)
        self.weight_decay, self.seed = float(weight_decay), int(seed)
        self.terms = (terms or Terms()).check(self.family, self.network)
        self._kernels = kernels(self.network) if self.terms.cosine else None
        own = self.network.state()
        self.end_states = _Plain(
            [
                [curve_file.typed(value, like) for value, like in zip(state, own, strict=True)]
                for state in end_states or [own] * domains.num_networks(self.family)
            ]
        )
        self.first_look = FirstLook(self)
        # One [P] variable a control point: slicing one [num_points, P] variable costs 40% a step.
        fixed_points = control_points[list(self.fixed)]
        constraint = constraints.of_points(self.network, self.family, fixed_points)
        self.points = [
            self._variable(row, f"control_point_{k}", k not in self.fixed, constraint)
            for k, row in enumerate(control_points)
        ]
        self.state = [
            self._variable(value, f"state_{i}") for i, value in enumerate(self.end_states.value[0])
        ]
        self._t = self._variable(np.asarray(domains.centre(self.family), np.float32), "t")
        # Not the optimizer's count, which stands still while gradients are accumulated.
        self.step = self._variable(np.int32(0), "step")
        self.built = True

    def _variable(
        self,
        value: np.ndarray | np.generic,
        name: str,
        trainable: bool = False,
        constraint: constraints.OfSlices | None = None,
    ) -> keras.Variable:
        return self.add_weight(
            shape=value.shape,
            dtype=value.dtype.name,
            initializer=lambda shape, dtype: tf.constant(value),
            trainable=trainable,
            constraint=constraint,
            autocast=False,
            # Of several devices: statistics of each one's share of a batch are averaged.
            aggregation="mean" if value.dtype.kind == "f" else "only_first_replica",
            name=name,
        )

    @property
    def t(self) -> domains.Position:
        """Position at which `call`, `evaluate` and `predict` work; of a surface a tuple."""
        t = self._t.numpy().tolist()
        return tuple(t) if isinstance(t, list) else t

    @t.setter
    def t(self, t: domains.Position) -> None:
        self._t.assign(domains.check(self.family, t))

    @property
    def control_points(self) -> np.ndarray:
        """The control points; `[num_points, P] float32`."""
        return np.stack([point.numpy() for point in self.points])

    @property
    def state_values(self) -> list[np.ndarray]:
        """The untrained variables as training left them, one array each."""
        return [s.numpy() for s in self.state]

    def weights_at(self, t: domains.Position) -> np.ndarray:
        """The weight vector w(t); `[P] float32`."""
        t = domains.check(self.family, t)
        return curves.mix(self.family.coefficients(t), self.points).numpy()

    def compile(
        self,
        optimizer: Any = "rmsprop",
        *args: Any,
        jit_compile: bool | str = "auto",
        **kwargs: Any,
    ) -> None:
        """`keras.Model.compile`, for optimizers that treat every weight by itself.

        Raises:
            ValueError: the optimizer looks at the shape of a weight or decays some weights and not
                others; or the network's class has a `train_step` or `compute_loss` of its own.
        """
        refusals.check_own_training(self.network.model)
        optimizer = keras.optimizers.get(optimizer)
        optimizers.check_elementwise(optimizer)
        # The network's layers are out of Keras' sight, so what Keras would ask them is asked here.
        scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        # Of a network that was read from a file, the layers alone know the policy.
        policies = {layer.dtype_policy.name for layer in unpromised.layers_of(self.network.model)}
        if "mixed_float16" in policies and not scaled:
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        if jit_compile == "auto":
            jit_compile = unpromised.compiles_by_itself(self.network.model)
        super().compile(optimizer, *args, jit_compile=jit_compile, **kwargs)

    @property
    def output_names(self) -> list[str]:
        """The network's, by which losses, metrics and targets can be given."""
        return self.network.model.output_names  # an AttributeError where it has none

    def check_on(self, x: Any) -> None:
        """Raise unless, on a batch of inputs, the curve is what its end networks are.

        Done once by itself, on the first batch of `fit`, `evaluate` and `mc.evaluate`; see
        `looking.FirstLook`.
        """
        self.first_look.at(x)

    def fit(self, x: Any = None, *args: Any, **kwargs: Any) -> Any:
        """`keras.Model.fit` on the control points.

        Raises:
            ValueError: both ends are fixed and there is no bend; or the first batch shows that the
                network gives probabilities and the loss expects logits, or the reverse; or the data
                never end; or see `check_on`.
        """
        batches.check_call(super().fit, x, *args, **kwargs)
        if not self.trainable_variables:
            free = "free an end (fix_start=False, fix_end=False)"
            if not domains.is_curve(self.family):
                free = "leave a control point out of fix"
            raise ValueError(
                "Nothing to train: all control points are fixed, as with num_bends=0 and fixed "
                f"ends. Set num_bends=1 or more, or {free}."
            )
        if self.compiled:
            optimizers.check_elementwise(self.optimizer)
        return self.first_look.watching(super().fit, x, *args, **kwargs)

    def evaluate(self, x: Any = None, *args: Any, **kwargs: Any) -> Any:
        """`keras.Model.evaluate` at `curve.t`; warns where BatchNorm needs `mc.evaluate`."""
        batches.check_call(super().evaluate, x, *args, **kwargs)
        between.warn_of_averages(self)
        return self.first_look.watching(super().evaluate, x, *args, **kwargs)

    def predict(self, *args: Any, **kwargs: Any) -> Any:
        """`keras.Model.predict` at `curve.t`; warns where BatchNorm needs `network_at`."""
        batches.check_call(super().predict, *args, **kwargs)
        between.warn_of_averages(self)
        return super().predict(*args, **kwargs)

    @property
    def is_point(self) -> bool:
        """Whether the curve is a single network, which has no ends."""
        return self.family.num_points == 1

    def train_step(self, data: Any) -> dict:
        """One step at a random t: the network's gradient at w(t), given to each control point.

        Of several draws of t their mean; each goes on from the state that the one before left.
        """
        step = tf.convert_to_tensor(self.step)
        before = [tf.convert_to_tensor(s) for s in self.state]
        after, draws = before, self.terms.draws
        free = [k for k, point in enumerate(self.points) if point.trainable]
        gradients = dict.fromkeys(free)
        for number in range(draws):
            coefficients, gradient, after, results = self._draw(data, after, step, number)
            share = coefficients / draws if draws > 1 else coefficients
            for k, own in gradients.items():
                more = share[k] * gradient
                gradients[k] = more if own is None else own + more
        if self.terms.volume or self.terms.cosine:
            gradients = self._with_terms(gradients, step)
        self.optimizer.apply_gradients([(g, self.points[k]) for k, g in gradients.items()])
        for variable, old, new in zip(self.state, before, after, strict=True):
            if new is not old:  # constants, such as frozen layers, need no copy
                variable.assign(new)
        self.step.assign(step + 1)
        return results

    def _draw(self, data: Any, before: list, step: tf.Tensor, number: int) -> tuple:
        """A t: coefficients `[num_points]`, gradient at w(t) `[P]`, state after it, and results."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        t = draw(self.terms, self.family, self.points, self.seed, step, number)
        coefficients = self.family.coefficients(t)
        w = curves.mix(coefficients, self.points)
        seed = tf.stack([(self.seed + SPREAD * number) % 2**31, step])
        gradient, loss, after, y_pred = self.slope(w, before, data, seed)
        return coefficients, gradient, after, self._results(x, y, y_pred, sample_weight, loss)

    def slope(self, w: tf.Tensor, state: list, data: Any, seed: tf.Tensor) -> tuple:
        """What training takes of one network on a batch, the penalty of weight decay included.

        Args:
            w: `[P]`.
            state: before the step.
            data: the batch, as in `train_step`.
            seed: of dropout, `[2]`.

        Returns:
            The gradient `[P]`, as the optimizer scales it, the loss `[]`, the state after the step,
            and the outputs.
        """
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(w)
            loss, after, y_pred = self._training_loss(w, state, data, seed)
            scaled = self.optimizer.scale_loss(loss)
        gradient = tape.gradient(scaled, w)
        if gradient is None:
            raise ValueError(
                "No loss to compute: pass loss= to compile(), or build the networks with layers "
                "that add one."
            )
        if self.weight_decay:
            share = tf.constant(self.weight_decay / replicas)
            gradient += self.optimizer.scale_loss(share) * w
        return gradient, loss * replicas + self._penalty(w), after, y_pred

    def _training_loss(self, w: tf.Tensor, state: list, data: Any, seed: tf.Tensor) -> tuple:
        """A replica's share of the loss without the penalty, the state after it, and outputs."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        y_pred, after, own_loss = self.network(w, state, x, training=True, seed=seed)
        # Gradients are summed over replicas: Keras gives each its share of the loss.
        loss = self.compute_loss(x, y, y_pred, sample_weight, training=True)
        return tf.cast(loss, tf.float32) + own_loss / replicas, after, y_pred

    def _with_terms(self, gradients: dict, step: tf.Tensor) -> dict:
        """Gradients of control points, by number, with those of the terms."""
        own = terms_gradients(self.terms, self.points, self._kernels, self.seed, step)
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        share = self.optimizer.scale_loss(tf.constant(1.0 / replicas))
        return {k: g + share * own[k] for k, g in gradients.items()}

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, *args: Any, **kwargs: Any
    ) -> Any:
        """`keras.Model.compute_loss`; refuses one-hot targets for a loss that takes labels.

        0 where none was compiled with, beside what the network's layers add.
        """
        if self.loss is None:
            return tf.constant(0.0)
        losses.check_targets(self.loss, y, y_pred)
        return super().compute_loss(x, y, y_pred, *args, **kwargs)

    def test_step(self, data: Any) -> dict:
        """Loss and metrics of one batch at `curve.t`."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        w, y_pred, own_loss = self._forward(x)
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        loss = self.compute_loss(x, y, y_pred, sample_weight, training=False)
        loss = tf.cast(loss, tf.float32) * replicas + own_loss + self._penalty(w)
        return self._results(x, y, y_pred, sample_weight, loss)

    def call(self, x: Any, training: bool = False) -> Any:
        """Outputs of the network at w(`curve.t`)."""
        if training:
            raise ValueError("Training draws its own t: use fit, or call the curve for inference.")
        if tf.executing_eagerly():
            between.warn_of_averages(self)
        return self._forward(x)[1]

    def _forward(self, x: Any) -> tuple[tf.Tensor, Any, tf.Tensor]:
        w = curves.mix(self.family.coefficients(self._t), self.points)
        y_pred, _, own_loss = self.network(w, self._state_at_t(), x, training=False)
        return w, y_pred, own_loss

    def _state_at_t(self) -> list[tf.Tensor]:
        state = [tf.convert_to_tensor(s) for s in self.state]
        for (t, k), own in zip(domains.anchors(self.family), self.end_states.value, strict=False):
            for i in self.network.movable if k in self.fixed else ():
                here = tf.reduce_all(tf.equal(self._t, t))
                state[i] = tf.where(here, own[i], state[i])
        return state

    def _penalty(self, w: tf.Tensor) -> tf.Tensor:
        return self.weight_decay * tf.nn.l2_loss(w)  # l2_loss is half the squared norm

    def _results(self, x: Any, y: Any, y_pred: Any, sample_weight: Any, loss: tf.Tensor) -> dict:
        batch_size = tf.shape(tf.nest.flatten(x)[0])[0]
        unpromised.loss_tracker(self).update_state(loss, sample_weight=batch_size)
        return self.compute_metrics(x, y, y_pred, sample_weight=sample_weight)

    def state_at(self, t: domains.Position, data: Any = None) -> list[np.ndarray]:
        """State of the network at t: a fixed end's own; elsewhere as training left it.

        BatchNorm statistics come from data, if given. `data`: a tf.data.Dataset of batches, or
        arrays x or (x, y); see `batchnorm.estimate`.
        """
        return between.state_at(self, t, data)

    def network_at(
        self, t: domains.Position, data: Any = None, into: keras.Model | None = None
    ) -> keras.Model:
        """The plain Keras model at w(t): a copy of the network, or `into` with its weights set.

        What a call of it gives is compared with what the curve gives at t, on inputs made up or
        those of the first batch that the curve was given.

        Args:
            t: position in [0, 1]; of a surface its coordinates.
            data: clean training data for BatchNorm, as in `state_at`.
            into: a model of the same architecture to write into; needed for one that Keras cannot
                copy (a subclass without `get_config`).

        Raises:
            ValueError: the network cannot be copied and `into` is not given; or `into` computes
                something else.
        """
        state = self.state_at(t, data)
        target = self.network.of(copying.copy(self.network.model, INTO) if into is None else into)
        if into is not None:
            hidden_state.copy_tables(self.network.model, into)
        w = self.weights_at(t)
        target.assign(w, state)
        copying.check_is(self.network, w, state, target, self.first_look.inputs())
        return target.model

    def save(
        self,
        filepath: str | Path,
        overwrite: bool = True,
        endpoints: Iterable[str] = (),
        with_optimizer: bool = False,
    ) -> None:
        """Write the curve to a `.npz` file that `mc.load_curve` reads; see `curve_file.write`.

        Args:
            filepath: ends in `.npz`.
            overwrite: whether a file that is there may be replaced.
            endpoints: strings that say where the end networks are, kept in the file.
            with_optimizer: whether what the optimizer has gathered is kept too.

        Raises:
            ValueError: the family cannot be saved (see `families.describe`), or the name does not
                end in `.npz`.
        """
        curve_file.write(
            filepath,
            overwrite=overwrite,
            control_points=self.control_points,
            curve=self.family,
            fix_start=self.fix_start,
            fix_end=self.fix_end,
            fixed=self.fixed,
            terms=asdict(self.terms),
            weight_decay=self.weight_decay,
            seed=self.seed,
            step=int(self.step.numpy()),
            network=self.network,
            state=self.state_values,
            end_states=self.end_states.value,
            endpoints=endpoints,
            probe=probe.of(self),
            optimizer=[v.numpy() for v in self.optimizer.variables] if with_optimizer else (),
        )


class _Plain:
    """Holds a value out of the sight of Keras, which would wrap lists of arrays."""

    def __init__(self, value: Any):
        self.value = value
