"""One split of a data set, held in memory, and the batches that networks read from it."""

import operator
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import tensorflow as tf

PREFETCHED = 4  # batches made at the same time, and kept ready


# Equality by identity: comparing arrays element by element has no single truth value.
@dataclass(frozen=True, eq=False)
class Split:
    """The examples of one split, in stored order.

    Attributes:
        x: `[n, ...]`, in its stored dtype. uint8 means pixels: networks see them divided by 255.
        y: `[n]` int64 labels, `[n, C]` float32 class probabilities (one-hot), or `[n, d]` float32
            regression targets.
        transform: deterministic TensorFlow function from a float32 batch of `x` to network inputs.
        augment: TensorFlow function of a stored batch `x [b, ...]` and `draws [b, 3]`, uniform in
            [0, 1), which `epochs` applies and `batches` does not.
    """

    x: np.ndarray
    y: np.ndarray
    transform: Callable | None = None
    augment: Callable | None = None

    def __len__(self) -> int:
        return len(self.x)

    def head(self, n: int) -> "Split":
        """The first `n` examples, or all of them where there are fewer."""
        return replace(self, x=self.x[:n], y=self.y[:n])

    def steps(self, batch_size: int) -> int:
        """The number of batches in one pass, the last short one included."""
        return -(-len(self) // _checked_batch_size(batch_size))

    def batches(self, batch_size: int) -> tf.data.Dataset:
        """Batches `(inputs [b, ...] float32, y [b, ...])` of every example once, in stored order.

        The last batch is short where `batch_size` does not divide the number of examples.
        """
        steps = self.steps(batch_size)
        x, y = self._tensors

        def fetch(step):
            rows = slice(step * batch_size, (step + 1) * batch_size)
            return self.inputs(x[rows]), y[rows]

        return _prefetched(tf.data.Dataset.range(steps), fetch)

    def epochs(self, batch_size: int, seed: int, first: int = 0, last: int = 1) -> tf.data.Dataset:
        """Batches like those of `batches`, examples shuffled anew in each epoch of [first, last).

        The order in epoch `e` depends on `(seed, e)` alone, and the augmentation of an example on
        `(seed, e)` and its position in the stored order. So a run that starts at epoch k gets
        the batches that the run from 0 gets in its epochs k, k+1, ...

        Raises:
            ValueError: unless `0 <= first <= last`.
        """
        if not 0 <= first <= last:
            raise ValueError(
                f"epochs needs 0 <= first <= last, received first={first} and last={last}"
            )
        steps = self.steps(batch_size)
        x, y = self._tensors
        examples = tf.range(len(self), dtype=tf.int64)
        seed = tf.constant(seed, tf.int64)

        def positions(epoch):
            order = tf.random.experimental.stateless_shuffle(
                examples, seed=tf.stack([seed, epoch]), alg="philox"
            )
            batches = tf.data.Dataset.range(steps)
            rows = batches.map(lambda step: order[step * batch_size : (step + 1) * batch_size])
            if self.augment is None:
                return rows
            # Of every example, whatever its place in the order; epochs are not negative, so these
            # seeds are no epoch's.
            draws = tf.random.stateless_uniform(
                [len(self), 3], seed=tf.stack([seed, -1 - epoch]), alg="philox"
            )
            return rows.map(lambda rows: (rows, tf.gather(draws, rows)))

        def fetch(rows, draws=None):
            images = tf.gather(x, rows)
            images = images if draws is None else self.augment(images, draws)
            return self.inputs(images), tf.gather(y, rows)

        dataset = tf.data.Dataset.range(first, last).flat_map(positions)
        # flat_map hides the length, which Keras' progress bar wants.
        length = tf.data.experimental.assert_cardinality((last - first) * steps)
        return _prefetched(dataset.apply(length), fetch)

    def inputs(self, x):
        """What a network is fed for stored examples `x: [b, ...]`: float32 `[b, ...]`."""
        pixels = self.x.dtype == np.uint8
        x = tf.cast(x, tf.float32)
        x = x / 255.0 if pixels else x
        return x if self.transform is None else self.transform(x)

    @cached_property
    def _tensors(self) -> tuple[tf.Tensor, tf.Tensor]:
        # Eager tensors enter a dataset's functions as captured inputs: all datasets of this split
        # share one copy. Arrays would become constants of each graph, which may not exceed 2 GB.
        # tf.data works on the CPU, so a copy on a GPU would only be moved back.
        with tf.init_scope(), tf.device("CPU:0"):
            return tf.constant(self.x), tf.constant(self.y)


def _prefetched(dataset: tf.data.Dataset, fetch: Callable) -> tf.data.Dataset:
    # Fixed, not AUTOTUNE: an iterator that is given up waits until its tuner wakes, which after a
    # minute of training is once a minute.
    batches = dataset.map(fetch, num_parallel_calls=PREFETCHED, deterministic=True)
    options = tf.data.Options()
    options.autotune.enabled = False
    return batches.prefetch(PREFETCHED).with_options(options)


def _checked_batch_size(batch_size: int) -> int:
    try:
        size = operator.index(batch_size)
    except TypeError:
        size = 0
    if size < 1:
        raise ValueError(f"batch_size must be a whole number >= 1, received {batch_size!r}")
    return size
