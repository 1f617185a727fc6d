"""Files that are at every moment either whole or not there."""

import os
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path, prefix: str = "."):
    """A name to write to; the file takes its place at `path` once it is whole."""
    unfinished = path.with_name(f"{prefix}{os.getpid()}-{path.name}")
    try:
        yield unfinished
        with open(unfinished, "rb") as file:
            os.fsync(file.fileno())  # or a crash of the machine could leave the name without data
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
