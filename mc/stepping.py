"""Many training steps in one call of TensorFlow, each at its own learning rate."""

import time
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

# A call takes about so long, whatever the network: Ctrl-C is heard between calls.
SECONDS = 0.5


class Steps(keras.callbacks.Callback):
    """The training steps of a model's epochs, in as few calls as they take half seconds.

    To call TensorFlow once a step, as Keras does, and Keras' callbacks costs 0.3 ms, half of a
    small network's step. What the steps compute, and their order, are the same, so the results are
    too, bit for bit on a CPU.

    Stands in the place of `model.train_function` and among the callbacks of a `fit` whose model is
    compiled with `steps_per_execution` equal to `steps_per_epoch`.

    Args:
        model: a compiled Keras model, its optimizer built.
        rates: `(epoch, steps) -> [steps]`, the learning rate of every step of an epoch, which
            counts from 0.
        steps: training steps in an epoch.
    """

    def __init__(self, model: keras.Model, rates: Callable, steps: int):
        super().__init__()
        self.rates, self.steps = rates, steps
        self.many = _many(model)
        self.size = 1  # steps in a call: the first traces the graph

    def on_epoch_begin(self, epoch, logs=None):
        """Remembers the rates of the epoch."""
        rates = np.asarray(self.rates(epoch, self.steps), np.float64)
        self.now = tf.constant(rates, self.model.optimizer.learning_rate.dtype)

    def __call__(self, iterator) -> dict:
        """The metrics after an epoch's steps on the next batches."""
        done = 0
        while done < self.steps:
            last = min(done + self.size, self.steps)
            began = time.monotonic()
            logs = self.many(iterator, self.now, tf.constant(done), tf.constant(last))
            seconds = time.monotonic() - began
            if seconds < SECONDS / 2:
                self.size *= 2
            elif seconds > SECONDS:
                self.size = max(1, self.size // 2)
            done = last
        return logs


def _many(model: keras.Model) -> Callable:
    """The function `(iterator, rates [steps], first, last) -> metrics` of an epoch's steps."""
    strategy, optimizer = model.distribute_strategy, model.optimizer

    def one(batch):
        strategy.run(model.train_step, args=(batch,))

    # A function of its own, as Keras has it: XLA cannot compile the reading of data. And nothing
    # that TensorFlow should rewrite: it is made of layers, a user's among them.
    one = tf.function(one, reduce_retracing=True, jit_compile=model.jit_compile, autograph=False)

    def many(iterator, rates, first, last):
        def body(i):
            optimizer.learning_rate = rates[i]
            one(iterator.get_next())
            return i + 1

        tf.while_loop(lambda i: i < last, body, [first])
        return model.get_metrics_result()

    return tf.function(many, reduce_retracing=True, autograph=False)
