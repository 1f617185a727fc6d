"""One split of a data set, held in memory."""

from dataclasses import dataclass, replace
from functools import cached_property

import keras
import numpy as np
import tensorflow as tf

from mc.datasets.examples import Examples, is_image
from mc.datasets.raw import Arrays
from mc.datasets.targets import one_hot_rows


@dataclass(frozen=True, eq=False)
class Split(Examples):
    """The examples of one split, in stored order, in memory.

    Attributes:
        x: `[n, ...]`, in its stored dtype; see `images` and `inputs` for uint8. Of several inputs
            a dict of them, as y is of several outputs.
        y: int64 labels `[n]`, or `[n, ...]` of tokens and pixels; float32 class probabilities
            `[n, ..., C]` (one-hot), or targets `[n, ...]` of a regression.
    """

    x: Arrays
    y: Arrays

    def __len__(self) -> int:
        return len(keras.tree.flatten(self.x)[0])

    @property
    def images(self) -> bool:
        """Whether `x` are images: uint8 of shape `[n, height, width]` or `[n, h, w, channels]`."""
        return any(map(is_image, keras.tree.flatten(self.x)))

    @property
    def is_one_hot(self) -> bool:
        """Whether targets, where they are of classes, are rows of probabilities and no labels."""
        return not isinstance(self.y, dict) and self.y.dtype.kind == "f"

    def head(self, n: int) -> "Split":
        """The first `n` examples, or all of them where there are fewer."""
        return self._part(slice(n))

    def tail(self, n: int) -> "Split":
        """The last `n` examples, never augmented."""
        return replace(self._part(slice(-n, None)), augment=None)

    def without_tail(self, n: int) -> "Split":
        """All but the last `n` examples."""
        return self.head(len(self) - n)

    def _part(self, where: slice) -> "Split":
        x, y = (keras.tree.map_structure(lambda a: a[where], part) for part in (self.x, self.y))
        return replace(self, x=x, y=y)

    def one_hot(self, num_classes: int) -> "Split":
        """The same examples with labels as one-hot rows `[n, ..., num_classes]` float32."""
        return replace(self, y=one_hot_rows(self.y, num_classes))

    def _stored(self, batch_size: int) -> tf.data.Dataset:
        def rows(step: tf.Tensor) -> tf.Tensor:
            last = tf.minimum((step + 1) * batch_size, len(self))
            return tf.range(step * batch_size, last)

        return tf.data.Dataset.range(self.steps(batch_size)).map(rows)

    def _chosen(self, batch_size: int, count: int) -> tf.data.Dataset:
        wanted = batch_size * count
        rows = np.arange(wanted, dtype=np.int64) * len(self) // wanted
        return tf.data.Dataset.from_tensor_slices(rows).batch(batch_size)

    def _shuffled(self, batch_size: int, seed: tf.Tensor, number: tf.Tensor) -> tf.data.Dataset:
        order = tf.random.experimental.stateless_shuffle(
            tf.range(len(self), dtype=tf.int64), seed=tf.stack([seed, number]), alg="philox"
        )

        def rows(step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            chosen = order[step * batch_size : (step + 1) * batch_size]
            return chosen, chosen

        return tf.data.Dataset.range(self.steps(batch_size)).map(rows)

    def _read(self, rows: tf.Tensor) -> tuple:
        return tf.nest.map_structure(lambda part: tf.gather(part, rows), self._tensors)

    @cached_property
    def _tensors(self) -> tuple:
        # Eager tensors enter a dataset's functions as captured inputs: all datasets of this split
        # share one copy. Arrays would become constants of each graph, which may not exceed 2 GB.
        # tf.data works on the CPU, so a copy on a GPU would only be moved back.
        with tf.init_scope(), tf.device("CPU:0"):
            return tf.nest.map_structure(tf.constant, (self.x, self.y))
