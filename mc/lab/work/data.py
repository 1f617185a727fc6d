"""The data and the loss of a configuration, and the callables that it names."""

import inspect
from typing import Any

import hydra
import keras
from omegaconf import DictConfig

from mc.datasets import Data, Examples, make_data
from mc.datasets.labels import warn_of_floats
from mc.lab.variants import plain
from mc.network import losses

SMOKE_EXAMPLES = 32  # of each split, that smoke=true leaves


def load_data(cfg: DictConfig) -> Data:
    """The dataset, its targets as the loss takes them; a few examples of it if `smoke`."""
    # One seed for all: a callable that draws at random gives every network the same data.
    keras.utils.set_random_seed(0)
    raw = instantiate(cfg.dataset, "dataset", leave_out=("valid_size", "divide_by_255"))
    keras.utils.set_random_seed(cfg.seed)
    loss = None if cfg.loss._target_ is None else instantiate(cfg.loss, "loss")
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
    """The loss named by `loss._target_`, or the task's own with Keras' arguments of it.

    Raises:
        ValueError: the data have a row of probabilities an example, and the loss takes labels.
    """
    if cfg.loss._target_ is None:
        arguments = plain(cfg.loss)
        del arguments["_target_"]
        return losses.default(data.num_classes, data.dense, **arguments)
    loss = instantiate(cfg.loss, "loss")
    if data.dense:
        rows = keras.KerasTensor((None, data.num_classes))
        losses.check_targets(loss, rows, rows)
    return loss


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
