"""One split of a data set, held in memory."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import tensorflow as tf

from mc.datasets.examples import Examples
from mc.datasets.targets import one_hot_rows


@dataclass(frozen=True, eq=False)
class Split(Examples):
    """The examples of one split, in stored order, in memory.

    Attributes:
        x: `[n, ...]`, in its stored dtype; see `images` and `inputs` for uint8.
        y: `[n]` int64 labels, `[n, C]` float32 class probabilities (one-hot), or `[n, d]` float32
            regression targets.
    """

    x: np.ndarray
    y: np.ndarray

    def __len__(self) -> int:
        return len(self.x)

    @property
    def images(self) -> bool:
        """Whether `x` are images: uint8 of shape `[n, height, width]` or `[n, h, w, channels]`."""
        return self.x.dtype == np.uint8 and self.x.ndim > 2

    @property
    def dense(self) -> bool:
        """Whether an example has a row of targets, and no single label."""
        return self.y.ndim > 1

    def head(self, n: int) -> "Split":
        """The first `n` examples, or all of them where there are fewer."""
        return replace(self, x=self.x[:n], y=self.y[:n])

    def tail(self, n: int) -> "Split":
        """The last `n` examples, never augmented."""
        return replace(self, x=self.x[-n:], y=self.y[-n:], augment=None)

    def without_tail(self, n: int) -> "Split":
        """All but the last `n` examples."""
        return self.head(len(self) - n)

    def one_hot(self, num_classes: int) -> "Split":
        """The same examples with labels as one-hot rows `[n, num_classes]` float32."""
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

    def _read(self, rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        x, y = self._tensors
        return tf.gather(x, rows), tf.gather(y, rows)

    @cached_property
    def _tensors(self) -> tuple[tf.Tensor, tf.Tensor]:
        # Eager tensors enter a dataset's functions as captured inputs: all datasets of this split
        # share one copy. Arrays would become constants of each graph, which may not exceed 2 GB.
        # tf.data works on the CPU, so a copy on a GPU would only be moved back.
        with tf.init_scope(), tf.device("CPU:0"):
            return tf.constant(self.x), tf.constant(self.y)
