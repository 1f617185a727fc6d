"""The source of callables of one's own, found without importing it."""

import hashlib
import importlib.util
import sysconfig
from importlib.machinery import PathFinder
from pathlib import Path

INSTALLED = [Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib")]


def of(target: str) -> str | None:
    """SHA-256 of the file of the module of `package.module.name`.

    None for what is installed or a part of mc, whose versions say what it is, and for what is not
    found as a file.
    """
    path = _file(target.split("."))
    if path is None or any(path.is_relative_to(folder) for folder in INSTALLED):
        return None
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _file(names: list[str]) -> Path | None:
    """The file of the longest beginning of the names that is a module."""
    if names[0] == "mc":
        return None
    try:
        spec = importlib.util.find_spec(names[0])  # of a name without dots: imports nothing
    except ValueError:  # a module that was made by hand
        return None
    for end in range(2, len(names)):
        if spec is None or spec.submodule_search_locations is None:
            break
        inner = PathFinder.find_spec(".".join(names[:end]), spec.submodule_search_locations)
        if inner is None:
            break
        spec = inner
    path = Path(spec.origin) if spec and spec.origin else None
    return path if path and path.is_file() else None
