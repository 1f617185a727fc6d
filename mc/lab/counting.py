"""Which settings count in fingerprints, and as what."""

import glob
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from mc.lab import fingerprints, settings
from mc.lab.declared import Stage
from mc.lab.variants import CALLED

NOT_COUNTED = {"mc.datasets.tfds_images": ("data_dir",)}  # where data lie does not change them
FILES = {  # arguments that enter by the content of files
    "mc.datasets.regression": ("path",),
    "mc.datasets.table": ("path",),
    "mc.datasets.text": ("files", "vocabulary_of"),
}


def counts(key: str) -> bool:
    """Whether results depend on a setting, where they depend on its section."""
    return key not in Stage.fields or Stage.fields[key].metadata["counts"]


def counted(key: str, value: Any, idle: tuple[str, ...]) -> Any:
    """The value of a key, or of a section, as it counts; None for what does not."""
    if key in CALLED:
        return _of_callable(value) if value else None
    if isinstance(value, dict):
        inner = ((name, f"{key}.{name}", v) for name, v in value.items())
        return {name: counted(full, v, idle) for name, full, v in inner if counts(full)}
    declared = Stage.fields.get(key)
    return None if key in idle or (declared and settings.is_silent(declared, value)) else value


def name_of(group: Mapping) -> str:
    """What a callable is called in the names of folders."""
    return group["_target_"].rpartition(".")[2].lower()


def _of_callable(group: Mapping) -> dict:
    """A group as it counts: without what does not change a result, and files by their content."""
    target = group["_target_"]
    counted = {k: v for k, v in group.items() if k not in NOT_COUNTED.get(target, ())}
    for key in FILES.get(target, ()):
        if counted.get(key) not in (None, fingerprints.NULL):
            counted[key] = _of_files(key, counted[key])
    if target == "mc.datasets.text" and counted.get("files") in (None, fingerprints.NULL):
        counted["topics_are"] = _of_topics()
    return counted


@cache
def _of_topics() -> str:
    """The content of the text that every Python has, which differs between its versions."""
    from pydoc_data.topics import topics

    return fingerprints.of_settings(topics)


def _of_files(key: str, named: Any) -> Any:
    """The content of a file, of those of a pattern, or of several in a list or mapping."""
    if isinstance(named, Mapping):
        return {name: _of_files(key, value) for name, value in named.items()}
    if isinstance(named, list):
        return [_of_files(key, value) for value in named]
    path = Path(named).expanduser()
    if path.is_file():
        return fingerprints.of_file(path)
    files = [file for file in sorted(glob.glob(str(path), recursive=True)) if Path(file).is_file()]
    if not files:
        raise FileNotFoundError(f"dataset.{key}: there is no file {str(path)!r}.")
    return [fingerprints.of_file(file) for file in files]
