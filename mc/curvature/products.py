"""Products of the Hessian of the loss with vectors, without the matrix."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from mc.evaluation.compiled import CompiledLoss
from mc.network.batches import any_batch, as_batches, counted, size_of, unpacked
from mc.network.weights import FlatNetwork, State, Vector, pack

OPERATORS = ("hessian", "gauss_newton")
Product: TypeAlias = Callable[[np.ndarray], np.ndarray]  # v [P] -> H v [P], float64


class Products:
    """The function of weights and a vector that gives H v, over fixed data.

    H is the matrix of second derivatives, at w, of what training minimises,

        L(w) = 1/N sum_i loss(y_i, f(x_i; w)) + own losses(w) + weight_decay / 2 ||w||^2,

    the mean over all examples. Where the loss of a batch is no plain mean over its examples (masks,
    an ignored class, reduction=sum), H depends on the batches, as the metric `loss` does. Nothing
    is random: there is no dropout and no augmentation, and BatchNorm statistics are constants,
    those of the state.

    Args:
        network: the plain network.
        batches: (x, y) or (x, y, sample_weight), read once a product.
        loss: as in `keras.Model.compile`.
        loss_weights: as in `keras.Model.compile`.
        weight_decay: of the penalty; it adds itself to every eigenvalue.
        operator: `hessian`; or `gauss_newton`, J^T (d^2 loss / d f^2) J with J = df / dw: what is
            left of it where f is linear in w, and no eigenvalue is negative if the loss is convex.

    Attributes:
        examples: how many there are, after the first product.

    Raises:
        ValueError: an unknown operator; when called, there is no batch, or it has no targets.
    """

    def __init__(
        self,
        network: FlatNetwork,
        batches: Iterable,
        loss: Any,
        *,
        loss_weights: Any = None,
        weight_decay: float = 0.0,
        operator: str = "hessian",
    ):
        if operator not in OPERATORS:
            raise ValueError(
                f"operator must be one of {', '.join(OPERATORS)}; received {operator!r}."
            )
        self.network, self.batches = network, batches
        names = getattr(network.model, "output_names", None)
        self.loss = CompiledLoss(loss, loss_weights, names)
        self.weight_decay, self.operator = float(weight_decay), operator
        self.examples = 0
        of_batch = self._hessian if operator == "hessian" else self._gauss_newton
        self.step = tf.function(of_batch, reduce_retracing=True, autograph=False)

    def at(self, w: Vector, state: State) -> Product:
        """The product at a weight vector `w: [P]`, with a state."""
        here, constants = tf.convert_to_tensor(w), [tf.convert_to_tensor(s) for s in state]

        def product(v: np.ndarray) -> np.ndarray:
            vector = tf.convert_to_tensor(np.asarray(v, np.float32))
            total, examples = np.zeros(len(v)), 0
            for x, y, sample_weight in map(unpacked, counted(self.batches)):
                if y is None:
                    raise ValueError("Curvature needs targets: data (x, y), as fit takes them.")
                if not self.examples and not examples:
                    outputs = self.network(here, constants, x, training=False)[0]
                    self.loss.build(x, y, outputs, sample_weight)
                    sizes = any_batch((x, y, sample_weight))  # a short last one fits too
                    self.step.get_concrete_function(here, vector, constants, *sizes)
                size = size_of(x)
                found = self.step(here, vector, constants, x, y, sample_weight)
                total += size * found.numpy().astype(np.float64)
                examples += size
            if not examples:
                raise ValueError("Curvature needs data; received no batch.")
            self.examples = examples
            return total / examples + self.weight_decay * np.asarray(v, np.float64)

        return product

    def _hessian(
        self, w: tf.Tensor, v: tf.Tensor, state: list, x: Any, y: Any, sample_weight: Any
    ) -> tf.Tensor:
        with tf.GradientTape() as outer:
            outer.watch(w)
            with tf.GradientTape() as inner:
                inner.watch(w)
                outputs, _, own_loss = self.network(w, state, x, training=False)
                value = self.loss(x, y, outputs, sample_weight) + own_loss
            gradient = _dense(inner.gradient(value, w), w)
        return _dense(outer.gradient(gradient, w, output_gradients=v), w)

    def _gauss_newton(
        self, w: tf.Tensor, v: tf.Tensor, state: list, x: Any, y: Any, sample_weight: Any
    ) -> tf.Tensor:
        with tf.GradientTape() as through:
            through.watch(w)
            outputs = self.network(w, state, x, training=False)[0]
            parts = [o for o in tf.nest.flatten(outputs) if o.dtype.is_floating]
        moved = self._moved(w, v, state, x)
        with tf.GradientTape() as outer:
            outer.watch(parts)
            with tf.GradientTape() as inner:
                inner.watch(parts)
                value = self.loss(x, y, outputs, sample_weight)
            slopes = inner.gradient(value, parts, unconnected_gradients="zero")
        bent = outer.gradient(slopes, parts, output_gradients=moved, unconnected_gradients="zero")
        across = _dense(through.gradient(parts, w, output_gradients=bent), w)
        return across + self._of_own_losses(w, v, state, x)

    def _moved(self, w: tf.Tensor, v: tf.Tensor, state: list, x: Any) -> list[tf.Tensor]:
        """J v: how outputs move; by two transposes, for forward mode knows no loops (LSTM)."""
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                inner.watch(w)
                outputs = self.network(w, state, x, training=False)[0]
                parts = [o for o in tf.nest.flatten(outputs) if o.dtype.is_floating]
            pulls = [tf.ones_like(o) for o in parts]  # any: the transpose is linear in them
            outer.watch(pulls)
            pulled = _dense(inner.gradient(parts, w, output_gradients=pulls), w)
        zero = tf.UnconnectedGradients.ZERO
        return outer.gradient(pulled, pulls, output_gradients=v, unconnected_gradients=zero)

    def _of_own_losses(self, w: tf.Tensor, v: tf.Tensor, state: list, x: Any) -> tf.Tensor:
        """The Hessian of the penalties of layers times v; TensorFlow prunes all else."""
        with tf.GradientTape() as outer:
            outer.watch(w)
            with tf.GradientTape() as inner:
                inner.watch(w)
                value = self.network(w, state, x, training=False)[2]
            gradient = _dense(inner.gradient(value, w), w)
        return _dense(outer.gradient(gradient, w, output_gradients=v), w)


def _dense(gradient: Any, w: tf.Tensor) -> tf.Tensor:
    """A gradient as a tensor; 0 where nothing depends on the weights."""
    return tf.zeros_like(w) if gradient is None else tf.convert_to_tensor(gradient)


def hessian_vector_product(
    network: keras.Model,
    v: ArrayLike,
    data: Any,
    loss: Any,
    w: ArrayLike | None = None,
    weight_decay: float = 0.0,
    *,
    operator: str = "hessian",
) -> np.ndarray:
    """H v of the mean loss over data; `[P] float64`. See `Products` for H.

    One reading of the data, at most three times what their gradient costs.

    Args:
        network: a built Keras model, whose state (BatchNorm statistics) is used as it is.
        v: `[P]`, in the order of `mc.pack`.
        data: (x, y) or (x, y, sample_weight), in a form of `batches.as_batches`.
        loss: as in `keras.Model.compile`.
        w: `[P]`, the weights; default: the network's own.
        weight_decay: of the penalty 0.5 * weight_decay * ||w||^2.
        operator: `hessian` or `gauss_newton`.

    Raises:
        ValueError: `v` or `w` does not have P elements; an unknown operator; there is no batch.
    """
    flat = FlatNetwork(network)
    v, w = checked(flat, "v", v), checked(flat, "w", pack(network) if w is None else w)
    products = Products(
        *(flat, as_batches(data), loss), weight_decay=weight_decay, operator=operator
    )
    return products.at(w.astype(np.float32), flat.state())(v)


def checked(network: FlatNetwork, name: str, value: ArrayLike) -> np.ndarray:
    """A vector, if it has a number for each weight.

    Raises:
        ValueError: it has not; says how many there are.
    """
    value = np.asarray(value)
    if value.shape != (network.size,):
        raise ValueError(
            f"{name} must have shape ({network.size},) for this network; received {value.shape}."
        )
    return value
