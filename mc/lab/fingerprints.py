"""Hashes of settings and of files: what the names of folders end in."""

import hashlib
import json
import os
from functools import lru_cache
from typing import Any

NULL = "${mc.null:}"  # a null that was typed for a callable's argument


def of_settings(settings: Any) -> str:
    """SHA-256 of the canonical JSON of settings, null left out unless it is `NULL`."""
    canonical = json.dumps(_without_null(settings), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def of_file(path: str | os.PathLike) -> str:
    """SHA-256 of a file's bytes.

    Raises:
        FileNotFoundError: there is no such file.
    """
    status = os.stat(path)
    return _of_file(os.path.abspath(path), status.st_size, status.st_mtime_ns)


@lru_cache  # one command names a file many times, and it may be large
def _of_file(path: str, size: int, modified: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _without_null(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_null(v) for k, v in value.items() if v is not None}
    if isinstance(value, list | tuple):
        return [_without_null(v) for v in value]
    return None if value == NULL else value
