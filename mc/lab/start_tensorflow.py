"""TensorFlow as a process imports it: quietly, with the memory and the threads that it may use."""

import os
import sys
from pathlib import Path

_by_us = False  # imported by this room, and not set up yet


def set_up(threads: int | None = None) -> None:
    """Import TensorFlow, to use as much GPU memory as it needs and so many threads of the CPU."""
    global _by_us
    import_quietly()
    if _by_us:  # it may be set up only once in a process
        _by_us = False
        import tensorflow as tf

        for gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)
        if threads:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)


def import_quietly() -> None:
    """Import TensorFlow without the lines that it prints on machines without a GPU."""
    global _by_us
    if "tensorflow" in sys.modules:
        return
    _by_us = True
    if Path("/dev/nvidia0").exists():  # there, what it says of GPUs matters
        import tensorflow  # noqa: F401

        return
    # TensorFlow's C++ writes to the file descriptor, before any setting could reach it.
    stderr, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        import tensorflow as tf

        tf.config.list_physical_devices()
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(null)
