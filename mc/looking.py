"""What a curve is checked for on the first real batch, which is where nothing can hide."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from mc import between, domains
from mc.network import first_look, losses, refusals

if TYPE_CHECKING:
    from mc.curve_model import CurveModel


class FirstLook:
    """The check of a curve on the first batch of inputs that it is given, done once.

    Equal shapes do not make equal networks: an activation or a stride may differ. Inputs made up
    may not show it, and for some networks none can be made up.

    A plain object, so that Keras, which tracks what a model holds, does not see the networks in it.
    """

    def __init__(self, curve: CurveModel):
        self.curve = curve
        # Of ends and corners by number, networks that the curve is compared with there.
        self.others: list[tuple[int, keras.Model]] = []
        self.seen: Any = None  # the first inputs, once they were looked at

    def at(self, x: Any) -> None:
        """Raise unless, on a batch of inputs, the curve is what its end networks are.

        Raises:
            ValueError: an end network computes something else; says at which end and by how much.
                Or a layer writes a weight that is to be trained.
        """
        x = first_look.examples(self.curve.network, x)
        self.compare(x)
        self.others, self.seen = [], x

    def compare(self, x: Any) -> None:
        """The checks of `at`, without taking them for done: for inputs that were made up."""
        curve = self.curve
        for end, network in self.others:
            t, k = domains.anchors(curve.family)[end]
            own, state = curve.points[k], curve.end_states.value[end]
            w = curve.weights_at(t)
            far = first_look.distance(curve.network, w, state, network, x, own)
            if far is not None:
                raise ValueError(
                    f"At t={_told(t)} the curve does not compute what its endpoint network does: "
                    f"outputs differ by {far:.3g}. The endpoints have weights of the same shapes "
                    "but other layers: build both by the same code."
                )
        start = curve.end_states.value[0]
        refusals.check_weights_stay(curve.network, curve.points[0], start, x)

    def of_batches(self, batches: Iterable) -> None:
        """`at` the first of some batches, unless one was looked at before.

        Warns of state between the ends that nothing estimates.
        """
        if self.seen is None:
            for batch in batches:
                self.at(batch[0] if isinstance(batch, tuple | list) else batch)
                break
        between.warn_of_moved(self.curve)

    def watching(self, method: Callable, x: Any, *args: Any, **kwargs: Any) -> Any:
        """A method of Keras', called with inputs of which the first are looked at.

        The outputs for them are checked against the loss, too.
        """
        if self.seen is not None:
            self._check_outputs()
            return method(x, *args, **kwargs)
        watch = first_look.Watch(self._look)
        try:
            return method(watch.over(x), *args, **kwargs)
        except tf.errors.OpError:
            if watch.error is None:
                raise
            raise watch.error from None

    def _look(self, x: Any) -> None:
        self.at(x)
        self._check_outputs()

    def _check_outputs(self) -> None:
        if self.curve.loss is None:
            return
        curve = self.curve
        state = curve.end_states.value[0]
        outputs, _, _ = curve.network(
            tf.convert_to_tensor(curve.points[0]), state, self.seen, training=False
        )
        for loss, output in self._pairs(outputs):
            losses.check_outputs(loss, output)

    def _pairs(self, outputs: Any) -> list[tuple]:
        """Each output with its loss, as far as both are given in the same order or by name."""
        loss = self.curve.loss
        flat = keras.tree.flatten(outputs)
        if isinstance(loss, dict):
            names = getattr(self.curve, "output_names", None) or list(outputs)
            named = dict(zip(names, flat, strict=True))
            return [(own, named[name]) for name, own in loss.items() if own and name in named]
        if isinstance(loss, list | tuple):
            return [(own, o) for own, o in zip(loss, flat, strict=False) if own]
        return [(loss, outputs)]

    def inputs(self) -> Any:
        """Inputs to try the network on: the first real ones, or made up, or None."""
        return first_look.made_up_inputs(self.curve.network) if self.seen is None else self.seen


def _told(t: domains.Position) -> str:
    return f"{t:g}" if isinstance(t, float) else str([float(f"{x:g}") for x in t])
