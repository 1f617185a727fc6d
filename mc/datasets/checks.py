"""What must hold of the arrays of a data set before they become its splits."""

import logging
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from mc.datasets.raw import Arrays
from mc.datasets.targets import Splits

log = logging.getLogger(__name__)


def check_bytes(divide_by_255: bool | None, arrays: Splits) -> None:
    """Raise unless x may be divided by 255 as is asked; says so where bytes are taken as they are.

    Raises:
        ValueError: neither true, false nor None, or x that are no bytes would be divided.
    """
    flat = [(name, x) for name, (given, _) in arrays.items() for x in keras.tree.flatten(given)]
    dtypes = {name: str(x.dtype) for name, x in flat}
    kinds = {str(x.dtype) for _, x in flat}
    if divide_by_255 not in (None, True, False) or (divide_by_255 and kinds - {"uint8"}):
        raise ValueError(
            "dataset.divide_by_255 must be true for uint8 x that are to be divided by 255, false "
            f"for those that are not, or null; received {divide_by_255!r} for x of {dtypes}"
        )
    tables = [x for _, x in flat if x.dtype == np.uint8 and x.ndim == 2]
    if divide_by_255 is None and tables and max(x.max() for x in tables) > 1:
        log.info(
            "dataset: uint8 x of shape [n, %d] are no images, so networks see them as they are, up "
            "to %d. If they are pixels: +dataset.divide_by_255=true",
            *(tables[0].shape[1], max(x.max() for x in tables)),
        )


def check_alike(arrays: Splits) -> None:
    """Raise unless all splits have the same parts, of one shape and dtype.

    Raises:
        ValueError: they have not.
    """
    named = {name: list(_parts_of(*pair)) for name, pair in arrays.items()}
    first, firsts = next(iter(named.items()))
    for name, parts in named.items():
        if [part for part, _ in parts] != [part for part, _ in firsts]:
            raise ValueError(
                f"dataset: all splits must have the same parts, received "
                f"{[part for part, _ in firsts]} in {first} and {[part for part, _ in parts]} in "
                f"{name}"
            )
        for (part, array), (_, like) in zip(parts, firsts, strict=True):
            if array.shape[1:] != like.shape[1:] or array.dtype != like.dtype:
                raise ValueError(
                    f"dataset: {part} must have one shape and dtype in all splits, received "
                    f"{like.dtype} [n, {_axes(like)}] in {first} and {array.dtype} "
                    f"[n, {_axes(array)}] in {name}"
                )


def _parts_of(x: Arrays, y: Arrays) -> Iterator[tuple[str, np.ndarray]]:
    """The name and array of every input and output."""
    for part, given in (("x", x), ("y", y)):
        if isinstance(given, dict):
            yield from ((f"{part}[{name!r}]", given[name]) for name in sorted(given))
        else:
            yield part, given


def _axes(array: np.ndarray) -> str:
    return ", ".join(map(str, array.shape[1:]))


def checked_characters(given: Any, num_classes: int | None) -> np.ndarray | None:
    """How many characters each token stands for, `[num_classes]`; None where it is not said.

    Raises:
        ValueError: there is not one number, at least 0, for each.
    """
    if given is None:
        return None
    if num_classes is None:
        raise ValueError(
            "dataset: 'token_characters' are of tokens to predict, and y are no classes, as the "
            "loss or the task says. Leave one of them out."
        )
    counts = np.asarray(given, np.float32)
    if counts.shape != (num_classes,) or counts.min() < 0:
        raise ValueError(
            "dataset: 'token_characters' must be a number of characters, at least 0, for each of "
            f"{num_classes} tokens; received shape {counts.shape}"
        )
    return counts
