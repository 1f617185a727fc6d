"""The data and the loss of a configuration, and the callables that it names."""

import inspect
import re
from dataclasses import replace
from typing import Any

import hydra
import keras
from omegaconf import DictConfig, OmegaConf

from mc import likelihoods
from mc.datasets import Data, Examples, make_data
from mc.datasets.labels import warn_of_floats
from mc.lab.variants import OOD, plain
from mc.network import losses

SMOKE_EXAMPLES = 32  # of each split, that smoke=true leaves
NO_ARGUMENTS = ("valid_size", "divide_by_255")  # of a dataset's callable, but of what it returns
TFDS = "mc.datasets.tfds_images"


def load_data(cfg: DictConfig) -> Data:
    """The dataset, its targets as the loss takes them; a few examples of it if `smoke`."""
    # One seed for all: a callable that draws at random gives every network the same data.
    keras.utils.set_random_seed(0)
    raw = instantiate(cfg.dataset, "dataset", leave_out=NO_ARGUMENTS)
    keras.utils.set_random_seed(cfg.seed)
    loss = None if cfg.loss._target_ is None else instantiate(cfg.loss, "loss")
    loss = None if isinstance(loss, dict | list | tuple) else loss  # of several outputs
    size, divide = (cfg.dataset.get(key) for key in NO_ARGUMENTS)
    task = None if cfg.task == "auto" else cfg.task
    data = make_data(raw, size or 0, divide, loss, task)
    if loss is None:
        warn_of_floats(data)
    if cfg.smoke:
        data = data.head(SMOKE_EXAMPLES)
    loss = make_loss(cfg, data)
    if data.num_classes is not None and not isinstance(loss, dict | list | tuple):
        data = data.one_hot() if losses.takes_one_hot(loss) else data
    return data


def load_ood(cfg: DictConfig, data: Data) -> Examples | None:
    """The test images, or other examples, of other data, as networks of the data see theirs.

    What prepares the data (`transform`, `divide_by_255`) prepares them too, in place of their own.

    Raises:
        ValueError: they have another shape; or the task is not to tell one label an example.
    """
    if cfg.ood is None:
        return None
    loss = make_loss(cfg, data)
    several = isinstance(loss, dict | list | tuple) or len(data.output_shape or ()) != 1
    if several or (data.num_classes is None and losses.meaning(loss) != "binary"):
        raise ValueError(
            "Other data (ood) are told apart by the entropy of the one class that is predicted of "
            f"an example, and networks of {cfg.dataset._target_} with this loss predict no such "
            "class. Leave ood out."
        )
    try:
        other = make_data(instantiate(_tested(cfg.ood), OOD, leave_out=NO_ARGUMENTS)).test
    except ValueError as error:  # whose names are those of `dataset`
        raise ValueError(re.sub(r"\bdataset(?=[.:])", "ood", str(error))) from error
    here, there = (_shapes(split) for split in (data.test, other))
    if here != there:
        raise ValueError(
            f"Networks are given {here} by dataset, and would be given {there} by ood. "
            f"{_remedy(cfg, here, there)}"
        )
    like: dict[str, Any] = {key: getattr(data.test, key) for key in ("transform", "divide_by_255")}
    other = replace(other, **like)
    return other.head(SMOKE_EXAMPLES) if cfg.smoke else other


def _tested(group: DictConfig) -> DictConfig:
    """A data set of which the test examples are wanted: of TFDS, no others are decoded."""
    only = {"train_split": group.test_split} if group._target_ == TFDS else {}
    return OmegaConf.merge(group, only)  # type: ignore[return-value]  # of two mappings


def _shapes(split: Any) -> Any:
    """The shapes of one stored example; of several inputs a dict of them."""
    return keras.tree.map_structure(lambda x: tuple(x.shape[1:]), split.head(1).x)


def _remedy(cfg: DictConfig, here: Any, there: Any) -> str:
    """What to type so that images have the shape of those of the data, if that can be."""
    images = isinstance(here, tuple) and len(here) == 3 and here[0] == here[1]
    if not images or cfg.ood._target_ != TFDS:
        return "Choose other data of that shape."
    typed = [f"ood.image_size={here[0]}"] * (there[:2] != here[:2])
    if there[2] != here[2]:
        if (there[2], here[2]) != (3, 1):
            return f"Choose images of {here[2]} channels."
        typed.append("ood.grey=true")
    return f"Type {' '.join(typed)}."


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


def make_loss(cfg: DictConfig, data: Data) -> Any:
    """The loss named by `loss._target_`, or the task's own with Keras' arguments of it.

    A callable of one's own may return several, one an output, as Keras' `compile` takes them.

    Raises:
        ValueError: the data have a row of probabilities an example, and the loss takes labels; or
            they have classes, and it is of a regression.
    """
    if cfg.loss._target_ is None:
        arguments = plain(cfg.loss)
        del arguments["_target_"]
        if data.output_shape is None:
            raise ValueError(
                f"loss._target_=null: the dataset has several targets, {', '.join(data.train.y)}, "  # type: ignore[union-attr]
                "each of which needs a loss of its own. Type loss._target_=YOUR_FUNCTION, which "
                "returns a dict of Keras losses by their names."
            )
        return losses.default(data.num_classes, data.is_one_hot, **arguments)
    loss = instantiate(cfg.loss, "loss")
    if isinstance(loss, likelihoods.Gaussian) and data.num_classes is not None:
        raise ValueError(
            f"loss=gaussian is of a regression, and dataset._target_={cfg.dataset._target_} has "
            f"{data.num_classes} classes. Leave it out, for the cross-entropy of classes, or "
            "choose another dataset, such as dataset=regression model=mlp."
        )
    if data.is_one_hot:
        rows = keras.KerasTensor((None, *data.output_shape))  # type: ignore[misc]  # of one output
        losses.check_targets(loss, rows, rows)
    return loss


def plain_weights(cfg: DictConfig) -> Any:
    """The weights of several losses, as Keras' `compile` takes them."""
    given = cfg.loss_weights
    return OmegaConf.to_container(given) if OmegaConf.is_config(given) else given


def task_of(cfg: DictConfig, data: Data) -> dict[str, Any]:
    """What `Evaluator`, `evaluate` and ensembles are told of the task."""
    return {
        "num_classes": data.num_classes,
        "task": None if cfg.task == "auto" else cfg.task,
        "token_characters": data.token_characters,
    }


def found(name: str, target: str) -> Any:
    """What a group's `_target_` names.

    Raises:
        ValueError: nothing can be imported by that name; says why.
    """
    try:
        return hydra.utils.get_object(target)
    except Exception as error:
        raise ValueError(f"{name}._target_={target} cannot be imported: {error}") from error


def instantiate(
    group: DictConfig, name: str, leave_out: tuple[str, ...] = (), **offered: Any
) -> Any:
    """The result of a group's `_target_`, called with the group's keys and what it names of offers.

    Raises:
        ValueError: the callable cannot be found, or does not take a key.
    """
    arguments = plain(group)
    arguments = {k: v for k, v in arguments.items() if k not in leave_out}
    target = arguments.pop("_target_")
    function = found(name, target)
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
