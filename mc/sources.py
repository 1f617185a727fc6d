"""The source of callables of one's own, found without importing it."""

import hashlib
import importlib.util
import sysconfig
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
    if spec is None:
        return None
    path = Path(spec.origin) if spec.origin else None
    folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
    for name in names[1:]:
        files = [
            f for folder in folders for f in (folder / name / "__init__.py", folder / f"{name}.py")
        ]
        folders = [folder / name for folder in folders if (folder / name).is_dir()]
        found = [file for file in files if file.is_file()]
        if not found and not folders:
            break
        path = found[0] if found else None  # a folder without code is a package too
    return path if path and path.is_file() else None
