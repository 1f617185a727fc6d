"""REPAIR: the statistics of units of a mixed network, set to those between its two ends."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import keras
import numpy as np
import tensorflow as tf

from mc.network import adapters, channels, copying, unpromised
from mc.network.batches import counted, unpacked
from mc.network.weights import FlatNetwork, State, Vector

log = logging.getLogger(__name__)
Moments: TypeAlias = list[
    tuple[np.ndarray, np.ndarray]
]  # of every layer mean and deviation, [units]

ENOUGH = 1e-3  # how far from its goal a unit may stay, as a share of its deviation
FLAT = 1e-12  # a variance of a unit that never changes, as a share of its mean square


class Repair:
    """The weights of networks on the segment between two, so that their units vary as they should.

    In the middle of two networks the deviations of units fall, layer by layer. So every unit of a
    dense or convolutional layer, before its nonlinearity, gets at t the mean and the deviation

        (1 - t) mu_a + t mu_b        and        (1 - t) sigma_a + t sigma_b

    over given data, by a factor on its weights and a shift of its bias (Jordan et al. 2023,
    REPAIR). The last layers, after which there is none, stay. A first pass over the data sets all
    layers, each batch by its own statistics, as BatchNorm in training does; further ones measure
    the network as it is, and mend it, until all units are at their goals. The path is no straight
    one in w.

    Args:
        network: functional, without BatchNorm; its weights do not count.
        ends: the weights of both networks, `[P]` each.
        state: of them both.
        batches: of inputs x, or of tuples (x, ...), read several times.

    Raises:
        ValueError: it cannot be repaired: it has no graph, BatchNorm, adapters or frozen weights; a
            layer has no bias, or is used twice.
    """

    def __init__(
        self, network: keras.Model, ends: Sequence[Vector], state: State, batches: Iterable
    ):
        _check_kind(network)
        self.ends, self.state, self.batches = [np.asarray(w) for w in ends], state, batches
        self.flat = FlatNetwork(network).of(copying.copy(network))
        self.graph = unpromised.graph_of(self.flat.model)
        self.layers = channels.before_others(self.graph)
        self.activations = {id(layer): layer.activation for layer in self.layers}
        for layer in self.layers:  # what it computes is looked at before
            layer.activation = keras.activations.linear
        self.plain, self.normalized = (
            tf.function(self._moments, reduce_retracing=True, autograph=False) for _ in range(2)
        )
        self.at_ends = []
        for w in self.ends:
            self.flat.assign(w, state)
            self.at_ends.append(self._measured(self.plain))

    def __call__(self, t: float) -> np.ndarray:
        """The weights at t, `[P]`; at 0 and 1 those of the ends."""
        if t in (0, 1):
            return self.ends[int(t)]
        self.flat.assign((1 - t) * self.ends[0] + t * self.ends[1], self.state)
        goals = [
            ((1 - t) * a[0] + t * b[0], (1 - t) * a[1] + t * b[1])
            for a, b in zip(*self.at_ends, strict=True)
        ]
        given = [tuple(tf.constant(part, tf.float32) for part in goal) for goal in goals]
        self._mend(self._measured(lambda x: self.normalized(x, given)), goals)
        # A layer is exact once all before it are, so this ends.
        apart = float("inf")
        for _ in range(len(self.layers) + 1):
            found = self._measured(self.plain)
            if (apart := far(found, goals)) <= ENOUGH:
                break
            self._mend(found, goals)
        if apart > ENOUGH:
            log.warning(
                "REPAIR at t=%g: units stay up to %.2g deviations from where they should be.",
                t,
                apart,
            )
        return np.concatenate([np.ravel(v.numpy()) for v in self.flat.trainable])

    def _moments(self, x: Any, goals: list | None = None) -> list:
        """Mean and variance of the units of every layer over a batch; with goals, set to these."""
        found: dict[int, tuple] = {}
        order = {id(layer): i for i, layer in enumerate(self.layers)}

        def call(operation: Any, *args: Any, **kwargs: Any) -> Any:
            outputs = operation(*args, **kwargs)
            if (place := order.get(id(operation))) is None:
                return outputs
            axis = channels.axis_of(operation, len(outputs.shape))
            across = [i for i in range(len(outputs.shape)) if i != axis]
            shape = [-1 if i == axis else 1 for i in range(len(outputs.shape))]
            z = tf.cast(outputs, tf.float32)
            mean, variance = tf.nn.moments(z, across)
            found[place] = (mean, variance)
            if goals is not None:
                goal_mean, goal_deviation = goals[place]
                factor = tf.math.divide_no_nan(goal_deviation, tf.sqrt(variance))
                moved = (z - tf.reshape(mean, shape)) * tf.reshape(factor, shape)
                outputs = tf.cast(moved + tf.reshape(goal_mean, shape), outputs.dtype)
            return self.activations[id(operation)](outputs)

        unpromised.run_graph(self.graph, unpromised.inputs_of(self.graph, x), call)
        return [found[place] for place in range(len(self.layers))]

    def _measured(self, moments: Callable[[Any], list]) -> Moments:
        """Mean and deviation of all units over all data."""
        totals, count = [[0.0, 0.0] for _ in self.layers], 0
        for batch in map(unpacked, counted(self.batches)):
            size = keras.tree.flatten(batch[0])[0].shape[0]
            count += size
            for total, (mean, variance) in zip(totals, moments(batch[0]), strict=True):
                mean, variance = (np.asarray(part, float) for part in (mean, variance))
                total[0] = total[0] + size * mean
                total[1] = total[1] + size * (variance + mean**2)
        if not count:
            raise ValueError("REPAIR needs data to measure units on; received no batch.")
        found = []
        for first, second in totals:
            mean, square = np.asarray(first) / count, np.asarray(second) / count
            variance = square - mean**2
            found.append((mean, np.sqrt(np.where(variance > FLAT * square, variance, 0.0))))
        return found

    def _mend(self, found: Moments, goals: Moments) -> None:
        """Bring the units of every layer from what was found to their goals."""
        for layer, (mean, deviation), goal in zip(self.layers, found, goals, strict=True):
            with np.errstate(divide="ignore", invalid="ignore"):
                factor = np.where(deviation > 0, goal[1] / deviation, 1.0).astype(np.float32)
            kernel, shape = channels.kernel_of(layer)
            kernel.assign(kernel * factor.reshape(shape))
            layer.bias.assign(goal[0] + factor * (np.asarray(layer.bias) - mean))


def far(found: Moments, goals: Moments) -> float:
    """How far units are from their goals at most, as a share of their deviations there."""
    most = 0.0
    for (mean, deviation), (goal_mean, goal_deviation) in zip(found, goals, strict=True):
        varies = (deviation > 0) & (goal_deviation > 0)
        apart = np.maximum(abs(mean - goal_mean), abs(deviation - goal_deviation))[varies]
        most = max(most, float((apart / goal_deviation[varies]).max(initial=0.0)))
    return most


def check(network: keras.Model) -> None:
    """Raise unless a network can be repaired.

    Raises:
        ValueError: says why not, and what to leave out.
    """
    _check_kind(network)
    channels.before_others(unpromised.graph_of(network))


def _check_kind(network: keras.Model) -> None:
    told = None
    if unpromised.graph_of(network) is None:
        told = "is no functional or sequential model, so its layers cannot be looked at"
    elif FlatNetwork(network).batchnorm:
        told = "has BatchNorm, whose statistics are estimated anew at every point already"
    elif adapters.have(network):
        told = "has adapters, and REPAIR is of whole weights (lora.paths=merged)"
    elif any(not v.trainable for v in _own_weights(network)):
        told = "has weights that are not trained, which networks on a path share"
    if told:
        raise ValueError(f"REPAIR: the network {network.name!r} {told}. {channels.LEAVE_OUT}")


def _own_weights(network: keras.Model) -> list[keras.Variable]:
    return [v for layer in unpromised.layers_of(network) for v in unpromised.own_weights(layer)]
