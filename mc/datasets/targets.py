"""What networks are to predict: class labels, class probabilities or regression targets."""

from typing import Any

import numpy as np

from mc.network import losses

Arrays = dict[str, tuple[np.ndarray, np.ndarray]]


def read_targets(
    arrays: Arrays, num_classes: int | None, loss: losses.Loss | None = None
) -> tuple[Arrays, int | None]:
    """The splits with y in its final form, and the number of classes (None: regression).

    Args:
        arrays: `(x [n, ...], y [n, ...])` of every split.
        num_classes: the number that the dataset callable announced, if it did.
        loss: the loss that was chosen, if one was; see `make_data`.

    Raises:
        ValueError: y that are neither labels, class probabilities nor regression targets.
    """
    ys = {name: y for name, (_, y) in arrays.items()}
    first = next(iter(ys))
    if num_classes is not None and (not _is_whole(num_classes) or num_classes < 2):
        raise ValueError(f"dataset: 'num_classes' must be >= 2, received {num_classes!r}")
    kind = None if loss is None else losses.meaning(loss)
    if num_classes is None and kind in ("regression", "binary"):
        if kind == "binary" and losses.expects_logits(loss) is not None:  # a hinge takes -1 and 1
            _check_yes_and_no(ys)
        ys = _of_numbers(ys)
        return {name: (x, ys[name]) for name, (x, _) in arrays.items()}, None
    if kind == "dense labels" and all(y.ndim == 2 and y.dtype.kind == "f" for y in ys.values()):
        num_classes = num_classes or ys[first].shape[1]
    ignored = None if loss is None else losses.argument(loss, "ignore_class")
    floats = {name: y.dtype.kind == "f" for name, y in ys.items()}
    if len(set(floats.values())) > 1:
        dtypes = {name: str(y.dtype) for name, y in ys.items()}
        raise ValueError(f"dataset: y must be integers in all splits or in none: {dtypes}")
    if _are_probabilities(ys, num_classes):
        columns = ys[first].shape[1]
        if num_classes not in (None, columns):
            raise ValueError(
                f"dataset: y has {columns} columns for 'num_classes' {num_classes}; they must agree"
            )
        ys, num_classes = {k: y.astype(np.float32) for k, y in ys.items()}, columns
    elif not floats[first]:
        ys, num_classes = _labels(ys, num_classes, ignored)
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


def _check_yes_and_no(ys: dict[str, np.ndarray]) -> None:
    for name, y in ys.items():
        if y.min() < 0 or y.max() > 1:
            raise ValueError(
                f"dataset: a binary cross-entropy needs y from 0 to 1, received {y.min()} to "
                f"{y.max()} in {name}. If these are classes, return 'num_classes' with the data."
            )


def _labels(
    ys: dict[str, np.ndarray], num_classes: int | None, ignored: int | None
) -> tuple[dict[str, np.ndarray], int]:
    labels = {}
    for name, y in ys.items():
        if y.ndim == 2 and y.shape[1] == 1:
            y = y[:, 0]
        if y.ndim != 1:
            raise ValueError(
                f"dataset: integer y of {name} must be labels [n], [n, 1] or one-hot [n, C], "
                f"received shape {y.shape}; regression targets must be floats, or come with a loss "
                "such as loss._target_=keras.losses.MeanSquaredError, and a batched "
                "tf.data.Dataset needs unbatch()"
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
    if any(y.ndim != 2 or y.shape[1] < 2 for y in ys.values()):
        return False
    if all(num_classes == y.shape[1] and y.dtype.kind == "f" for y in ys.values()):
        return True
    return all(np.isin(y, (0, 1)).all() and (y.sum(axis=1) == 1).all() for y in ys.values())


def column(array: np.ndarray) -> np.ndarray:
    """The vector `array: [n]` as `[n, 1]`."""
    return array[:, np.newaxis]


def one_hot_rows(y: np.ndarray, num_classes: int) -> np.ndarray:
    """Class probabilities `[n, num_classes]` float32 of labels `y: [n]`; `[n, C]` stay as is."""
    return y if y.ndim == 2 else np.eye(num_classes, dtype=np.float32)[y]


def _is_whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)
