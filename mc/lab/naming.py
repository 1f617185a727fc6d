"""Networks as settings name them: `1`, `1@160`, `fge:1/3`, `fge:1/swa`, `net.keras`."""

import re
from dataclasses import dataclass
from pathlib import Path

AVERAGE = "swa"


@dataclass(frozen=True)
class Network:
    """A network that a setting names, or with `fge:START` the list of a run's members.

    Attributes:
        typed: the name itself, as it was given.
        seed, epoch: of a base network; without an epoch, as its training ended.
        start, member: of a run of stage=fge what it started from, and which of its networks: its
            members count from 1, `swa` is the average of them all, None all members.
    """

    typed: int | str
    seed: int | None = None
    epoch: int | None = None
    start: "Network | None" = None
    member: int | str | None = None

    @property
    def is_file(self) -> bool:
        """Whether it is a saved Keras model, named by its path."""
        return self.seed is None and self.start is None

    @property
    def is_list(self) -> bool:
        """Whether several networks are named."""
        return self.start is not None and self.member is None

    @property
    def root(self) -> "Network":
        """The network that it goes back to: a base network or a file."""
        return self.start.root if self.start else self

    @property
    def title(self) -> str:
        """What it is called in the names of folders."""
        if not self.root.is_file:
            return str(self.typed)
        if self.start is None:
            return Path(str(self.typed)).stem
        start = self.start
        listed = Path(f"fge:{start.typed}").stem if start.is_file else f"fge:{start.title}"
        return listed if self.is_list else f"{listed}/{self.member}"


def read(typed: int | str) -> Network:
    """The network of a name: of a seed, `SEED@EPOCH`, `fge:START`, `fge:START/MEMBER`, or a path.

    Of `fge:fge:1/swa` the start is the average `fge:1/swa`, since a run starts from one network.
    """
    if isinstance(typed, int):
        return Network(typed, seed=typed)
    if named := re.fullmatch(r"(\d+)@(\d+)", typed):
        return Network(typed, seed=int(named[1]), epoch=int(named[2]))
    if not typed.startswith("fge:"):
        return Network(typed)
    start = typed.removeprefix("fge:")
    of_one = re.fullmatch(rf"(.+)/({AVERAGE}|\d+)", start)
    if of_one and not (single := _start(of_one[1])).is_list:
        member = of_one[2] if of_one[2] == AVERAGE else int(of_one[2])
        return Network(typed, start=single, member=member)
    return Network(typed, start=_start(start))


def _start(typed: str) -> Network:
    return read(int(typed) if typed.isdecimal() else typed)
