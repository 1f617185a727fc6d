"""Networks: built as the configuration says, or read from what runs and users have saved."""

import logging
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from omegaconf import DictConfig

from mc import likelihoods
from mc.datasets import Data
from mc.datasets.labels import said_of_floats
from mc.lab import conditions, stale
from mc.lab.graph import Network, Run
from mc.lab.job import Job
from mc.lab.work import kept
from mc.lab.work.data import found, instantiate, make_loss
from mc.lab.work.fits import check_fits, check_precision, check_same_precision, difference
from mc.network import adapters, deviation, trainable
from mc.network.weights import FlatNetwork, pack

log = logging.getLogger(__name__)

REMEDY = (
    "save it again with model.save, register classes of your own with "
    "keras.saving.register_keras_serializable, and name their modules, as in "
    "imports=[my_package.layers]."
)


def build(cfg: DictConfig, data: Data) -> keras.Model:
    """The model of the configuration for the shape and classes of the data.

    Its initial weights are drawn from `seed`.

    Raises:
        TypeError: the callable returns something else than a Keras model.
        ValueError: it does not fit the data.
    """
    loss = make_loss(cfg, data)
    deviations = loss.deviation if isinstance(loss, likelihoods.Gaussian) else None
    keras.utils.set_random_seed(cfg.seed)
    offered = {"input_shape": data.input_shape, "num_classes": data.num_classes}
    if data.num_classes is None and data.output_shape is not None:
        shape, inputs = data.output_shape, data.input_shape
        of_each = isinstance(inputs, tuple) and 1 < len(shape) < len(inputs)  # a number a pixel
        offered["num_outputs"] = (1 if of_each else shape[-1]) * (1 + (deviations == "network"))
    try:
        network = instantiate(cfg.model, "model", **offered)
    except Exception as error:  # whatever layers say of None classes
        y = getattr(data.train, "y", None) if data.num_classes is None else None
        told = said_of_floats([y]) if isinstance(y, np.ndarray) else None
        if told is None:
            raise
        raise ValueError(
            f"model._target_={cfg.model._target_}: {error}. The data's {told}."
        ) from error
    if not isinstance(network, keras.Model):
        raise TypeError(
            f"model._target_={cfg.model._target_} must return a keras.Model; received {network!r}."
        )
    if not network.built:
        network(keras.tree.map_structure(_zeros, data.input_spec))
    if deviations == "bias":
        network = deviation.with_deviation(network, data.input_spec)
    check_fits(network, data, f"model._target_={cfg.model._target_}", loss)
    return network


def _zeros(spec: keras.KerasTensor) -> np.ndarray:
    return np.zeros((1, *spec.shape[1:]), spec.dtype)


def load(job: Job, network: Network, data: Data, left: bool = False) -> keras.Model:
    """A network as a setting names it; of a list of networks, the first.

    Args:
        job: of the run that reads it, whose settings say what w is made of.
        network: the network.
        data: what it must fit.
        left: with the BatchNorm statistics that its training left, to go on from, and not those of
            its reports; see `kept`. A saved Keras model has its own.

    Raises:
        ValueError: the file is damaged or not a model's, or does not fit the data.
    """
    merged = job.cfg.lora.paths == "merged"
    model = whole(job, network, data, left, merged)
    trainable.train_only(model, job.cfg.trainable)
    return model


def whole(
    job: Job, network: Network, data: Data, left: bool = False, merged: bool = True
) -> keras.Model:
    """The same, all of its weights trainable; `merged`: with its adapters in these."""
    model = layers_of(job, network, data)
    if network.run is not None:
        if network.adapters:
            adapters.enable(model, **network.adapters)
        with trainable.only(model, network.run["trainable"]):
            _fill(job, network, data, model, left)
    return without_adapters(job, network, model, data) if merged else model


def without_adapters(job: Job, network: Network, model: keras.Model, data: Data) -> keras.Model:
    """A model with the layers of a network, its adapters, if it has any, merged into weights."""
    if not adapters.have(model):
        return model
    plain = layers_of(job, network, data)
    adapters.merge(model, plain)
    return plain


def _fill(job: Job, network: Network, data: Data, model: keras.Model, left: bool) -> None:
    """Read the file of a network into a model of its layers."""
    path, maker = network.files[0], network.run
    assert maker is not None, "a file is read as it is"
    as_left = read(
        path,
        lambda: kept.fill(model, network.named, path),
        lambda: _other_data(network) or how_to_mend(job.run, shlex.join(maker.words())),
    )
    if left and not as_left:
        kept.take_left(model, path.parent)
    elif as_left and not left:
        flat = FlatNetwork(model)
        flat.assign(pack(model), kept.reestimated(flat, pack(model), flat.state(), data))


def _other_data(network: Network) -> str:
    """What may be wrong of a network that its folder names, where it was not made for the data."""
    if network.named.folder is None:
        return ""
    return (
        "if it is of other data, these must have inputs of the same shape and as many classes "
        "(texts: the same dataset.vocabulary_of)."
    )


def architecture(job: Job, network: Network, data: Data) -> keras.Model:
    """A network's layers, its weights those that w is made of, with values that do not matter."""
    model = layers_of(job, network, data)
    if network.adapters and job.cfg.lora.paths == "factors":
        adapters.enable(model, **network.adapters)
    trainable.train_only(model, job.cfg.trainable)
    return model


def layers_of(job: Job, network: Network, data: Data) -> keras.Model:
    """The network of a file, or one of a base network's layers, without adapters."""
    run = network.run
    if run is not None and run.origin is not None:
        return layers_of(job, run.origin, data)
    if run is not None:
        check_same_precision(job, network)
        return build(job.cfg if run.variants is job.run.variants else run.cfg, data)
    path = Path(str(network.named.typed))
    found("model", job.cfg.model._target_)  # whose module may register the layers in the file
    model = read(path, lambda: keras.models.load_model(path, compile=False), lambda: REMEDY)
    check_fits(model, data, f"The endpoint {path}", make_loss(job.cfg, data))
    check_precision(job, path, model)
    return model


def load_all(job: Job, data: Data) -> list[keras.Model]:
    """The networks that the run is about, all computing one function of w.

    Raises:
        ValueError: they differ; names two that do.
    """
    named = job.run.networks
    # Their BatchNorm statistics are estimated at every point, as eval.bn_* says.
    models = [load(job, network, data, left=True) for network in named]
    for network, model in zip(named[1:], models[1:], strict=True):
        check_alike(job, data, (named[0].named.typed, models[0]), (network.named.typed, model))
    return models


def decays(job: Job) -> list[float]:
    """The weight decay of the penalty that each network was trained with; of a file, base's.

    Where they differ, `loss` has a penalty whose decay is mixed as the weights are, so that at each
    network it is the network's own; which is said.
    """
    base = job.run.of("base")
    found = [(network.run or base).weight_decay for network in job.run.networks]
    if len(set(found)) > 1:
        log.info(
            "The networks were trained with weight decays %s: in loss they are mixed as the "
            "weights are.",
            ", ".join(f"{decay:g}" for decay in found),
        )
    return found


def check_alike(job: Job, data: Data, first: tuple, second: tuple) -> None:
    """Raise unless two networks, each with its name, compute one function of their weights.

    Equal shapes are not enough: an activation or a stride may differ.

    Raises:
        ValueError: they do not; names both.
    """
    (first_name, network), (name, other) = first, second
    told = difference(network, other, data)
    if told:
        message = f"{job.run.name}.networks: {first_name} and {name} do not fit. {told}"
        raise ValueError(message)


def how_to_mend(run: Run, words: str) -> str:
    """How to mend a run whose file cannot be read: networks of another source first."""
    told = stale.other_source(run)
    return told or f"make it again with {words} force=true and your other settings."


def read(path: Path, load_file: Callable, remedy: Callable[[], str]) -> Any:
    """What a function reads from a file; `remedy` says what to do where it cannot.

    Raises:
        FileNotFoundError, ValueError: there is none, or it cannot be read; says what to do.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no model at {path}: {remedy()}")
    for folder in path.parents[:2]:  # the run's, of a file in epochs/ the one above
        conditions.check(folder)
    try:
        return load_file()
    except Exception as error:  # h5py, zipfile, and Keras all have kinds of their own
        raise ValueError(f"The model {path} cannot be read ({error}): {remedy()}") from error
