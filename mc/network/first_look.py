"""What can be told of a network from one batch of inputs, made up or the first real one."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mc.network import unpromised
from mc.network.weights import FlatNetwork, State, Vector

EXAMPLES = 32  # of a batch that are looked at
UNKNOWN = 16  # stands for a length that a model's input leaves open


def distance(
    flat: FlatNetwork,
    w: Vector,
    state: State,
    network: keras.Model,
    x: Any,
    own_w: Vector | None = None,
) -> float | None:
    """How far the outputs of one network are from another's with the same weights, None if equal.

    Both are called statelessly, `flat` with weights `w` and `state`, `network` with `own_w`
    (default `w`) and the same state, on a batch of inputs `x`. Outputs may differ by 1e-4 of their
    largest magnitude; where both are not a number, they agree.
    """
    other = flat.of(network)
    found = outputs_of(flat, w, state, x)
    expected = outputs_of(other, w if own_w is None else own_w, state, x)
    return farthest(found, expected, 1e-4)


def outputs_of(flat: FlatNetwork, w: Vector, state: State, x: Any) -> list[np.ndarray]:
    """The outputs of a network for a batch, each `[batch, ...] float32`."""
    return _arrays(flat(tf.convert_to_tensor(w), state, x, training=False)[0])


def own_outputs(flat: FlatNetwork, owner: FlatNetwork, x: Any) -> list[np.ndarray]:
    """The same with the weights and the state that another network of the architecture has."""
    weights, state = ([v.value for v in of] for of in (owner.trainable, owner.untrained))
    return _arrays(flat.of_weights(weights, state, x, training=False)[0])


def _arrays(outputs: Any) -> list[np.ndarray]:
    return [np.asarray(keras.ops.cast(o, "float32")) for o in keras.tree.flatten(outputs)]


def plain_outputs(network: keras.Model, x: Any) -> list[np.ndarray]:
    """The outputs of a plain call of a network, each `[batch, ...] float32`."""
    mode = {"training": False} if unpromised.takes_training(network) else {}
    return _arrays(network(x, **mode))


def farthest(
    found: Iterable[np.ndarray], expected: Iterable[np.ndarray], tolerance: float
) -> float | None:
    """The largest difference of two lists of arrays, None within a part of their magnitude."""
    for ours, theirs in zip(found, expected, strict=True):
        if ours.shape != theirs.shape:
            return float("inf")
        equal = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
        scale = np.abs(theirs[np.isfinite(theirs)]).max(initial=1e-6)
        with np.errstate(invalid="ignore"):
            far = np.where(equal, 0.0, np.abs(ours - theirs)).max(initial=0.0)
        if not far <= tolerance * scale:
            return float(far)
    return None


def made_up_inputs(flat: FlatNetwork) -> Any:
    """A batch of inputs that the network takes, None where its form cannot be told.

    Standard normal numbers, zeros for integers, one word for strings; of open lengths some.
    """
    model = flat.model
    try:
        spec = model.input
    except (AttributeError, ValueError):  # a subclass knows at most the shape it was built with
        shape = (model.get_build_config() or {}).get("input_shape")
        if not isinstance(shape, list | tuple) or not all(isinstance(s, int) for s in shape[1:]):
            return None
        spec = keras.KerasTensor(tuple(shape), model.compute_dtype)
    x = keras.tree.map_structure(made_up, spec)
    try:
        own_outputs(flat, flat, x)
    except Exception:  # whatever its layers say of inputs that they do not take
        return None
    return x


def made_up(spec: keras.KerasTensor) -> tf.Tensor:
    """A batch of inputs of a shape and type."""
    shape = [spec.shape[0] or 8, *(size or UNKNOWN for size in spec.shape[1:])]
    dtype = tf.as_dtype(spec.dtype)
    if dtype == tf.string:
        return tf.fill(shape, "a")
    if dtype.is_floating:
        return tf.cast(tf.random.stateless_normal(shape, seed=(0, 0)), dtype)
    return tf.zeros(shape, dtype)


def examples(flat: FlatNetwork, x: Any) -> Any:
    """The first examples of a batch, or of whole arrays; as many as a network of fixed size takes.

    `x`: an array, or lists and dicts of them.
    """
    inputs = getattr(flat.model, "inputs", None) or []
    count = next((i.shape[0] for i in inputs if i.shape[0]), EXAMPLES)

    def first(part: Any) -> tf.Tensor:
        if isinstance(part, tf.SparseTensor):
            return part
        part = part[:count]
        if tf.is_tensor(part) or isinstance(part, tf.RaggedTensor):
            return part
        part = np.asarray(part)
        return tf.convert_to_tensor(part.astype(keras.config.floatx()) if _wide(part) else part)

    return keras.tree.map_structure(first, x)


def _wide(array: np.ndarray) -> bool:
    return array.dtype == np.float64  # which Keras casts too


class Watch:
    """Shows the first inputs of what `fit` or `evaluate` is given to a function, in time.

    Of arrays, PyDatasets and generators before anything is done; of a tf.data.Dataset as it is
    read, since reading from it twice could shift its random order. `error` is what the function
    raised meanwhile.
    """

    def __init__(self, look: Callable):
        self.look, self.seen = look, False
        self.error: Exception | None = None

    def over(self, x: Any) -> Any:
        """What to give Keras in place of `x`."""
        if isinstance(x, tf.data.Dataset):
            return self._over_dataset(x)
        if isinstance(x, keras.utils.PyDataset):
            self._show(x[0])
        elif isinstance(x, Iterator):
            first = next(x)
            self._show(first)
            return (batch for part in ([first], x) for batch in part)
        elif isinstance(x, dict | list | tuple) or hasattr(x, "shape"):
            self.look(x)
        return x

    def _show(self, batch: Any) -> None:
        self._show_inputs(_inputs_of(batch))

    def _show_inputs(self, x: Any) -> None:
        if not self.seen:
            self.seen = True
            self.look(x)

    def _over_dataset(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        def show(*parts: tf.Tensor) -> None:
            try:
                self._show_inputs(tf.nest.pack_sequence_as(_inputs_of(dataset.element_spec), parts))
            except Exception as error:
                self.error = error  # TensorFlow would make another kind of it
                raise

        def step(unseen: tf.Tensor, batch: Any) -> tuple[tf.Tensor, Any]:
            parts = tf.nest.flatten(_inputs_of(batch))
            looked = tf.cond(unseen, lambda: _called(show, parts), lambda: tf.constant(False))
            return looked, batch

        watched = dataset.scan(tf.constant(True), step)
        if (length := dataset.cardinality()) == tf.data.UNKNOWN_CARDINALITY:
            return watched
        return watched.apply(tf.data.experimental.assert_cardinality(length))


def _inputs_of(batch: Any) -> Any:
    """The inputs of a batch as Keras takes it: lists are tuples."""
    return keras.utils.unpack_x_y_sample_weight(batch)[0]


def _called(function: Callable, parts: list) -> tf.Tensor:
    tf.py_function(function, parts, [])
    return tf.constant(False)
