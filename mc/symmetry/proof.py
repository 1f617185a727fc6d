"""Whether a network computes the same after its units were renumbered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import keras
import numpy as np

from mc.network import first_look
from mc.network.weights import FlatNetwork

if TYPE_CHECKING:
    from mc.symmetry.groups import Symmetries
    from mc.symmetry.permutation import Permutation

TOLERANCE = 1e-4  # of the outputs' largest magnitude


def changing(found: Symmetries, network: keras.Model) -> list[str]:
    """The groups whose renumbering changes what a network computes; its weights are made random.

    All are renumbered at once; where that changes the outputs, halves of them, down to single ones.
    """
    values = Random(network)
    x = first_look.made_up_inputs(FlatNetwork(network))
    if x is None:
        raise ValueError(
            f"Inputs for the network {network.name!r} cannot be made up, so that nothing proves "
            "what may be renumbered. Give its inputs a shape."
        )
    values.assign()
    expected = first_look.plain_outputs(network, x)

    def broken(names: Sequence[str]) -> bool:
        values.assign(found.permutation(found.orders(names, len(names))))
        outputs = first_look.plain_outputs(network, x)
        return first_look.farthest(outputs, expected, TOLERANCE) is not None

    def among(names: Sequence[str]) -> list[str]:
        if not names or not broken(names):
            return []
        if len(names) == 1:
            return list(names)
        half = len(names) // 2
        return among(names[:half]) + among(names[half:])

    return among(list(found.groups))


class Random:
    """Random numbers for a network's variables, none of them as it began: there, errors would hide.

    They are drawn again each time, since all of them at once are as large as the network.
    """

    def __init__(self, network: keras.Model):
        self.variables = network.variables
        self.whole = {
            place: np.asarray(v)
            for place, v in enumerate(self.variables)
            if not keras.backend.is_float_dtype(v.dtype)
        }  # whole numbers and the like stay

    def assign(self, permutation: Permutation | None = None) -> None:
        """Give the network the numbers, or these renumbered."""
        for place, variable in enumerate(self.variables):
            value = self.whole[place] if place in self.whole else _random(variable, place)
            variable.assign(value if permutation is None else permutation.of_array(place, value))


def _random(variable: keras.Variable, place: int) -> np.ndarray:
    """Of a kernel about as large as keeps the size of what flows; of a variance positive ones."""
    rng = np.random.default_rng(place)
    if "variance" in variable.name:
        return rng.uniform(0.5, 1.5, variable.shape).astype(np.float32)
    scale = 1 / np.sqrt(np.prod(variable.shape[:-1])) if len(variable.shape) > 1 else 0.5
    return np.float32(scale) * rng.standard_normal(variable.shape, np.float32)
