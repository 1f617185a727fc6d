"""Labels of tokens and pixels, sequences of unequal length, several inputs and outputs."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mc.datasets import make_data


def of_steps(lengths, dtype="int64", seed=0):
    """Sequences of tokens 1 to 5 and a label 0 to 2 for each."""
    rng = np.random.default_rng(seed)
    x = [rng.integers(1, 6, n).astype(dtype) for n in lengths]
    return x, [rng.integers(0, 3, n) for n in lengths]


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint16"])
def test_tokens_keep_their_type_and_every_step_may_have_a_label(dtype):
    x, y = map(np.stack, of_steps([4] * 7, dtype))
    data = make_data(((x, y), (x, y)), 2)
    inputs, targets = next(data.train.epochs(5, 0).as_numpy_iterator())
    assert inputs.dtype == data.input_spec.dtype == dtype
    assert (data.num_classes, data.input_shape, data.output_shape) == (3, (4,), (4, 3))
    rows = {tuple(row) for row in np.concatenate([x[:5], y[:5]], 1)}
    assert {tuple(row) for row in np.concatenate([inputs, targets], 1)} == rows
    assert data.one_hot().train.y.shape == (5, 4, 3)
    np.testing.assert_array_equal(data.one_hot().train.y.argmax(-1), y[:5])


def test_a_transform_sees_tokens_as_floats():
    x, y = map(np.stack, of_steps([4] * 7))
    data = make_data({"train": (x, y), "test": (x, y), "transform": lambda x: x / 2})
    assert data.input_spec.dtype == "float32"


@pytest.mark.parametrize(
    ("y", "loss", "expected"),
    [
        (np.ones((6, 3), int), None, r"of shape \(6, 3\) that are 0 or 1 may be several"),
        (np.eye(3, dtype=int)[[0, 1, 2, 0, 1, 2]], None, 3),  # one-hot rows, as before
        (np.ones((6, 3), int), "sparse_categorical_crossentropy", 2),
        (np.ones((6, 3), int), "binary_crossentropy", None),
        (np.full((6, 3), 4), None, 5),
        (np.ones((6, 2, 2, 1), int), "sparse_categorical_crossentropy", 2),
        (np.eye(2, dtype="float32")[np.ones((6, 2), int)], "categorical_crossentropy", 2),
    ],
)
def test_what_targets_of_several_axes_are(y, loss, expected):
    raw = ((np.zeros((6, 4), "float32"), y), (np.zeros((6, 4), "float32"), y))
    if isinstance(expected, str):
        with pytest.raises(ValueError, match=expected):
            make_data(raw, loss=loss)
        return
    data = make_data(raw, loss=loss)
    assert data.num_classes == expected
    steps = y.shape[1:] if expected is None else (*y.shape[1:2], expected)
    if y.ndim == 4:
        steps = (2, 2, 2)
    assert data.output_shape == ((3,) if y.ndim == 2 and expected == 3 else steps)


@pytest.mark.parametrize("form", ["lists", "ragged", "dataset"])
@pytest.mark.parametrize("ignored", [None, -1])
def test_targets_of_steps_are_filled_up_as_their_sequences_are(form, ignored):
    lengths = (3, 1, 5, 2)
    x, y = of_steps(lengths)
    raw = (x, y)
    if form == "ragged":
        raw = (tf.ragged.constant([list(r) for r in x]), tf.ragged.constant([list(r) for r in y]))
    elif form == "dataset":
        spec = (tf.TensorSpec([None], tf.int64),) * 2
        raw = tf.data.Dataset.from_generator(lambda: zip(x, y, strict=True), output_signature=spec)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=ignored)
    data = make_data((raw, raw), loss=loss)
    assert data.filled == (ignored is None)
    for i, n in enumerate(lengths):
        np.testing.assert_array_equal(data.train.x[i], [*x[i], *[0] * (5 - n)])
        np.testing.assert_array_equal(data.train.y[i], [*y[i], *[ignored or 0] * (5 - n)])


def test_a_sequence_with_more_targets_than_steps_is_refused():
    x, y = of_steps((3, 1, 5))
    with pytest.raises(ValueError, match="example 1 of train has 1 steps and 2 targets"):
        make_data(((x, [y[0], np.array([1, 1]), y[2]]), (x, y)))


def test_several_inputs_and_outputs_are_dicts_of_arrays():
    x = {"image": np.full((6, 2, 2), 255, np.uint8), "tokens": np.arange(12).reshape(6, 2)}
    y = {"size": np.arange(6.0), "kind": np.arange(6) % 3}
    data = make_data(((x, y), (x, y)), 2)
    assert data.input_shape == {"image": (2, 2), "tokens": (2,)}
    assert (data.num_classes, data.output_shape) == (None, None)
    inputs, targets = next(data.train.epochs(4, 3).as_numpy_iterator())
    np.testing.assert_array_equal(inputs["image"], np.ones((4, 2, 2), "float32"))
    assert inputs["tokens"].dtype == np.int64
    np.testing.assert_array_equal(inputs["tokens"][:, 0], 2 * targets["size"][:, 0])
    np.testing.assert_array_equal(targets["kind"], targets["size"][:, 0] % 3)
    examples = tf.data.Dataset.from_tensor_slices((x, y))
    read = make_data((examples, examples))
    np.testing.assert_array_equal(read.valid or read.test.x["tokens"], x["tokens"])
    assert len(data.valid) == 2


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"num_classes": 3}, "'num_classes' 3 is of one output, and y are several"),
        ({"test": ({"a": np.zeros((6, 1))}, {"size": np.zeros(6)})}, "the same parts"),
        ({"test": ({"a": np.zeros((5, 1))}, {"b": np.zeros(6)})}, "must have the same length"),
        ({"train": ({}, np.zeros(6))}, "names of strings"),
    ],
)
def test_bad_structures_are_refused(change, match):
    pair = ({"a": np.zeros((6, 1))}, {"size": np.zeros(6), "kind": np.zeros(6)})
    with pytest.raises(ValueError, match=match):
        make_data({"train": pair, "test": pair} | change)


@pytest.mark.parametrize(
    ("given", "fits"), [([1, 2, 0], True), ([1, 2], False), ([1, -1, 1], False)]
)
def test_each_token_has_a_number_of_characters(given, fits):
    x, y = map(np.stack, of_steps([4] * 7))
    raw = {"train": (x, y), "test": (x, y), "num_classes": 3, "token_characters": given}
    if fits:
        np.testing.assert_array_equal(make_data(raw).token_characters, given)
    else:
        with pytest.raises(ValueError, match="'token_characters' must be a number of characters"):
            make_data(raw)
