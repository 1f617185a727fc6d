"""Image classification sets of TensorFlow Datasets (TFDS)."""

import difflib
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import tensorflow as tf

from mc.datasets.raw import read_dataset
from mc.datasets.stream import Stream
from mc.datasets.transforms import crop_and_flip, normaliser

log = logging.getLogger(__name__)

MOST_BYTES = 2**30  # of one split in memory, a byte for each channel of a pixel
LUMA = (0.299, 0.587, 0.114)  # of red, green and blue, ITU-R BT.601


def tfds_images(
    tfds_name: str,
    data_dir: str | None = None,
    image_size: int | None = None,
    train_split: str = "train",
    test_split: str = "test",
    transform: str | None = None,
    stream: bool | None = None,
    grey: bool | None = None,
) -> dict:
    """The images and labels of a TFDS image classification set, downloaded where it must be.

    Args:
        tfds_name: a name of https://www.tensorflow.org/datasets/catalog, with configuration and
            version if wanted: `mnist`, `mnist:3.0.1`.
        data_dir: folder of prepared TFDS data; None: TFDS_DATA_DIR, else `~/tensorflow_datasets`.
        image_size: side length that every image is resized to; None keeps their common size.
        train_split: TFDS split to train on, slices included (`train[:90%]`).
        test_split: TFDS split to test on.
        transform: `vgg` or `resnet`: normalise channels as Garipov et al. 2018 do for networks of
            that family, and crop and flip training images at random; None: pixels in [0, 1].
        stream: read images from disk as they are used, and not into memory; None: those splits
            that would take more than `MOST_BYTES`.
        grey: whether images of three channels become one, 0.299 red + 0.587 green + 0.114 blue
            (luma, ITU-R BT.601) rounded to a byte, after they are resized; grey ones stay.

    Returns:
        A mapping for `make_data`: `train` and `test` in TFDS's order, as `(x [n, H, W, C] uint8,
        y [n] int64)` or as a `Stream`; `num_classes`, and the transform's functions.

    Raises:
        FileNotFoundError: the set is not prepared and cannot be downloaded.
        ValueError: an unknown name, split or transform, a set without images and labels, images of
            different sizes and no `image_size`, a transform for images without three channels,
            `grey` for images that have neither three nor one.
    """
    if image_size is not None and (not isinstance(image_size, int) or image_size < 1):
        raise ValueError(f"dataset.image_size must be null or >= 1, received {image_size!r}")
    functions = {}
    if transform is not None:
        functions = {"transform": normaliser(transform), "augment": crop_and_flip}
    where = data_dir or os.environ.get("TFDS_DATA_DIR")
    builder = _builder(tfds_name, where)
    _check_supervised(tfds_name, builder.info)
    if not builder.is_prepared():
        _download(tfds_name, builder)
        builder = _builder(tfds_name, where)  # which reads what another process has prepared
    image, label = (builder.info.features[key] for key in builder.info.supervised_keys)
    if grey and image.shape[-1] not in (1, 3):
        raise ValueError(
            f"dataset.grey=true makes one channel of three, but images of {tfds_name} have "
            f"{image.shape[-1]}; set dataset.grey=null"
        )
    channels = 1 if grey else image.shape[-1]
    if transform is not None and channels != 3:
        raise ValueError(
            f"dataset.transform={transform} normalises three channels, but images of {tfds_name} "
            f"have {channels}{' with dataset.grey=true' * bool(grey)}; set dataset.transform=null"
        )
    return {
        "test": _read(builder, "test_split", test_split, image_size, channels, stream),
        "train": _read(builder, "train_split", train_split, image_size, channels, stream),
        "num_classes": label.num_classes,
        **functions,
    }


def _builder(tfds_name: str, data_dir: str | None) -> Any:
    # Here, because it takes a while to import and other data sets do not need it.
    import tensorflow_datasets as tfds

    try:
        return tfds.builder(tfds_name, data_dir=data_dir, try_gcs=False)
    except tfds.core.DatasetNotFoundError as error:
        names = tfds.list_builders(with_community_datasets=False)
        close = difflib.get_close_matches(tfds_name, names, n=5) or ["mnist", "cifar10"]
        raise ValueError(
            f"dataset.tfds_name={tfds_name} is not a data set of tensorflow-datasets; "
            f"close names: {', '.join(close)}"
        ) from error
    except (ValueError, AssertionError, RuntimeError) as error:
        raise ValueError(
            f"dataset.tfds_name={tfds_name} cannot be opened by tensorflow-datasets; check name, "
            f"configuration and version: {_first_line(error)}"
        ) from error


def _check_supervised(tfds_name: str, info: Any) -> None:
    import tensorflow_datasets as tfds

    keys = info.supervised_keys
    if isinstance(keys, tuple) and len(keys) == 2 and all(isinstance(k, str) for k in keys):
        image, label = (info.features[key] for key in keys)
        pixels = isinstance(image, tfds.features.Image) and np.dtype(image.np_dtype) == np.uint8
        if pixels and isinstance(label, tfds.features.ClassLabel):
            return
    raise ValueError(
        f"dataset.tfds_name={tfds_name} is not an image classification set (uint8 image and class "
        f"label): its supervised keys are {keys}; write a function of your own for it and set "
        "dataset._target_=package.function"
    )


def _download(tfds_name: str, builder: Any) -> None:
    import tensorflow_datasets as tfds

    root = builder.data_path.parents[len(builder.info.full_name.split("/")) - 1]
    try:
        _check_reachable(builder)
        with _alone(root, builder):
            if not builder.is_prepared():
                builder.download_and_prepare(
                    download_config=tfds.download.DownloadConfig(try_download_gcs=False)
                )
    # Whatever stops a download (network, disk, a moved file, terms to accept), the answer is one.
    except Exception as error:
        call = f"import tensorflow_datasets as tfds; tfds.load('{tfds_name}', data_dir='{root}')"
        raise FileNotFoundError(
            f"dataset {tfds_name} is not prepared at {builder.data_dir} and cannot be downloaded "
            f'({_first_line(error)}). On a machine with network run: python -c "{call}", or copy '
            f"a prepared folder '{builder.name}' from elsewhere and set dataset.data_dir or "
            "TFDS_DATA_DIR to the folder that contains it"
        ) from error


@contextmanager
def _alone(root: Path, builder: Any) -> Iterator[None]:
    """One process at a time prepares a set; others wait, and say so.

    The lock lies beside the sets, and ends with its process.
    """
    path = Path(root) / f".{builder.info.full_name.replace('/', '-')}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(path, fallback_to_soft=False)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        log.info("Another process prepares %s: waiting for it.", builder.info.full_name)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _check_reachable(builder: Any) -> None:
    # TFDS tries an unreachable server for minutes, with a warning a try. One short request tells.
    import requests

    for url in list(builder.url_infos or ())[:1]:
        try:
            requests.head(url, timeout=5)
        except requests.RequestException as error:
            raise ConnectionError(f"no answer from {url}") from error


def _read(
    builder: Any,
    setting: str,
    split: str,
    image_size: int | None,
    channels: int,
    stream: bool | None,
) -> tuple[np.ndarray, np.ndarray] | Stream:
    """A split's arrays, or its `Stream`."""
    import tensorflow_datasets as tfds

    image_key, _ = builder.info.supervised_keys
    image = builder.info.features[image_key]
    shape = (*(image.shape[:-1] if image_size is None else (image_size, image_size)), channels)
    decode = _decoder(image, image_size, grey=channels < image.shape[-1])
    try:
        size = builder.info.splits[split].num_examples
        records = builder.as_dataset(
            split=split,
            as_supervised=True,
            shuffle_files=False,
            read_config=tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False),
            decoders={image_key: tfds.decode.SkipDecoding()},
        )
    except (KeyError, ValueError, AssertionError) as error:
        raise ValueError(
            f"dataset.{setting}={split} is not a split of {builder.name}; it has "
            f"{list(builder.info.splits)}, and slices such as 'train[:90%]': {_first_line(error)}"
        ) from error
    if stream is None:
        stream = None not in shape and size * np.prod(shape, dtype=np.int64) > MOST_BYTES
    if not stream:
        decoded = records.map(
            lambda stored, label: (decode(stored), label),
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        )
        return read_dataset(f"{builder.name} {split}", decoded)
    if None in shape:
        raise ValueError(
            f"dataset.stream=true: images of {builder.name} have shape {shape}; bring them to one "
            "shape with dataset.image_size, for instance dataset.image_size=64"
        )
    return Stream(records, size, decode, shape)


def _decoder(image: Any, size: int | None, grey: bool) -> Callable[[tf.Tensor], tf.Tensor]:
    """The function that decodes a stored image, resizes it and makes it grey, as is wanted."""
    if size is None and not grey:
        return image.decode_example

    def decode(stored: tf.Tensor) -> tf.Tensor:
        pixels = image.decode_example(stored)
        if size is not None:
            pixels = tf.image.resize(pixels, (size, size), antialias=True)
        if grey:
            pixels = tf.reduce_sum(tf.cast(pixels, tf.float32) * LUMA, -1, keepdims=True)
        # Back to bytes: a quarter of the memory of floats.
        return tf.cast(tf.clip_by_value(tf.round(pixels), 0, 255), tf.uint8)

    return decode


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__
