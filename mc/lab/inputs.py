"""What runs build on: networks that settings name, and other runs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mc.lab import fingerprints, naming

if TYPE_CHECKING:
    from mc.lab.graph import Run


@dataclass(frozen=True)
class Network:
    """A network that a setting names, or a list of them, and the run that makes it.

    Attributes:
        named: what its name says.
        run: None for a file of the user's own.
    """

    named: naming.Network
    run: Run | None

    @property
    def title(self) -> str:
        """What it is called in the names of folders."""
        return self.named.title

    @property
    def is_of_files(self) -> bool:
        """Whether its layers are those of a file of the user's own."""
        if self.run is None:
            return True
        return self.run.origin is not None and self.run.origin.is_of_files

    @property
    def adapters(self) -> dict | None:
        """Rank and alpha of its adapters, if it has any."""
        return None if self.run is None else self.run.adapters_of(self.named)

    @cached_property
    def id(self) -> str:
        """What it enters a fingerprint with."""
        if self.run is None:
            return fingerprints.of_file(str(self.named.typed))
        made = f"{self.run.fingerprint}{self.named.kept}"
        return made if self.named.member is None else f"{made}/{self.named.member}"

    @property
    def files(self) -> list[Path]:
        """The file of its weights; of a list of networks, those that are there.

        Raises:
            ValueError: the run has no such network.
        """
        return [Path(str(self.named.typed))] if self.run is None else self.run.files_of(self.named)

    @property
    def file(self) -> Path:
        """The file of the weights of one network."""
        (file,) = self.files
        return file


def is_there(one: Run | Network) -> bool:
    """Whether what a run builds on is made; what it keeps on the way is before it is finished."""
    if isinstance(one, Network) and one.named.is_kept:
        return one.file.is_file()
    return one.run is None or one.run.is_done


def each_once(runs: Iterable[Run]) -> list[Run]:
    """The runs of different folders, in their order."""
    found: dict[Path, Run] = {}
    for run in runs:
        folder = run.folder
        found[folder] = found[folder].both(run) if folder in found else run
    return list(found.values())


def files_read(run: Run) -> dict[str, Path]:
    """The files of other runs that a run reads, such as `network fge:1/3` or `curve`."""
    files: dict[str, Path] = {}
    for name, value in run.inputs().items():
        several: list[Run | Network] = [*value] if isinstance(value, list) else [value]
        for k, one in enumerate(several, 1):
            if not isinstance(one, Network):
                files[f"{name} {k}" if isinstance(value, list) else name] = one.result
        for network in (one for one in several if isinstance(one, Network)):
            paths = network.files if network.run else ()
            for number, path in enumerate(paths, 1):
                count = f"/{number}" * network.named.is_list
                files[f"network {network.named.typed}{count}"] = path
    return files
