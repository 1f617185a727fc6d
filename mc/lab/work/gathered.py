"""Several networks as points of weight space, lists of networks spelt out."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mc.datasets import Data
from mc.lab.graph import Network
from mc.lab.job import Job
from mc.lab.work import kept, networks
from mc.network.weights import FlatNetwork, pack


@dataclass(frozen=True, eq=False)
class Gathered:
    """All networks of a run, which compute one function of their weights.

    Attributes:
        network: the first of them.
        names: of each, all different.
        points: of each the weights `[P]`.
        counts: how many of them each name in the settings stands for.
    """

    network: FlatNetwork
    names: list[str]
    points: list[np.ndarray]
    counts: list[int]


def gather(job: Job, data: Data) -> Gathered:
    """The networks that a run is about; BatchNorm statistics are to be estimated at every point.

    Raises:
        ValueError: two differ in architecture or constants, or one has weights that are not
            finite; names them.
    """
    named = job.run.networks
    first = networks.load(job, named[0], data, left=True)
    titles, typed, points, counts = list[str](), list[str](), list[np.ndarray](), list[int]()
    for network in named:
        model = first
        if network is not named[0]:
            model = networks.load(job, network, data, left=True)
            alike = (named[0].named.typed, first), (network.named.typed, model)
            networks.check_alike(job, data, *alike)
        before = len(points)
        for title, name, w in _of(network, pack(model)):
            _check_finite(job, name, w)
            titles.append(title)
            typed.append(name)
            points.append(w)
        counts.append(len(points) - before)
    return Gathered(FlatNetwork(first), _different(titles, typed), points, counts)


def decays(job: Job, found: Gathered) -> list[float]:
    """The weight decay that each of them was trained with; see `networks.decays`."""
    named = zip(networks.decays(job), found.counts, strict=True)
    return [decay for decay, count in named for _ in range(count)]


def check_several(job: Job, found: Gathered) -> None:
    """Raise unless there are two networks or more, lists spelt out.

    Raises:
        ValueError: there is one.
    """
    if len(found.names) < 2:
        raise ValueError(
            f"{job.run.section}.networks must be at least two; received {found.names[0]} alone, "
            "which is all that the list has."
        )


def _of(network: Network, w: np.ndarray) -> Iterator[tuple[str, str, np.ndarray]]:
    """Title, name as typed, and weights of a network, or of each of a list."""
    typed = str(network.named.typed)
    if not network.named.is_list:
        yield network.title, typed, w
        return
    for number, member in enumerate(kept.listed(network.named, network.files), 1):
        yield f"{network.title}/{number}", member.name, member.w


def _check_finite(job: Job, name: str, w: np.ndarray) -> None:
    if not np.isfinite(w).all():
        raise ValueError(
            f"{job.run.name}: network {name} has weights that are not finite, since its training "
            "diverged, so no mixture with it is a network. Leave it out."
        )


def _different(titles: list[str], typed: list[str]) -> list[str]:
    """Titles, of those that are not their own the names as typed, with a number if need be."""
    often = Counter(titles)
    names = [n if often[t] > 1 else t for t, n in zip(titles, typed, strict=True)]
    seen: Counter[str] = Counter()
    found = []
    for name in names:
        seen[name] += 1
        found.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return found
