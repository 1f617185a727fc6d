"""A loss as Keras' `compile` wraps it: masks, sample weights, ranks, types, several outputs."""

from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mc.network import losses
from mc.network.batches import size_of
from mc.network.unpromised import mask_of


class CompiledLoss:
    """The function `(x, y, outputs, sample_weight) -> loss [] float32` of a batch.

    The value is what Keras' own `evaluate` takes of a batch, without the model's own regularisation
    losses.

    Args:
        loss: as in `keras.Model.compile`: a Keras loss, its name, a function, or a dict or list of
            them, one an output; None is 0, as of a network that has only losses of its own.
        loss_weights: as in `keras.Model.compile`.
        output_names: of the network, if it has names for its outputs.

    Raises:
        ValueError: there is no loss of that name.
    """

    def __init__(
        self, loss: Any, loss_weights: Any = None, output_names: Iterable[str] | None = None
    ):
        self.given = loss
        self._model = keras.Model(name="compiled_loss")
        if output_names is not None:
            self._model.output_names = list(output_names)
        self._model.compile(optimizer=None, loss=loss, loss_weights=loss_weights, jit_compile=False)

    def __call__(self, x: Any, y: Any, outputs: Any, sample_weight: Any = None) -> tf.Tensor:
        """The loss of a batch; `[]`."""
        with keras.StatelessScope():  # Keras counts what several outputs' losses are
            return self._value(x, y, outputs, sample_weight)

    def build(self, x: Any, y: Any, outputs: Any, sample_weight: Any = None) -> None:
        """Have Keras match losses and outputs, which makes variables; once, outside of graphs."""
        self._value(x, y, outputs, sample_weight)

    def _value(self, *batch: Any) -> tf.Tensor:
        if self.given is None:
            return tf.constant(0.0)
        value = self._model.compute_loss(*batch, training=False)
        return tf.reduce_mean(tf.cast(value, tf.float32))  # a loss without reduction has many

    def single(self) -> Any:
        """The one loss that was given, of all outputs; None if there are several."""
        given = keras.tree.flatten(self.given)
        return given[0] if len(given) == 1 else None

    def dependence(self, x: Any, y: Any, outputs: Any, sample_weight: Any = None) -> str | None:
        """Why the loss of this batch is no plain mean over its examples; None if it is one.

        A plain mean is the same in parts: half by half, weighted by their sizes.
        """
        if any(mask_of(o) is not None for o in keras.tree.flatten(outputs)):
            return "outputs are masked, and Keras' loss is a mean over the steps of each batch"
        for loss in keras.tree.flatten(self.given):
            if losses.argument(loss, "ignore_class") is not None:
                return "it ignores a class, and is a mean over the other examples of each batch"
            if losses.argument(loss, "reduction") == "sum":
                return "reduction=sum adds up each batch"
        # None is left out, for it has no halves.
        whole = [x, y, outputs] if sample_weight is None else [x, y, outputs, sample_weight]
        if halves := _halves(whole):
            parts = sum(share * float(self(*half)) for share, half in halves)
            if np.isfinite(parts) and not np.isclose(parts, float(self(*whole)), 1e-3, 1e-6):
                return "it is no mean over the examples of a batch"
        return None


def _halves(batch: Sequence) -> list[tuple]:
    """The two halves of a batch, each with its share of the examples; none of a single example."""
    size = size_of(batch[0])
    middle = size // 2
    if not middle:
        return []
    halves = [
        tuple(tf.nest.map_structure(lambda a, where=where: a[where], part) for part in batch)
        for where in (slice(None, middle), slice(middle, None))
    ]
    return list(zip((middle / size, 1 - middle / size), halves, strict=True))
