"""The splits of a data set, and how they are made from whatever a dataset callable returns."""

import operator
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np

from mc.datasets.checks import check_alike, check_bytes, checked_characters
from mc.datasets.examples import Examples
from mc.datasets.labels import check_stream, labels_of_floats
from mc.datasets.lengths import padded
from mc.datasets.raw import as_mapping, read_split
from mc.datasets.split import Split
from mc.datasets.stream import Stream
from mc.datasets.targets import column, read_targets
from mc.network import losses


@dataclass(frozen=True, eq=False)
class Data:
    """A data set: its splits and the shapes that a network for it needs.

    Attributes:
        train: the examples that networks are trained on.
        train_clean: the same examples as evaluation and BatchNorm statistics see them; `batches`
            of a split never augment, so this is the same split.
        valid: held-out training examples, or None.
        test: the test examples.
        num_classes: number of classes; None: there are none, as of a regression.
        input_spec: shape `(None, ...)` and dtype of batches of network inputs, after the transform.
        filled: whether targets were filled up to one length, so that a mask must leave out some.
        token_characters: `[num_classes]`, how many characters each token stands for, if known.
    """

    train: Split | Stream
    train_clean: Split | Stream
    valid: Split | Stream | None
    test: Split | Stream
    num_classes: int | None
    input_spec: Any
    filled: bool = False
    token_characters: np.ndarray | None = None

    @property
    def input_shape(self) -> Any:
        """The shape of one network input; of several inputs a dict of them."""
        return keras.tree.map_structure(lambda part: tuple(part.shape[1:]), self.input_spec)

    @property
    def output_shape(self) -> tuple[int, ...] | None:
        """The shape of what a network must give for one input; None of several outputs."""
        if isinstance(self.train, Stream):
            return (self.num_classes or 1,)
        if isinstance(self.train.y, dict):
            return None
        own = self.train.y.shape[1:]
        return own if self.num_classes is None or self.is_one_hot else (*own, self.num_classes)

    @property
    def splits(self) -> dict[str, Examples]:
        """The splits that there are, clean: `train`, `valid`, `test`."""
        named = {"train": self.train_clean, "valid": self.valid, "test": self.test}
        return {name: split for name, split in named.items() if split is not None}

    @property
    def is_one_hot(self) -> bool:
        """Whether y are rows of class probabilities, such as one-hot ones, and no labels."""
        return self.num_classes is not None and self.train.is_one_hot

    def head(self, n: int) -> "Data":
        """The same data with every split cut to its first `n` examples.

        Raises:
            ValueError: `n < 1`.
        """
        if n < 1:
            raise ValueError(f"head needs n >= 1 examples, received {n}")
        return self._each(lambda split: split.head(n))

    def one_hot(self) -> "Data":
        """The same data with labels as one-hot rows `[n, ..., num_classes]` float32.

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
    task: str | None = None,
) -> Data:
    """The `Data` of what a dataset callable returned.

    Where `num_classes` is given, y are classes, and labels `[n]` may be floats, as tables have
    them. Else the loss says what y are: numbers for mean squared error and its like, yes and no for
    a binary cross-entropy, whatever their type. Where it says neither, integer y are labels: `[n]`,
    `[n, 1]`, one-hot `[n, C]`, or `[n, ...]` of every token or pixel. Float y are class
    probabilities where every row is one-hot, otherwise targets of a regression. `num_classes` is
    one more than the largest label of all splits unless it is given. Several inputs or outputs are
    dicts of arrays; of several outputs, the loss of each says what its targets are.

    Images of bytes (uint8 of three axes or four) are divided by 255; other integers `[n, T]`,
    such as tokens, keep their type. `divide_by_255` says otherwise: False for networks that rescale
    images by themselves, or for bytes that are no pixels; True for pixels in rows. Sequences of
    different lengths are filled up; see `lengths.padded`.

    Args:
        raw: a pair `(train, test)`, or a mapping with `train`, `test` and optionally `valid`,
            `num_classes`, `transform`, `augment`, for training (see `Split`), `divide_by_255`, and
            `token_characters` (see `Data`). A split is a pair of arrays `(x [n, ...], y [n, ...])`,
            a `tf.data.Dataset` of single examples `(x, y)`, which is read into memory, or a
            `Stream`, with `num_classes`.
        valid_size: the last so many training examples, in stored order, become `valid`.
        divide_by_255: in place of what `raw` says of it.
        loss: a Keras loss that was chosen; None: what fits y is chosen later.
        task: what y are, in place of what the loss says: `labels`, `binary`, `multi-label`,
            `regression`.

    Raises:
        ValueError: another structure, bad arrays, labels outside [0, num_classes), or a
            `valid_size` that does not fit.
    """
    given = as_mapping(raw)
    for key in ("transform", "augment"):
        if not callable(given.get(key, callable)):
            raise ValueError(f"dataset: {key!r} must be a function, received {given[key]!r}")
    there = {name: given[name] for name in ("train", "valid", "test") if name in given}
    ignored = None if loss is None else losses.argument(loss, "ignore_class")
    there, filled = padded(there, 0 if ignored is None else ignored)
    splits = {name: split for name, split in there.items() if isinstance(split, Stream)}
    arrays = {name: read_split(name, s) for name, s in there.items() if name not in splits}
    arrays = {
        name: (keras.tree.map_structure(lambda a: column(a) if a.ndim == 1 else a, x), y)
        for name, (x, y) in arrays.items()
    }
    num_classes = given.get("num_classes")
    if splits and num_classes is None:
        raise ValueError(
            f"dataset: {', '.join(splits)} must come with 'num_classes', since streams are read "
            "only as they are used"
        )
    if arrays:
        arrays = labels_of_floats(arrays, num_classes)
        arrays, num_classes = read_targets(arrays, num_classes, loss, task)
        check_alike(arrays)
    for name, split in splits.items():
        check_stream(name, split, num_classes)  # type: ignore[arg-type]  # streams come with it
        splits[name] = replace(split, labels_below=num_classes)
    if divide_by_255 is None:
        divide_by_255 = given.get("divide_by_255", False if filled else None)
    check_bytes(divide_by_255, arrays)
    splits = splits | {name: Split(x, y) for name, (x, y) in arrays.items()}
    common: dict[str, Any] = {"transform": given.get("transform"), "divide_by_255": divide_by_255}
    splits = {name: replace(split, **common) for name, split in splits.items()}
    splits = _hold_out(splits, valid_size)
    train = replace(splits["train"], augment=given.get("augment"))
    one = train.head(1)
    input_spec = keras.tree.map_structure(
        lambda x: keras.KerasTensor((None, *x.shape[1:]), x.dtype.name), one.inputs(one.x)
    )
    return Data(
        train=train,
        train_clean=train,
        valid=splits.get("valid"),
        test=splits["test"],
        num_classes=num_classes,
        input_spec=input_spec,
        filled=filled == "x and y" and ignored is None,
        token_characters=checked_characters(given.get("token_characters"), num_classes),
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
