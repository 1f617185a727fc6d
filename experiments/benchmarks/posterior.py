"""One value of a posterior's density for all chains over as many plain forward passes.

    python experiments/benchmarks/posterior.py

Prints the median ratio for `cnn` (target at most 1.20), `mlp` (below 1) and `cnn_bn` at MNIST size.
Both sides read the same batches; the plain side is a bare forward pass, without any likelihood, of
`cnn_bn` two, since its statistics take a pass of their own. Graphs are built before.
"""

import argparse
import statistics
import time

import keras
import numpy as np
import tensorflow as tf

import mc
from mc import models
from mc.posteriors.posterior import density

NETWORKS = {
    "cnn": lambda: models.cnn((28, 28, 1), 10),
    "mlp": lambda: models.mlp((28, 28, 1), 10, widths=[64, 64], activation="relu"),
    "cnn_bn": lambda: models.cnn_bn((28, 28, 1), 10),
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=int, default=4000)
    parser.add_argument("--batch-size", type=int, default=500)
    parser.add_argument("--chains", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    chains = arguments.chains
    rng = np.random.default_rng(0)
    x = rng.uniform(size=(arguments.examples, 28, 28, 1)).astype("float32")
    y = rng.integers(0, 10, arguments.examples)
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(arguments.batch_size).cache()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for name, build in NETWORKS.items():
        network = build()
        curve = mc.connect(network, build(), init="random")
        of = density(curve, data, "hull", loss=loss)
        z = 0.1 * rng.normal(size=(chains, 2))
        modes = (True, False) if curve.network.batchnorm else (False,)
        forward = {
            training: tf.function(lambda x, n=network, training=training: n(x, training=training))
            for training in modes
        }

        def ours(of=of, z=z):
            return of(z)

        def plain(forward=forward):
            for call in forward.values():
                for _ in range(chains):
                    for x, _ in data:
                        last = call(x)
            return last.numpy()

        ratios = []
        for repeat in range(arguments.repeats + 1):
            times = []
            for side in (ours, plain):
                start = time.perf_counter()
                side()
                times.append(time.perf_counter() - start)
            if repeat:  # the first filled caches and built graphs
                ratios.append(times[0] / times[1])
        print(
            f"{name}: {chains} chains in {times[0]:.2f} s, {len(modes) * chains} plain passes in "
            f"{times[1]:.2f} s, median ratio {statistics.median(ratios):.3f}"
        )


if __name__ == "__main__":
    main()
