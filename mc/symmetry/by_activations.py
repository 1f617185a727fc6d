"""Units matched by what they do: the correlation of their activations over data."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mc.network import unpromised
from mc.network.batches import counted, unpacked
from mc.symmetry.assignment import linear
from mc.symmetry.blocks import Block, blocks
from mc.symmetry.groups import Site, Symmetries

log = logging.getLogger(__name__)

CONSTANT = 1e-10  # of the mean square: a variance below it is none


def match(found: Symmetries, a: keras.Model, b: keras.Model, batches: Iterable) -> dict:
    """Of every group that is seen at work, the place that each unit of b goes to, `[n] int`.

    A unit of b goes to the place of a unit of a so that the sum of the Pearson correlations of
    their activations is largest (Li et al. 2015; Tatro et al. 2020; Jordan et al. 2023). An
    activation is what a layer with weights is given, at every example and every position in space
    or time; of several layers that are given the units of one group, the correlations are added.
    Units that never change, and what comes without a number, correlate with none. The data are
    read once.

    Args:
        found: the symmetries of both networks, which are functional.
        a, b: the networks, called as for prediction.
        batches: of inputs x, or of tuples (x, ...).

    Raises:
        ValueError: there is no batch.
    """
    wanted = {
        name: [s for s in found.sites if any(_has(axis, members) for axis in s.axes)]
        for name, members in found.members.items()
    }
    sites = sorted({s for some in wanted.values() for s in some}, key=lambda s: (s.call, s.place))
    looks = Look(a, sites), Look(b, sites)
    sums: dict[tuple[str, Site], Correlation] = {}
    count, parts = 0, Parts(found)
    for count, batch in enumerate(map(unpacked, counted(batches)), 1):  # noqa: B007
        both = [dict(zip(sites, look(batch[0]), strict=True)) for look in looks]
        for name, some in wanted.items():
            for site in some:
                known = sums.setdefault((name, site), Correlation())
                arrays = [seen[site] for seen in both]
                for block in parts(name, site, arrays[0].shape):
                    known.add(*map(block, arrays))
    if not count:
        raise ValueError("Matching by activations needs data; received no batch.")
    orders = {}
    for name, n in found.groups.items():
        total = sum((sums[name, site].matrix(n) for site in wanted[name]), np.zeros((n, n)))
        if any(sums[name, site].count for site in wanted[name]):
            orders[name] = np.argsort(linear(total))
    return orders


def _has(axis: Any, members: np.ndarray) -> bool:
    return axis is not None and bool(np.isin(axis.units, members).any())


class Parts:
    """The parts of arrays whose entries are activations of one unit of a group, made once each."""

    def __init__(self, found: Symmetries):
        self.members, self.known = found.members, dict[tuple, list[Block]]()

    def __call__(self, name: str, site: Site, shape: tuple[int, ...]) -> list[Block]:
        """Of a group, at a site, in an array of a shape."""
        key = name, site, shape
        if key not in self.known:
            found = blocks(site.axes, self.members[name], shape)
            self.known[key] = [block for block in found if block.count == 1]
        return self.known[key]


class Look:
    """What a network's layers are given, at some sites, as a function of its inputs.

    It runs through the graph, call by call in the order of `Walk`.
    """

    def __init__(self, network: keras.Model, sites: Sequence[Site]):
        self.graph, self.sites = unpromised.graph_of(network), sites
        self.graph_function = tf.function(self._seen, reduce_retracing=True, autograph=False)

    def __call__(self, x: Any) -> list[np.ndarray]:
        """An array for each site."""
        return [array.numpy() for array in self.graph_function(x)]

    def _seen(self, x: Any) -> list[tf.Tensor]:
        wanted = {(site.call, site.place) for site in self.sites}
        seen: dict[tuple[int, int], tf.Tensor] = {}
        calls = 0

        def call(operation: Any, *args: Any, **kwargs: Any) -> Any:
            nonlocal calls
            calls += 1
            for place, array in enumerate(keras.tree.flatten(args)):
                if (calls, place) in wanted:
                    seen[calls, place] = tf.cast(array, tf.float32)
            return operation(*args, **kwargs)

        unpromised.run_graph(self.graph, unpromised.inputs_of(self.graph, x), call)
        return [seen[site.call, site.place] for site in self.sites]


@dataclass
class Correlation:
    """Pearson correlations of the rows of two arrays `[n, samples]`, given part by part."""

    count: int = 0

    def add(self, x: np.ndarray, y: np.ndarray) -> None:
        """Count further samples."""
        if not self.count:  # sums about the first means lose no digits
            self.middle = x.mean(axis=1, keepdims=True), y.mean(axis=1, keepdims=True)
            n = len(x)
            self.sums = [np.zeros(n), np.zeros(n)]
            self.squares = [np.zeros(n), np.zeros(n)]
            self.products = np.zeros((n, n))
        x, y = x - self.middle[0], y - self.middle[1]
        for i, z in enumerate((x, y)):
            self.sums[i] += z.sum(axis=1, dtype=float)
            self.squares[i] += np.einsum("ns,ns->n", z, z, dtype=float)
        self.products += x @ y.T
        self.count += x.shape[1]

    def matrix(self, n: int) -> np.ndarray:
        """The correlations, `[n, n]`; 0 of rows that are constant or not finite."""
        if not self.count:
            return np.zeros((n, n))
        means = [total / self.count for total in self.sums]
        squares = [total / self.count for total in self.squares]
        deviations = []
        for mean, square, middle in zip(means, squares, self.middle, strict=True):
            variance = square - mean**2
            varies = variance > CONSTANT * (square + middle[:, 0].astype(float) ** 2)
            deviations.append(np.sqrt(np.where(varies, variance, np.inf)))
        covariance = self.products / self.count - np.outer(*means)
        return np.nan_to_num(covariance / np.outer(*deviations), posinf=0, neginf=0)
