"""The splits of a data set, and how they are made from whatever a dataset callable returns."""

import logging
import operator
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mc.datasets.examples import Examples
from mc.datasets.labels import check_stream, labels_of_floats
from mc.datasets.lengths import padded
from mc.datasets.raw import as_mapping, read_split
from mc.datasets.split import Split
from mc.datasets.stream import Stream
from mc.datasets.targets import Arrays, column, read_targets
from mc.network import losses

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Data:
    """A data set: its splits and the shapes that a network for it needs.

    Attributes:
        train: the examples that networks are trained on.
        train_clean: the same examples as evaluation and BatchNorm statistics see them; `batches`
            of a split never augment, so this is the same split.
        valid: held-out training examples, or None.
        test: the test examples.
        num_classes: number of classes; None means regression.
        input_shape: shape of one network input, after the transform.
    """

    train: Split | Stream
    train_clean: Split | Stream
    valid: Split | Stream | None
    test: Split | Stream
    num_classes: int | None
    input_shape: tuple[int, ...]

    @property
    def splits(self) -> dict[str, Examples]:
        """The splits that there are, clean: `train`, `valid`, `test`."""
        named = {"train": self.train_clean, "valid": self.valid, "test": self.test}
        return {name: split for name, split in named.items() if split is not None}

    @property
    def dense(self) -> bool:
        """Whether y are rows of class probabilities, such as one-hot ones, and no labels."""
        return self.num_classes is not None and self.train.dense

    def head(self, n: int) -> "Data":
        """The same data with every split cut to its first `n` examples.

        Raises:
            ValueError: `n < 1`.
        """
        if n < 1:
            raise ValueError(f"head needs n >= 1 examples, received {n}")
        return self._each(lambda split: split.head(n))

    def one_hot(self) -> "Data":
        """The same data with labels as one-hot rows `[n, num_classes]` float32.

        Raises:
            ValueError: the data is a regression's.
        """
        if self.num_classes is None:
            raise ValueError("one_hot needs class labels, this data set is a regression")
        return self._each(lambda split: split.one_hot(self.num_classes))  # type: ignore[arg-type]  # not None here

    def _each(self, change: Callable[[Split | Stream], Split | Stream]) -> "Data":
        train = change(self.train)
        # One split stays one split: it holds its examples in memory only once.
        clean = train if self.train_clean is self.train else change(self.train_clean)
        valid = None if self.valid is None else change(self.valid)
        return replace(self, train=train, train_clean=clean, valid=valid, test=change(self.test))


def make_data(
    raw: Any,
    valid_size: int = 0,
    divide_by_255: bool | None = None,
    loss: losses.Loss | None = None,
) -> Data:
    """The `Data` of what a dataset callable returned.

    Where `num_classes` is given, y are classes, and labels `[n]` may be floats, as tables have
    them. Else the loss says what y are: numbers for mean squared error and its like, yes and no for
    a binary cross-entropy, whatever their type. Where it says neither, integer y are labels (`[n]`,
    `[n, 1]`, or one-hot `[n, C]`), and float y class probabilities where every row is one-hot,
    otherwise targets of a regression. `num_classes` is one more than the largest label of all
    splits unless it is given.

    Images of bytes (uint8 of three axes or four) are divided by 255; other integers, such as the
    columns of a table or tokens, are taken as they are. `divide_by_255` says otherwise: False for
    networks that rescale images by themselves, or for bytes that are no pixels; True for pixels in
    rows. Sequences of different lengths are filled up with zeros; see `lengths.padded`.

    Args:
        raw: a pair `(train, test)`, or a mapping with `train`, `test` and optionally `valid`,
            `num_classes`, `transform`, `augment`, for training (see `Split`), and `divide_by_255`.
            A split is a pair of arrays `(x [n, ...], y [n, ...])`, a `tf.data.Dataset` of single
            examples `(x, y)`, which is read into memory, or a `Stream`, with `num_classes`.
        valid_size: the last so many training examples, in stored order, become `valid`.
        divide_by_255: in place of what `raw` says of it.
        loss: a Keras loss that was chosen; None: what fits y is chosen later.

    Raises:
        ValueError: another structure, bad arrays, labels outside [0, num_classes), or a
            `valid_size` that does not fit.
    """
    given = as_mapping(raw)
    for key in ("transform", "augment"):
        if not callable(given.get(key, callable)):
            raise ValueError(f"dataset: {key!r} must be a function, received {given[key]!r}")
    there = {name: given[name] for name in ("train", "valid", "test") if name in given}
    there, sequences = padded(there)
    splits = {name: split for name, split in there.items() if isinstance(split, Stream)}
    arrays = {name: read_split(name, s) for name, s in there.items() if name not in splits}
    arrays = {name: (column(x) if x.ndim == 1 else x, y) for name, (x, y) in arrays.items()}
    num_classes = given.get("num_classes")
    if splits and num_classes is None:
        raise ValueError(
            f"dataset: {', '.join(splits)} must come with 'num_classes', since streams are read "
            "only as they are used"
        )
    if arrays:
        arrays = labels_of_floats(arrays, num_classes)
        arrays, num_classes = read_targets(arrays, num_classes, loss)
        _check_alike(arrays)
    for name, split in splits.items():
        check_stream(name, split, num_classes)  # type: ignore[arg-type]  # streams come with it
        splits[name] = replace(split, labels_below=num_classes)
    if divide_by_255 is None:
        divide_by_255 = given.get("divide_by_255", False if sequences else None)
    _check_bytes(divide_by_255, arrays)
    splits = splits | {name: Split(x, y) for name, (x, y) in arrays.items()}
    common: dict[str, Any] = {"transform": given.get("transform"), "divide_by_255": divide_by_255}
    splits = {name: replace(split, **common) for name, split in splits.items()}
    splits = _hold_out(splits, valid_size)
    train = replace(splits["train"], augment=given.get("augment"))
    one = train.head(1)
    return Data(
        train=train,
        train_clean=train,
        valid=splits.get("valid"),
        test=splits["test"],
        num_classes=num_classes,
        input_shape=tuple(one.inputs(one.x).shape[1:]),
    )


def _check_bytes(divide_by_255: bool | None, arrays: Arrays) -> None:
    """Raise unless x may be divided by 255 as is asked; says so where bytes are taken as they are.

    Raises:
        ValueError: neither true, false nor None, or x that are no bytes would be divided.
    """
    dtypes = {name: str(x.dtype) for name, (x, _) in arrays.items()}
    if divide_by_255 not in (None, True, False) or (
        divide_by_255 and set(dtypes.values()) - {"uint8"}
    ):
        raise ValueError(
            "dataset.divide_by_255 must be true for uint8 x that are to be divided by 255, false "
            f"for those that are not, or null; received {divide_by_255!r} for x of {dtypes}"
        )
    tables = [x for x, _ in arrays.values() if x.dtype == np.uint8 and x.ndim == 2]
    if divide_by_255 is None and tables and max(x.max() for x in tables) > 1:
        log.info(
            "dataset: uint8 x of shape [n, %d] are no images, so networks see them as they are, up "
            "to %d. If they are pixels: +dataset.divide_by_255=true",
            *(tables[0].shape[1], max(x.max() for x in tables)),
        )


def _hold_out(splits: dict[str, Split | Stream], valid_size: int) -> dict[str, Split | Stream]:
    train = splits["train"]
    try:
        size = -1 if isinstance(valid_size, bool) else operator.index(valid_size)
    except TypeError:
        size = -1
    if not 0 <= size < len(train):
        raise ValueError(
            f"dataset.valid_size must be a whole number from 0 to {len(train) - 1} (of "
            f"{len(train)} training examples one must remain), received {valid_size!r}"
        )
    if size == 0:
        return splits
    if "valid" in splits:
        raise ValueError(
            f"dataset.valid_size must be 0 for a data set with a validation split of its own, "
            f"received {size}; set dataset.valid_size=0"
        )
    return splits | {"train": train.without_tail(size), "valid": train.tail(size)}


def _check_alike(arrays: Arrays) -> None:
    first, (first_x, first_y) = next(iter(arrays.items()))
    for name, (x, y) in arrays.items():
        for part, array, like in (("x", x, first_x), ("y", y, first_y)):
            if array.shape[1:] != like.shape[1:] or array.dtype != like.dtype:
                raise ValueError(
                    f"dataset: {part} must have one shape and dtype in all splits, received "
                    f"{like.dtype} [n, {_axes(like)}] in {first} and {array.dtype} "
                    f"[n, {_axes(array)}] in {name}"
                )


def _axes(array: np.ndarray) -> str:
    return ", ".join(map(str, array.shape[1:]))
