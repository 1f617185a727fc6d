"""What networks are to predict: class labels, class probabilities or regression targets."""

from typing import Any

import numpy as np

from mc.datasets.raw import Arrays
from mc.network import losses

Splits = dict[str, tuple[Arrays, Arrays]]


def read_targets(
    arrays: Splits,
    num_classes: int | None,
    loss: losses.Loss | None = None,
    task: str | None = None,
) -> tuple[Splits, int | None]:
    """The splits with y in its final form, and the number of classes (None: there are none).

    Args:
        arrays: `(x [n, ...], y [n, ...])` of every split; of several outputs, y are dicts, each
            part of which stays what it is: integers, or floats.
        num_classes: the number that the dataset callable announced, if it did.
        loss, task: what was chosen, if it was; see `make_data`.

    Raises:
        ValueError: y that are neither labels, class probabilities nor regression targets.
    """
    ys = {name: y for name, (_, y) in arrays.items()}
    first = next(iter(ys))
    if any(isinstance(y, dict) for y in ys.values()):
        _check_no_classes(num_classes)
        return {name: (x, _of_parts(y)) for name, (x, y) in arrays.items()}, None
    if num_classes is not None and (not _is_whole(num_classes) or num_classes < 2):
        raise ValueError(f"dataset: 'num_classes' must be >= 2, received {num_classes!r}")
    kind = None if loss is None else losses.meaning(loss)
    kind = {"multi-label": "binary", "loss": kind}.get(task, task) if task else kind
    if num_classes is None and kind in ("regression", "binary"):
        # A hinge takes -1 and 1.
        if kind == "binary" and loss is not None and losses.expects_logits(loss) is not None:
            _check_yes_and_no(ys)
        ys = _of_numbers(ys)
        return {name: (x, ys[name]) for name, (x, _) in arrays.items()}, None
    if kind == "one-hot labels" and all(y.ndim > 1 and y.dtype.kind == "f" for y in ys.values()):
        num_classes = num_classes or ys[first].shape[-1]
    ignored = None if loss is None else losses.argument(loss, "ignore_class")
    floats = {name: y.dtype.kind == "f" for name, y in ys.items()}
    if len(set(floats.values())) > 1:
        dtypes = {name: str(y.dtype) for name, y in ys.items()}
        raise ValueError(f"dataset: y must be integers in all splits or in none: {dtypes}")
    if _are_probabilities(ys, num_classes):
        columns = ys[first].shape[-1]
        if num_classes not in (None, columns):
            raise ValueError(
                f"dataset: y has {columns} columns for 'num_classes' {num_classes}; they must agree"
            )
        ys, num_classes = {k: y.astype(np.float32) for k, y in ys.items()}, columns
    elif not floats[first]:
        is_said = num_classes is not None or kind in ("labels", "classes", "one-hot labels")
        ys, num_classes = _labels(ys, num_classes, ignored, is_said)
    elif num_classes is None:
        ys = _of_numbers(ys)
    else:
        raise ValueError(
            f"dataset: with 'num_classes' y must be integer labels [n] or floats "
            f"[n, {num_classes}], received {ys[first].dtype} of shape {ys[first].shape}"
        )
    return {name: (x, ys[name]) for name, (x, _) in arrays.items()}, num_classes


def _of_numbers(ys: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Targets as float32 `[n, ...]`, those without an axis of their own as `[n, 1]`."""
    return {k: (column(y) if y.ndim == 1 else y).astype(np.float32) for k, y in ys.items()}


def _of_parts(ys: Any) -> dict[str, np.ndarray]:
    """Targets of several outputs: integers, or float32."""
    parts = ys if isinstance(ys, dict) else {"y": ys}
    whole = {name: y.dtype.kind in "iu" for name, y in parts.items()}
    return {n: y.astype(np.int64) if whole[n] else _of_numbers({n: y})[n] for n, y in parts.items()}


def _check_no_classes(num_classes: int | None) -> None:
    if num_classes is not None:
        raise ValueError(
            f"dataset: 'num_classes' {num_classes} is of one output, and y are several: leave it "
            "out, since the loss of each output says what it is"
        )


def _check_yes_and_no(ys: dict[str, np.ndarray]) -> None:
    for name, y in ys.items():
        if y.min() < 0 or y.max() > 1:
            raise ValueError(
                f"dataset: a binary cross-entropy needs y from 0 to 1, received {y.min()} to "
                f"{y.max()} in {name}. If these are classes, return 'num_classes' with the data."
            )


def _labels(
    ys: dict[str, np.ndarray], num_classes: int | None, ignored: int | None, is_said: bool
) -> tuple[dict[str, np.ndarray], int]:
    """Labels of examples, tokens or pixels; `is_said`: that y are such, and not yes and no."""
    labels = {}
    for name, y in ys.items():
        if y.ndim > 1 and y.shape[-1] == 1:
            y = y[..., 0]
        if y.ndim > 1 and not is_said and y.max(initial=0) < 2:
            raise ValueError(
                f"dataset: integer y of {name} of shape {y.shape} that are 0 or 1 may be several "
                "yes or no an example, or the class of every token or pixel. Choose the loss that "
                "says so, loss._target_=keras.losses.BinaryCrossentropy +loss.from_logits=true, or "
                "return 'num_classes' with the data; one-hot rows have one 1 each"
            )
        labels[name] = y.astype(np.int64)
    if num_classes is None:
        counted = [y[y != ignored] for y in labels.values()]
        num_classes = max(int(y.max(initial=0)) for y in counted) + 1
    for name, y in labels.items():
        wrong = y[((y < 0) | (y >= num_classes)) & (y != ignored)]
        if wrong.size:
            raise ValueError(
                f"dataset: labels must lie in [0, {num_classes}), received {wrong[0]} in {name}"
            )
    if num_classes < 2:
        raise ValueError("dataset: all labels are 0; a classification needs at least 2 classes")
    return labels, num_classes


def _are_probabilities(ys: dict[str, np.ndarray], num_classes: int | None) -> bool:
    if any(y.ndim < 2 or y.shape[-1] < 2 for y in ys.values()):
        return False
    if all(num_classes == y.shape[-1] and y.dtype.kind == "f" for y in ys.values()):
        return True
    if any(y.ndim > 2 for y in ys.values()):  # tokens and pixels are labels, unless they say else
        return False
    return all(np.isin(y, (0, 1)).all() and (y.sum(axis=-1) == 1).all() for y in ys.values())


def column(array: np.ndarray) -> np.ndarray:
    """The vector `array: [n]` as `[n, 1]`."""
    return array[:, np.newaxis]


def one_hot_rows(y: np.ndarray, num_classes: int) -> np.ndarray:
    """Class probabilities `[n, ..., num_classes]` float32 of labels; what are such stay as is."""
    return y if y.dtype.kind == "f" else np.eye(num_classes, dtype=np.float32)[y]


def _is_whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)
