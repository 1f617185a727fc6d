"""One split of a data set that is too large for memory, read from disk as it is used."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf

from mc.datasets.examples import Examples
from mc.datasets.split import Split

WINDOW = 4096  # examples that are shuffled among one another, in memory as they are stored


@dataclass(frozen=True, eq=False)
class Stream(Examples):
    """The examples of one split, in stored order, on disk; otherwise like a `Split`.

    A pass of `epochs` reads them in stored order, each drawn at random from the next `WINDOW` that
    are not yet drawn. (TFDS stores examples in random order.) What waits in the window is not
    decoded, so memory is bounded by WINDOW compressed images and a few batches.

    Attributes:
        records: dataset of single examples `(stored x, label)`, in stored order.
        size: how many there are.
        decode: TensorFlow function from a stored x to an image of
        shape: `(height, width, channels)`, uint8.
        num_classes: None for labels as numbers; else they are one-hot rows.
    """

    records: tf.data.Dataset
    size: int
    decode: Callable
    shape: tuple[int, ...]
    num_classes: int | None = None
    pixels = True

    def __len__(self) -> int:
        return self.size

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

    def _in_memory(self, records: tf.data.Dataset, augment) -> Split:
        batches = records.batch(256).map(self._read).as_numpy_iterator()
        x, y = (np.concatenate(parts) for parts in zip(*batches, strict=True))
        return Split(x, y, transform=self.transform, augment=augment)

    def _stored(self, batch_size: int, steps: int) -> tf.data.Dataset:
        return self.records.batch(batch_size)

    def _shuffled(self, batch_size: int, seed, number) -> tf.data.Dataset:
        own = tf.random.stateless_uniform(
            [], seed=tf.stack([seed, number]), minval=None, maxval=None, dtype=tf.int32
        )
        numbered = self.records.enumerate().shuffle(
            WINDOW, seed=tf.cast(own, tf.int64), reshuffle_each_iteration=False
        )
        return numbered.batch(batch_size).map(lambda position, record: (position, *record))

    def _read(self, stored, label):
        signature = tf.TensorSpec(self.shape, tf.uint8)
        x = tf.map_fn(self.decode, stored, fn_output_signature=signature)
        return x, label if self.num_classes is None else tf.one_hot(label, self.num_classes)
