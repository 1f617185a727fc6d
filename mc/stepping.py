"""Many training steps in one call of TensorFlow, each at its own learning rate."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

# A call takes about so long, whatever the network: Ctrl-C is heard between calls.
SECONDS = 0.5


class Steps:
    """The training steps of a model's epochs, in as few calls as they take half seconds.

    To call TensorFlow once a step, as Keras does, and what Keras does around it cost 0.3 ms, half
    of a small network's step. What the steps compute, and their order, are the same, so the results
    are too, bit for bit on a CPU.

    Args:
        model: a compiled Keras model, its optimizer built.
        steps: training steps in an epoch.
    """

    def __init__(self, model: keras.Model, steps: int):
        self.steps, self.many = steps, _many(model, steps)
        self.size = 1  # steps in a call: the first traces the graph

    def __call__(
        self,
        iterator: tf.data.Iterator,
        rates: np.ndarray,
        first: int = 0,
        pauses: Mapping[int, Callable[[], None]] | None = None,
    ) -> dict:
        """The metrics of an epoch's steps on the next batches; they begin anew after it.

        Args:
            iterator: of batches.
            rates: `[steps]`, the learning rate of every step, of the type that it has.
            first: how many of the epoch's steps are done.
            pauses: what is called after how many of them.

        Raises:
            RuntimeError: there are fewer batches.
        """
        rates, done, pauses = tf.constant(rates), first, dict(pauses or {})
        while done < self.steps:
            last = min(done + self.size, self.steps, *(n for n in pauses if n > done))
            began = time.monotonic()
            try:
                logs = self.many(iterator, rates, tf.constant(done), tf.constant(last))
            except tf.errors.OutOfRangeError as error:
                raise RuntimeError(
                    f"The data ran out within the {self.steps} steps of an epoch."
                ) from error
            seconds = time.monotonic() - began
            if seconds < SECONDS / 2:
                self.size *= 2
            elif seconds > SECONDS:
                self.size = max(1, self.size // 2)
            done = last
            if done in pauses:
                pauses[done]()
        return logs


def _many(model: keras.Model, steps: int) -> Callable[..., dict]:
    """The function `(iterator, rates [steps], first, last) -> metrics` of an epoch's steps."""
    strategy, optimizer = model.distribute_strategy, model.optimizer

    def one(batch: Any) -> None:
        strategy.run(model.train_step, args=(batch,))

    # A function of its own, as Keras has it: XLA cannot compile the reading of data. And nothing
    # that TensorFlow should rewrite: it is made of layers, a user's among them.
    one = tf.function(one, reduce_retracing=True, jit_compile=model.jit_compile, autograph=False)

    def many(
        iterator: tf.data.Iterator, rates: tf.Tensor, first: tf.Tensor, last: tf.Tensor
    ) -> dict:
        def step(i: tf.Tensor) -> tf.Tensor:
            optimizer.learning_rate = rates[i]
            one(iterator.get_next())
            return i + 1

        tf.while_loop(lambda i: i < last, step, [first])
        logs = model.get_metrics_result()
        # In here for speed; and not at the beginning, where the first trace knows no metrics yet.
        tf.cond(last == steps, model.reset_metrics, lambda: None)
        return logs

    return tf.function(many, reduce_retracing=True, autograph=False)
