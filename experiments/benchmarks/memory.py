"""Peak memory of training a curve over that of training the plain network, a process each.

    python experiments/benchmarks/memory.py --network vgg16

Prints both peaks and the allowance: two arrays [num_points, P] and the momentum of the bends.
"""

import argparse
import json
import resource
import subprocess
import sys

import numpy as np
from curve_step import NETWORKS, step_function

import mc

NUM_BENDS, STEPS = 1, 5


def train(side: str, name: str, batch_size: int) -> dict:
    """Peak resident bytes of this process after a few steps, and P."""
    build, shape = NETWORKS[name]
    network = build(shape, 10)
    size = int(sum(np.prod(v.shape) for v in network.trainable_variables))
    if side == "curve":
        model = mc.connect(network, build(shape, 10), num_bends=NUM_BENDS, weight_decay=5e-4)
    else:
        model = network
    rng = np.random.default_rng(0)
    x = rng.uniform(size=(batch_size, *shape)).astype("float32")
    step = step_function(model, x, rng.integers(0, 10, batch_size))
    for _ in range(STEPS):
        step()
    return {"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, "size": size}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", choices=NETWORKS, default="vgg16")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--side", choices=("plain", "curve"), help="measure this one, in a child")
    arguments = parser.parse_args()
    if arguments.side:
        print(json.dumps(train(arguments.side, arguments.network, arguments.batch_size)))
        return
    found = {}
    for side in ("plain", "curve"):
        command = [sys.executable, __file__, "--side", side, *sys.argv[1:]]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        found[side] = json.loads(output.splitlines()[-1])
    mega = 2**20
    vector = 4 * found["curve"]["size"]
    allowed = 2 * (NUM_BENDS + 2) * vector + NUM_BENDS * vector
    more = found["curve"]["peak"] - found["plain"]["peak"]
    print(
        f"{arguments.network}, batch {arguments.batch_size}: "
        f"plain {found['plain']['peak'] / mega:.0f} MiB, "
        f"curve {more / mega:+.0f} MiB; allowed {allowed / mega:+.0f} MiB"
    )


if __name__ == "__main__":
    main()
