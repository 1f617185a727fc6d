"""What all splits have in common: batches in stored order, and shuffled epochs of them."""

import operator
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

PREFETCHED = 4  # batches made at the same time, and kept ready


# Equality by identity: comparing arrays element by element has no single truth value.
@dataclass(frozen=True, eq=False, kw_only=True)
class Examples(ABC):
    """The examples of one split; where they lie is for `Split` and `Stream` to say.

    Attributes:
        transform: deterministic TensorFlow function from a float32 batch of `x` to network inputs.
        augment: TensorFlow function of a stored batch `x [b, ...]` and `draws [b, 3]`, uniform in
            [0, 1), which `epochs` applies and `batches` does not.
        divide_by_255: whether networks see x divided by 255; None: where they are `images`.
    """

    transform: Callable | None = None
    augment: Callable | None = None
    divide_by_255: bool | None = None

    @property
    @abstractmethod
    def images(self) -> bool:
        """Whether stored x are images of bytes."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def _stored(self, batch_size: int) -> tf.data.Dataset:
        """Batches, in stored order, of what `_read` takes."""

    @abstractmethod
    def _chosen(self, batch_size: int, count: int) -> tf.data.Dataset:
        """Some of these batches, or batches of some of the examples, evenly from all."""

    @abstractmethod
    def _shuffled(self, batch_size: int, seed: tf.Tensor, number: tf.Tensor) -> tf.data.Dataset:
        """Likewise, in the order of a pass, each after the positions of its examples."""

    @abstractmethod
    def _read(self, *batch: Any) -> tuple[tf.Tensor, tf.Tensor]:
        """Stored `x [b, ...]` and `y [b, ...]`."""

    def steps(self, batch_size: int) -> int:
        """The number of batches in one pass, the last short one included."""
        return -(-len(self) // _checked_batch_size(batch_size))

    def batches(self, batch_size: int) -> tf.data.Dataset:
        """Batches `(inputs [b, ...], y [b, ...])` of every example once, in stored order.

        The last batch is short where `batch_size` does not divide the number of examples.
        """
        return self._fetched(self._stored(_checked_batch_size(batch_size)))

    def spread(self, batch_size: int, count: int) -> tf.data.Dataset:
        """`count` batches like those of `batches`, from all of the data: sorted ones stay mixed.

        Every k-th example, k the number of examples over that of those wanted; of a `Stream`, which
        has to read what it skips, every k-th batch. All batches where there are no more.
        """
        if count >= self.steps(batch_size):
            return self.batches(batch_size)
        return self._fetched(self._chosen(batch_size, count))

    def _fetched(self, stored: tf.data.Dataset) -> tf.data.Dataset:
        def fetch(*batch: Any) -> tuple[tf.Tensor, tf.Tensor]:
            x, y = self._read(*batch)
            return self.inputs(x), y

        return _prefetched(stored, fetch)

    def epochs(
        self,
        batch_size: int,
        seed: int,
        first: int = 0,
        last: int = 1,
        steps: int | None = None,
        skip: int = 0,
    ) -> tf.data.Dataset:
        """Batches like those of `batches`, shuffled, of the epochs first, ..., last - 1.

        An epoch has `steps` batches; None: those of one pass over the examples. Shorter or longer
        epochs go on where the one before has stopped. The order in pass p depends on `(seed, p)`
        alone, and the augmentation of an example on `(seed, p)` and its position in the stored
        order. So a run that starts at epoch k gets the batches that the run from 0 gets in its
        epochs k, k+1, ...; where the first `skip` of them are done, the ones after these.

        Raises:
            ValueError: unless `0 <= first <= last`.
        """
        if not 0 <= first <= last:
            raise ValueError(
                f"epochs needs 0 <= first <= last, received first={first} and last={last}"
            )
        whole = self.steps(batch_size)
        start, stop = ((steps or whole) * epoch for epoch in (first, last))
        start += skip
        seed = tf.constant(seed, tf.int64)

        def batches_of(number: tf.Tensor) -> tf.data.Dataset:
            """One pass: its batches, each with draws for the augmentation."""
            shuffled = self._shuffled(batch_size, seed, number)
            if self.augment is None:
                return shuffled.map(lambda positions, *batch: (batch, ()))
            # Of every example, whatever its place in the order; passes are not negative, so these
            # seeds are no pass's.
            draws = tf.random.stateless_uniform(
                [len(self), 3], seed=tf.stack([seed, -1 - number]), alg="philox"
            )
            return shuffled.map(lambda positions, *batch: (batch, (tf.gather(draws, positions),)))

        def fetch(batch: tuple, draws: tuple) -> tuple[tf.Tensor, tf.Tensor]:
            x, y = self._read(*batch)
            return self.inputs(self.augment(x, *draws) if draws else x), y  # type: ignore[misc]  # draws are for it

        passes = tf.data.Dataset.range(start // whole, -(-stop // whole)).flat_map(batches_of)
        wanted = passes.skip(start % whole).take(stop - start)
        # flat_map hides the length, which Keras' progress bar wants.
        length = tf.data.experimental.assert_cardinality(stop - start)
        return _prefetched(wanted.apply(length), fetch)

    def inputs(self, x: Any) -> tf.Tensor:
        """What a network is fed for stored examples `x: [b, ...]`: `[b, ...]`, float32.

        Images of bytes are divided by 255, before the transform, unless `divide_by_255` says
        otherwise. Integers `[b, T]` other than bytes, such as tokens, stay what they are, unless
        there is a transform: half precision would round them.
        """
        x = tf.nest.map_structure(self._input, x)
        return x if self.transform is None else self.transform(x)

    def _input(self, x: Any) -> tf.Tensor:
        if not isinstance(x, tf.Tensor):
            x = tf.convert_to_tensor(x)
        tokens = x.dtype.is_integer and x.dtype != tf.uint8 and len(x.shape) <= 2
        if tokens and self.transform is None:
            return x
        divides = is_image(x) if self.divide_by_255 is None else self.divide_by_255
        x = tf.cast(x, tf.float32)
        return x / 255.0 if divides else x


def is_image(x: Any) -> bool:
    """Whether x are images of bytes: uint8 `[n, height, width]` or `[n, h, w, channels]`."""
    return x.dtype == np.uint8 and len(x.shape) > 2


def _prefetched(dataset: tf.data.Dataset, fetch: Callable) -> tf.data.Dataset:
    # Fixed, not AUTOTUNE: an iterator that is given up waits until its tuner wakes, which after a
    # minute of training is once a minute.
    batches = dataset.map(fetch, num_parallel_calls=PREFETCHED, deterministic=True)
    options = tf.data.Options()
    options.autotune.enabled = False
    # Nothing here gains by them, and rewriting a dataset copies the arrays that it reads.
    options.experimental_optimization.apply_default_optimizations = False
    return batches.prefetch(PREFETCHED).with_options(options)


def _checked_batch_size(batch_size: int) -> int:
    try:
        size = operator.index(batch_size)
    except TypeError:
        size = 0
    if size < 1:
        raise ValueError(f"batch_size must be a whole number >= 1, received {batch_size!r}")
    return size
