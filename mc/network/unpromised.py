"""All that is used of Keras and TensorFlow without their promise that it stays.

One test holds each of these; where a new release breaks one, this is the room to look into.
"""

from typing import Any

import keras
from keras.src.backend.common import global_state
from keras.src.random.seed_generator import GLOBAL_SEED_GENERATOR
from tensorflow.python.framework import ops


def layers_of(model: keras.Model, include_self: bool = True) -> list[keras.layers.Layer]:
    """Every layer of a model, nested ones too, the model among them."""
    return list(model._flatten_layers(include_self=include_self))


def compiles_by_itself(model: keras.Model) -> bool:
    """What `jit_compile="auto"` means for a model."""
    return model._resolve_auto_jit_compile()


def global_generator() -> Any:
    """The generator from which `keras.random` draws without a seed; None if there is none yet."""
    return global_state.get_global_attribute(GLOBAL_SEED_GENERATOR)


def set_global_generator(generator: Any) -> None:
    """Have `keras.random` draw from another one: an object with `next(ordered)`."""
    global_state.set_global_attribute(GLOBAL_SEED_GENERATOR, generator)


def forget_gradients() -> None:
    """Free the gradients of traced optimizer steps, with their graphs and all of their variables.

    TensorFlow keeps them for the life of a process.
    """
    registered = getattr(ops.gradient_registry, "_registry", {})
    for name in [n for n in registered if n.startswith("CustomGradient-")]:
        del registered[name]
