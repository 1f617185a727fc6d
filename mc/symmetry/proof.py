"""Whether a network computes the same after its units were renumbered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from mc.network import first_look
from mc.network.weights import FlatNetwork

if TYPE_CHECKING:
    from mc.symmetry.groups import Symmetries

TOLERANCE = 1e-4  # of the outputs' largest magnitude


def changing(found: Symmetries, network: keras.Model) -> list[str]:
    """The groups whose renumbering changes what a network computes; its weights are made random.

    All are renumbered at once; where that changes the outputs, halves of them, down to single ones.
    """
    values = [_random(v, np.random.default_rng(place)) for place, v in enumerate(network.variables)]
    x = first_look.made_up_inputs(FlatNetwork(network))
    if x is None:
        raise ValueError(
            f"Inputs for the network {network.name!r} cannot be made up, so that nothing proves "
            "what may be renumbered. Give its inputs a shape."
        )
    expected = _outputs(network, values, x)

    def broken(names: Sequence[str]) -> bool:
        moved = found.permutation(found.orders(names, len(names))).of_arrays(values)
        return first_look.farthest(_outputs(network, moved, x), expected, TOLERANCE) is not None

    def among(names: Sequence[str]) -> list[str]:
        if not names or not broken(names):
            return []
        if len(names) == 1:
            return list(names)
        half = len(names) // 2
        return among(names[:half]) + among(names[half:])

    return among(list(found.groups))


def _outputs(network: keras.Model, values: Sequence[np.ndarray], x: Any) -> list[np.ndarray]:
    for variable, value in zip(network.variables, values, strict=True):
        variable.assign(value)
    return first_look.plain_outputs(network, x)


def _random(variable: keras.Variable, rng: np.random.Generator) -> np.ndarray:
    """Random numbers for a variable, none of them as it began: there, errors would hide.

    Of a kernel about as large as keeps the size of what flows; of a variance positive ones.
    """
    value = np.asarray(variable)
    if not keras.backend.is_float_dtype(variable.dtype):
        return value
    if "variance" in variable.name:
        return rng.uniform(0.5, 1.5, value.shape).astype(value.dtype)
    scale = 1 / np.sqrt(np.prod(value.shape[:-1])) if value.ndim > 1 else 0.5
    return (scale * rng.normal(size=value.shape)).astype(value.dtype)
