"""Labels that look like something else: floats of a table, and those of unlabelled examples."""

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import tensorflow as tf

from mc.datasets.stream import Stream
from mc.datasets.targets import Splits

log = logging.getLogger(__name__)

FIRST_LABELS = 1000  # of a stream that are looked at before anything is trained


def labels_of_floats(arrays: Splits, num_classes: int | None) -> Splits:
    """The splits with float labels `[n]` or `[n, 1]` as integers, where classes are announced.

    Tables (CSV files, data frames) often hold labels as floats. Without classes announced, floats
    are targets of a regression.
    """
    if num_classes is None or not all(_are_whole(y) for _, y in arrays.values()):
        return arrays
    return {name: (x, y.astype(np.int64)) for name, (x, y) in arrays.items()}


def warn_of_floats(data: Any) -> None:
    """Say so where a `Data` of regression targets, for squared errors, may be one of labels."""
    ys = [data.train.y, data.test.y] if data.num_classes is None else []
    if ys and not isinstance(ys[0], dict) and (told := said_of_floats(ys)):
        log.warning("dataset: %s", told)


def said_of_floats(ys: Sequence[np.ndarray]) -> str | None:
    """What to say of regression targets that may be labels: floats 0, 1, ... C-1, all of them."""
    if not all(_are_whole(y) for y in ys):
        return None
    values = np.unique(np.concatenate([np.ravel(y) for y in ys]))
    size = sum(len(y) for y in ys)
    if not 2 <= len(values) < size or not np.array_equal(values, np.arange(len(values))):
        return None
    return (
        f"y are floats, which makes this a regression, but all of them are whole numbers from 0 to "
        f"{len(values) - 1}. If they are labels, return them as integers, y.astype(int), or "
        f"announce 'num_classes': {len(values)}"
    )


def check_stream(name: str, split: Stream, num_classes: int) -> None:
    """Raise unless the first labels of a stream lie in [0, num_classes).

    TFDS gives all examples of an unlabelled split the label -1. Labels further on are looked at as
    they are read.

    Raises:
        ValueError: they do not.
    """
    labels = split.records.take(FIRST_LABELS).map(lambda stored, label: label).batch(FIRST_LABELS)
    for y in labels.as_numpy_iterator():
        if (wrong := y[(y < 0) | (y >= num_classes)]).size:
            raise ValueError(
                f"dataset: labels must lie in [0, {num_classes}), received {wrong[0]} in {name}; "
                "where all are -1, the split has no labels: choose another"
            )


@contextmanager
def met_on_the_way() -> Iterator[None]:
    """A label or token that is met further on, in a `with` block, is an error of the dataset.

    Raises:
        ValueError: a batch held a label that is none of the classes, or a token that the network
            does not know.
    """
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        if found := re.search(r"= (-?\d+) is not in \[0, (\d+)\)", error.message):
            raise ValueError(
                f"dataset: the inputs have the token {found[1]}, and a layer of the network, such "
                f"as Embedding, has rows for 0 to {int(found[2]) - 1} alone: give the network the "
                "vocabulary of the data."
            ) from error
        if not (found := re.search(r"labels must lie in \[0, \d+\)", error.message)):
            raise
        raise ValueError(
            f"dataset: {found[0]}; a streamed split holds another one, beyond its first "
            f"{FIRST_LABELS} examples. Leave these examples out."
        ) from error


def _are_whole(y: np.ndarray) -> bool:
    """Whether y are floats `[n]` or `[n, 1]` without fractions."""
    if isinstance(y, dict):
        return False
    one = y.ndim == 1 or (y.ndim == 2 and y.shape[1] == 1)
    return bool(one and y.dtype.kind == "f" and (y == np.round(y)).all())
