"""How long symmetries are looked for and weights are matched, and what memory that takes.

    python experiments/benchmarks/alignment.py [vgg16 preresnet20 resnet50v2 densenet121 mlp]

Prints for each network, in a process of its own: parameters, groups, seconds to find and prove
what may be renumbered, seconds to do so and match weights from one start, and by how much the peak
of memory rose, in weight vectors. The second network is the first with noise, renumbered at random.
"""

import resource
import subprocess
import sys
import time

import keras
import numpy as np

import mc.models
from mc.symmetry.aligning import alignment
from mc.symmetry.symmetries import symmetries

NETWORKS = {
    "mlp": lambda: mc.models.mlp((28, 28, 1), 10),
    "vgg16": lambda: mc.models.vgg16((32, 32, 3), 10),
    "preresnet20": lambda: mc.models.preresnet((32, 32, 3), 10, depth=20),
    "resnet50v2": lambda: keras.applications.ResNet50V2(weights=None, input_shape=(64, 64, 3)),
    "densenet121": lambda: keras.applications.DenseNet121(weights=None, input_shape=(64, 64, 3)),
}


def peak() -> int:
    """The most bytes that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measure(name: str) -> None:
    """Measure one network, and print."""
    keras.utils.set_random_seed(0)
    a, b = NETWORKS[name](), NETWORKS[name]()
    rng = np.random.default_rng(0)
    for variable, source in zip(b.trainable_variables, a.trainable_variables, strict=True):
        noise = 0.1 * np.std(source.numpy()) + 1e-3
        variable.assign(source.numpy() + noise * rng.normal(size=source.shape))
    a(np.zeros((8, *a.input_shape[1:]), np.float32))  # what TensorFlow itself takes
    began, before = time.perf_counter(), peak()
    found = symmetries(a)
    finding = time.perf_counter() - began
    renumbering = found.random(0)
    for place, variable in enumerate(b.variables):  # one by one: nothing of the network's size
        variable.assign(renumbering.of_array(place, variable.numpy()))
    began = time.perf_counter()
    passes = alignment(a, b).history[-1]["step"]
    matching = time.perf_counter() - began
    size, largest = a.count_params(), 8 * max(found.groups.values()) ** 2
    print(
        f"{name}: {size / 1e6:.1f} M parameters, {len(found.groups)} groups; found and proved in "
        f"{finding:.1f} s; found again and matched in {matching:.1f} s, {passes} passes; peak "
        f"+{(peak() - before) / 2**20:.0f} MiB: {(peak() - before - largest) / (4 * size):.1f} "
        f"weight vectors and the largest cost matrix, {largest / 2**20:.0f} MiB",
        flush=True,
    )


def main() -> None:
    """Measure the networks that are named, or all."""
    names = sys.argv[1:] or list(NETWORKS)
    if len(names) == 1:
        measure(names[0])
        return
    for name in names:
        subprocess.run([sys.executable, __file__, name], check=True)


if __name__ == "__main__":
    main()
