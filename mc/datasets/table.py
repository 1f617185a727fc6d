"""Tables of numbers: a CSV, whitespace or .npy file, columns by name or number."""

import logging
from collections.abc import Sequence

import numpy as np
import pandas as pd

from mc.datasets import columns
from mc.datasets.columns import Column

log = logging.getLogger(__name__)

FEW = 20  # different whole numbers, which may be classes


def table(
    path: str,
    target: Column | Sequence[Column],
    features: Column | Sequence[Column] | None = None,
    classes: bool | None = None,
    test_fraction: float = 0.2,
    split_seed: int = 0,
    delimiter: str | None = None,
    standardise_target: bool = False,
) -> dict:
    """The rows of a file, features standardised, and what is to be predicted of them.

    Features have mean 0 and deviation 1 over the training rows; a column that is constant there is
    0. Rows are in a random order, of which the last part is for testing.

    Args:
        path: a `.npy` file `[n, columns]`, or text: see `columns.read`.
        target: the column to predict, by name or number (-1 is the last); or several.
        features: the columns that networks see; None: all others.
        classes: whether the target is a class. None: strings are classes, numbers a regression.
            True: whole numbers are classes too, numbered from 0 in ascending order.
        test_fraction: part of the rows that is for testing.
        split_seed: draws the order of rows; it depends on no seed of a run.
        delimiter: between columns of text; None: see `columns.read`.
        standardise_target: whether targets of a regression are standardised as features are.

    Returns:
        A mapping for `make_data`: `train` and `test` as `(x [n, features] float32, y)`, y
        `[n, targets] float32`, or `[n] int64` and `num_classes`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: an unknown column, text in a feature, missing or infinite values, a target that
            does not fit, or an argument of another form.
    """
    if isinstance(test_fraction, bool) or not 0 < test_fraction < 1:
        raise ValueError(
            f"dataset.test_fraction must be between 0 and 1, received {test_fraction!r}"
        )
    frame = columns.read(path, delimiter)
    targets = columns.chosen(frame, target, "target")
    places = [place for place in range(frame.shape[1]) if place not in targets]
    if features is not None:
        places = columns.chosen(frame, features, "features")
    if shared := [str(frame.columns[place]) for place in places if place in targets]:
        raise ValueError(f"dataset.features: {', '.join(shared)} is a target; leave it out")
    labelled = _are_classes(frame, targets, classes, standardise_target)
    x = columns.numbers(frame, places)
    columns.check_complete(frame, [*places, *targets])
    order = np.random.RandomState(split_seed).permutation(len(frame))
    test_size = min(max(1, round(test_fraction * len(frame))), len(frame) - 1)
    train, test = order[:-test_size], order[-test_size:]
    names = list(map(str, frame.columns))
    log.info(
        "dataset: %d rows to train on, %d to test; features are %s; to predict is %s",
        *(len(train), len(test), _listed(names, places), _listed(names, targets)),
    )
    x = _standardised(x, train, [names[place] for place in places])
    found: dict = {}
    if labelled:
        y, found["num_classes"] = _classes(frame.iloc[:, targets[0]], train)
    else:
        y = _targets(frame, targets, train, standardise_target)
    return found | {"train": (x[train], y[train]), "test": (x[test], y[test])}


def _are_classes(
    frame: pd.DataFrame, targets: list[int], classes: bool | None, standardise_target: bool
) -> bool:
    """Whether the target is a class.

    Raises:
        ValueError: it cannot be what `classes` says, or it is to be standardised.
    """
    if classes not in (None, True, False):
        raise ValueError(f"dataset.classes must be true, false or null, received {classes!r}")
    texts = [str(frame.columns[i]) for i in targets if columns.is_text(frame.iloc[:, i])]
    if classes is False and texts:
        raise ValueError(
            f"dataset.classes=false makes a regression, but {', '.join(texts)} has text; choose "
            "another dataset.target, or dataset.classes=null"
        )
    labelled = bool(classes or texts)
    if labelled and len(targets) > 1:
        raise ValueError(
            f"dataset.target: classes are in one column, received {len(targets)}; name one"
            + (f" ({', '.join(texts)} has text)" if texts else ", or set dataset.classes=null")
        )
    if labelled and standardise_target:
        raise ValueError("dataset.standardise_target is for a regression; classes have no mean")
    return labelled


def _classes(column: pd.Series, train: np.ndarray) -> tuple[np.ndarray, int]:
    """The number of each row's class, `[n] int64`, and how many classes there are.

    Raises:
        ValueError: there is a single class, or a number that is not whole.
    """
    if not columns.is_text(column):
        column = pd.to_numeric(column)
        if (fractions := column[column != column.round()]).size:
            raise ValueError(
                f"dataset.classes=true needs whole numbers or text in {column.name}, received "
                f"{fractions.iloc[0]}"
            )
        column = column.astype(np.int64)
    labels, y = np.unique(column.to_numpy(), return_inverse=True)
    if len(labels) < 2:
        raise ValueError(f"dataset: all rows of {column.name} are {labels[0]}; classes must differ")
    log.info("dataset: classes are %s", ", ".join(f"{i} {label}" for i, label in enumerate(labels)))
    if unseen := [str(labels[i]) for i in sorted(set(y) - set(y[train]))]:
        log.warning("dataset: no row to train on is of class %s", ", ".join(unseen))
    return y.astype(np.int64), len(labels)


def _targets(
    frame: pd.DataFrame, targets: list[int], train: np.ndarray, standardise: bool
) -> np.ndarray:
    """The targets of a regression, `[n, targets] float32`."""
    y = columns.numbers(frame, targets)
    names = [str(frame.columns[place]) for place in targets]
    if len(targets) == 1 and (y == y.round()).all() and len(values := np.unique(y)) <= FEW:
        log.info(
            "dataset: %s is a regression, with the whole numbers %g to %g; if they are classes, "
            "type dataset.classes=true",
            *(names[0], values[0], values[-1]),
        )
    if not standardise:
        return y.astype(np.float32)
    scales = zip(names, y[train].mean(axis=0), y[train].std(axis=0), strict=True)
    told = (f"{name} has mean {mean:g} and deviation {scale:g}" for name, mean, scale in scales)
    log.info("dataset: targets are standardised: %s", ", ".join(told))
    return _standardised(y, train, names)


def _standardised(values: np.ndarray, train: np.ndarray, names: list[str]) -> np.ndarray:
    """Columns `[n, k]` less their mean over the training rows, by their deviation; float32."""
    seen = values[train]
    constant = seen.min(axis=0) == seen.max(axis=0)
    if constant.any():
        told = ", ".join(name for name, same in zip(names, constant, strict=True) if same)
        log.info("dataset: the same in all rows to train on, so set to 0: %s", told)
    scale = np.where(constant, 1.0, seen.std(axis=0))
    return np.where(constant, 0.0, (values - seen.mean(axis=0)) / scale).astype(np.float32)


def _listed(names: list[str], places: list[int]) -> str:
    return ", ".join(names[place] for place in places)
