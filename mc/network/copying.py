"""A second Keras model that computes what a first one does, with variables of its own."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras

from mc.network import adapters, first_look, hidden_state, unpromised
from mc.network.shapes import check_same_shapes
from mc.network.trainable import freeze_batchnorm
from mc.network.weights import FlatNetwork, State, Vector


def copy(network: keras.Model, or_else: str = "", in_float32: bool = False) -> keras.Model:
    """A new model of the same architecture, with weights of its own from its initialisers.

    What is not trained (frozen weights, constants) it has from its initialisers too; lookup tables
    are the network's. It is not compiled.

    Args:
        network: a built model.
        or_else: what else the caller's user may do where Keras cannot copy it.
        in_float32: whether layers that compute in half precision do so in float32.

    Raises:
        ValueError: Keras cannot rebuild the model from its configuration.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what it was compiled with, which is left out
            with _uncompiled(network):
                config = keras.saving.serialize_keras_object(network)
        with _policy("float32" if in_float32 else None):
            config = _in_float32(config) if in_float32 else config
            # Own configuration, so Lambda layers are no danger here.
            clone = keras.saving.deserialize_keras_object(config, safe_mode=False)
        if not clone.built:
            raise TypeError("its configuration does not say the shape of its input")
        hidden_state.copy_tables(network, clone)
        adapters.copy(network, clone)
    except Exception as error:  # Keras raises many kinds here
        raise ValueError(
            f"Keras cannot copy the network {network.name!r} ({error}). Give its class get_config "
            f"and get_build_config{or_else}."
        ) from error
    for own, variable in zip(network.variables, clone.variables, strict=False):
        if own.trainable != variable.trainable:  # weights, of which w is made of some
            variable.trainable = own.trainable
    freeze_batchnorm(clone)
    check_same_shapes(network, clone)
    return clone


@contextmanager
def _policy(name: str | None) -> Iterator[None]:
    """Keras' global dtype policy as long as a `with` block lasts; None: as it is."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(before if name is None else name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _in_float32(config: Any) -> Any:
    """A configuration whose dtype policies of half precision are float32."""
    if isinstance(config, dict):
        if config.get("class_name") == "DTypePolicy" and "16" in str(config.get("config")):
            return config | {"config": {"name": "float32"}}
        return {key: _in_float32(value) for key, value in config.items()}
    if isinstance(config, list | tuple):
        return type(config)(_in_float32(part) for part in config)
    return config


@contextmanager
def _uncompiled(network: keras.Model) -> Iterator[None]:
    """Have a model, and those in it, say nothing of what they were compiled with.

    A loss, a metric or a schedule of its user's may have no configuration, and is not needed.
    """
    models = [x for x in unpromised.layers_of(network) if isinstance(x, keras.Model)]
    for model in models:
        vars(model)["get_compile_config"] = lambda: None
    try:
        yield
    finally:
        for model in models:
            del vars(model)["get_compile_config"]


def check_is(flat: FlatNetwork, w: Vector, state: State, target: FlatNetwork, x: Any) -> None:
    """Raise unless a network, with weights and state written into it, computes what they stand for.

    Equal variables do not make equal networks. `x`: a batch of inputs, or None where there is none.

    Raises:
        ValueError: its outputs are others; says by how much.
    """
    if x is None:
        return
    expected = first_look.outputs_of(flat, w, state, x)
    with hidden_state.drawing((0, 0)):  # as in the call before
        found = first_look.plain_outputs(target.model, x)
    target.assign(w, state)  # a call may move generators and the states of RNNs
    if (far := first_look.farthest(found, expected, 1e-4)) is not None:
        raise ValueError(
            f"The network {target.model.name!r} has the weights of the curve now, but computes "
            f"something else: outputs differ by {far:.3g}. It has other layers than the curve's "
            "networks: build it by the same code."
        )
