import inspect
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from hypothesis import given, settings
from hypothesis import strategies as st

from mc import datasets
from mc.datasets import Data, Split, digits, make_data, regression, tfds_images
from mc.datasets.labels import warn_of_floats

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared" / "data"
PUBLISHED = SHARED / "regression" / "data.npy"


def needs_tfds(name):
    there = (SHARED / "tfds" / name).is_dir()
    return pytest.mark.skipif(not there, reason=f"{name} is not in ../shared/data/tfds")


def numbered(n):
    """Example i is recognised by its only input, i, and has the label i % 3."""
    return Split(np.arange(n, dtype=np.float32)[:, None], np.arange(n) % 3)


def order(dataset):
    return [x[:, 0].astype(int).tolist() for x, _ in dataset.as_numpy_iterator()]


def flat(batches):
    return [i for batch in batches for i in batch]


def pair(n=6, dtype="float32"):
    return np.zeros((n, 4), dtype), np.arange(n) % 3


# --- batches ---


@settings(max_examples=8)
@given(n=st.integers(1, 40), batch_size=st.integers(1, 50), seed=st.integers(-(2**31), 2**40))
def test_every_epoch_is_a_permutation_in_full_batches_and_one_short(n, batch_size, seed):
    split = numbered(n)
    batches = order(split.epochs(batch_size, seed, 0, 3))
    steps = split.steps(batch_size)
    assert len(batches) == 3 * steps
    for e in range(3):
        epoch = batches[e * steps : (e + 1) * steps]
        assert sorted(flat(epoch)) == list(range(n))
        assert [len(b) for b in epoch[:-1]] == [batch_size] * (steps - 1)
        assert len(epoch[-1]) == n - batch_size * (steps - 1)


@settings(max_examples=5)
@given(seed=st.integers(0, 1000), first=st.integers(0, 4))
def test_a_run_resumed_at_an_epoch_sees_the_same_batches(seed, first):
    split = numbered(23)
    whole = order(split.epochs(5, seed, 0, 5))
    assert order(split.epochs(5, seed, first, 5)) == whole[first * split.steps(5) :]


@settings(max_examples=8)
@given(steps=st.integers(1, 12), first=st.integers(0, 3), seed=st.integers(0, 1000))
def test_epochs_of_other_lengths_cut_the_same_passes(steps, first, seed):
    split = numbered(23)
    passes = order(split.epochs(5, seed, 0, 10))
    found = order(split.epochs(5, seed, first, 4, steps))
    assert found == passes[first * steps : 4 * steps]
    assert int(split.epochs(5, seed, first, 4, steps).cardinality()) == len(found)


def test_order_depends_on_seed_and_epoch():
    split = numbered(100)
    orders = [flat(order(split.epochs(7, seed, e, e + 1))) for seed in (1, 2) for e in range(3)]
    assert len({tuple(o) for o in orders}) == 6
    assert list(range(100)) not in orders


def test_iterating_twice_gives_the_same_order():
    dataset = numbered(30).epochs(4, 5, 0, 2)
    assert order(dataset) == order(dataset)


def test_examples_are_shuffled_not_batches():
    batches = order(numbered(40).epochs(4, 0))
    stored = {tuple(range(i, i + 4)) for i in range(0, 40, 4)}
    assert not stored & {tuple(sorted(b)) for b in batches}


def test_shuffles_are_uniform():
    # 6 orders of 3 examples, 1200 epochs: 200 each, standard deviation 13.
    epochs = np.reshape(flat(order(numbered(3).epochs(3, 0, 0, 1200))), (1200, 3))
    counts = np.unique(epochs, axis=0, return_counts=True)[1]
    assert len(counts) == 6
    assert np.all(np.abs(counts - 200) < 65)


def test_inputs_and_targets_stay_together():
    for x, y in numbered(50).epochs(8, 3, 0, 2).as_numpy_iterator():
        np.testing.assert_array_equal(x[:, 0].astype(int) % 3, y)


def test_batches_come_in_stored_order_with_the_short_one_last():
    assert order(numbered(10).batches(4)) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_number_of_batches_is_known_to_keras():
    split = numbered(10)
    assert split.steps(4) == 3
    assert int(split.batches(4).cardinality()) == 3
    assert int(split.epochs(4, 0, 1, 3).cardinality()) == 6


def test_no_epochs_give_no_batches():
    assert order(numbered(5).epochs(2, 0, 3, 3)) == []


@pytest.mark.parametrize(("first", "last"), [(-1, 2), (3, 2)])
def test_epochs_refuse_a_reversed_range(first, last):
    with pytest.raises(ValueError, match=f"first={first} and last={last}"):
        numbered(5).epochs(2, 0, first, last)


@pytest.mark.parametrize("size", [0, -3, 2.5, None])
def test_batch_size_must_be_a_whole_number(size):
    with pytest.raises(ValueError, match="batch_size must be a whole number >= 1"):
        numbered(5).batches(size)


@pytest.mark.parametrize(
    ("dtype", "shape", "divide_by_255", "scale"),
    [
        ("uint8", (16, 4, 4), None, 255),  # images without an axis of channels, and with one
        ("uint8", (16, 4, 2, 2), None, 255),
        ("uint8", (16, 16), None, 1),  # a table, or tokens
        ("uint8", (16, 16), True, 255),
        ("uint8", (16, 4, 2, 2), False, 1),
        ("int32", (16, 4, 2, 2), None, 1),
        ("float64", (16, 4, 2, 2), None, 1),
    ],
)
def test_images_of_bytes_are_divided_and_other_inputs_only_cast(dtype, shape, divide_by_255, scale):
    numbers = np.arange(256).reshape(shape)
    split = Split(numbers.astype(dtype), np.arange(16), divide_by_255=divide_by_255)
    for dataset in (split.batches(16), split.epochs(16, 0), split.head(9).batches(16)):
        x, y = next(dataset.as_numpy_iterator())
        assert x.dtype == np.float32
        np.testing.assert_allclose(x, numbers[y] / scale, rtol=1e-6)
    assert split.x.dtype == dtype


def test_transform_sees_scaled_float_batches():
    split = Split(
        np.full((5, 2, 1), 255, np.uint8), np.arange(5), transform=lambda x: tf.concat([x, -x], 1)
    )
    x, _ = next(split.batches(3).as_numpy_iterator())
    np.testing.assert_array_equal(x[..., 0], np.tile([1, 1, -1, -1], (3, 1)))


def test_head_keeps_the_first_examples_and_the_transform():
    split = Split(np.arange(6.0)[:, None], np.arange(6), transform=lambda x: x + 1)
    assert order(split.head(2).batches(5)) == [[1, 2]]
    assert len(split.head(99)) == 6


def test_keras_fits_several_epochs_from_one_dataset():
    network = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(3)])
    network.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    split = numbered(10)
    data = split.epochs(4, 0, 0, 3)
    history = network.fit(data, epochs=3, steps_per_epoch=split.steps(4), shuffle=False, verbose=0)
    assert len(history.history["loss"]) == 3


def test_large_arrays_are_not_copied_into_the_graph():
    split = Split(np.zeros((1000, 1000), np.float32), np.zeros(1000, np.int64))
    for dataset in (split.batches(10), split.epochs(10, 0)):
        for function in dataset._functions():
            assert function.function.graph.as_graph_def().ByteSize() < 1e5


# --- make_data ---


def test_keras_style_pairs_of_images():
    x, y = np.zeros((6, 28, 28), np.uint8), np.array([0, 1, 2, 0, 1, 2], np.uint8)
    data = make_data(((x, y), (x[:3], y[:3])))
    assert isinstance(data, Data)
    assert (data.num_classes, data.input_shape, data.valid) == (3, (28, 28), None)
    assert data.train_clean is data.train
    assert data.train.y.dtype == np.int64
    assert data.train.x.dtype == np.uint8


@pytest.mark.parametrize(("said", "asked", "scale"), [(True, None, 255), (True, False, 1)])
def test_a_mapping_says_whether_bytes_are_divided_and_a_setting_says_more(said, asked, scale):
    x = np.arange(24, dtype=np.uint8).reshape(6, 4)
    raw = {"train": (x, np.arange(6) % 3), "test": pair(dtype="uint8"), "divide_by_255": said}
    data = make_data(raw, 2, asked)
    for split, rows in ((data.train, x[:4]), (data.valid, x[4:]), (data.head(1).train, x[:1])):
        inputs, _ = next(split.batches(4).as_numpy_iterator())
        np.testing.assert_allclose(inputs, rows / scale, rtol=1e-6)


@pytest.mark.parametrize("value", [True, "yes", 255])
def test_only_bytes_can_be_divided(value):
    with pytest.raises(ValueError, match=r"dataset\.divide_by_255 must be true for uint8 x"):
        make_data((pair(), pair()), divide_by_255=value)


def test_bytes_of_a_table_are_said_to_be_taken_as_they_are(caplog):
    caplog.set_level("INFO", logger="mc")
    bits = pair(dtype="uint8")
    make_data((bits, bits))  # zeros and ones are no pixels
    assert caplog.text == ""
    bits[0][:] = 7
    make_data((bits, bits))
    assert "they are, up to 7. If they are pixels: +dataset.divide_by_255=true" in caplog.text


def sequences(lengths=(3, 1, 2), seed=0):
    """Sequences `[T, 2]` without zeros, and labels."""
    rng = np.random.default_rng(seed)
    return [1 + rng.random((n, 2)).astype("float32") for n in lengths], np.arange(len(lengths)) % 2


def as_examples(x, y):
    spec = tf.TensorSpec((None, 2), tf.float32), tf.TensorSpec((), tf.int64)
    return tf.data.Dataset.from_generator(lambda: zip(x, y, strict=True), output_signature=spec)


@pytest.mark.parametrize("form", ["list", "lists", "objects", "ragged", "dataset"])
def test_sequences_of_different_lengths_are_filled_up_to_the_longest_of_all(form, caplog):
    caplog.set_level("INFO", logger="mc")
    forms = {
        "list": lambda x, y: (x, y),
        "lists": lambda x, y: ([row.tolist() for row in x], y),
        "objects": lambda x, y: (np.array([*x, None], object)[:-1], y),
        "ragged": lambda x, y: (tf.ragged.stack(x), y),
        "dataset": as_examples,
    }
    train, test = sequences(), sequences((4, 4), seed=1)  # of one length, but another
    data = make_data((forms[form](*train), forms[form](*test)))
    assert data.input_shape == (4, 2)
    for split, (x, y) in ((data.train, train), (data.test, test)):
        for row, padded, label, expected in zip(x, split.x, split.y, y, strict=True):
            np.testing.assert_allclose(padded[: len(row)], row, rtol=1e-6)
            assert not padded[len(row) :].any()
            assert label == expected
    assert "x have lengths from 1 to 4: zeros at their ends make them 4" in caplog.text


def test_a_network_that_masks_sees_each_sequence_at_its_own_length():
    (x, y), test = sequences(), sequences((4, 4), seed=1)
    inputs = [keras.Input((None, 2)), keras.layers.Masking(), keras.layers.LSTM(3)]
    network = keras.Sequential([*inputs, keras.layers.Dense(2)])
    padded, _ = next(make_data(((x, y), test)).train.batches(3).as_numpy_iterator())
    alone = np.concatenate([network(row[None]) for row in x])
    np.testing.assert_allclose(network(padded), alone, atol=1e-6)


def test_tokens_are_no_pixels_whatever_their_type():
    tokens = [np.array([7], np.uint8), np.array([200, 9], np.uint8)]
    data = make_data(((tokens, [0, 1]), (tokens, [0, 1])))
    x, _ = next(data.train.batches(2).as_numpy_iterator())
    assert x.tolist() == [[7, 0], [200, 9]]


def test_labels_that_a_table_holds_as_floats(caplog):
    x = np.random.default_rng(0).random((6, 4))
    for y in (np.array([0.0, 1, 2, 0, 1, 2]), np.array([[0.0], [1], [2], [0], [1], [2]])):
        data = make_data({"train": (x, y), "test": (x, y), "num_classes": 3})
        assert (data.num_classes, data.train.y.dtype) == (3, np.int64)
        assert data.train.y.tolist() == [0, 1, 2, 0, 1, 2]
    data = make_data(((x, y), (x, y)))
    assert (data.num_classes, data.train.y.dtype) == (None, np.float32)
    warn_of_floats(data)
    assert "return them as integers, y.astype(int), or announce 'num_classes': 3" in caplog.text
    caplog.clear()
    for train, test in ((y + 1, y + 1), (y / 2, y / 2), (np.arange(6.0), np.arange(6.0, 12))):
        warn_of_floats(make_data(((x, train), (x, test))))  # which no labels look like
    assert caplog.text == ""


def test_labels_in_a_column_are_squeezed():
    x, y = pair()
    data = make_data(((x, y[:, None]), (x, y[:, None])))
    np.testing.assert_array_equal(data.train.y, y)


def test_num_classes_counts_the_labels_of_all_splits():
    x = np.zeros((2, 4))
    raw = {"train": (x, [0, 1]), "valid": (x, [0, 5]), "test": (x, [2, 3])}
    assert make_data(raw).num_classes == 6
    assert make_data({**raw, "num_classes": 9}).num_classes == 9


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8", "bool"])
def test_one_hot_targets_are_kept(dtype):
    x, labels = pair()
    y = np.eye(3, dtype=dtype)[labels]
    data = make_data(((x, y), (x, y)))
    assert data.num_classes == 3
    assert data.train.y.dtype == np.float32
    np.testing.assert_array_equal(data.train.y, y)
    assert next(data.train.batches(2).as_numpy_iterator())[1].shape == (2, 3)


def test_soft_targets_are_kept_where_their_classes_are_announced():
    x, _ = pair()
    y = np.full((6, 4), 0.25)
    data = make_data({"train": (x, y), "test": (x, y), "num_classes": 4})
    assert data.num_classes == 4
    np.testing.assert_array_equal(data.test.y, y)
    assert make_data(((x, y), (x, y))).num_classes is None


def test_labels_become_one_hot_on_request():
    x, labels = pair()
    data = make_data(((x, labels), (x, labels)), valid_size=2).one_hot()
    assert data.train_clean is data.train
    for split, expected in ((data.train, labels[:4]), (data.valid, labels[4:])):
        np.testing.assert_array_equal(np.argmax(split.y, 1), expected)
        np.testing.assert_array_equal(split.y.sum(1), 1)
    np.testing.assert_array_equal(data.one_hot().train.y, data.train.y)
    with pytest.raises(ValueError, match="regression"):
        make_data(regression()).one_hot()


def test_float_targets_are_a_regression():
    x, _ = pair()
    data = make_data(((x, np.arange(6.0)), (x, np.arange(6.0))))
    assert data.num_classes is None
    assert data.train.y.shape == (6, 1)
    assert data.train.y.dtype == np.float32


def test_inputs_without_axes_get_one():
    data = make_data(((np.arange(6.0), np.arange(6.0)),) * 2)
    assert data.input_shape == (1,)


@pytest.mark.parametrize("size", [1, 4, 9])
def test_validation_is_the_last_training_examples(size):
    x, y = np.arange(10.0)[:, None], np.arange(10) % 2
    data = make_data(((x, y), (x, y)), valid_size=size)
    np.testing.assert_array_equal(data.train.x, x[:-size])
    np.testing.assert_array_equal(data.valid.x, x[-size:])
    np.testing.assert_array_equal(data.valid.y, y[-size:])
    assert len(data.test) == 10


@pytest.mark.parametrize("size", [-1, 6, 7, 1.5, "2", True, None])
def test_validation_size_must_fit(size):
    with pytest.raises(ValueError, match=r"dataset\.valid_size must be .* from 0 to 5"):
        make_data((pair(), pair()), valid_size=size)


def test_validation_of_its_own_excludes_valid_size():
    raw = {"train": pair(), "valid": pair(3), "test": pair()}
    assert len(make_data(raw).valid) == 3
    with pytest.raises(ValueError, match=r"set dataset\.valid_size=0"):
        make_data(raw, valid_size=2)


def test_tf_datasets_of_examples_are_read_in_their_order():
    x, y = np.arange(3000)[:, None].astype(np.uint8), np.arange(3000) % 7
    examples = tf.data.Dataset.from_tensor_slices((x, y))
    data = make_data({"train": examples, "test": examples.take(5)})
    np.testing.assert_array_equal(data.train.x, x)
    np.testing.assert_array_equal(data.train.y, y)
    assert (len(data.test), data.num_classes, data.train.x.dtype) == (5, 7, np.uint8)


def test_data_head_cuts_every_split():
    raw = {"train": pair(9), "valid": pair(3), "test": pair(7)}
    data = make_data(raw).head(5)
    assert [len(s) for s in (data.train, data.train_clean, data.valid, data.test)] == [5, 5, 3, 5]
    assert data.num_classes == 3
    with pytest.raises(ValueError, match="n >= 1"):
        data.head(0)


def ragged():
    images = [np.zeros((2, 2)), np.zeros((3, 3))]
    return tf.data.Dataset.from_generator(
        lambda: ((image, 0) for image in images),
        output_signature=(tf.TensorSpec((None, None)), tf.TensorSpec((), tf.int64)),
    )


def from_slices(*arrays):
    return tf.data.Dataset.from_tensor_slices(arrays)


@pytest.mark.parametrize(
    ("train", "message"),
    [
        (np.zeros((6, 4)), r"train is an array of shape \(6, 4\)"),
        ((*pair(), 1), "train is a tuple of length 3"),
        ((np.zeros((6, 4)), np.zeros(5)), r"same length, received shapes \(6, 4\) and \(5,\)"),
        ((np.zeros((0, 4)), np.zeros(0)), "train has no examples"),
        ((np.array([["a"]]), [0]), "x of train must be an array of numbers"),
        (([np.eye(2), np.eye(3)], [0, 1]), "x of train cannot be made an array"),
        (([[1, 2], [3]], [[0, 1], [0]]), "y of train cannot be made an array"),
        ((np.full((6, 4), np.nan), np.arange(6)), "x of train contains NaN"),
        ((np.zeros((6, 4)), np.full(6, np.inf)), "y of train contains NaN or infinite"),
        ((np.zeros((6, 4)), [0, 1, 2, 0, 1, -1]), r"labels must lie in \[0, 3\), received -1"),
        ((np.zeros((6, 4)), np.ones((6, 3), int)), r"of shape \(6, 3\) that are 0 or 1"),
        ((np.zeros((6, 4)), np.zeros(6)), "integers in all splits or in none"),
        ((np.zeros((6, 5), "float32"), np.arange(6) % 3), "one shape and dtype in all splits"),
        ((np.zeros((6, 4), "uint8"), np.arange(6) % 3), "received uint8 .* and float32"),
        (from_slices(*pair()).batch(2), "train looks batched"),
        (from_slices(*pair()).repeat(), "train never ends"),
        (from_slices(*pair()).take(0), "train has no examples"),
        (from_slices(np.zeros(3)), r"must be pairs \(x, y\)"),
        (ragged(), r"train cannot be stacked .* set dataset\.image_size"),
    ],
)
def test_bad_splits_are_refused_with_the_reason(train, message):
    with pytest.raises(ValueError, match=message):
        make_data((train, pair()))


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (None, "received a NoneType"),
        ((pair(),), "received a tuple of length 1"),
        ({"train": pair()}, "no 'test' split"),
        ({"train": pair(), "test": pair(), "tset": 1}, r"unknown keys \['tset'\]"),
        ({"train": pair(), "test": pair(), "num_classes": 2}, r"\[0, 2\), received 2 in train"),
        ({"train": pair(), "test": pair(), "num_classes": 0}, "'num_classes' must be >= 2"),
        ({"train": pair(), "test": pair(), "transform": 3}, "'transform' must be a function"),
        (((np.zeros((2, 1)), [0, 0]),) * 2, "at least 2 classes"),
    ],
)
def test_bad_structures_are_refused_with_the_reason(raw, message):
    with pytest.raises(ValueError, match=message):
        make_data(raw)


def test_float_labels_are_refused_where_classes_are_announced():
    split = (np.zeros((2, 1)), np.array([0.0, 0.5]))
    with pytest.raises(ValueError, match="integer labels"):
        make_data({"train": split, "test": split, "num_classes": 2})


# --- digits ---


def test_digits_are_all_of_scikit_learns_in_one_fixed_stratified_split():
    from sklearn.datasets import load_digits

    data = make_data(digits())
    assert (len(data.train), len(data.test)) == (1437, 360)
    assert (data.num_classes, data.input_shape) == (10, (8, 8, 1))
    images = np.concatenate([data.train.x, data.test.x]).reshape(1797, 64)
    assert images.dtype == np.float32
    expected = load_digits().data / 16
    np.testing.assert_array_equal(np.unique(images, axis=0), np.unique(expected, axis=0))
    totals = np.bincount(load_digits().target)
    assert np.all(np.abs(np.bincount(data.test.y) - totals * 360 / 1797) < 1)


def test_digits_do_not_depend_on_global_seeds():
    keras.utils.set_random_seed(1)
    first = digits()
    keras.utils.set_random_seed(2)
    for name in ("train", "test"):
        for a, b in zip(first[name], digits()[name], strict=True):
            np.testing.assert_array_equal(a, b)


# --- regression ---


def test_regression_features_and_sizes():
    data = make_data(regression())
    assert (len(data.train), len(data.test)) == (320, 80)
    assert (data.num_classes, data.input_shape) == (None, (2,))
    positions = data.train.x
    features, y = next(data.train.batches(320).as_numpy_iterator())
    np.testing.assert_allclose(features, np.hstack([positions / 2, positions**2 / 4]), rtol=1e-6)
    np.testing.assert_array_equal(y, data.train.y)


def test_regression_has_gaps_in_x_and_is_fixed():
    data = make_data(regression())
    x = np.sort(np.concatenate([data.train.x, data.test.x])[:, 0])
    assert np.sum(np.diff(x) > 3) == 2
    assert x[0] >= -7
    assert x[-1] <= 7
    np.testing.assert_array_equal(make_data(regression()).train.x, data.train.x)


def test_regression_noise_is_small_beside_the_signal():
    train = make_data(regression()).train
    y = train.y[np.argsort(train.x[:, 0]), 0]
    # Neighbours in x differ by noise alone; the whole curve varies much more.
    assert np.std(np.diff(y)) / np.sqrt(2) < 0.1 < np.std(y)


@pytest.mark.skipif(not PUBLISHED.is_file(), reason="../shared/data/regression is not there")
def test_published_points_are_split_completely():
    data = make_data(regression(path=str(PUBLISHED)))
    assert (len(data.train), len(data.test)) == (320, 80)
    stored = np.concatenate([np.hstack([split.x, split.y]) for split in (data.train, data.test)])
    published = np.load(PUBLISHED).astype(np.float32)
    np.testing.assert_array_equal(
        stored[np.argsort(stored[:, 0])], published[np.argsort(published[:, 0])]
    )


def test_missing_points_name_the_file():
    with pytest.raises(FileNotFoundError, match=r"dataset\.path=nowhere/data\.npy: no such file"):
        regression(path="nowhere/data.npy")


@pytest.mark.parametrize("shape", [(400,), (400, 3), (4, 2), (2, 400)])
def test_points_of_another_shape_are_refused(tmp_path, shape):
    np.save(tmp_path / "data.npy", np.zeros(shape))
    with pytest.raises(ValueError, match=r"shape \[n, 2\], columns x and y"):
        regression(path=str(tmp_path / "data.npy"))


def test_unreadable_points_are_refused(tmp_path):
    np.save(tmp_path / "cut.npy", np.zeros((400, 2)))
    whole = (tmp_path / "cut.npy").read_bytes()
    for name, content in (("cut", whole[:500]), ("text", b"1,2\n3,4\n"), ("empty", b"")):
        (tmp_path / f"{name}.npy").write_bytes(content)
        with pytest.raises(ValueError, match=r"not a readable \.npy file"):
            regression(path=str(tmp_path / f"{name}.npy"))
    np.savez(tmp_path / "many.npz", a=np.zeros((400, 2)))
    with pytest.raises(ValueError, match=r"not a readable \.npy file"):
        regression(path=str(tmp_path / "many.npz"))


# --- TFDS ---


@needs_tfds("mnist")
def test_mnist_is_read_from_a_data_folder():
    raw = tfds_images("mnist", data_dir=str(SHARED / "tfds"), train_split="train[:500]")
    data = make_data(raw, valid_size=100)
    assert [len(s) for s in (data.train, data.valid, data.test)] == [400, 100, 10000]
    assert (data.num_classes, data.input_shape) == (10, (28, 28, 1))
    assert data.train.x.dtype == np.uint8
    # The published counts of the ten digits in MNIST's test set.
    counts = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    np.testing.assert_array_equal(np.bincount(data.test.y), counts)


@needs_tfds("cifar10")
def test_images_are_resized_to_bytes():
    def read(size):
        return tfds_images(
            "cifar10", str(SHARED / "tfds"), size, train_split="train[:20]", test_split="test[:10]"
        )

    whole, small = make_data(read(None)), make_data(read(16))
    assert whole.input_shape == (32, 32, 3)
    assert small.input_shape == (16, 16, 3)
    assert small.train.x.dtype == np.uint8
    np.testing.assert_array_equal(small.train.y, whole.train.y)
    # Halving keeps local means: compare 8x8 blocks of both.
    coarse = [
        x.reshape(20, 4, s, 4, s, 3).mean((2, 4))
        for x, s in ((whole.train.x, 8), (small.train.x, 4))
    ]
    assert np.abs(coarse[0] - coarse[1]).mean() < 4


class Colours(tfds.core.GeneratorBasedBuilder):
    """Images of one colour each, prepared without network."""

    VERSION = tfds.core.Version("1.0.0")
    CHANNELS = 3

    def _info(self):
        features = {"image": tfds.features.Image(shape=(4, 4, self.CHANNELS))}
        features["label"] = tfds.features.ClassLabel(num_classes=5)
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("image", "label"),
        )

    def _split_generators(self, dl_manager):
        return {name: self._generate_examples() for name in ("train", "test")}

    def _generate_examples(self):
        colours = [(255, 255, 255), (255, 0, 0), (0, 255, 0), (0, 0, 255), (10, 20, 31)]
        for i, colour in enumerate(colours):
            pixels = np.resize(np.array(colour, np.uint8), (4, 4, self.CHANNELS))
            yield i, {"image": pixels, "label": i}


class Transparent(Colours):
    VERSION = tfds.core.Version("1.0.0")
    CHANNELS = 4


def test_grey_images_have_the_luma_of_their_colours(tmp_path, monkeypatch):
    room = sys.modules["mc.datasets.tfds_images"]
    monkeypatch.setattr(room, "_check_reachable", lambda _: None)
    for more in ({}, {"image_size": 2}, {"stream": True}):
        data = make_data(tfds_images("colours", str(tmp_path), grey=True, **more))
        size = more.get("image_size", 4)
        assert data.input_shape == (size, size, 1)
        # By hand: 0.299 red + 0.587 green + 0.114 blue, to a byte; TFDS has an order of its own.
        luma = np.array([255, 76, 150, 29, 18])
        x, y = next(data.test.batches(5).as_numpy_iterator())
        expected = np.broadcast_to(luma[y][:, None, None, None] / 255, x.shape)
        np.testing.assert_allclose(x, expected, rtol=1e-6)


def test_what_cannot_be_grey_is_refused(tmp_path, monkeypatch):
    room = sys.modules["mc.datasets.tfds_images"]
    monkeypatch.setattr(room, "_check_reachable", lambda _: None)
    with pytest.raises(ValueError, match=r"dataset\.grey=true makes one channel.* have 4"):
        tfds_images("transparent", str(tmp_path), grey=True)
    with pytest.raises(ValueError, match=r"have 1 with dataset\.grey=true"):
        tfds_images("colours", str(tmp_path), grey=True, transform="vgg")


@needs_tfds("mnist")
def test_tfds_data_dir_variable_is_honoured(monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(SHARED / "tfds"))
    raw = tfds_images("mnist", train_split="train[:10]", test_split="test[:5]")
    assert len(raw["train"][0]) == 10


@needs_tfds("mnist")
def test_unknown_splits_name_the_known_ones():
    with pytest.raises(ValueError, match=r"dataset\.test_split=tset .*'train', 'test'"):
        tfds_images("mnist", str(SHARED / "tfds"), train_split="train[:5]", test_split="tset")


def test_missing_set_says_where_it_looked_and_how_to_prepare_it(tmp_path, monkeypatch):
    import requests

    def unreachable(url, **_):
        raise requests.ConnectionError("no route")

    monkeypatch.setattr(requests, "head", unreachable)
    with pytest.raises(FileNotFoundError) as caught:
        tfds_images("fashion_mnist", data_dir=str(tmp_path))
    message = str(caught.value)
    assert f"not prepared at {tmp_path}/fashion_mnist" in message
    assert f"tfds.load('fashion_mnist', data_dir='{tmp_path}')" in message
    assert "TFDS_DATA_DIR" in message
    assert list(tmp_path.iterdir()) == []


class TwoPixels(tfds.core.GeneratorBasedBuilder):
    """A set that is prepared without network, slowly enough for another to come in between."""

    VERSION = tfds.core.Version("1.0.0")
    prepared = 0

    def _info(self):
        features = {"image": tfds.features.Image(shape=(1, 2, 1)), "label": ["a", "b"]}
        features["label"] = tfds.features.ClassLabel(names=features["label"])
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("image", "label"),
        )

    def _split_generators(self, dl_manager):
        type(self).prepared += 1
        time.sleep(0.2)
        return {name: self._generate_examples() for name in ("train", "test")}

    def _generate_examples(self):
        for i in range(4):
            yield i, {"image": np.full((1, 2, 1), i, np.uint8), "label": i % 2}


def test_two_that_prepare_a_set_at_once_prepare_it_once(tmp_path, monkeypatch):
    room = sys.modules["mc.datasets.tfds_images"]  # the package has a function of that name
    both = threading.Barrier(2)  # both have seen that it is not there
    monkeypatch.setattr(room, "_check_reachable", lambda _: both.wait())
    monkeypatch.setattr(TwoPixels, "prepared", 0)
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(tfds_images, "two_pixels", str(tmp_path)) for _ in range(2)]
        found = [future.result() for future in futures]
    assert TwoPixels.prepared == 1
    for raw in found:
        np.testing.assert_array_equal(raw["train"][0][:, 0, 0, 0] % 2, raw["train"][1])
        assert len(raw["train"][0]) == 4


def test_unknown_name_lists_close_ones():
    with pytest.raises(ValueError, match=r"dataset\.tfds_name=mnits .*close names: .*mnist"):
        tfds_images("mnits")


def test_sets_without_images_are_refused():
    with pytest.raises(ValueError, match="not an image classification set"):
        tfds_images("imdb_reviews")


@pytest.mark.parametrize("size", [0, -4, 2.5])
def test_image_size_must_be_positive(size):
    with pytest.raises(ValueError, match=r"dataset\.image_size must be null or >= 1"):
        tfds_images("mnist", image_size=size)


# --- configuration ---


@pytest.mark.parametrize("path", sorted((ROOT / "conf" / "dataset").glob("*.yaml")))
def test_options_name_every_argument_and_its_default(path):
    import yaml

    written = yaml.safe_load(path.read_text())
    for base in written.pop("defaults", []):
        written = {**yaml.safe_load(path.with_stem(base).read_text()), **written}
    function = getattr(datasets, written.pop("_target_").removeprefix("mc.datasets."))
    assert written.pop("valid_size") == 0
    arguments = inspect.signature(function).parameters
    assert list(written) == list(arguments)
    for name, argument in arguments.items():
        assert argument.default in (inspect.Parameter.empty, written[name])
