"""Metrics at many weight vectors, in one pass over the data."""

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from mc import batchnorm, curves, losses, metrics
from mc.geometry import gram, positions, segment_lengths, straight_segment
from mc.predictions import labels_of
from mc.weights import FlatNetwork


def evaluate(
    curve,
    *,
    train=None,
    valid=None,
    test=None,
    num_points=61,
    t=None,
    loss=None,
    bn_data=None,
    num_classes=None,
    initial=None,
    progress=None,
) -> pd.DataFrame:
    """Metrics along a curve and along the straight segment between its ends.

    BatchNorm statistics are estimated anew at every point; see `batchnorm.estimate`.

    Args:
        curve: a `CurveModel`.
        train, valid, test: the data of each split to evaluate, at least one: a tf.data.Dataset of
            batches (x, y), or a pair of arrays (x, y). `train` must be free of augmentation.
        num_points: that many equidistant t, ends included; or
        t: the positions themselves, increasing, in [0, 1].
        loss: a Keras loss; default: the one that the curve was compiled with.
        bn_data: clean training data whose batches BatchNorm statistics come from; default: `train`.
        num_classes: default: the number of outputs if labels are integers or the loss is
            categorical, else regression.
        initial: control points `[num_points, P]` that the curve had before its training, to
            evaluate as the path `initial`.
        progress: wraps an iterable of batches and a label, to show how far it is.

    Returns:
        One row a point: `path` (`curve`, `linear`, `initial`), `t`, `segment_length` (the distance
        from the point before, ||w_i - w_{i-1}||), `arc_length` (their sum so far), and for every
        split `<split>/<metric>`: loss, nll, error, accuracy, f1, or loss and mse for regression.

    Raises:
        ValueError: no data; `num_points` below 2; a t outside [0, 1] or out of order; BatchNorm
            without `train`; no loss.
    """
    t = positions(num_points, t)
    splits = {"train": train, "valid": valid, "test": test}
    splits = {k: batchnorm.as_batches(v) for k, v in splits.items() if v is not None}
    if not splits:
        raise ValueError("Nothing to evaluate on: pass train=, valid= or test=.")
    loss = keras.losses.get(loss if loss is not None else getattr(curve, "loss", None))
    if loss is None:
        raise ValueError("No loss: compile the curve, or pass loss=.")
    if num_classes is None:
        num_classes = _classes(curve, splits, loss)
    bn_data = train if bn_data is None else bn_data
    if curve.network.batchnorm and bn_data is None:
        raise ValueError("The network has BatchNorm: pass train=, from which to estimate it.")

    paths, points = _paths(curve, t, initial)
    coefficients = np.concatenate(list(paths.values()))
    values = values_at(
        curve.network,
        points,
        coefficients,
        curve.state_values,
        splits,
        bn_data=bn_data,
        loss=loss,
        weight_decay=curve.weight_decay,
        num_classes=num_classes,
        progress=progress,
    )
    return positions_table(paths, t, points).assign(**values)


def _paths(curve, t, initial) -> tuple[dict[str, np.ndarray], list]:
    """Coefficients `[n, k]` of every path, and the k control points of all of them."""
    rows = curve.curve.coefficients(t).numpy()
    paths = {"curve": rows, "linear": straight_segment(t, curve.curve.num_points)}
    points = [tf.convert_to_tensor(p) for p in curve.points]
    if initial is None:
        return paths, points
    none = np.zeros_like(rows)
    paths = {path: np.hstack([own, none]) for path, own in paths.items()}
    paths["initial"] = np.hstack([none, rows])
    return paths, points + [tf.convert_to_tensor(p) for p in initial]


def values_at(
    network: FlatNetwork,
    points,
    coefficients,
    state,
    splits,
    *,
    bn_data,
    loss,
    weight_decay,
    num_classes,
    progress=None,
) -> dict[str, np.ndarray]:
    """`<split>/<metric>` at w = coefficients[i] @ points, BatchNorm estimated at each; `[n]`.

    `splits`: name -> batches; `bn_data`: batches, not read without BatchNorm; for all else see
    `metrics_at`.
    """
    points = [tf.convert_to_tensor(p) for p in points]
    shown = progress or (lambda batches, label: batches)
    statistics = {}
    if network.batchnorm:
        batches = shown(batchnorm.as_batches(bn_data), "BatchNorm statistics")
        statistics = batchnorm.estimate(network, points, coefficients, state, batches)
    penalty = penalties(points, coefficients, weight_decay)
    settings = {"loss": loss, "penalty": penalty, "num_classes": num_classes}
    result = {}
    for split, batches in splits.items():
        values = metrics_at(
            network, points, coefficients, state, statistics, shown(batches, split), **settings
        )
        result |= {f"{split}/{metric}": value for metric, value in values.items()}
    return result


def penalties(points, coefficients, weight_decay: float) -> np.ndarray:
    """The L2 penalty 0.5 * weight_decay * ||w||^2 at w = coefficients[i] @ points; `[n]`."""
    squared_norm = np.einsum("nk,kl,nl->n", coefficients, gram(points, center=False), coefficients)
    return 0.5 * weight_decay * squared_norm


def positions_table(paths: dict, t: np.ndarray, points) -> pd.DataFrame:
    """A row a point of every path: `path, t, segment_length, arc_length`.

    `paths`: name -> coefficients `[n, num_points]`; `t: [n]`; `points`: num_points vectors `[P]`.
    """
    tables, distances = [], gram(points)
    for path, rows in paths.items():
        length = segment_lengths(rows, distances)
        columns = {"t": t, "segment_length": length, "arc_length": np.cumsum(length)}
        tables.append(pd.DataFrame({"path": path, **columns}))
    return pd.concat(tables, ignore_index=True)


def metrics_at(
    network: FlatNetwork,
    points,
    coefficients,
    state,
    statistics,
    batches,
    *,
    loss,
    penalty,
    num_classes,
) -> dict[str, np.ndarray]:
    """Metrics of the networks at w = coefficients[i] @ points, all in one pass over the batches.

    Args:
        network: the plain network.
        points: num_points control points, each `[P] float32`.
        coefficients: `[n, num_points]`.
        state: the untrained variables, the same at every point, but for
        statistics: position in `state` -> BatchNorm statistics `[n, ...]`.
        batches: iterable of (x, y), read once.
        loss: a Keras loss.
        penalty: `[n]`, added to the metric `loss`; see `penalties`.
        num_classes: None for regression.

    Returns:
        `[n]` arrays: loss, nll, error, accuracy, f1, or loss and mse for regression.

    Raises:
        ValueError: there is no batch.
    """
    if getattr(loss, "reduction", "mean") in ("sum", None, "none"):
        raise ValueError(
            f"loss.reduction={loss.reduction} makes the loss depend on the batch size; evaluation "
            "needs a mean: leave the reduction at its default."
        )
    examples, totals = 0, None
    for x, y in batches:
        size = int(tf.nest.flatten(x)[0].shape[0])
        if examples == 0:
            outputs = outputs_at(network, points, coefficients[:1], state, {}, x)[0]
            _check_outputs(loss, outputs, y, num_classes)
            logits_in = num_classes is None or not losses.are_probabilities(outputs)
            step = _step(
                network, points, coefficients, state, statistics, loss, num_classes, logits_in
            ).get_concrete_function(*batchnorm.any_batch((x, y)))
        values = [v.numpy().astype(np.float64) for v in step(x, y)]
        values[0] *= size  # the loss is a mean over the batch, all else a sum
        totals = values if totals is None else [a + b for a, b in zip(totals, values, strict=True)]
        examples += size
    if examples == 0:
        raise ValueError("Evaluation needs data; received no batch.")
    result = {"loss": totals[0] / examples + penalty}
    if num_classes is None:
        return result | {"mse": totals[1] / examples}
    rows = [metrics.classification(*counts) for counts in totals[2]]
    result["nll"] = totals[1] / examples
    return result | {k: np.array([row[k] for row in rows]) for k in rows[0]}


def _check_outputs(loss, outputs, y, num_classes) -> None:
    """Nothing, if the outputs `[batch, ...]` fit the loss, the targets and the classes."""
    if not tf.is_tensor(y) and not isinstance(y, np.ndarray):
        raise ValueError("Evaluation needs a network with a single output and targets y for it.")
    losses.check_outputs(loss, outputs)
    if num_classes is None:
        return
    if outputs.ndim != 2 or outputs.shape[1] != num_classes or num_classes < 2:
        raise ValueError(
            f"Classification is evaluated from one output for each class, [batch, {num_classes}]; "
            f"the network gives {outputs.shape}. For two classes use two outputs and "
            "SparseCategoricalCrossentropy(from_logits=True)."
        )


def _step(network, points, coefficients, state, statistics, loss, num_classes, logits_in):
    """The graph of one batch: per point, loss, summed nll (or mse), and counts of each class."""
    coefficients = tf.convert_to_tensor(coefficients, tf.float32)
    statistics = {i: tf.convert_to_tensor(v) for i, v in statistics.items()}
    state = [tf.convert_to_tensor(s) for s in state]
    scalar = tf.TensorSpec([], tf.float32)
    signature = (scalar, scalar)
    if num_classes is not None:
        signature = (*signature, tf.TensorSpec([3, num_classes], tf.float32))

    @tf.function
    def step(x, y):
        def at(row_and_statistics):
            row, own = row_and_statistics
            own_state = [own.get(i, s) for i, s in enumerate(state)]
            w = curves.mix(row, points)
            outputs, _, own_loss = network(w, own_state, x, training=False)
            # A loss given by name is a plain function, one value an example.
            value = tf.reduce_mean(tf.cast(loss(y, outputs), tf.float32))
            value = value + own_loss
            outputs = tf.cast(outputs, tf.float32)
            if num_classes is None:
                targets = tf.reshape(tf.cast(y, tf.float32), tf.shape(outputs))
                squared = tf.reduce_mean((targets - outputs) ** 2, axis=-1)
                return value, tf.reduce_sum(squared)
            labels = labels_of(y)
            logits = outputs if logits_in else tf.math.log(tf.maximum(outputs, 1e-7))
            nll = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            return value, tf.reduce_sum(nll), _counts(labels, outputs, num_classes)

        # One point at a time: parallel ones would each hold a weight vector.
        return tf.map_fn(
            at, (coefficients, statistics), fn_output_signature=signature, parallel_iterations=1
        )

    return step


def _counts(labels, outputs, num_classes):
    """`[3, num_classes]`: right predictions, predictions, and examples of each class."""
    predicted = tf.argmax(outputs, -1)
    hits = tf.cast(labels == predicted, tf.float32)
    return tf.stack(
        [
            tf.math.unsorted_segment_sum(hits, labels, num_classes),
            tf.math.unsorted_segment_sum(tf.ones_like(hits), predicted, num_classes),
            tf.math.unsorted_segment_sum(tf.ones_like(hits), labels, num_classes),
        ]
    )


def outputs_at(network, points, coefficients, state, statistics, x) -> np.ndarray:
    """Outputs of the networks at w = coefficients[i] @ points for one batch; `[n, batch, ...]`."""
    outputs = []
    for n, row in enumerate(np.asarray(coefficients, np.float32)):
        own = batchnorm.state_of(statistics, n, state)
        y, _, _ = network(curves.mix(row, points), own, x, training=False)
        outputs.append(tf.cast(y, tf.float32).numpy())
    return np.stack(outputs)


def _classes(curve, splits, loss) -> int | None:
    x, y = next(iter(next(iter(splits.values()))))
    if not (y.dtype.is_integer or losses.expects_logits(loss) is not None):
        return None
    row = curve.curve.coefficients(0.0)[tf.newaxis]
    return outputs_at(curve.network, curve.points, row, curve.state_values, {}, x).shape[-1]
