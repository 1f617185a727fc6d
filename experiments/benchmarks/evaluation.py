"""Evaluation of 61 points over 61 plain forward passes over the same data, one process.

    python experiments/benchmarks/evaluation.py

Prints the median ratio for `cnn` (target at most 1.10) and `mlp` (target below 1) at MNIST size.
Both sides read the same batches; the plain side is a bare forward pass, without any metric.
"""

import argparse
import statistics
import time

import keras
import numpy as np
import tensorflow as tf

import mc
from mc import models
from mc.evaluation.evaluator import Evaluator

NETWORKS = {
    "cnn": lambda: models.cnn((28, 28, 1), 10),
    "mlp": lambda: models.mlp((28, 28, 1), 10, widths=[64, 64], activation="relu"),
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=int, default=4000)
    parser.add_argument("--batch-size", type=int, default=500)
    parser.add_argument("--points", type=int, default=61)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    points = arguments.points
    rng = np.random.default_rng(0)
    x = rng.uniform(size=(arguments.examples, 28, 28, 1)).astype("float32")
    y = rng.integers(0, 10, arguments.examples)
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(arguments.batch_size).cache()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for name, build in NETWORKS.items():
        network = build()
        curve = mc.connect(network, build())
        rows = curve.family.coefficients(np.linspace(0, 1, points, dtype="float32")).numpy()
        forward = tf.function(lambda x, network=network: network(x, training=False))

        def ours(curve=curve, rows=rows):
            evaluate = Evaluator(
                curve.network, curve.points, [], {"test": data},
                bn_data=None, loss=loss, weight_decay=0.0, num_classes=10,
            )  # fmt: skip
            return evaluate(rows)

        def plain(forward=forward):
            for _ in range(points):
                for x, _ in data:
                    last = forward(x)
            return last.numpy()

        ratios = []
        for repeat in range(arguments.repeats + 1):
            times = []
            for side in (ours, plain):
                start = time.perf_counter()
                side()
                times.append(time.perf_counter() - start)
            if repeat:  # the first filled caches
                ratios.append(times[0] / times[1])
        print(
            f"{name}: {points} points in {times[0]:.2f} s (graph building included), {points} "
            f"plain passes in {times[1]:.2f} s, median ratio {statistics.median(ratios):.3f}"
        )


if __name__ == "__main__":
    main()
