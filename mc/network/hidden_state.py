"""What a Keras model's layers keep outside their variables, and what calls of it draw at random.

A network is a function of its weights and its state only as far as nothing else acts in a call.
Three things do: constants that a layer computed from its variables once (Normalization), lookup
tables, and Keras' global generator, from which `keras.random` draws without a seed.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from mc.network import unpromised


@contextmanager
def following_its_variables(model: keras.Model) -> Iterator[None]:
    """Within it, constants that layers computed from their variables follow the variables' values.

    In a `keras.StatelessScope` these are the scope's; afterwards the layers are as before.
    """
    layers = _normalizations(model)
    kept = [(layer.mean, layer.variance) for layer in layers]
    try:
        for layer in layers:
            layer.finalize_state()
        yield
    finally:
        for layer, (mean, variance) in zip(layers, kept, strict=True):
            layer.mean, layer.variance = mean, variance


def finalize(model: keras.Model) -> None:
    """Let layers compute their constants anew, after their variables were written."""
    for layer in _normalizations(model):
        layer.finalize_state()


def _normalizations(model: keras.Model) -> list:
    """Every Normalization layer with statistics of its own, nested ones too."""
    return [
        layer
        for layer in unpromised.layers_of(model)
        if isinstance(layer, keras.layers.Normalization)
        and layer.built
        and layer.input_mean is None
    ]


def rnn_states(model: keras.Model) -> list:
    """The states of stateful RNNs, which Keras counts among no layer's variables."""
    layers = [layer for layer in unpromised.layers_of(model) if isinstance(layer, keras.layers.RNN)]
    return [v for layer in layers if layer.stateful for v in keras.tree.flatten(layer.states)]


def untrained_of(model: keras.Model) -> list:
    """The variables of a model that are not trained, the states of stateful RNNs last."""
    return [*model.non_trainable_variables, *rnn_states(model)]


def is_passing(variable: keras.Variable) -> bool:
    """Whether a variable holds what passes with use: the state of a generator, or of an RNN."""
    return variable.name in ("seed_generator_state", "rnn_state")


def copy_tables(source: keras.Model, target: keras.Model) -> None:
    """Give the layers of a model the lookup tables that those of another have.

    Through `save_assets` and `load_assets`, by which Keras itself keeps them in a `.keras` file.
    """
    pairs = zip(unpromised.layers_of(source), unpromised.layers_of(target), strict=True)
    for ours, theirs in pairs:
        if ours is theirs or not hasattr(ours, "save_assets"):
            continue
        store: dict[str, Any] = {}  # weights of a tf-idf table, which are no Keras variables
        ours.save_own_variables(store)
        theirs.load_own_variables(store)
        with tempfile.TemporaryDirectory() as folder:
            ours.save_assets(folder)
            theirs.load_assets(folder)


def tables(model: keras.Model) -> list[tuple[str, list]]:
    """Name and vocabulary of every layer that has one, in the model's own order."""
    layers = [layer for layer in unpromised.layers_of(model) if hasattr(layer, "get_vocabulary")]
    return [(layer.name, list(layer.get_vocabulary())) for layer in layers]


@contextmanager
def drawing(seed: Sequence[int] | tf.Tensor) -> Iterator[None]:
    """Within it, `keras.random` without a seed draws from `seed: [2]`, anew at each of its calls.

    Keras' global generator is a variable of no model: in a stateless call its updates are lost,
    and every call would draw the same numbers.
    """
    before = unpromised.global_generator()
    unpromised.set_global_generator(_Seeds(seed))
    try:
        yield
    finally:
        unpromised.set_global_generator(before)


class _Seeds:
    """In place of a generator: the k-th seed is a function of `seed` and k, with no variable."""

    def __init__(self, seed: Sequence[int] | tf.Tensor):
        self.seed, self.count = seed, 0

    def next(self, ordered: bool = True) -> tf.Tensor:
        """The next seed; `[2]`."""
        self.count += 1
        return tf.random.experimental.stateless_fold_in(self.seed, self.count)
