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
