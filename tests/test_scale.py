"""Networks that rescale images by themselves are told from those that do not."""

import json

import keras
import numpy as np
import pytest

from mc.datasets import make_data
from mc.datasets.scale import check_scale, layer_for_bytes

INPUT = keras.Input((6, 6, 3))


def normalization(x):
    """A layer that has adapted to numbers."""
    layer = keras.layers.Normalization()
    layer.adapt(x)
    return layer


BYTES = np.random.default_rng(0).integers(0, 256, (40, 6, 6, 3)).astype("uint8")
LABELS = np.arange(40) % 4


def network(*first):
    """A functional model that begins with layers or functions."""
    x = INPUT
    for layer in first:
        x = layer(x)
    return keras.Model(INPUT, keras.layers.Dense(4)(keras.layers.Flatten()(x)))


class Subclassed(keras.Model):
    """A model whose layers are its attributes."""

    def __init__(self, scale):
        super().__init__()
        self.scale, self.flat = keras.layers.Rescaling(scale), keras.layers.Flatten()
        self.top = keras.layers.Dense(4)

    def call(self, x):
        return self.top(self.flat(self.scale(x)))


@pytest.mark.parametrize(
    ("first", "name"),
    [
        ([keras.layers.Rescaling(1 / 255, name="a")], "a"),
        ([keras.layers.RandomFlip(), keras.layers.Rescaling(1 / 127.5, -1, name="b")], "b"),
        ([normalization(BYTES)], "normalization"),
        ([lambda x: x / 255.0], "true_divide"),
        ([lambda x: (x - 128) * (1 / 128)], "multiply"),
        ([keras.Sequential([INPUT, keras.layers.Rescaling(1 / 255, name="c")])], "c"),
        ([], None),
        ([keras.layers.Rescaling(2.0, -1)], None),  # from [0, 1] to [-1, 1]
        ([normalization(BYTES / 255)], None),
        ([keras.layers.Normalization()], None),  # it has not adapted
        ([keras.layers.Conv2D(2, 3), keras.layers.Rescaling(1 / 255)], None),  # of features
    ],
)
def test_a_layer_for_bytes_is_found_before_the_first_weights(first, name):
    found = layer_for_bytes(network(*first))
    assert found == name or (name and found.startswith(name))


@pytest.mark.parametrize(("scale", "found"), [(1 / 255, True), (1.0, False)])
def test_layers_of_a_subclassed_model_are_looked_at(scale, found):
    model = Subclassed(scale)
    model(np.zeros((1, 6, 6, 3)))
    assert (layer_for_bytes(model) is not None) is found


def test_bytes_are_divided_once():
    divides, plain = network(keras.layers.Rescaling(1 / 255)), network()
    raw = ((BYTES, LABELS), (BYTES, LABELS))
    as_they_are = make_data(raw, divide_by_255=False)
    check_scale(plain, make_data(raw), "it")
    check_scale(divides, as_they_are, "it")
    check_scale(divides, make_data(((BYTES / 255, LABELS),) * 2), "it")  # its user's affair
    back = {"train": raw[0], "test": raw[1], "transform": lambda x: x * 255}
    check_scale(divides, make_data(back), "it")
    with pytest.raises(ValueError, match=r"it rescales .* Type \+dataset\.divide_by_255=false"):
        check_scale(divides, make_data(raw), "it")
    # Keras' own way with the bytes is the measure.
    (x, _) = next(as_they_are.test.batches(40).as_numpy_iterator())
    np.testing.assert_array_equal(divides(x), divides(BYTES))


OWN = """
import keras, numpy as np

def data():
    x = np.random.default_rng(0).integers(0, 256, (400, 4, 4, 1)).astype("uint8")
    y = (x.mean((1, 2, 3)) > 127).astype(int)
    return (x[:300], y[:300]), (x[300:], y[300:])

def net(input_shape, num_classes):
    layers = [keras.layers.Rescaling(1 / 255, -0.5), keras.layers.Flatten()]
    return keras.Sequential([keras.Input(input_shape), *layers, keras.layers.Dense(num_classes)])
"""


def test_a_network_that_rescales_learns_from_bytes(cli, tmp_path, monkeypatch):
    (tmp_path / "own_scale.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    command = ["stage=base", "dataset._target_=own_scale.data", "model._target_=own_scale.net"]
    command += ["train.base.learning_rate=1.0", "train.base.epochs=30"]
    status, output = cli(*command)
    assert (status, "Type +dataset.divide_by_255=false" in output) == (1, True), output
    assert not list(tmp_path.glob("base/*/checkpoint.npz"))
    status, output = cli(*command, "+dataset.divide_by_255=false")
    assert status == 0, output
    (made,) = tmp_path.glob("base/*/summary.json")
    assert json.loads(made.read_text())["test/error"] < 0.1
