"""Networks that rescale images by themselves, which must not be given what is rescaled already."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from mc.network import unpromised

if TYPE_CHECKING:
    from mc.datasets.data import Data

# A factor between 1, for inputs in [0, 1], and 1/255, for bytes: halfway by ratio.
FOR_BYTES = 1 / math.sqrt(255)


def check_scale(network: keras.Model, data: "Data", name: str) -> None:
    """Raise if a network that wants bytes is fed bytes divided by 255.

    What it sees depends on the data set's settings alone, so that all networks of a comparison see
    the same; so this is an error, and no quiet change of the data.

    Args:
        network: a built model.
        data: a `Data`.
        name: which network, for the message.

    Raises:
        ValueError: names the layer, and what to type.
    """
    if not data.train.images or (layer := layer_for_bytes(network)) is None:
        return
    some = data.train.head(32)
    if np.abs(some.inputs(some.x)).max() > 1 / FOR_BYTES:
        return
    raise ValueError(
        f"{name} rescales images by itself (its layer {layer} is made for numbers up to 255), but "
        "those of the dataset are divided by 255 before. Type +dataset.divide_by_255=false, here "
        "and wherever this network has a part, or take the layer out of the network."
    )


def layer_for_bytes(network: keras.Model) -> str | None:
    """The name of what makes numbers up to 255 small before the first weights; None: nothing does.

    Known are `Rescaling`, an adapted `Normalization`, and a division or product by a number in a
    functional model; what is inside other layers (`Lambda`, a `call` of one's own) cannot be seen.
    """
    for operation in _operations(network):
        if _factor(operation) < FOR_BYTES:
            return operation.name
        if getattr(operation, "weights", ()) and not isinstance(
            operation, keras.layers.Normalization
        ):
            return None
    return None


def _operations(network: keras.Model) -> Iterator:
    """Layers and operations in the order of their calls; of subclassed models, as they were set."""
    for operation in getattr(network, "operations", None) or network.layers:
        if isinstance(operation, keras.Model):
            yield from _operations(operation)
        else:
            yield operation


def _factor(operation: Any) -> float:
    """What an operation multiplies its inputs by, at most; 1 if that is not its business."""
    if isinstance(operation, keras.layers.Rescaling):
        return float(np.max(np.abs(operation.scale)))
    if isinstance(operation, keras.layers.Normalization) and operation.mean is not None:
        # Numbers in [0, 1] have means and deviations of at most 1.
        spread = np.sqrt(np.max(operation.variance))
        return 0.0 if max(np.max(operation.mean), spread) > 1 and not operation.invert else 1.0
    kind = type(operation).__name__
    if kind not in ("TrueDivide", "Divide", "Multiply"):
        return 1.0
    number = unpromised.constant_of(operation)
    if not isinstance(number, int | float) or not number:
        return 1.0
    return abs(number) if kind == "Multiply" else 1 / abs(number)
