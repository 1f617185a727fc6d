"""Renumberings of the units of a network, as gathers on its weights and its state."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from mc import atomic
from mc.network import copying, hidden_state
from mc.network.weights import FlatNetwork, State


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

    def after(self, first: Gather) -> Gather:
        """What does `first` and then this one."""
        if self.shape == first.shape:
            sources = zip(first.sources, self.sources, strict=True)
            return Gather(self.shape, tuple(one[then] for one, then in sources))
        index = np.arange(np.prod(self.shape))
        return Gather((index.size,), (self(first(index)),))


@dataclass(frozen=True, eq=False)
class Permutation:
    """A renumbering of the units of a network; what the network computes stays as it was.

    Attributes:
        shapes: of each of `network.variables`.
        gathers: of those that are renumbered, by place.
    """

    shapes: Sequence[tuple[int, ...]]
    gathers: Mapping[int, Gather]

    def apply(self, network: keras.Model) -> keras.Model:
        """A renumbered copy of a network.

        Raises:
            ValueError: Keras cannot copy it, or the renumbering is of another network.
        """
        self._check([tuple(v.shape) for v in network.variables])
        made = copying.copy(network)
        for place, (given, own) in enumerate(zip(network.variables, made.variables, strict=True)):
            own.assign(self.of_array(place, given.numpy()))
        states = hidden_state.rnn_states(network), hidden_state.rnn_states(made)
        for given, own in zip(*states, strict=True):
            own.assign(given)
        hidden_state.finalize(made)
        return made

    def of_arrays(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Arrays, one for each of `network.variables`, renumbered.

        Raises:
            ValueError: they have other shapes than those of the network.
        """
        self._check([array.shape for array in arrays])
        return [self.of_array(place, array) for place, array in enumerate(arrays)]

    def of_array(self, place: int, array: np.ndarray) -> np.ndarray:
        """One of them, renumbered: the value of `network.variables[place]`."""
        gather = self.gathers.get(place)
        return array if gather is None else gather(array)

    def _check(self, shapes: Sequence[tuple[int, ...]]) -> None:
        for place, (found, shape) in enumerate(zip(shapes, self.shapes, strict=True)):
            if tuple(found) != tuple(shape):
                raise ValueError(
                    "This renumbering is of another network: its variable "
                    f"{place} has shape {tuple(shape)}, and not {tuple(found)}."
                )

    def of_weights(self, network: keras.Model, w: np.ndarray) -> np.ndarray:
        """The flat weight vector of the renumbered network, where `w: [P]` is the network's.

        `network` says what w is made of; its own weights do not count.
        """
        places = _places(network)
        flat = FlatNetwork(network)
        parts = np.split(np.asarray(w), np.cumsum(flat.sizes)[:-1])
        found = [
            self.of_array(places[id(v)], part)
            for v, part in zip(flat.trainable, parts, strict=True)
        ]
        return np.concatenate([part.ravel() for part in found])

    def of_state(self, network: keras.Model, state: State) -> list[np.ndarray]:
        """The state of the renumbered network, an array for each of `FlatNetwork.untrained`."""
        places = _places(network)
        variables = FlatNetwork(network).untrained
        pairs = zip(variables, state, strict=True)
        return [self.of_array(places.get(id(v), -1), np.asarray(value)) for v, value in pairs]

    def inverse(self) -> Permutation:
        """The renumbering that takes this one back."""
        gathers = {place: gather.inverse() for place, gather in self.gathers.items()}
        return Permutation(self.shapes, gathers)

    def compose(self, first: Permutation) -> Permutation:
        """The renumbering that does `first`, and then this one.

        Raises:
            ValueError: they are of different networks.
        """
        if list(map(tuple, self.shapes)) != list(map(tuple, first.shapes)):
            raise ValueError("Two renumberings of different networks cannot be composed.")
        gathers = {**first.gathers, **self.gathers}
        for place in first.gathers.keys() & self.gathers.keys():
            gathers[place] = self.gathers[place].after(first.gathers[place])
        return Permutation(self.shapes, gathers)

    def save(self, filepath: str | Path) -> None:
        """Write it to a `.npz` file, for `Permutation.load`.

        Arrays: `shapes`, those of all variables as JSON, and of the renumbered variable number i
        `i/shape` and for each of its axes k `i/k [n]`, where the positions come from.
        """
        arrays: dict[str, Any] = {"shapes": np.array(json.dumps([list(s) for s in self.shapes]))}
        for place, gather in self.gathers.items():
            arrays[f"{place}/shape"] = np.array(gather.shape)
            for axis, source in enumerate(gather.sources):
                arrays[f"{place}/{axis}"] = source.astype(np.int32)
        with atomic.replacing(Path(filepath)) as unfinished, open(unfinished, "wb") as file:
            np.savez_compressed(file, **arrays)

    @classmethod
    def load(cls, filepath: str | Path) -> Permutation:
        """What `save` wrote.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is none of a renumbering.
        """
        with np.load(filepath) as saved:
            if "shapes" not in saved:
                raise ValueError(f"{filepath} is no renumbering: Permutation.save writes those.")
            shapes = [tuple(shape) for shape in json.loads(str(saved["shapes"]))]
            gathers = {}
            for name in (name for name in saved.files if name.endswith("/shape")):
                place, shape = int(name.partition("/")[0]), tuple(map(int, saved[name]))
                sources = tuple(saved[f"{place}/{axis}"] for axis in range(len(shape)))
                gathers[place] = Gather(shape, sources)
        return cls(shapes, gathers)


def _places(network: keras.Model) -> dict[int, int]:
    """Of each of a network's variables, by `id`, its place among them."""
    return {id(v): place for place, v in enumerate(network.variables)}
