"""All that is used of Keras and TensorFlow without their promise that it stays.

One test holds each of these; where a new release breaks one, this is the room to look into.
"""

from typing import Any

import keras
from keras.src.backend.common import global_state
from keras.src.random.seed_generator import GLOBAL_SEED_GENERATOR
from tensorflow.python.framework import ops

ATTENTION = ("query", "key", "value", "gate", "output")


def layers_of(model: keras.Model, include_self: bool = True) -> list[keras.layers.Layer]:
    """Every layer of a model, nested ones too, the model among them."""
    return list(model._flatten_layers(include_self=include_self))


def own_weights(layer: keras.layers.Layer) -> list[keras.Variable]:
    """The weights of a layer that training moves, unless the layer is frozen; none of others'."""
    return layer._trainable_variables


def takes_training(model: keras.Model) -> bool:
    """Whether the `call` of a model has an argument `training`."""
    return model._call_has_training_arg


def compiled_with(model: keras.Model) -> tuple:
    """The loss and the loss weights that a model was compiled with; None for what was not given."""
    compiled = getattr(model, "_compile_loss", None)
    return (None, None) if compiled is None else (compiled._user_loss, compiled._user_loss_weights)


def loss_tracker(model: keras.Model) -> keras.metrics.Mean:
    """The mean of losses that a compiled model shows as `loss`."""
    return model._loss_tracker


def mask_of(outputs: Any) -> Any:
    """The mask that Keras' layers have left on outputs, `[batch, ...]`, or None."""
    return getattr(outputs, "_keras_mask", None)


def has_undecayed(optimizer: keras.optimizers.Optimizer) -> bool:
    """Whether `exclude_from_weight_decay` has named weights to an optimizer."""
    names = ("_exclude_from_weight_decay", "_exclude_from_weight_decay_pattern")
    return any(getattr(optimizer, name, None) for name in names)


def constant_of(operation: keras.Operation) -> Any:
    """The second argument of an operation such as `x / 255` in a functional model, or None."""
    return (*operation._inbound_nodes[0].arguments.args, None, None)[1]


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


def graph_of(operation: Any) -> Any:
    """The functional graph of a model, of a `Sequential` too; None of all else."""
    if isinstance(operation, keras.Sequential):
        return operation._functional
    is_graph = isinstance(operation, keras.Model) and hasattr(operation, "_run_through_graph")
    return operation if is_graph else None


def run_graph(graph: Any, inputs: Any, call: Any) -> Any:
    """The outputs of a functional graph where every operation is `call(operation, *inputs)`.

    Graphs within it are run through too.
    """

    def within(operation: Any, *args: Any, **kwargs: Any) -> Any:
        if inner := graph_of(operation):
            return run_graph(inner, args[0] if len(args) == 1 else args, call)
        return call(operation, *args, **kwargs)

    return graph._run_through_graph(inputs, call_fn=within)


def inputs_of(graph: Any, x: Any) -> list:
    """A batch of inputs as `run_graph` takes them: one tensor for each input of the graph."""
    return graph._standardize_inputs(x)


def stored(layer: keras.layers.Layer) -> keras.Variable:
    """The kernel or the table of a layer, without the adapters that it may have."""
    names = ("_kernel", "kernel", "_embeddings", "embeddings")
    return next(getattr(layer, name) for name in names if hasattr(layer, name))


def attention_parts(layer: keras.layers.Layer) -> dict[str, keras.layers.Layer]:
    """The dense layers of attention: `query`, `key`, `value`, `output`, `gate` if it has one."""
    parts = {name: getattr(layer, f"_{name}_dense", None) for name in ATTENTION}
    return {name: part for name, part in parts.items() if part is not None}
