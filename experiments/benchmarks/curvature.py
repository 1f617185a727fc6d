"""A Hessian-vector product over the gradient of the same batches, Keras' own variables watched.

    python experiments/benchmarks/curvature.py

Prints the median ratio for `cnn`, `mlp` and `cnn_bn` at MNIST size (target at most 3.0), and that
of Gauss-Newton. Both sides read the same batches; graphs are built before.
"""

import argparse
import statistics
import time

import keras
import numpy as np
import tensorflow as tf

from mc import models
from mc.curvature.products import OPERATORS, Products
from mc.network.weights import FlatNetwork, pack

NETWORKS = {
    "cnn": lambda: models.cnn((28, 28, 1), 10),
    "mlp": lambda: models.mlp((28, 28, 1), 10, widths=[300, 100], activation="relu"),
    "cnn_bn": lambda: models.cnn_bn((28, 28, 1), 10),
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=int, default=2000)
    parser.add_argument("--batch-size", type=int, default=500)
    parser.add_argument("--pairs", type=int, default=15)
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    x = rng.uniform(size=(arguments.examples, 28, 28, 1)).astype("float32")
    y = rng.integers(0, 10, arguments.examples)
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(arguments.batch_size).cache()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for name, build in NETWORKS.items():
        network = build()
        flat = FlatNetwork(network)
        v = rng.normal(size=flat.size)
        plain = gradient(network, loss, data)
        for operator in OPERATORS:
            product = Products(flat, data, loss, operator=operator).at(pack(network), flat.state())
            ratios = []
            for pair in range(arguments.pairs + 1):
                times = []
                for side in (lambda product=product, v=v: product(v), plain):
                    start = time.perf_counter()
                    side()
                    times.append(time.perf_counter() - start)
                if pair:  # the first filled caches and built graphs
                    ratios.append(times[0] / times[1])
            print(
                f"{name}, {operator}: {1000 * times[0]:.0f} ms, gradient {1000 * times[1]:.0f} ms, "
                f"median ratio {statistics.median(ratios):.2f}"
            )


def gradient(network, loss, data):
    """The function that takes the gradient of the loss over all batches, as Keras would."""

    @tf.function
    def of_batch(x, y):
        with tf.GradientTape() as tape:
            value = loss(y, network(x, training=False))
        return tape.gradient(value, [v.value for v in network.trainable_variables])

    def whole():
        for x, y in data:
            last = of_batch(x, y)
        return last[-1].numpy()

    return whole


if __name__ == "__main__":
    main()
