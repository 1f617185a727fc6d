"""What a dataset callable returned, as checked numpy arrays."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import keras
import numpy as np
import tensorflow as tf

# Of one input or output, or of several by name.
Arrays: TypeAlias = Any  # np.ndarray | dict[str, np.ndarray]

OPTIONAL = ("valid", "num_classes", "transform", "augment", "divide_by_255", "token_characters")
KEYS = ("train", "test", *OPTIONAL)
FORM = (
    "a dataset callable returns (train, test), or a mapping with 'train', 'test' and optionally "
    f"{', '.join(map(repr, OPTIONAL))}; each split is a pair of arrays (x, y), of several inputs "
    "or outputs of dicts of arrays, or a tf.data.Dataset of single examples (x, y)"
)


def as_mapping(raw: Any) -> dict:
    """`raw` as a mapping from the names in `KEYS` to what was given, without the Nones.

    Raises:
        ValueError: `raw` is neither a pair nor a mapping with the right keys.
    """
    if isinstance(raw, Mapping):
        unknown = [key for key in raw if key not in KEYS]
        if unknown:
            raise ValueError(f"dataset: unknown keys {unknown}, known are {list(KEYS)}; {FORM}")
        given = {key: value for key, value in raw.items() if value is not None}
    elif isinstance(raw, tuple | list) and len(raw) == 2:
        given = dict(zip(("train", "test"), raw, strict=True))
    else:
        raise ValueError(f"dataset: received {_describe(raw)}; {FORM}")
    for name in ("train", "test"):
        if name not in given:
            raise ValueError(f"dataset: no {name!r} split, received {list(given)}; {FORM}")
    return given


def read_split(name: str, split: Any) -> tuple[Arrays, Arrays]:
    """The arrays `(x [n, ...], y [n, ...])` of the split called `name`, n >= 1, finite numbers.

    Of several inputs or outputs, x or y are dicts of them.

    Raises:
        ValueError: another structure, no examples, lengths that differ, not numbers, NaN.
    """
    if isinstance(split, tf.data.Dataset):
        x, y = read_dataset(name, split)
    elif isinstance(split, tuple | list) and len(split) == 2:
        x, y = (_part(f"{part} of {name}", a) for part, a in zip("xy", split, strict=True))
    else:
        raise ValueError(f"dataset: {name} is {_describe(split)}; {FORM}")
    arrays = keras.tree.flatten((x, y))
    lengths = {len(array) if array.ndim else None for array in arrays}
    if None in lengths or len(lengths) != 1:
        shapes = [array.shape for array in arrays]
        raise ValueError(
            f"dataset: x and y of {name} must have the same length, received shapes "
            f"{' and '.join(map(str, shapes))}"
        )
    if lengths == {0}:
        raise ValueError(f"dataset: {name} has no examples; every split needs at least one")
    for part, given in (("x", x), ("y", y)):
        for array in keras.tree.flatten(given):
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise ValueError(
                    f"dataset: {part} of {name} contains NaN or infinite values; remove those "
                    "examples"
                )
    return x, y


def _part(what: str, given: Any) -> Arrays:
    if not isinstance(given, Mapping):
        return _numbers(what, given)
    if not given or not all(isinstance(name, str) for name in given):
        raise ValueError(f"dataset: {what} must have names of strings, received {list(given)}")
    return {name: _numbers(f"{what}[{name!r}]", array) for name, array in given.items()}


def read_dataset(name: str, dataset: tf.data.Dataset) -> tuple[Arrays, Arrays]:
    """The examples `(x, y)` of a finite tf.data dataset, stacked in its order.

    Raises:
        ValueError: elements that are not pairs of tensors, batches instead of examples, an
            endless dataset, no examples, or examples of different shapes.
    """
    spec = dataset.element_spec
    pair = isinstance(spec, tuple) and len(spec) == 2 and all(map(_is_part, spec))
    if not pair:
        raise ValueError(f"dataset: elements of {name} must be pairs (x, y), received {spec}")
    # A batch whose length may vary leaves the first axis of both unknown.
    if all(s.shape.rank and s.shape[0] is None for s in tf.nest.flatten(spec)):
        raise ValueError(
            f"dataset: {name} looks batched (elements {spec}); return single examples, for "
            "instance with dataset.unbatch()"
        )
    if dataset.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise ValueError(f"dataset: {name} never ends; return it without repeat()")
    try:
        # Copies: TensorFlow keeps the memory of what it has handed out for itself.
        parts: list[list[np.ndarray]] = [[] for _ in tf.nest.flatten(spec)]
        for batch in dataset.batch(256).as_numpy_iterator():
            for part, array in zip(parts, tf.nest.flatten(batch), strict=True):
                part.append(array.copy())
        if parts[0]:
            return tf.nest.pack_sequence_as(spec, [_joined(part) for part in parts])
    except (tf.errors.InvalidArgumentError, ValueError) as error:
        raise ValueError(
            f"dataset: examples of {name} cannot be stacked into one array, most likely because "
            "their shapes differ; bring them to one shape (TFDS images: set dataset.image_size, "
            "for instance dataset.image_size=32; sequences [T] or [T, d] may differ in T). "
            f"{str(error).splitlines()[0]}"
        ) from error
    raise ValueError(f"dataset: {name} has no examples; every split needs at least one")


def read_npy(path: Path) -> tuple[np.ndarray, tuple[int, ...], str]:
    """The array of a `.npy` file that `dataset.path` names, its shape, and the kind of its type.

    Raises:
        ValueError: it cannot be read, or holds no single array.
    """
    try:
        array = np.load(path)
        return array, array.shape, array.dtype.kind
    # What np.load raises for a damaged file depends on where the damage is; .npz has no shape.
    except (ValueError, OSError, EOFError, AttributeError) as error:
        raise ValueError(
            f"dataset.path={path} is not a readable .npy file of numbers ({error}); write it "
            "with numpy.save(path, array)"
        ) from error


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    """The parts as one array; each is let go once it is copied, so that memory holds all once."""
    whole = np.empty((sum(map(len, parts)), *parts[0].shape[1:]), parts[0].dtype)
    last = len(whole)
    while parts:
        part = parts.pop()
        whole[last - len(part) : last] = part
        last -= len(part)
    return whole


def _numbers(what: str, array: Any) -> np.ndarray:
    try:
        array = np.asarray(array)
    except ValueError as error:
        raise ValueError(
            f"dataset: {what} cannot be made an array: {error}. Of different shapes, only "
            "sequences x [T] or [T, d] of numbers are taken"
        ) from error
    if array.dtype.kind not in "biuf":
        raise ValueError(
            f"dataset: {what} must be an array of numbers, received {_describe(array)}"
        )
    return array


def _is_part(spec: Any) -> bool:
    return all(map(_is_tensor, spec.values() if isinstance(spec, dict) else [spec]))


def _is_tensor(spec: Any) -> bool:
    return isinstance(spec, tf.TensorSpec) and (
        spec.dtype.is_floating or spec.dtype.is_integer or spec.dtype.is_bool
    )


def _describe(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of length {len(value)}"
    return f"a {type(value).__name__}"
