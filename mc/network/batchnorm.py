"""BatchNorm statistics re-estimated at given weights from given data."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from mc import curves
from mc.network import unpromised
from mc.network.batches import any_batch, counted, size_of
from mc.network.weights import FlatNetwork, State


def estimate(
    network: FlatNetwork,
    points: curves.Points,
    coefficients: ArrayLike,
    state: State,
    batches: Iterable,
) -> dict[int, np.ndarray]:
    """Moving statistics that BatchNorm layers would have for the whole of the data, at many points.

    At fixed weights w = coefficients[i] @ points, with batch b holding a share p_b of the
    examples, the law of total variance gives for every BatchNorm layer

        mean = E_b[mean_b],     variance = E_b[var_b] + Var_b[mean_b].

    That is exact for the first BatchNorm of a network, whatever the batches. Deeper layers see
    inputs normalised batch by batch, as in training, so there it depends on which examples share a
    batch, but never on the order of the batches. (The update of a moving average, in contrast,
    weighs the last batches most.) Batches of masked sequences count by their examples. Dropout and
    augmentation layers inside the network keep their training behaviour, with the generator states
    in `state` for every batch.

    Args:
        network: the plain network.
        points: num_points control points, each `[P] float32`.
        coefficients: `[n, num_points]`, one row for each of n weight vectors.
        state: the state that all other untrained variables keep.
        batches: an iterable of input batches x, or of tuples (x, ...), read once.

    Returns:
        For each position in `network.batchnorm`, the statistics `[n, ...] float32`; empty for a
        network without trainable BatchNorm.

    Raises:
        ValueError: there is no batch; a layer does not update its statistics exactly once a call.
    """
    return estimator(network, points, state)(coefficients, batches)


def estimator(
    network: FlatNetwork, points: curves.Points, state: State
) -> Callable[[ArrayLike, Iterable], dict[int, np.ndarray]]:
    """`estimate` as a function of coefficients and batches, with one graph for all its calls."""
    where = list(network.batchnorm)
    # Tensors, which graphs take as inputs: arrays would become constants of every graph.
    points = [tf.convert_to_tensor(p) for p in points]
    # From zero state, one update leaves (1 - momentum) times the statistics of the batch.
    zeroed = [tf.zeros_like(s) if i in where else tf.identity(s) for i, s in enumerate(state)]
    scale = [1.0 / (1.0 - network.batchnorm[i]) for i in where]
    signature = [tf.TensorSpec(zeroed[i].shape, tf.float32) for i in where]

    @tf.function(reduce_retracing=True, autograph=False)  # of lengths that vary
    def of_batch(coefficients: tf.Tensor, x: Any) -> list[tf.Tensor]:
        def at(row: tf.Tensor) -> list[tf.Tensor]:
            _, new, _ = network(curves.mix(row, points), zeroed, x, training=True)
            return [tf.cast(new[i], tf.float32) * s for i, s in zip(where, scale, strict=True)]

        return tf.map_fn(at, coefficients, fn_output_signature=signature, parallel_iterations=1)

    def statistics(coefficients: ArrayLike, batches: Iterable) -> dict[int, np.ndarray]:
        if not where:
            return {}
        coefficients = tf.convert_to_tensor(coefficients, tf.float32)
        examples = 0
        # Sums over examples, in float64, of a batch's statistics and of their squares.
        total, square = [0.0] * len(where), [0.0] * len(where)
        for batch in counted(batches):
            x = batch[0] if isinstance(batch, tuple | list) else batch
            x, size = tf.nest.map_structure(tf.convert_to_tensor, x), size_of(x)
            if examples == 0:
                _check_updates(network, curves.mix(coefficients[0], points), zeroed, x)
                of_batch.get_concrete_function(*any_batch((coefficients, x)))  # of any size
            examples += size
            for j, value in enumerate(of_batch(coefficients, x)):
                value = value.numpy().astype(np.float64)
                total[j] = total[j] + size * value
                square[j] = square[j] + size * value**2
        if examples == 0:
            raise ValueError("BatchNorm statistics need data; received no batch.")
        mean, mean_square = ([v / examples for v in sums] for sums in (total, square))
        return _combine(network, where, mean, mean_square)

    return statistics


def state_of(statistics: dict[int, np.ndarray], n: int, state: State) -> list:
    """The state of network n: its statistics from `estimate`, and `state` for all else."""
    return [statistics[i][n] if i in statistics else s for i, s in enumerate(state)]


def _check_updates(network: FlatNetwork, w: tf.Tensor, zeroed: list[tf.Tensor], x: Any) -> None:
    """Raise unless a call in training mode updates every statistic once, by its momentum.

    An update is linear in the old statistic, so updates from one and from zero differ by
    momentum^k for k updates a call.
    """
    ones = [tf.ones_like(s) if i in network.batchnorm else s for i, s in enumerate(zeroed)]
    _, from_zero, _ = network(w, zeroed, x, training=True)
    _, from_one, _ = network(w, ones, x, training=True)
    for i, momentum in network.batchnorm.items():
        factor = float(tf.reduce_mean(from_one[i] - from_zero[i]))
        if abs(factor - momentum) < 1e-3 * (1 - momentum) + 1e-4 and momentum < 1:
            continue
        path = network.untrained[i].path
        why = "is not updated" if factor > 1 - 1e-4 else "is updated more than once"
        raise ValueError(
            f"The BatchNorm statistic {path} {why} in a call, so it cannot be estimated. Share "
            "no BatchNorm layer between inputs, and set trainable=False on one that is not to "
            "follow the data."
        )


def _combine(
    network: FlatNetwork, where: list[int], mean: list, mean_square: list
) -> dict[int, np.ndarray]:
    """The law of total variance, layer by layer."""
    position = {id(network.untrained[i]): j for j, i in enumerate(where)}
    result = {}
    for layer in unpromised.layers_of(network.model):
        m = position.get(id(getattr(layer, "moving_mean", None)))
        v = position.get(id(getattr(layer, "moving_variance", None)))
        if m is None or v is None:
            continue
        between = np.maximum(mean_square[m] - mean[m] ** 2, 0.0)
        result[where[m]] = mean[m].astype(np.float32)
        result[where[v]] = (mean[v] + between).astype(np.float32)
    return result
