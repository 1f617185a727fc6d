"""A Keras model as a pure function of its flat weight vector w and its state."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, TypeAlias

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from mc.network import hidden_state, unpromised
from mc.network.shapes import check_same_shapes

Vector: TypeAlias = np.ndarray | tf.Tensor  # [P]
State: TypeAlias = Sequence[np.ndarray | tf.Tensor]  # one value a variable that is not trained


@dataclass(frozen=True)
class FlatNetwork:
    """A plain Keras model, called with a weight vector from outside; its variables never change.

    `w: [P] float32` holds the trainable weights in the model's own variable order, each flattened
    in C order. `state` is a list with one tensor for every variable that is not trained, in the
    order of `model.non_trainable_variables`; the states of stateful RNNs come last.

    A frozen dataclass on purpose: Keras tracks layers and models set as attributes of a model, and
    would add this model's weights to those of the curve that holds it.

    Raises:
        TypeError: `model` is not a Keras model.
        ValueError: the model is not built, or has no trainable weights.
    """

    model: keras.Model

    def __post_init__(self) -> None:
        if not isinstance(self.model, keras.Model):
            raise TypeError(f"A network must be a keras.Model; received {type(self.model)}.")
        if not self.model.built:
            raise ValueError(
                f"The network {self.model.name!r} has no weights yet: call it once on a batch, "
                "or give its first layer an input shape."
            )
        if not self.trainable:
            raise ValueError(f"The network {self.model.name!r} has no trainable weights.")

    # Lists of their own: setting `trainable` on the model later does not change what w means.
    @cached_property
    def trainable(self) -> list:
        """The trainable variables, in the model's own order."""
        return list(self.model.trainable_variables)

    @cached_property
    def untrained(self) -> list:
        """The variables that are not trained, in the model's own order, and states of RNNs."""
        return hidden_state.untrained_of(self.model)

    @cached_property
    def shapes(self) -> list[tuple[int, ...]]:
        """Shape of each trainable weight."""
        return [tuple(v.shape) for v in self.trainable]

    @cached_property
    def sizes(self) -> list[int]:
        """Number of elements of each trainable weight; they add up to P."""
        return [int(np.prod(shape)) for shape in self.shapes]

    @property
    def spans(self) -> list[tuple[int, int]]:
        """Where each trainable weight lies in w: `(first, last)`, the last not among them."""
        return list(pairwise(np.cumsum([0, *self.sizes]).tolist()))

    @cached_property
    def movable(self) -> list[int]:
        """Positions in `state` of what is no frozen weight: a call may update these."""
        layers = unpromised.layers_of(self.model)
        frozen = {id(v) for layer in layers for v in unpromised.own_weights(layer)}
        return [i for i, v in enumerate(self.untrained) if id(v) not in frozen]

    @property
    def size(self) -> int:
        """P, the length of the flat weight vector."""
        return sum(self.sizes)

    @property
    def paths(self) -> list[str]:
        """The Keras path of each trainable weight, such as `cnn/dense/kernel`."""
        return [v.path for v in self.trainable]

    @cached_property
    def batchnorm(self) -> dict[int, float]:
        """Position in `state` of every trainable BatchNorm's moving statistic -> its momentum.

        Empty for a model whose `call` has no `training` argument: Keras then trains its BatchNorm
        layers with the moving statistics as they are, so these are constants.
        """
        momentum: dict[int, float] = {}
        if not unpromised.takes_training(self.model):
            return momentum
        # The public `layers` stops at the first level; statistics can lie in nested layers.
        for layer in unpromised.layers_of(self.model):
            if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable:
                momentum[id(layer.moving_mean)] = layer.momentum
                momentum[id(layer.moving_variance)] = layer.momentum
        return {i: momentum[id(v)] for i, v in enumerate(self.untrained) if id(v) in momentum}

    def state(self) -> list[np.ndarray]:
        """The model's own state: one array for every variable that is not trained."""
        return [v.numpy() for v in self.untrained]

    def unpack(self, w: Vector) -> list[tf.Tensor]:
        """The trainable weights in their own shapes and types; `w: [P]`."""
        parts = tf.split(w, self.sizes)
        return [
            tf.cast(tf.reshape(part, v.shape), v.dtype)
            for part, v in zip(parts, self.trainable, strict=True)
        ]

    def __call__(
        self,
        w: Vector,
        state: State,
        x: Any,
        training: bool,
        seed: Sequence[int] | tf.Tensor = (0, 0),
    ) -> tuple[Any, list[tf.Tensor], tf.Tensor]:
        """Outputs, the state after the call, and the model's own regularisation losses in one sum.

        `w: [P]`, `state`: list of tensors, `x: [batch, ...]` -> `(outputs, state, loss: [])`.
        `seed: [2]` is what `keras.random` without a seed draws from; generators of the layers' own
        are part of the state.

        Raises:
            ValueError: a layer writes a weight that is to be trained; names it.
        """
        return self.of_weights(self.unpack(w), state, x, training, seed)

    def of_weights(
        self,
        weights: Sequence,
        state: State,
        x: Any,
        training: bool,
        seed: Sequence[int] | tf.Tensor = (0, 0),
    ) -> tuple[Any, list[tf.Tensor], tf.Tensor]:
        """The same of weights in their own shapes, of which nothing is copied."""
        model = self.model
        values = [*weights, *state]
        variables = [*self.trainable, *self.untrained]
        with (
            keras.StatelessScope(
                list(zip(variables, values, strict=True)), collect_losses=True
            ) as scope,
            hidden_state.following_its_variables(model),
            hidden_state.drawing(seed),
        ):
            given = [scope.get_current_value(v) for v in self.trainable]
            # As keras.Model.stateless_call, but through __call__, which serves models whose `call`
            # has no `training` argument too.
            mode = {"training": training} if unpromised.takes_training(model) else {}
            outputs = model(x, **mode)
            # A loss may have any shape; Keras takes the sum.
            losses = [tf.cast(tf.reduce_sum(loss), tf.float32) for loss in model.losses]
        for variable, value in zip(self.trainable, given, strict=True):
            if scope.get_current_value(variable) is not value:
                raise ValueError(
                    f"A layer writes its own weight {variable.path} when it is called, as "
                    "SpectralNormalization does. On a curve weights are w(t), which only training "
                    "moves: build the networks without that layer."
                )
        after = [scope.get_current_value(v) for v in self.untrained]
        return outputs, after, tf.add_n(losses) if losses else tf.constant(0.0)

    def of(self, model: keras.Model) -> "FlatNetwork":
        """Another instance of the model, with the same variables, by position, in w and in state.

        Its own `trainable` flags do not count, since they may have been set later.

        Raises:
            ValueError: it has other variables; names the first and both shapes.
        """
        ours = [*self.model.variables, *hidden_state.rnn_states(self.model)]
        theirs = [*model.variables, *hidden_state.rnn_states(model)]
        if [tuple(v.shape) for v in ours] != [tuple(v.shape) for v in theirs]:
            check_same_shapes(self.model, model)
        same = {id(v): u for v, u in zip(ours, theirs, strict=True)}
        flat = FlatNetwork(model)
        vars(flat)["trainable"] = [same[id(v)] for v in self.trainable]
        vars(flat)["untrained"] = [same[id(v)] for v in self.untrained]
        return flat

    def assign(self, w: Vector, state: State) -> None:
        """Write a weight vector `w: [P]` and a state into the model's own variables."""
        for variable, value in zip(self.trainable, self.unpack(w), strict=True):
            variable.assign(value)
        for variable, value in zip(self.untrained, state, strict=True):
            variable.assign(value)
        hidden_state.finalize(self.model)


def pack(network: keras.Model) -> np.ndarray:
    """The flat weight vector of a network; `[P] float32`, in its own variable order."""
    arrays = [np.ravel(v.numpy()) for v in FlatNetwork(network).trainable]
    return np.concatenate(arrays).astype(np.float32)


def unpack(network: keras.Model, w: ArrayLike) -> list[np.ndarray]:
    """The arrays that `w: [P]` holds, in the order and shapes of `network.trainable_variables`.

    Raises:
        ValueError: `w` does not have P elements.
    """
    flat = FlatNetwork(network)
    w = np.asarray(w, np.float32)
    if w.shape != (flat.size,):
        raise ValueError(f"w must have shape ({flat.size},) for this network; received {w.shape}.")
    parts = np.split(w, np.cumsum(flat.sizes)[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, flat.shapes, strict=True)]


def check_same_architecture(a: keras.Model, b: keras.Model) -> None:
    """Raise unless two networks have the same weights by shape, equal constants and equal tables.

    Weights are compared by their position in the model, since Keras numbers layer names anew in
    every instance. BatchNorm statistics, states of generators and of stateful RNNs may differ;
    every other untrained variable must be equal, since one value of it serves the whole curve.

    Raises:
        ValueError: names the first variable that differs, and both shapes.
    """
    check_same_shapes(a, b)
    free = FlatNetwork(a).batchnorm
    pairs = zip(hidden_state.untrained_of(a), hidden_state.untrained_of(b), strict=True)
    for i, (v, u) in enumerate(pairs):
        if i in free or hidden_state.is_passing(v):
            continue
        if not np.array_equal(v.numpy(), u.numpy()):
            raise ValueError(
                f"The untrained variable {v.path} differs between the endpoints. It is constant "
                "along a curve, so both networks must hold the same value: copy one's to the other."
            )
    tables = hidden_state.tables(a), hidden_state.tables(b)
    if len(tables[0]) != len(tables[1]):
        raise ValueError(
            f"One network has {len(tables[0])} vocabularies, the other {len(tables[1])}: build "
            "both by the same code."
        )
    for (name, ours), (_, theirs) in zip(*tables, strict=True):
        if ours != theirs:
            raise ValueError(
                f"The vocabulary of the layer {name} differs between the endpoints: "
                f"{len(ours)} against {len(theirs)} words. Adapt both to the same data."
            )
