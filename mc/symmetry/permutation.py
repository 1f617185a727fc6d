"""Renumberings of the units of a network, as gathers on its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import keras
import numpy as np


@dataclass(frozen=True, eq=False)
class Gather:
    """How an array is renumbered: in which shape, and where positions of its axes come from."""

    shape: tuple[int, ...]
    sources: tuple[np.ndarray, ...]

    def __call__(self, array: np.ndarray) -> np.ndarray:
        """The array, renumbered."""
        return array.reshape(self.shape)[np.ix_(*self.sources)].reshape(array.shape)

    def inverse(self) -> Gather:
        """What takes this one back."""
        return Gather(self.shape, tuple(map(np.argsort, self.sources)))


@dataclass(frozen=True, eq=False)
class Permutation:
    """A renumbering of the units of a network.

    Attributes:
        gathers: of each variable of `network.variables` that is renumbered, by its place.
    """

    gathers: Mapping[int, Gather]

    def of_arrays(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        """Arrays, one a variable, renumbered."""
        found = list(arrays)
        for place, gather in self.gathers.items():
            found[place] = gather(found[place])
        return found

    def apply(self, network: keras.Model) -> None:
        """Renumber the units of a network, in place."""
        values = self.of_arrays([np.asarray(v) for v in network.variables])
        for variable, value in zip(network.variables, values, strict=True):
            variable.assign(value)

    def inverse(self) -> Permutation:
        """The renumbering that takes this one back."""
        return Permutation({place: gather.inverse() for place, gather in self.gathers.items()})
