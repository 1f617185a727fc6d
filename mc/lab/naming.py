"""Networks as settings name them: `1`, `1@160`, `fge:1/3`, `swag:1/swa`, a folder, `net.keras`."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

AVERAGE = "swa"
ONWARD = ("fge", "swag")  # stages whose networks are named by what they started from
SAVED = re.compile(r"(.+)@(step)?(\d+)")  # a network as it was after an epoch, or a step


@dataclass(frozen=True)
class Network:
    """A network that a setting names, or with `fge:START` or so the list of a run's members.

    Attributes:
        typed: the name itself, as it was given.
        seed: of a base network.
        folder: of a finished run that has made a network.
        epoch, step: after which it was kept; without either, as its training ended.
        stage, start, member: of a run of one of `ONWARD`, which it is, what it started from, and
            which of its networks: its members count from 1, of swag they are its samples; `swa` is
            the average of weights, None all members.
        aligned: the network that was renumbered to be joined with another; see stage=align.
    """

    typed: int | str
    seed: int | None = None
    folder: Path | None = None
    epoch: int | None = None
    step: int | None = None
    stage: str | None = None
    start: "Network | None" = None
    member: int | str | None = None
    aligned: "Network | None" = None

    @property
    def is_file(self) -> bool:
        """Whether it is a saved Keras model, named by its path."""
        return all(one is None for one in (self.seed, self.start, self.folder, self.aligned))

    @property
    def is_list(self) -> bool:
        """Whether several networks are named."""
        return self.start is not None and self.member is None

    @property
    def is_kept(self) -> bool:
        """Whether it is a network as it was before its training ended."""
        return self.epoch is not None or self.step is not None

    @property
    def kept(self) -> str:
        """After what it was kept, as it is typed: `@160`, `@step100`, or nothing."""
        if self.step is not None:
            return f"@step{self.step}"
        return "" if self.epoch is None else f"@{self.epoch}"

    @property
    def root(self) -> "Network":
        """The network that it goes back to: a base network, a folder or a file."""
        before = self.start or self.aligned
        return before.root if before else self

    @property
    def title(self) -> str:
        """What it is called in the names of folders."""
        if self.aligned is not None:
            return f"{self.aligned.title}-aligned"
        if self.folder is not None:  # such as seed1-0a1b2c3d, the end of the folder's name
            return "-".join(self.folder.name.split("-")[-2:]) + self.kept
        if self.start is None:
            return Path(str(self.typed)).stem if self.is_file else str(self.typed)
        if self.root.seed is not None:
            return str(self.typed)
        start, stage = self.start, self.stage
        listed = Path(f"{stage}:{start.typed}").stem if start.is_file else f"{stage}:{start.title}"
        return listed if self.is_list else f"{listed}/{self.member}"


def read(typed: int | str) -> Network:
    """The network of a name: a seed, `SEED@EPOCH`, `SEED@stepN`, `fge:START`, `swag:START`, a path.

    A path is that of a run's folder, where one is there, with `@EPOCH` or `@stepN` if it is so, or
    else that of a saved model. Of `fge:fge:1/swa` the start is the average `fge:1/swa`, since a run
    starts from one network.
    """
    if isinstance(typed, int):
        return Network(typed, seed=typed)
    stage, _, start = typed.partition(":")
    if stage in ONWARD:
        return _of_run(typed, stage, start)
    name, kept = typed, dict[str, Any]()
    if found := SAVED.fullmatch(typed):
        name, kept = found[1], {"step" if found[2] else "epoch": int(found[3])}
    if kept and name.isdecimal():
        return Network(typed, seed=int(name), **kept)
    if (Path(name) / "config.yaml").is_file():
        return Network(typed, folder=Path(name), **kept)
    return Network(typed)


def _of_run(typed: str, stage: str, start: str) -> Network:
    of_one = re.fullmatch(rf"(.+)/({AVERAGE}|\d+)", start)
    if of_one and not (single := _start(of_one[1])).is_list:
        member = of_one[2] if of_one[2] == AVERAGE else int(of_one[2])
        return Network(typed, stage=stage, start=single, member=member)
    return Network(typed, stage=stage, start=_start(start))


def _start(typed: str) -> Network:
    return read(int(typed) if typed.isdecimal() else typed)
