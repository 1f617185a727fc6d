"""A curve's train step over the plain network's Keras train step, in turn, one process.

    python experiments/benchmarks/curve_step.py --network vgg16
    python experiments/benchmarks/curve_step.py --network conv_fc --curve bezier_surface
    python experiments/benchmarks/curve_step.py --curve simplex --volume 1e-6 --cosine 1

Prints the median of the ratios of paired steps, and each side's median time. Targets on a CPU: of a
curve 1.05 (on a GPU 1.02), of a surface of nine control points 1.2 for conv_fc and 1.1 for cnn, and
.1 more of each term.
"""

import argparse
import functools
import statistics
import time

import keras
import numpy as np
import tensorflow as tf

import mc
from mc import models

CORNERS = {"bezier": 2, "simplex": 2, "bezier_surface": 4}
NETWORKS = {
    "cnn": (models.cnn, (28, 28, 1)),
    "cnn_bn": (models.cnn_bn, (28, 28, 1)),
    "conv_fc": (models.conv_fc, (32, 32, 3)),
    "vgg16": (models.vgg16, (32, 32, 3)),
    "preresnet110": (models.preresnet110, (32, 32, 3)),
    "preresnet20": (functools.partial(models.preresnet, depth=20), (32, 32, 3)),
}


def step_function(model, x, y):
    """A compiled model's own train step on one batch, again and again."""
    model.compile(
        keras.optimizers.SGD(0.01, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.optimizer.build(model.trainable_variables)
    model.make_train_function()
    iterator = iter(tf.data.Dataset.from_tensors((x, y)).cache().repeat().prefetch(4))
    return lambda: {k: float(v) for k, v in model.train_function(iterator).items()}


def timed(step) -> float:
    """Seconds of one step."""
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", choices=NETWORKS, default="cnn")
    parser.add_argument("--curve", choices=CORNERS, default="bezier")
    parser.add_argument("--volume", type=float, default=0.0)
    parser.add_argument("--cosine", type=float, default=0.0)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--pairs", type=int, default=200)
    arguments = parser.parse_args()
    build, shape = NETWORKS[arguments.network]
    plain, *ends = (build(shape, 10) for _ in range(1 + CORNERS[arguments.curve]))
    rng = np.random.default_rng(0)
    x = rng.uniform(size=(arguments.batch_size, *shape)).astype("float32")
    y = rng.integers(0, 10, arguments.batch_size)
    terms = mc.Terms(volume=arguments.volume, cosine=arguments.cosine)
    curve = mc.connect(*ends, curve=arguments.curve, weight_decay=5e-4, terms=terms)
    steps = step_function(curve, x, y), step_function(plain, x, y)
    for step in steps * 3:  # trace, and fill caches
        step()
    pairs = []
    for i in range(arguments.pairs):  # each goes first in every second pair
        first = i % 2
        times = [0.0, 0.0]
        times[first], times[1 - first] = timed(steps[first]), timed(steps[1 - first])
        pairs.append(times)
    ratio = statistics.median(ours / theirs for ours, theirs in pairs)
    ours, theirs = (1000 * statistics.median(side) for side in zip(*pairs, strict=True))
    print(
        f"{arguments.network}, batch {arguments.batch_size}, {arguments.pairs} pairs: "
        f"{arguments.curve} {ours:.2f} ms, plain {theirs:.2f} ms, median ratio {ratio:.3f}"
    )


if __name__ == "__main__":
    main()
