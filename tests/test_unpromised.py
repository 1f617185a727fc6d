"""What is used of Keras and TensorFlow without their promise."""

import keras
import numpy as np
from tensorflow.python.framework import ops

from mc.network import unpromised


def nested():
    inner = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="inner_dense")])
    return keras.Sequential([keras.Input((4,)), inner, keras.layers.Dense(2, name="dense")])


def test_layers_are_found_in_models_within_models():
    model = nested()
    names = [layer.name for layer in unpromised.layers_of(model)]
    assert {model.name, "inner_dense", "dense"} <= set(names)
    assert model.name not in [layer.name for layer in unpromised.layers_of(model, False)]


def test_whether_a_model_is_compiled_by_itself_is_what_keras_does():
    model = nested()
    model.compile("sgd", "mse")
    assert unpromised.compiles_by_itself(model) == model.jit_compile


def test_what_a_model_was_compiled_with_is_what_it_was_given():
    model = nested()
    assert unpromised.compiled_with(model) == (None, None)
    model.compile("sgd", "mse", loss_weights=2.0)
    assert unpromised.compiled_with(model) == ("mse", 2.0)
    model.fit(np.ones((4, 4)), np.ones((4, 2)), verbose=0)
    tracker = unpromised.loss_tracker(model)
    assert float(tracker.result()) == model.get_metrics_result()["loss"] > 0


def test_the_mask_of_a_layer_is_found_on_its_outputs():
    outputs = keras.layers.Embedding(3, 2, mask_zero=True)(np.array([[1, 0]]))
    np.testing.assert_array_equal(unpromised.mask_of(outputs), [[True, False]])
    assert unpromised.mask_of(keras.layers.Dense(1)(np.ones((1, 2)))) is None


def test_the_weights_of_a_layer_are_its_own_frozen_or_not():
    model = nested()
    model.layers[-1].trainable = False
    own = [unpromised.own_weights(layer) for layer in (model, model.layers[-1])]
    assert [len(weights) for weights in own] == [0, 2]


def test_whether_a_call_takes_training_is_told():
    class Without(keras.Model):
        def call(self, x):
            return x

    assert unpromised.takes_training(nested())
    assert not unpromised.takes_training(Without())


def test_weights_that_an_optimizer_leaves_out_of_its_decay_are_told():
    optimizer = keras.optimizers.AdamW(weight_decay=0.1)
    assert not unpromised.has_undecayed(optimizer)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    assert unpromised.has_undecayed(optimizer)


def test_the_constant_of_an_operation_is_found():
    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.Dense(1)(inputs / 255))
    (division,) = [o for o in model.operations if type(o).__name__ in ("TrueDivide", "Divide")]
    assert unpromised.constant_of(division) == 255


def test_another_generator_takes_the_place_of_the_global_one():
    class Fixed:
        def next(self, ordered=True):
            return np.array([1, 2], "uint32")

    before = unpromised.global_generator()
    unpromised.set_global_generator(Fixed())
    try:
        first, second = (np.asarray(keras.random.normal((3,))) for _ in range(2))
    finally:
        unpromised.set_global_generator(before)
    np.testing.assert_array_equal(first, second)
    assert np.any(np.asarray(keras.random.normal((3,))) != first)


def test_gradients_that_are_kept_for_ever_are_forgotten():
    def kept():
        return [name for name in ops.gradient_registry.list() if name.startswith("CustomGrad")]

    model = nested()
    model.compile("sgd", "mse")
    model.fit(np.zeros((4, 4)), np.zeros((4, 2)), verbose=0)
    assert kept()
    unpromised.forget_gradients()
    assert not kept()


def test_the_graph_of_a_model_is_run_with_another_call():
    inner = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, name="inner")])
    x = keras.Input((2,))
    model = keras.Model(x, [keras.layers.Dense(4, name="outer")(inner(x))])
    assert unpromised.graph_of(keras.layers.Dense(2)) is None
    seen = []

    def call(operation, *inputs, **_):
        if graph := unpromised.graph_of(operation):
            return unpromised.run_graph(graph, list(inputs), call)
        seen.append((operation.name, *inputs))
        return f"after {operation.name}"

    assert unpromised.run_graph(unpromised.graph_of(model), ["x"], call) == ["after outer"]
    assert seen == [("inner", "x"), ("outer", "after inner")]


def test_what_a_layer_stores_is_told_without_its_adapters():
    layers = keras.layers.Dense(3), keras.layers.EinsumDense("ab,bc->ac", 3)
    for layer in layers:
        layer(np.zeros((2, 4)))
        kernel = layer.kernel
        layer.enable_lora(1)
        assert unpromised.stored(layer) is kernel
    table = keras.layers.Embedding(3, 2)
    table(np.zeros(2))
    assert unpromised.stored(table) is table.embeddings


def test_attention_is_made_of_dense_layers():
    attention = keras.layers.MultiHeadAttention(2, 3)
    attention(np.zeros((1, 4, 5)), np.zeros((1, 4, 5)))
    shapes = {n: p.kernel.shape for n, p in unpromised.attention_parts(attention).items()}
    assert shapes == dict.fromkeys(("query", "key", "value"), (5, 2, 3)) | {"output": (2, 3, 5)}
