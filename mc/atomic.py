"""Files that are at every moment either whole or not there."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def leftovers(folder: Path) -> list[Path]:
    """What writes that were killed have left in a folder, and in those directly in it."""
    found = (*folder.glob(".*"), *folder.glob("*/.*"))
    return [path for path in found if re.match(r"\.(unfinished-)?\d+-", path.name)]


@contextmanager
def replacing(path: Path, prefix: str = ".") -> Iterator[Path]:
    """A name to write to; the file takes its place at `path` once it is whole.

    Raises:
        OSError: it cannot be written: a full disk, a folder that is gone or read-only. The message
            says which file and why; what was at `path` before is still there.
    """
    unfinished = path.with_name(f"{prefix}{os.getpid()}-{path.name}")
    try:
        yield unfinished
        with open(unfinished, "rb") as file:
            os.fsync(file.fileno())  # or a crash of the machine could leave the name without data
        os.replace(unfinished, path)
    except OSError as error:
        gone = f"there is no folder {path.parent}" if not path.parent.is_dir() else None
        raise type(error)(
            f"{path} cannot be written: {gone or error.strerror or error}. What was there before "
            "is kept."
        ) from error
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
