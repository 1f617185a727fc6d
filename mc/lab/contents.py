"""What results are made of: the content of files, noted by who wrote them and by who read them.

A finished run notes in `environment.json` what it `made`, and from its beginning every run notes
what it `read` of other runs, each by the hash of its content. Where the two differ, the input was
made again since, and the result belongs to the one before.
"""

import hashlib
import json
import os
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from mc.lab import folders

MADE = (
    "model.weights.h5",
    "network.npz",
    "curve.npz",
    "swag.npz",
    "epochs/*.npz",
    "steps/*.npz",
)  # what other runs may read


def of_file(path: Path) -> str | None:
    """SHA-256 over name, type, shape and bytes of every array of numbers in a file.

    Of `.npz` and `.h5` not of the bytes of the file: formats and dates are no content. Of any other
    file, such as `summary.json`, of its bytes. None if the file is gone or damaged, which whoever
    needs it is going to say.
    """
    try:
        status = os.stat(path)
        return _of_file(os.path.abspath(path), status.st_ino, status.st_size, status.st_mtime_ns)
    except (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile):
        return None


@cache  # several runs of one command may read the same file
def _of_file(path: str, inode: int, size: int, modified: int) -> str:
    if not path.endswith((".npz", ".h5")):
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    digest = hashlib.sha256()
    for name, array in sorted(_arrays(path).items()):
        digest.update(json.dumps([name, array.dtype.str, array.shape]).encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _arrays(path: str) -> dict:
    import h5py
    import numpy as np

    if path.endswith(".npz"):
        with open(path, "rb") as opened, np.load(opened) as file:
            # Text says where the networks are, which changes nothing.
            return {name: array for name, array in file.items() if array.dtype.kind != "U"}
    found = {}

    def visit(name: str, node: Any) -> None:
        if isinstance(node, h5py.Dataset):
            found[name] = node[()]

    with h5py.File(path) as file:
        file.visititems(visit)
    return {name: np.asarray(array) for name, array in found.items()}


def made(folder: Path) -> dict[str, str | None]:
    """The hash of each file of a run that others may read, by its name in the folder."""
    files = sorted(file for name in MADE for file in folder.glob(name))
    return {file.relative_to(folder).as_posix(): of_file(file) for file in files}


def read(folder: Path, inputs: dict[str, Path]) -> dict[str, dict]:
    """What the run of a folder reads: where each input lies, seen from there, and its hash."""
    notes: dict[str, dict] = {}
    for label, file in inputs.items():
        run = file.parent.parent if file.parent.name in ("epochs", "steps") else file.parent
        name = file.relative_to(run).as_posix()
        where: dict[str, str | None] = {"run": os.path.relpath(run, folder), "file": name}
        notes[label] = where | {"hash": _now(run, name)}
    return notes


@dataclass
class Comparison:
    """What a run and those below it have read, against what is there now.

    Attributes:
        folders: of the run and of all below it, as they have noted them.
        changed: `(run, label, input's run)` of every input that was made again since.
        unknown: why it is not known of others, a sentence each.
    """

    folders: list[Path] = field(default_factory=list)
    changed: list[tuple[Path, str, Path]] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def compare(runs: Iterable[Path]) -> Comparison:
    """What the runs of some folders, and all below them, have read, against what is there now."""
    found, waiting = Comparison(), [Path(folder).resolve() for folder in runs]
    while waiting:
        folder = waiting.pop(0)
        if folder in found.folders:
            continue
        found.folders.append(folder)
        notes = folders.read_environment(folder).get("read")
        if notes is None and folder.is_dir() and folder.parent.name != "base":
            found.unknown.append(f"what {folder} was made from was not noted")
        for label, note in (notes or {}).items():
            below = (folder / note["run"]).resolve()
            now = _now(below, note["file"])
            if now is None or note["hash"] is None:
                found.unknown.append(f"{label} of {folder} is not there any more")
            elif now != note["hash"]:
                found.changed.append((folder, label, below))
            waiting.append(below)
    return found


def _now(run: Path, name: str) -> str | None:
    """The hash of a run's file, as the run has noted it, or else of what lies there."""
    if not (run / name).is_file():
        return None
    noted = folders.read_environment(run).get("made", {})
    return noted.get(name) or of_file(run / name)
