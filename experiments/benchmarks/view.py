"""A view of 51 x 51 networks over as many plain forward passes on the same examples, one process.

    python experiments/benchmarks/view.py

Prints the median ratio for `cnn` (target at most 1.05), `mlp` (below 1), and `cnn_bn` with the
statistics of its centre, at MNIST size. Graph building and filter-normalised directions are
included; the plain side is a bare forward pass, without any metric.
"""

import argparse
import statistics
import time

import keras
import numpy as np
import tensorflow as tf

from mc import models
from mc.evaluation.evaluator import Evaluator
from mc.landscape import directions
from mc.landscape.view import View, grid
from mc.network.weights import FlatNetwork, pack

NETWORKS = {
    "cnn": lambda: models.cnn((28, 28, 1), 10),
    "mlp": lambda: models.mlp((28, 28, 1), 10, widths=[64, 64], activation="relu"),
    "cnn_bn": lambda: models.cnn_bn((28, 28, 1), 10),
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=int, default=100)
    parser.add_argument("--batch-size", type=int, default=100)
    parser.add_argument("--cells", type=int, default=51)
    parser.add_argument("--pairs", type=int, default=3)
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    x = rng.uniform(size=(arguments.examples, 28, 28, 1)).astype("float32")
    y = rng.integers(0, 10, arguments.examples)
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(arguments.batch_size).cache()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for name, build in NETWORKS.items():
        network = build()
        forward = tf.function(lambda x, network=network: network(x, training=False))

        def ours(network=network):
            flat, w = FlatNetwork(network), pack(network)
            view = View.around(w, [directions.random(flat, w, [0, axis]) for axis in range(2)])
            rows = view.coefficients(grid([(-1, 1), (-1, 1)], arguments.cells)[1])
            evaluate = Evaluator(
                *(flat, view.points, flat.state(), {"test": data}),
                **{"bn_data": None, "loss": loss, "weight_decay": 0.0, "num_classes": 10},
            )
            return evaluate(rows)

        def plain(forward=forward):
            for _ in range(arguments.cells**2):
                for x, _ in data:
                    last = forward(x)
            return last.numpy()

        ratios = []
        for _ in range(arguments.pairs):
            times = []
            for side in (plain, ours):
                start = time.perf_counter()
                side()
                times.append(time.perf_counter() - start)
            ratios.append(times[1] / times[0])
        print(
            f"{name}: {arguments.cells} x {arguments.cells} points in {times[1]:.2f} s, as many "
            f"plain passes in {times[0]:.2f} s, median ratio {statistics.median(ratios):.3f}"
        )


if __name__ == "__main__":
    main()
