"""Memory and time of evaluating a transformer of tokens along a path, against plain passes.

    python experiments/benchmarks/tokens.py

Prints the ratio of the points' time to that of as many plain passes of Keras, with its loss and
accuracy, and the peak of memory above what the process had before.
"""

import argparse
import resource
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

import mc
from mc import models

MEGA = 2**20


def resident() -> float:
    """MiB of this process that are in memory (on Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / MEGA


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vocabulary", type=int, default=5000)
    parser.add_argument("--context", type=int, default=128)
    parser.add_argument("--sequences", type=int, default=200)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--points", type=int, default=11)
    asked = parser.parse_args()
    networks = []
    for seed in (1, 2):
        keras.utils.set_random_seed(seed)
        networks.append(models.gpt((asked.context,), asked.vocabulary))
    rng = np.random.default_rng(0)
    shape = (asked.sequences, asked.context)
    x, y = (rng.integers(0, asked.vocabulary, shape).astype("int32") for _ in range(2))
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(asked.batch_size)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    plain, curve = networks[0], mc.connect(*networks)
    plain.compile("sgd", loss, metrics=["accuracy"])
    plain.evaluate(data, verbose=0)  # builds the graph
    points = np.linspace(0, 1, asked.points)
    began = time.perf_counter()
    plain.evaluate(data, verbose=0)
    plain_pass = time.perf_counter() - began
    before, began = resident(), time.perf_counter()
    mc.evaluate(curve, test=data, t=points, loss=loss)
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MEGA - before
    began = time.perf_counter()
    plain.evaluate(data, verbose=0)
    plain_pass = (plain_pass + time.perf_counter() - began) / 2
    count = 2 * asked.points  # of the curve, and of the straight segment
    print(
        f"vocabulary {asked.vocabulary}, context {asked.context}, {asked.sequences} sequences: "
        f"{count} points / {count} plain passes {seconds / plain_pass / count:.2f}, "
        f"peak {peak:+.0f} MiB, of which the logits of a batch "
        f"{4 * asked.batch_size * asked.context * asked.vocabulary / MEGA:.0f} MiB"
    )


if __name__ == "__main__":
    main()
