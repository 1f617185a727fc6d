"""Peak memory and speed of reading an image set from disk over reading it from memory.

    python experiments/benchmarks/streaming.py --data-dir ~/tensorflow_datasets

Each side is a process of its own that reads shuffled batches of CIFAR-10, resized. In memory the
set takes as many bytes as it has pixels; streamed, a window of compressed images and a few batches.
"""

import argparse
import json
import resource
import subprocess
import sys
import time

from mc.datasets import make_data, tfds_images

SKIPPED = 20  # batches, until the window is full


def read(arguments) -> dict:
    """Peak resident bytes of this process and images a second."""
    streams = arguments.side == "streamed"
    size = arguments.image_size
    raw = tfds_images("cifar10", arguments.data_dir, image_size=size, stream=streams)
    train = make_data(raw).train
    read, began = 0, time.perf_counter()
    for number, (x, _) in enumerate(train.epochs(arguments.batch_size, seed=0)):
        if number == SKIPPED:
            read, began = 0, time.perf_counter()
        read += len(x)
        if number == SKIPPED + arguments.batches:
            break
    speed = read / (time.perf_counter() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"peak": peak, "speed": speed, "bytes": len(train) * size * size * 3}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", help="prepared TFDS data; default: TFDS_DATA_DIR")
    parser.add_argument("--image-size", type=int, default=160)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--batches", type=int, default=100)
    parser.add_argument("--side", choices=("memory", "streamed"), help="measure this, in a child")
    arguments = parser.parse_args()
    if arguments.side:
        print(json.dumps(read(arguments)))
        return
    found = {}
    for side in ("memory", "streamed"):
        command = [sys.executable, __file__, "--side", side, *sys.argv[1:]]
        output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        found[side] = json.loads(output.splitlines()[-1])
    mega = 2**20
    print(
        f"a training set of {found['memory']['bytes'] / mega:.0f} MiB: peak "
        f"{found['memory']['peak'] / mega:.0f} MiB in memory, "
        f"{found['streamed']['peak'] / mega:.0f} MiB streamed; images a second: "
        f"{found['memory']['speed']:.0f} and {found['streamed']['speed']:.0f}"
    )


if __name__ == "__main__":
    main()
