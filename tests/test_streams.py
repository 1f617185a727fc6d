"""Splits that are read from disk as they are used, against the same examples in memory."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from test_datasets import SHARED, needs_tfds

from mc.datasets import Split, Stream, make_data, stream, tfds_images
from mc.datasets.transforms import crop_and_flip, normaliser

N = 30


def images(n=N):
    """Colour images, each recognised by its label, its number."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (n, 5, 5, 3)).astype("uint8"), np.arange(n)


def both(n=N, **options):
    """The same examples as a `Stream` of PNG files and as a `Split`."""
    x, y = images(n)
    stored = [tf.io.encode_png(image).numpy() for image in x]
    records = tf.data.Dataset.from_tensor_slices((stored, y))

    def decode(png):
        return tf.ensure_shape(tf.io.decode_png(png, channels=3), (5, 5, 3))

    return Stream(records, n, decode, (5, 5, 3), **options), Split(x, y, **options)


def collected(dataset):
    batches = list(dataset.as_numpy_iterator())
    return np.concatenate([x for x, _ in batches]), np.concatenate([y for _, y in batches])


def labels(dataset):
    return collected(dataset)[1].tolist()


@pytest.fixture(autouse=True)
def small_window(monkeypatch):
    monkeypatch.setattr(stream, "WINDOW", 8)


def test_batches_are_those_of_the_split_in_memory():
    streamed, split = both(transform=normaliser("vgg"))
    assert streamed.steps(7) == split.steps(7) == 5
    for batch, expected in zip(streamed.batches(7), split.batches(7), strict=True):
        for part, other in zip(batch, expected, strict=True):
            np.testing.assert_array_equal(part, other)
    assert streamed.batches(7).element_spec[0].shape[1:] == (5, 5, 3)


def test_some_batches_are_every_kth_one_of_the_whole_stream():
    streamed, _ = both(transform=normaliser("vgg"))
    every = [y.tolist() for _, y in streamed.batches(3).as_numpy_iterator()]
    found = [y.tolist() for _, y in streamed.spread(3, 5).as_numpy_iterator()]
    assert found == every[::2]
    assert streamed.spread(3, 5).cardinality() == 5
    assert labels(streamed.spread(3, 10)) == labels(streamed.spread(3, 99)) == list(range(N))


@settings(max_examples=5)
@given(seed=st.integers(0, 2**31 - 1), first=st.integers(0, 3), steps=st.sampled_from([None, 2, 9]))
def test_a_run_resumed_at_an_epoch_sees_the_same_batches(seed, first, steps):
    streamed, _ = both()
    whole = [y.tolist() for _, y in streamed.epochs(7, seed, 0, 4, steps).as_numpy_iterator()]
    rest = [y.tolist() for _, y in streamed.epochs(7, seed, first, 4, steps).as_numpy_iterator()]
    assert rest == whole[first * (steps or 5) :]


def test_the_order_does_not_depend_on_the_global_seed():
    orders = []
    for seed in (1, 2):
        tf.random.set_seed(seed)
        orders.append(labels(both()[0].epochs(7, 5, 0, 2)))
    assert orders[0] == orders[1]


def test_streams_must_say_how_many_classes_there_are():
    streamed, split = both()
    with pytest.raises(ValueError, match="train must come with 'num_classes'"):
        make_data({"train": streamed, "test": (split.x, split.y)})


def test_every_pass_is_a_shuffle_of_its_own_within_the_window():
    streamed, _ = both()
    passes = [tuple(labels(streamed.epochs(7, s, e, e + 1))) for s in (1, 2) for e in (0, 1, 2)]
    assert len(set(passes)) == 6
    for order in passes:
        assert sorted(order) == list(range(N))
        # What waits in memory: the k-th that is drawn is one of the first k + 8.
        assert all(example < k + 8 for k, example in enumerate(order))
        assert any(example > k + 4 for k, example in enumerate(order))


def test_augmentation_is_that_of_the_split_in_memory():
    streamed, split = both(augment=crop_and_flip)
    for epoch in (0, 1):
        x, y = collected(streamed.epochs(7, 3, epoch, epoch + 1))
        other, numbers = collected(split.epochs(7, 3, epoch, epoch + 1))
        np.testing.assert_array_equal(x[np.argsort(y)], other[np.argsort(numbers)])


def test_streams_make_data_with_validation_and_one_hot_labels():
    streamed, split = both()
    raw = {"train": streamed, "test": (split.x[:4], split.y[:4]), "num_classes": N}
    data = make_data(raw | {"augment": crop_and_flip}, valid_size=6)
    assert (len(data.train), len(data.valid), len(data.test)) == (24, 6, 4)
    assert labels(data.train_clean.batches(10)) == list(range(24))
    assert sorted(labels(data.train.epochs(10, 0))) == list(range(24))
    np.testing.assert_array_equal(data.valid.x, split.x[24:])
    assert data.input_shape == (5, 5, 3)
    assert data.num_classes == N
    one_hot = data.one_hot()
    np.testing.assert_array_equal(collected(one_hot.train.batches(24))[1], np.eye(N)[:24])
    head = data.head(3)
    np.testing.assert_array_equal(head.train.x, split.x[:3])
    with pytest.raises(ValueError, match="whole number from 0 to 29"):
        make_data(raw, valid_size=30)


def test_a_stream_without_labels_is_refused_before_anything_is_trained():
    streamed, split = both()
    unlabelled = replace(streamed, records=streamed.records.map(lambda x, y: (x, -tf.ones_like(y))))
    raw = {"train": (split.x, split.y), "test": unlabelled, "num_classes": N}
    with pytest.raises(ValueError, match=r"labels must lie in \[0, 30\), received -1 in test"):
        make_data(raw)


@pytest.mark.parametrize(("label", "classes"), [(-1, N), (N - 1, N - 1)])
def test_a_label_further_on_that_is_none_ends_the_pass_that_meets_it(monkeypatch, label, classes):
    monkeypatch.setattr("mc.datasets.labels.FIRST_LABELS", 8)
    streamed, split = both()
    changed = streamed.records.map(
        lambda x, y: (x, tf.where(y == N - 1, tf.cast(label, y.dtype), y))
    )
    raw = {"train": replace(streamed, records=changed), "test": (split.x[:4], split.y[:4])}
    train = make_data(raw | {"num_classes": classes}).train
    for examples in (train, train.one_hot(classes)):
        with pytest.raises(tf.errors.InvalidArgumentError, match=rf"in \[0, {classes}\)"):
            list(examples.batches(7))
        with pytest.raises(tf.errors.InvalidArgumentError, match=rf"in \[0, {classes}\)"):
            list(examples.epochs(7, 0))
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError), match="labels must lie in"):
        make_data(raw | {"num_classes": classes}, valid_size=3)


def wrong_further_on():
    """Data for the command line: a stream whose last label is none."""
    streamed, split = both()
    last = streamed.records.map(lambda x, y: (x, tf.where(y == N - 1, tf.cast(-1, y.dtype), y)))
    train = replace(streamed, records=last)
    return {"train": train, "test": (split.x[:4], split.y[:4]), "num_classes": N}


def test_a_label_further_on_that_is_none_is_told_without_a_traceback(cli, monkeypatch):
    monkeypatch.setattr("mc.datasets.labels.FIRST_LABELS", 8)
    own = [f"dataset._target_={__name__}.wrong_further_on", "model=mlp", "model.widths=[4]"]
    status, output = cli("stage=base", "train.base.epochs=1", *own)
    assert (status, "labels must lie in [0, 30); a streamed split holds" in output) == (1, True)


def test_a_stream_for_a_network_that_rescales_is_not_divided():
    streamed, split = both()
    raw = {"train": streamed, "test": (split.x, split.y), "num_classes": N, "divide_by_255": False}
    data = make_data(raw, valid_size=6)
    for examples, expected in ((data.train, split.x[:24]), (data.valid, split.x[24:])):
        np.testing.assert_array_equal(collected(examples.batches(30))[0], expected)


@needs_tfds("cifar10")
def test_tfds_images_stream_what_does_not_fit(monkeypatch):
    where = {"data_dir": str(SHARED / "tfds"), "train_split": "train[:40]"}
    where["test_split"] = "test[:10]"
    memory = make_data(tfds_images("cifar10", **where, image_size=16))
    room = sys.modules["mc.datasets.tfds_images"]  # the package has a function of that name
    monkeypatch.setattr(room, "MOST_BYTES", 20 * 16 * 16 * 3)
    streamed = make_data(tfds_images("cifar10", **where, image_size=16))
    assert isinstance(streamed.train, Stream)
    assert isinstance(streamed.test, Split)  # of ten, which fit
    x, y = collected(streamed.train.batches(15))
    expected, numbers = collected(memory.train.batches(15))
    np.testing.assert_array_equal(x, expected)
    np.testing.assert_array_equal(y, numbers)
    assert isinstance(make_data(tfds_images("cifar10", **where, stream=False)).train, Split)
    assert isinstance(make_data(tfds_images("cifar10", **where, stream=True)).test, Stream)
