"""Sequences of different lengths, as arrays of one length."""

import logging
from typing import Any

import numpy as np
import tensorflow as tf

log = logging.getLogger(__name__)


def padded(splits: dict, fill: int = 0) -> tuple[dict, str]:
    """The splits with x of one length, and what was filled up: nothing, `x`, or `x and y`.

    Zeros fill up every sequence `[T]` or `[T, d]`, at its end, to the longest of all splits: what
    networks with `keras.layers.Masking` or `Embedding(mask_zero=True)` leave out. Targets of every
    step, as long as their x, are filled up with it.

    Args:
        splits: name -> what a dataset callable returned for it. x of a pair `(x, y)` is a list of
            arrays, an array of them, or a `tf.RaggedTensor`; of a `tf.data.Dataset`, it has a first
            axis of unknown size. So is y, where steps have targets.
        fill: what targets are filled up with.

    Raises:
        ValueError: an example has not as many targets as steps.
    """
    if not any(map(_may_differ, splits.values())):
        return splits, ""
    rows: dict[str, Any] = {name: _rows(split) for name, split in splits.items()}
    if any(found is None for found in rows.values()):
        return splits, ""
    lengths = [len(row) for x, _ in rows.values() for row in x]
    kinds = {row.shape[1:] for x, _ in rows.values() for row in x}
    if len(set(lengths)) < 2 or len(kinds) > 1:
        return splits, ""
    longest = max(lengths)
    log.info(
        "dataset: x have lengths from %d to %d: zeros at their ends make them %d, which Masking "
        "and Embedding(mask_zero=True) leave out",
        *(min(lengths), longest, longest),
    )
    steps = {name: _of_steps(name, x, y) for name, (x, y) in rows.items()}
    filled = {name: _filled(x, longest, 0) for name, (x, _) in rows.items()}
    if any(found is None for found in steps.values()):
        return {name: (x, rows[name][1]) for name, x in filled.items()}, "x"
    return {name: (x, _filled(steps[name], longest, fill)) for name, x in filled.items()}, "x and y"


def _of_steps(name: str, x: list[np.ndarray], y: Any) -> list[np.ndarray] | None:
    """The targets of the steps of each sequence; None where targets have no lengths of their own.

    Raises:
        ValueError: a sequence has not as many targets as steps.
    """
    if not _may_differ((y, y)):
        return None
    rows = [_row(row) for row in y]
    for i, (steps, targets) in enumerate(zip(x, rows, strict=True)):
        if len(steps) != len(targets):
            raise ValueError(
                f"dataset: example {i} of {name} has {len(steps)} steps and {len(targets)} "
                "targets; targets of different lengths must be one a step"
            )
    return rows


def _may_differ(split: Any) -> bool:
    """Whether x of a split may have examples of different lengths, by what holds them."""
    if isinstance(split, tf.data.Dataset):
        spec = split.element_spec
        x = spec[0] if isinstance(spec, tuple) and spec else None
        return bool(isinstance(x, tf.TensorSpec) and x.shape.rank and x.shape[0] is None)
    x = split[0] if isinstance(split, tuple | list) and split else None
    if isinstance(x, list | tuple):
        try:
            np.asarray(x)
        except ValueError:
            return True
    return isinstance(x, tf.RaggedTensor) or (isinstance(x, np.ndarray) and x.dtype == object)


def _rows(split: Any) -> tuple[list[np.ndarray], object] | None:
    """The sequences of a split, one by one, and y; None if its x are something else."""
    if isinstance(split, tf.data.Dataset):
        split = _read(split)
    if not isinstance(split, tuple | list) or len(split) != 2:
        return None
    x, y = split
    if not isinstance(x, np.ndarray | list | tuple | tf.RaggedTensor):
        return None
    try:
        rows = [_row(row) for row in x]
    except ValueError:  # what is in a row has no common shape
        return None
    fit = rows and all(row.dtype.kind in "biuf" and row.ndim in (1, 2) for row in rows)
    return (rows, y) if fit else None


def _read(dataset: tf.data.Dataset) -> tuple[list[np.ndarray], Any] | None:
    """The pair (list of x, y) of a dataset of single sequences; None of any other."""
    spec = dataset.element_spec
    if not (isinstance(spec, tuple) and len(spec) == 2):
        return None
    if not all(isinstance(s, tf.TensorSpec) and s.shape.rank is not None for s in spec):
        return None
    x, y = spec
    known = x.shape.rank in (1, 2) and y.shape.rank is not None
    if not known or dataset.cardinality() == tf.data.INFINITE_CARDINALITY:
        return None
    pairs = list(dataset.as_numpy_iterator())
    ys = [y for _, y in pairs]
    return [x for x, _ in pairs], np.array(ys) if y.shape.is_fully_defined() else ys


def _row(row: Any) -> np.ndarray:
    if isinstance(row, tf.RaggedTensor):  # [T, d], of which TensorFlow does not know that d is one
        return np.array(row.to_list(), row.dtype.as_numpy_dtype)
    return np.asarray(row)


def _filled(rows: Any, length: int, fill: int) -> np.ndarray:
    whole = np.full((len(rows), length, *rows[0].shape[1:]), fill, np.result_type(*rows))
    for row, place in zip(rows, whole, strict=True):
        place[: len(row)] = row
    return whole
