"""Whether a network fits the data: its inputs, their scale and tokens, its outputs, its masks."""

from typing import Any

import keras

from mc.datasets import Data
from mc.datasets.scale import check_scale
from mc.datasets.tokens import check_tokens, is_masked
from mc.network import losses


def check_fits(network: keras.Model, data: Data, name: str, loss: Any) -> None:
    """Raise unless a network takes the data's inputs and has as many outputs as they need.

    Raises:
        ValueError: it does not; `name` says which network.
    """
    try:
        outputs = network.compute_output_spec(data.input_spec)
    except Exception as error:  # whatever its layers say of a shape that they do not take
        raise ValueError(
            f"{name} does not take the dataset's inputs of shape {data.input_shape} ({error}). "
            "Choose the dataset that it is for."
        ) from error
    check_scale(network, data, name)
    check_tokens(network, data, name)
    needed = data.output_shape
    if needed is None or losses.compares_other_shapes(loss, needed):
        return
    found = [tuple(part.shape) for part in keras.tree.flatten(outputs)]
    if found != [(None, *needed)]:
        what = "classes" if data.num_classes else "targets"
        each = f" for each of {' x '.join(map(str, needed[:-1]))} steps" * (len(needed) > 1)
        raise ValueError(
            f"{name} has outputs of shape {', '.join(map(str, found))}, but the dataset has "
            f"{needed[-1]} {what}{each}: its outputs must have shape {(None, *needed)}."
        )
    if data.filled and not is_masked(network, data):
        raise ValueError(
            f"{name} masks nothing, but the dataset's sequences and their targets were filled up "
            "with zeros to one length, and these would count. Begin the network with "
            "Embedding(mask_zero=True) or Masking, or fill targets up with a class that the loss "
            "ignores: +loss.ignore_class=-1."
        )
