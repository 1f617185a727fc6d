"""The samples of a SWAG, drawn anew from the moments that its run has kept."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mc import curve_file
from mc.ensembles.joint import Member
from mc.ensembles.swag import Swag
from mc.lab import files
from mc.lab.naming import Network
from mc.lab.stages.swag import MOMENTS


@dataclass(frozen=True, eq=False)
class Drawing:
    """What is drawn: how many samples, at which scale of the covariance, by which seed."""

    samples: int
    scale: float
    seed: int


def save(folder: Path, swag: Swag, drawing: Drawing, state: Sequence) -> None:
    """Write the moments of a run as `swag.npz`.

    Arrays: `count`, of snapshots; `mean [P]` and `squares [P]`, the sum of squared deviations from
    it, float64; `deviations [K, P]`, the last ones, float32; `rank`, the most of them that are
    kept; `samples`, `scale` and `seed`, as sample n is `Swag.draw(seed, n, scale)`; `state_*`, the
    untrained variables as training left them, which all samples share.
    """
    arrays = {**swag.state(), **vars(drawing)}
    arrays |= {f"state_{i}": curve_file.plain(value) for i, value in enumerate(state)}
    files.save_arrays(folder, MOMENTS.removesuffix(".npz"), arrays)


def drawn(path: Path, run: str) -> Iterator[Member]:
    """All samples, named as settings name them: `swag:1/1`, `swag:1/2`, ...

    Their BatchNorm statistics are those that training left, and to be estimated anew.

    Args:
        path: of `swag.npz`.
        run: the name of them all, `swag:1`.
    """
    arrays = read(path)
    swag = Swag.of_state(arrays)
    for number in range(1, int(arrays["samples"]) + 1):
        yield _sample(swag, arrays, number, f"{run}/{number}")


def one(path: Path, named: Network) -> Member:
    """One sample as it is named; of the list of all, the first."""
    arrays = read(path)
    number = named.member if isinstance(named.member, int) else 1
    return _sample(Swag.of_state(arrays), arrays, number, str(named.typed))


def _sample(swag: Swag, arrays: Mapping[str, Any], number: int, name: str) -> Member:
    w = swag.draw(int(arrays["seed"]), number, float(arrays["scale"]))
    state = [arrays[f"state_{i}"] for i in range(sum(key.startswith("state_") for key in arrays))]
    return Member(name, w, state)


def read(path: Path) -> dict[str, np.ndarray]:
    """What `save` wrote, of which `Swag.of_state` takes the moments."""
    with open(path, "rb") as opened, np.load(opened) as file:
        return dict(file)
