"""One split of a data set that is too large for memory, read from disk as it is used."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import tensorflow as tf

from mc.datasets.examples import Examples
from mc.datasets.raw import read_dataset
from mc.datasets.split import Split

WINDOW = 4096  # examples that are shuffled among one another, in memory as they are stored


@dataclass(frozen=True, eq=False)
class Stream(Examples):
    """The examples of one split, in stored order, on disk; otherwise like a `Split`.

    A pass of `epochs` reads them in stored order and shuffles each window of `WINDOW` examples; the
    windows begin elsewhere in every pass. (TFDS stores examples in random order.) Examples of a
    window are not decoded, so memory is bounded by a few of them and a few batches.

    Attributes:
        records: dataset of single examples `(stored x, label)`, in stored order.
        size: how many there are.
        decode: TensorFlow function from a stored x to an image of
        shape: `(height, width, channels)`, uint8.
        num_classes: None for labels as numbers; else they are one-hot rows.
        labels_below: labels must lie in [0, labels_below), which is looked at as they are read;
            None: any.
    """

    records: tf.data.Dataset
    size: int
    decode: Callable
    shape: tuple[int, ...]
    num_classes: int | None = None
    labels_below: int | None = None
    images = True

    def __len__(self) -> int:
        return self.size

    @property
    def is_one_hot(self) -> bool:
        """Whether an example has a row of targets, and no single label."""
        return self.num_classes is not None

    def head(self, n: int) -> Split:
        """The first `n` examples, or all of them where there are fewer, read into memory."""
        return self._in_memory(self.records.take(min(n, self.size)), self.augment)

    def tail(self, n: int) -> Split:
        """The last `n` examples, read into memory, never augmented."""
        return self._in_memory(self.records.skip(self.size - n), None)

    def without_tail(self, n: int) -> "Stream":
        """All but the last `n` examples."""
        return replace(self, records=self.records.take(self.size - n), size=self.size - n)

    def one_hot(self, num_classes: int) -> "Stream":
        """The same examples with labels as one-hot rows `[n, num_classes]` float32."""
        return replace(self, num_classes=num_classes)

    def _in_memory(self, records: tf.data.Dataset, augment: Callable | None) -> Split:
        decoded = records.map(lambda stored, label: (self.decode(stored), self._checked(label)))
        kept: dict[str, Any] = {"transform": self.transform, "divide_by_255": self.divide_by_255}
        split = Split(*read_dataset("a stream", decoded), augment=augment, **kept)
        return split if self.num_classes is None else split.one_hot(self.num_classes)

    def _stored(self, batch_size: int) -> tf.data.Dataset:
        return self.records.batch(batch_size)

    def _chosen(self, batch_size: int, count: int) -> tf.data.Dataset:
        wanted = tf.range(count, dtype=tf.int64) * self.steps(batch_size) // count
        numbered = self._stored(batch_size).enumerate()
        chosen = numbered.filter(lambda number, _: tf.reduce_any(number == wanted))
        return chosen.map(lambda _, batch: batch).apply(
            tf.data.experimental.assert_cardinality(count)
        )

    def _shuffled(self, batch_size: int, seed: tf.Tensor, number: tf.Tensor) -> tf.data.Dataset:
        # Not Dataset.shuffle, whose order depends on TensorFlow's global seed too.
        numbered, key = self.records.enumerate(), tf.stack([seed, number])
        first = tf.random.stateless_uniform(
            [], seed=key, minval=1, maxval=WINDOW + 1, dtype=tf.int64, alg="philox"
        )
        windows = numbered.take(first).batch(WINDOW)
        windows = windows.concatenate(numbered.skip(first).batch(WINDOW))

        def shuffled(window: tf.Tensor, examples: tuple) -> tuple:
            positions, (stored, label) = examples
            order = tf.random.experimental.stateless_shuffle(
                tf.range(tf.size(positions)), seed=key + tf.stack([0, window * 2**32]), alg="philox"
            )
            return tuple(tf.gather(part, order) for part in (positions, stored, label))

        return windows.enumerate().map(shuffled).unbatch().batch(batch_size)

    def _read(self, stored: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        signature = tf.TensorSpec(self.shape, tf.uint8)
        x = tf.map_fn(self.decode, stored, fn_output_signature=signature)
        label = self._checked(label)
        return x, label if self.num_classes is None else tf.one_hot(label, self.num_classes)

    def _checked(self, label: tf.Tensor) -> tf.Tensor:
        """The labels, any shape; a pass ends with an error at one that is none."""
        if self.labels_below is not None:
            said = f"labels must lie in [0, {self.labels_below})"
            limit = tf.cast(self.labels_below, label.dtype)
            tf.debugging.assert_non_negative(label, said)
            tf.debugging.assert_less(label, limit, said)
        return label
