"""Data in all forms that Keras takes, to the same batches, and data without end."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import arrays, logits_loss

import mc
from mc.network import batches


class Items(keras.utils.PyDataset):
    """Arrays in batches, as Keras' own class has it; `size` None: without end."""

    def __init__(self, parts, size=16, endless=False):
        super().__init__()
        self.parts, self.size, self.endless = parts, size, endless

    @property
    def num_batches(self):
        return None if self.endless else -(-len(self.parts[0]) // self.size)

    def __getitem__(self, i):
        return tuple(part[i * self.size : (i + 1) * self.size] for part in self.parts)


def rows(data):
    """All examples of all batches, part by part."""
    parts = zip(*([np.asarray(p) for p in batch] for batch in data), strict=True)
    return [np.concatenate(part) for part in parts]


def test_every_form_of_data_gives_the_same_examples_every_time():
    x, y = arrays(n=40)
    weight = np.linspace(0, 1, 40, dtype="float32")
    dataset = tf.data.Dataset.from_tensor_slices((x, y, weight)).batch(7)
    for data in ((x, y, weight), dataset, Items((x, y, weight)), (x, list(y), weight)):
        made = batches.as_batches(data)
        for _ in range(2):
            for found, part in zip(rows(made), (x, y, weight), strict=True):
                np.testing.assert_array_equal(found, part)
    assert len(batches.as_batches((x, y, None)).element_spec) == 2
    assert len(batches.as_batches(Items((x, y), size=16))) == 3


def test_what_is_no_data_is_refused_with_the_forms_that_are():
    with pytest.raises(ValueError, match=r"keras.utils.PyDataset, or arrays.*generator"):
        batches.as_batches(i for i in range(3))


def test_many_batches_of_unknown_length_are_told(monkeypatch, caplog):
    monkeypatch.setattr(batches, "MANY", 3)
    x, y = arrays(n=40)
    known = tf.data.Dataset.from_tensor_slices((x, y)).batch(10)
    unknown = tf.data.Dataset.from_generator(
        lambda: iter(known), output_signature=known.element_spec
    )
    for data, lines in ((known, 0), (unknown.take(2), 0), (unknown, 1)):
        caplog.clear()
        assert len(rows(batches.counted(data))[0]) in (20, 40)
        assert [r.getMessage().startswith("3 batches are read of") for r in caplog.records] == [
            True
        ] * lines


@pytest.fixture
def curve(plain_networks):
    made = mc.connect(*plain_networks)
    made.compile("sgd", logits_loss())
    return made


def endless():
    repeated = tf.data.Dataset.from_tensor_slices(arrays()).batch(16).repeat()
    return [repeated, repeated.map(lambda *batch: batch).prefetch(1), Items(arrays(), endless=True)]


@pytest.mark.parametrize("kind", range(3))
def test_data_without_end_are_refused_at_once_wherever_they_are_given(curve, networks, kind):
    data = endless()[kind]
    with pytest.raises(ValueError, match=r"never end.*leave out repeat\(\), or take\(n\)"):
        mc.evaluate(curve, test=data)
    with pytest.raises(ValueError, match="never end"):
        mc.evaluate(curve, test=arrays(), bn_data=data)
    with pytest.raises(ValueError, match="never end"):
        mc.connect(*networks).network_at(0.5, data=data)
    with pytest.raises(ValueError, match=r"pass steps_per_epoch="):
        curve.fit(data)
    with pytest.raises(ValueError, match=r"pass validation_steps="):
        curve.fit(*arrays(), validation_data=data)
    for method in (curve.evaluate, curve.predict):
        with pytest.raises(ValueError, match=r"pass steps="):
            method(data)


def test_data_without_end_are_read_as_far_as_the_steps_say(curve):
    data = endless()[0]
    check = {"validation_data": data, "validation_steps": 1}
    curve.fit(data, steps_per_epoch=3, shuffle=False, verbose=0, **check)
    assert curve.step.numpy() == 3
    assert np.isfinite(curve.evaluate(data, steps=2, verbose=0))
    assert len(mc.evaluate(curve, test=data.take(2), num_points=2)) == 4


def test_fit_takes_weights_in_batches_and_pydatasets_as_arrays(plain_networks):
    x, y = arrays(n=48)
    weight = np.linspace(0, 2, 48, dtype="float32")
    dataset = tf.data.Dataset.from_tensor_slices((x, y, weight)).batch(16)
    ends = []
    for data in ((x, y, weight), (dataset,), (Items((x, y, weight)),)):
        made = mc.connect(*plain_networks)
        made.compile(keras.optimizers.SGD(0.1), logits_loss())
        named = dict(zip(("x", "y", "sample_weight"), data, strict=False))
        made.fit(**named, batch_size=16 if len(data) == 3 else None, shuffle=False, verbose=0)
        ends.append(made.control_points)
    np.testing.assert_array_equal(ends[1], ends[0])
    np.testing.assert_array_equal(ends[2], ends[0])


def test_batchnorm_statistics_come_from_every_form_of_data(networks):
    curve = mc.connect(*networks)
    x, y = arrays(n=40)
    weight = np.ones(40, "float32")
    expected = curve.network_at(0.5, data=(x, y)).get_weights()
    dataset = tf.data.Dataset.from_tensor_slices((x, y, weight)).batch(128)
    for data in (x, (x, y, weight), dataset, Items((x, y), size=128)):
        for found, value in zip(
            curve.network_at(0.5, data=data).get_weights(), expected, strict=True
        ):
            np.testing.assert_allclose(found, value, rtol=1e-6)


def test_batchnorm_statistics_of_lengths_that_vary():
    keras.utils.set_random_seed(0)
    layers = [keras.Input((None, 3)), keras.layers.Dense(4), keras.layers.BatchNormalization()]
    pair = [
        keras.Sequential([*layers, keras.layers.GlobalAveragePooling1D(), keras.layers.Dense(2)])
        for _ in range(2)
    ]
    rng = np.random.default_rng(0)
    parts = [rng.normal(size=(n, length, 3)).astype("float32") for n, length in [(8, 5), (8, 9)]]
    data = tf.data.Dataset.from_generator(
        lambda: iter(parts), output_signature=tf.TensorSpec([None, None, 3])
    )
    network = mc.connect(*pair).network_at(0.5, data=data)
    hidden = [np.asarray(network.layers[0](part)) for part in parts]
    mean = np.mean([h.mean((0, 1)) for h in hidden], axis=0)  # by the batches' examples
    np.testing.assert_allclose(network.layers[1].moving_mean, mean, rtol=1e-4, atol=1e-6)
