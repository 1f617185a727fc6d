"""What training of a curve cannot do is refused by name."""

import keras
import numpy as np
import pytest
from conftest import CLASSES, logits_loss

import mc

X = np.random.default_rng(0).normal(size=(16, 4)).astype("float32")
Y = np.arange(16) % CLASSES


def network(first, kind=keras.Model):
    inputs = keras.Input((4,))
    return kind(inputs, keras.layers.Dense(CLASSES)(first(inputs)))


def test_layers_that_write_their_own_weights_are_refused_by_name():
    def spectral():
        return network(keras.layers.SpectralNormalization(keras.layers.Dense(8)))

    with pytest.raises(ValueError, match=r"writes its own weight .*dense.*/kernel"):
        mc.connect(spectral(), spectral())


def test_a_layer_that_writes_only_in_training_is_refused_at_the_first_batch_at_last():
    class Counts(keras.Model):
        def __init__(self):
            super().__init__()
            self.out = keras.layers.Dense(CLASSES)

        def call(self, x, training=False):
            if training:
                self.out.bias.assign(self.out.bias + 1.0)
            return self.out(x["u"])

    def counts():
        made = Counts()
        made({"u": X[:1]})
        return made

    curve = mc.connect(counts(), counts())
    curve.compile("sgd", logits_loss())
    with pytest.raises(ValueError, match=r"writes its own weight .*bias"):
        curve.fit({"u": X}, Y, verbose=0)


def test_float8_layers_are_refused_by_name():
    def quantized():
        made = network(keras.layers.Dense(16))
        made.layers[1].quantize("float8")
        return made

    with pytest.raises(ValueError, match="is a scale of a layer quantized to float8"):
        mc.connect(quantized(), quantized())


class OwnStep(keras.Model):
    def train_step(self, data):
        raise AssertionError("never called by a curve")


class OwnLoss(keras.Model):
    def compute_loss(self, *arguments, **options):
        raise AssertionError("never called by a curve")


class OwnMetrics(keras.Model):
    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        return {}


@pytest.mark.parametrize(("kind", "name"), [(OwnStep, "train_step"), (OwnLoss, "compute_loss")])
def test_networks_that_train_themselves_in_another_way_are_refused(kind, name):
    a, b = (network(keras.layers.Dense(8), kind) for _ in range(2))
    curve = mc.connect(a, b)
    with pytest.raises(ValueError, match=f"{kind.__name__} has {name} of its own"):
        curve.compile("sgd", logits_loss())
    assert len(mc.evaluate(curve, test=(X, Y), loss=logits_loss(), num_points=2)) == 4
    plain = mc.connect(*(keras.Model(n.input, n.output) for n in (a, b)))  # as the message says
    plain.compile("sgd", logits_loss())
    plain.fit(X, Y, verbose=0)


def test_metrics_of_the_networks_own_are_told_to_be_left_out():
    curve = mc.connect(*(network(keras.layers.Dense(8), OwnMetrics) for _ in range(2)))
    with pytest.warns(UserWarning, match="OwnMetrics has compute_metrics of its own"):
        curve.compile("sgd", logits_loss())


@pytest.mark.parametrize("given", [{"var_names": ["bias"]}, {"var_list": [keras.Variable(1.0)]}])
@pytest.mark.parametrize("late", [False, True])
def test_weights_left_out_of_weight_decay_are_refused(given, late):
    curve = mc.connect(*(network(keras.layers.Dense(8)) for _ in range(2)))
    optimizer = keras.optimizers.AdamW(weight_decay=0.1)
    if late:
        curve.compile(optimizer, logits_loss())
    optimizer.exclude_from_weight_decay(**given)
    with pytest.raises(ValueError, match="exclude_from_weight_decay names weights"):
        curve.fit(X, Y, verbose=0) if late else curve.compile(optimizer, logits_loss())
    none = keras.optimizers.SGD()
    none.exclude_from_weight_decay(**given)
    curve.compile(none, logits_loss())  # nothing decays, so nothing is left out
