"""Whether networks fit: the data by inputs, outputs and masks, the run, and one another."""

from pathlib import Path
from typing import Any

import keras

from mc import likelihoods
from mc.datasets import Data
from mc.datasets.known_tokens import check_tokens, is_masked
from mc.datasets.scale import check_scale
from mc.lab.graph import Network
from mc.lab.job import Job
from mc.network import adapters, first_look, losses, unpromised
from mc.network.weights import FlatNetwork, check_same_architecture, pack

PAIRS = (
    ", means and then logarithms of deviations. With loss.deviation=bias the callable of a model "
    "gives the means alone, and loss.deviation=network says that it gives both; to a saved Keras "
    "model mc.network.deviation.with_deviation appends them"
)


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
    pairs = isinstance(loss, likelihoods.Gaussian)
    own = (*needed[:-1], 2 * needed[-1]) if pairs else needed
    found = [tuple(part.shape) for part in keras.tree.flatten(outputs)]
    alike = [(None, *own)]
    if data.num_classes is None and len(needed) > 1:  # as of pixels, with or without their channel
        alike.append((None, *needed, 2 if pairs else 1))
    if len(found) != 1 or found[0] not in alike:
        what = "classes" if data.num_classes else "targets"
        each = f" for each of {' x '.join(map(str, needed[:-1]))} steps" * (len(needed) > 1)
        raise ValueError(
            f"{name} has outputs of shape {', '.join(map(str, found))}, but the dataset has "
            f"{needed[-1]} {what}{each}: its outputs must have shape {(None, *own)}"
            f"{PAIRS * pairs}."
        )
    if data.filled and not is_masked(network, data):
        raise ValueError(
            f"{name} masks nothing, but the dataset's sequences and their targets were filled up "
            "with zeros to one length, and these would count. Begin the network with "
            "Embedding(mask_zero=True) or Masking, or fill targets up with a class that the loss "
            "ignores: +loss.ignore_class=-1."
        )


def difference(network: keras.Model, other: keras.Model, data: Data) -> str | None:
    """Why two networks do not compute one function of their weights; None if they do."""
    both = adapters.have(network), adapters.have(other)
    if any(both) and not all(both):
        return "Only one has adapters: type lora.paths=merged to join them in the merged weights."
    try:
        check_same_architecture(network, other)
    except ValueError as error:
        if any(both):
            return (
                f"Adapters can be joined in their factors where they are of one base network. "
                f"{error} Type lora.paths=merged to join the merged weights."
            )
        return str(error)
    x = next(iter(data.train.batches(32)))[0]
    flat, own = FlatNetwork(network), FlatNetwork(other)
    if (far := first_look.distance(flat, pack(other), own.state(), other, x)) is not None:
        return f"With the same weights their outputs differ by {far:.3g}: other layers."
    return None


def check_same_precision(job: Job, network: Network) -> None:
    """Raise unless the network of a folder was trained in the precision of the run.

    Raises:
        ValueError: it was not; says what to type.
    """
    own, precision = network.run["precision"], job.cfg.precision  # type: ignore[index]  # it has one
    if own != precision:
        raise ValueError(
            f"{network.named.typed} was trained in precision={own}, but this run is of precision="
            f"{precision}, which is another function. Type precision={own}."
        )


def check_precision(job: Job, name: Path, model: keras.Model) -> None:
    """Raise unless the network of a file works in the dtype policy of base networks beside it.

    Raises:
        ValueError: it does not; says what to type.
    """
    if all(network.is_of_files for network in job.run.networks):
        return
    layers = unpromised.layers_of(model, include_self=False)
    mixed = sorted({layer.dtype_policy.name for layer in layers if layer.weights} - {"float32"})
    precision = job.cfg.precision
    if mixed != sorted({precision} - {"float32"}):
        policy = mixed[0] if mixed else "float32"
        raise ValueError(
            f"{name} works in {policy}, as it was saved, but the base networks beside it in "
            f"precision={precision}, which is another function. Type precision={policy}."
        )
