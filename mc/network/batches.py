"""Data as batches that can be read again and again, and the shapes that batches have."""

import inspect
import logging
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

log = logging.getLogger(__name__)

ARRAYS = 128  # examples in a batch of given arrays
FORMS = (
    "data must be a tf.data.Dataset of batches, a keras.utils.PyDataset, or arrays x, (x, y) or "
    "(x, y, sample_weight)"
)


def as_batches(data: Any) -> "tf.data.Dataset | _Items":
    """Data as batches, in the order given: an iterable that is read from its start every time.

    Args:
        data: a tf.data.Dataset of batches x, (x, y) or (x, y, sample_weight), as it is; a
            keras.utils.PyDataset; arrays in one of these three forms, in batches of 128. Where a
            network has several inputs or outputs, x and y are lists, tuples or dicts of arrays.

    Raises:
        ValueError: data that never end, or that can be read only once.
    """
    if isinstance(data, keras.utils.PyDataset):
        check_end(data)
        return _Items(data)
    if isinstance(data, tf.data.Dataset):
        check_end(data)
        return data
    try:
        return tf.data.Dataset.from_tensor_slices(_tuples(data)).batch(ARRAYS)
    except (TypeError, ValueError, tf.errors.InvalidArgumentError) as error:
        said = str(error).splitlines()[0]
        raise ValueError(f"{FORMS}; received a {type(data).__name__} ({said}).") from error


def check_end(data: Any, steps: int | None = None, setting: str | None = None) -> None:
    """Raise unless the data come to an end, or the number of steps to read of them is known.

    Args:
        data: anything; of a tf.data.Dataset and a keras.utils.PyDataset it can be told.
        steps: how many batches are read of them.
        setting: the argument in which `steps` can be given, if there is one.

    Raises:
        ValueError: they never end.
    """
    if steps is not None:
        return
    if isinstance(data, tf.data.Dataset):
        endless = data.cardinality() == tf.data.INFINITE_CARDINALITY
    else:
        endless = isinstance(data, keras.utils.PyDataset) and data.num_batches is None
    if endless:
        or_else = f"pass {setting}=, the number of batches" if setting else "take(n) batches of it"
        raise ValueError(
            f"The data never end ({type(data).__name__}), so reading them would run for ever: "
            f"leave out repeat(), or {or_else}."
        )


# The arguments of Keras' methods that give data, and those that say how many batches of it to read.
STEPS = {"fit": {"x": "steps_per_epoch", "validation_data": "validation_steps"}}
STEPS |= {"evaluate": {"x": "steps"}, "predict": {"x": "steps"}}


def check_call(method: Callable, *args: Any, **kwargs: Any) -> None:
    """Raise unless what a model's `fit`, `evaluate` or `predict` is called with comes to an end.

    Raises:
        ValueError: it never ends; names the argument that says how many batches to read.
    """
    given = inspect.signature(method).bind_partial(*args, **kwargs).arguments
    for data, steps in STEPS[method.__name__].items():
        check_end(given.get(data), given.get(steps), steps)


MANY = 10_000  # batches after which data of unknown length may be endless


def counted(batches: Any) -> Iterator:
    """The batches one by one; says so where there are many, and it is not known how many more."""
    dataset = isinstance(batches, tf.data.Dataset)
    unknown = dataset and batches.cardinality() == tf.data.UNKNOWN_CARDINALITY
    for number, batch in enumerate(batches, 1):
        if unknown and number == MANY:
            log.warning(
                "%d batches are read of data that do not say how many they have. If they never "
                "end, nor does this: stop it, and pass take(n) batches of them.",
                MANY,
            )
        yield batch


def unpacked(batch: Any) -> tuple:
    """`(x, y, sample_weight)` of a batch, as tensors; None for what it does not have."""
    x, y, weight = keras.utils.unpack_x_y_sample_weight(batch)
    return tuple(tf.nest.map_structure(_tensor, part) for part in (x, y, weight))


def any_batch(batch: Any) -> Any:
    """The TensorSpec of batches like this one, of any size, so that a short last one fits too."""

    def spec(part: Any) -> tf.TensorSpec | None:
        part = _tensor(part)
        return None if part is None else tf.TensorSpec([None, *part.shape[1:]], part.dtype)

    return tf.nest.map_structure(spec, batch)


def size_of(x: Any) -> int:
    """The number of examples in a batch of inputs."""
    return int(tf.nest.flatten(x)[0].shape[0])


class _Items:
    """The batches of a PyDataset, which is no iterable of tensors by itself."""

    def __init__(self, data: keras.utils.PyDataset):
        self.data = data

    def __len__(self) -> int:
        return self.data.num_batches

    def __iter__(self) -> Iterator:
        # Keras takes lists for tuples here.
        return (tuple(b) if isinstance(b, list) else b for b in self.data)


def _tuples(data: Any) -> Any:
    """The same structure with tuples for lists, which tf.data would stack into one array."""
    axes = [len(getattr(part, "shape", ())) for part in tf.nest.flatten(data)]
    if isinstance(data, tuple | list) and any(axes):
        return tuple(_tuples(part) for part in data if part is not None)
    return data


def _tensor(part: Any) -> tf.Tensor | None:
    return None if part is None else tf.convert_to_tensor(part)
