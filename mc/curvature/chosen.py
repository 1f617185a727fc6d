"""Some of the weights of a network: those whose paths match a pattern."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mc.curvature.products import Product
from mc.network.weights import FlatNetwork


@dataclass(frozen=True)
class Chosen:
    """Where some weights lie in w.

    Attributes:
        places: `(first, last)` of each of them in w, in order.
        whole: P.
    """

    places: Sequence[tuple[int, int]]
    whole: int

    @classmethod
    def of(cls, network: FlatNetwork, pattern: str | None) -> Chosen:
        """Those whose path has a match of a regular expression; None: all.

        Raises:
            ValueError: none has, or it is no regular expression.
        """
        if pattern is None:
            return cls([(0, network.size)], network.size)
        try:
            wanted = re.compile(pattern)
        except re.error as error:
            raise ValueError(f"layers={pattern!r} is no regular expression: {error}.") from error
        parts = zip(network.paths, network.spans, strict=True)
        places = [span for path, span in parts if wanted.search(path)]
        if not places:
            raise ValueError(
                f"layers={pattern!r} matches none of the network's weights: "
                f"{', '.join(network.paths)}."
            )
        return cls(places, network.size)

    @property
    def size(self) -> int:
        """How many numbers they have."""
        return sum(last - first for first, last in self.places)

    def pick(self, v: np.ndarray) -> np.ndarray:
        """Of a vector `[P]` their part, `[size]`."""
        return np.concatenate([v[first:last] for first, last in self.places])

    def fill(self, v: np.ndarray) -> np.ndarray:
        """The vector `[P]` with that part, and 0 elsewhere."""
        whole, done = np.zeros(self.whole, v.dtype), 0
        for first, last in self.places:
            whole[first:last] = v[done : done + last - first]
            done += last - first
        return whole

    def block(self, product: Product) -> Product:
        """Products with the block of a matrix that is of these weights."""
        if self.size == self.whole:
            return product
        return lambda v: self.pick(product(self.fill(v)))
