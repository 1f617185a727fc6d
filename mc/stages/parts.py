"""From configuration to objects: data, loss, networks, the curve."""

import inspect
from collections.abc import Iterator
from pathlib import Path

import hydra
import keras
import numpy as np
from omegaconf import DictConfig, OmegaConf

from mc import batchnorm, conditions, connecting, families, first_look, losses, naming, runs, stale
from mc.curve_model import CurveModel
from mc.curves import mix
from mc.datasets import Data, Examples, make_data
from mc.datasets.labels import said_of_floats, warn_of_floats
from mc.datasets.scale import check_scale
from mc.progress import show
from mc.stages import fitting, kept
from mc.weights import FlatNetwork, check_same_architecture, pack

REMEDY = (
    "save it again with model.save, register classes of your own with "
    "keras.saving.register_keras_serializable, and name their modules, as in "
    "imports=[my_package.layers]."
)
# What smoke=true leaves of a run: every part of it, as little of each as large networks can bear.
SMOKE_EXAMPLES = 32
SMOKE_BATCH = 16
SMOKE_EPOCHS = 2
SMOKE_STEPS = 2
SMOKE_POINTS = 3


def shortened(cfg: DictConfig, number: int, limit: int) -> int:
    """A number of examples, steps or points, at most `limit` if `smoke`."""
    return min(number, limit) if cfg.smoke else number


def load_data(cfg: DictConfig) -> Data:
    """The dataset, its targets as the loss takes them; a few examples of it if `smoke`."""
    # One seed for all: a callable that draws at random gives every network the same data.
    keras.utils.set_random_seed(0)
    raw = call(cfg.dataset, "dataset", leave_out=("valid_size", "divide_by_255"))
    keras.utils.set_random_seed(cfg.seed)
    loss = None if cfg.loss._target_ is None else call(cfg.loss, "loss")
    size, divide = (cfg.dataset.get(key) for key in ("valid_size", "divide_by_255"))
    data = make_data(raw, size or 0, divide, loss)
    if loss is None:
        warn_of_floats(data)
    if cfg.smoke:
        data = data.head(SMOKE_EXAMPLES)
    loss = make_loss(cfg, data)
    if data.num_classes is not None and losses.takes_one_hot(loss):
        data = data.one_hot()
    return data


def splits_of(cfg: DictConfig, data: Data) -> dict[str, Examples]:
    """The splits that `eval.splits` names, on clean data; all that there are if it is null.

    Raises:
        ValueError: it names a split that the dataset does not have.
    """
    for name in cfg.eval.splits or ():
        if name not in data.splits:
            raise ValueError(
                f"eval.splits names {name}, but the dataset has none. Set dataset.valid_size, or "
                "leave it out."
            )
    wanted = cfg.eval.splits or data.splits
    return {name: split for name, split in data.splits.items() if name in wanted}


def make_loss(cfg: DictConfig, data: Data) -> keras.losses.Loss:
    """The loss named by `loss._target_`, or the task's own with Keras' arguments of it."""
    if cfg.loss._target_ is None:
        arguments = OmegaConf.to_container(cfg.loss, resolve=True)
        del arguments["_target_"]
        return losses.default(data.num_classes, data.dense, **arguments)
    loss = call(cfg.loss, "loss")
    if data.dense:
        rows = keras.KerasTensor((None, data.num_classes))
        losses.check_targets(loss, rows, rows)
    return loss


def build_network(cfg: DictConfig, data: Data) -> keras.Model:
    """The model of the configuration for the shape and classes of the data.

    Raises:
        TypeError: the callable returns something else than a Keras model.
    """
    shape = {"input_shape": data.input_shape, "num_classes": data.num_classes}
    try:
        network = call(cfg.model, "model", **shape)
    except Exception as error:  # whatever layers say of None classes
        told = said_of_floats([data.train.y]) if data.num_classes is None else None
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
        network(np.zeros((1, *data.input_shape), np.float32))
    check_fits(network, data, f"model._target_={cfg.model._target_}")
    return network


def check_fits(network: keras.Model, data: Data, name: str) -> None:
    """Nothing, if a network takes the data's inputs and has as many outputs as they need.

    Raises:
        ValueError: it does not; `name` says which network.
    """
    needed = data.num_classes or data.train.y.shape[-1]
    inputs = keras.KerasTensor((None, *data.input_shape))
    try:
        outputs = network.compute_output_spec(inputs).shape
    except Exception as error:  # whatever its layers say of a shape that they do not take
        raise ValueError(
            f"{name} does not take the dataset's inputs of shape {data.input_shape} ({error}). "
            "Choose the dataset that it is for."
        ) from error
    check_scale(network, data, name)
    if tuple(outputs) != (None, needed):
        what = "classes" if data.num_classes else "targets"
        raise ValueError(
            f"{name} has outputs of shape {tuple(outputs)}, but the dataset has {needed} {what}: "
            f"its outputs must have shape (None, {needed})."
        )


def load_endpoint(cfg: DictConfig, endpoint, data: Data, left: bool = False) -> keras.Model:
    """A network as settings name it; of a list of networks, the first.

    `left`: with the BatchNorm statistics that its training left, to go on from, and not those of
    its reports; see `kept`. A saved Keras model has its own.

    Raises:
        ValueError: the file is damaged or not a model's, or does not fit the data.
    """
    named = naming.read(endpoint)
    network = _architecture(cfg, named.root, data)
    if named.is_file:
        return network
    path = runs.network_files(cfg, named)[0]
    maker = f"fge fge.start={named.start.typed}" if named.start else f"base seed={named.seed}"
    again = _again(cfg, f"stage={maker}")
    as_left = _read(path, lambda: kept.fill(network, named, path), again)
    if left and not as_left:
        kept.take_left(network, path.parent)
    elif as_left and not left:
        flat = FlatNetwork(network)
        flat.assign(pack(network), kept.reestimated(flat, pack(network), flat.state(), data))
    return network


def _architecture(cfg: DictConfig, root: naming.Network, data: Data) -> keras.Model:
    """The network of a file, or one of a base network's layers."""
    if not root.is_file:
        return build_network(cfg, data)
    path = Path(root.typed)
    _found("model", cfg.model._target_)  # whose module may register the layers in the file
    network = _read(path, lambda: keras.models.load_model(path, compile=False), REMEDY)
    check_fits(network, data, f"The endpoint {path}")
    fitting.check_precision(cfg, path, network)
    return network


def _again(cfg: DictConfig, maker: str) -> str:
    """How to mend a run whose file cannot be read: networks of another source first."""
    told = stale.other_source(cfg)
    return told or f"make it again with {maker} force=true and your other settings."


def _read(path: Path, load, remedy: str):
    if not path.is_file():
        raise FileNotFoundError(f"There is no model at {path}: {remedy}")
    for folder in path.parents[:2]:  # the run's, of a file in epochs/ the one above
        conditions.check(folder)
    try:
        return load()
    except Exception as error:  # h5py, zipfile, and Keras all have kinds of their own
        raise ValueError(f"The model {path} cannot be read ({error}): {remedy}") from error


def load_networks(cfg: DictConfig, data: Data) -> list[keras.Model]:
    """The networks that the stage is about (`runs.networks`), all computing one function of w.

    Raises:
        ValueError: they differ; names two that do.
    """
    names = [network.typed for network in runs.networks(cfg)]
    # Their BatchNorm statistics are estimated at every point, as eval.bn_* says.
    networks = [load_endpoint(cfg, name, data, left=True) for name in names]
    for name, network in zip(names[1:], networks[1:], strict=True):
        check_alike(cfg, data, (names[0], networks[0]), (name, network))
    return networks


def check_alike(cfg: DictConfig, data: Data, first: tuple, second: tuple) -> None:
    """Nothing, if two networks, each with its name, compute the same function of their weights.

    Equal shapes are not enough: an activation or a stride may differ.

    Raises:
        ValueError: they do not; names both.
    """
    (first_name, network), (name, other) = first, second
    reason = None
    try:
        check_same_architecture(network, other)
    except ValueError as error:
        reason = error
    else:
        x = next(iter(data.train.batches(32)))[0]
        flat, own = FlatNetwork(network), FlatNetwork(other)
        if (far := first_look.distance(flat, pack(other), own.state(), other, x)) is not None:
            reason = f"With the same weights their outputs differ by {far:.3g}: other layers."
    if reason:
        message = f"{cfg.stage}.networks: {first_name} and {name} do not fit. {reason}"
        raise ValueError(message)


def untrained_curve(cfg: DictConfig, data: Data) -> CurveModel:
    """The curve of the configuration as its training starts, its ends checked on training data."""
    family = call(cfg.curve, "curve")
    families.describe(family)  # refuses one that could not be saved, before hours of training
    start, end = (load_endpoint(cfg, e, data) for e in cfg.endpoints)
    settings = cfg.train.curve
    given = runs.curve_file(settings.init)
    curve = connecting.connect(
        start,
        end,
        family,
        init="linear" if given else settings.init,
        fix_start=settings.fix_start,
        fix_end=settings.fix_end,
        weight_decay=settings.weight_decay,
        seed=cfg.seed,
    )
    if given:
        connecting.start_from(curve, given)
    curve.check_on(next(iter(data.train.batches(32)))[0])
    return curve


def load_curve(cfg: DictConfig, data: Data) -> CurveModel:
    """The trained curve of the configuration."""
    network = load_endpoint(cfg, cfg.endpoints[0], data, left=True)  # only its layers matter
    path = runs.folder(runs.variant(cfg, stage="curve")) / "curve.npz"
    again = _again(cfg, "stage=curve")
    return _read(path, lambda: connecting.load_curve(path, network), again)


def evaluation_arguments(cfg: DictConfig, data: Data) -> dict:
    """What `evaluation.evaluate` and an `Evaluator` both take from the configuration."""
    return {
        "bn_data": bn_batches(cfg, data),
        "loss": make_loss(cfg, data),
        "num_classes": data.num_classes,
        "progress": show,
    }


def networks_along(cfg: DictConfig, curve: CurveModel, data: Data, rows) -> Iterator[tuple]:
    """`(w [P], state)` at w = rows[i] @ control_points, BatchNorm statistics estimated anew."""
    state = curve.state_values
    found = batchnorm.estimate(curve.network, curve.points, rows, state, bn_batches(cfg, data))
    for n, row in enumerate(rows):
        yield mix(row, curve.points).numpy(), batchnorm.state_of(found, n, state)


def bn_batches(cfg: DictConfig, data: Data):
    """The clean training batches that BatchNorm statistics come from."""
    if cfg.eval.bn_batches:
        return data.train_clean.spread(cfg.eval.bn_batch_size, cfg.eval.bn_batches)
    return data.train_clean.batches(cfg.eval.bn_batch_size)


def batched(cfg: DictConfig, splits: dict[str, Examples]) -> dict:
    """The batches that each split is evaluated in."""
    return {name: split.batches(cfg.eval.batch_size) for name, split in splits.items()}


def _found(name: str, target: str):
    """What a group's `_target_` names."""
    try:
        return hydra.utils.get_object(target)
    except Exception as error:
        raise ValueError(f"{name}._target_={target} cannot be imported: {error}") from error


def call(group: DictConfig, name: str, leave_out=(), **offered):
    """The result of a group's `_target_`, called with the group's keys and what it names of offers.

    Raises:
        ValueError: the callable cannot be found, or does not take a key.
    """
    arguments = OmegaConf.to_container(group, resolve=True)
    arguments = {k: v for k, v in arguments.items() if k not in leave_out}
    target = arguments.pop("_target_")
    function = _found(name, target)
    parameters = inspect.signature(function).parameters
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    for key in arguments:
        if key not in parameters and not open_ended:
            raise ValueError(
                f"{name}.{key} is not an argument of {target}. Known: "
                f"{', '.join(parameters) or 'none'}."
            )
    named = {k: v for k, v in offered.items() if k in parameters and k not in arguments}
    return function(**arguments, **named)
