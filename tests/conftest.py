"""Small networks and data that the tests share."""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["WANDB_MODE"] = "disabled"

import hydra._internal.hydra
import hydra.core.utils
import keras
import numpy as np
import pytest
from hydra._internal.core_plugins import basic_launcher

from mc import run

CLASSES = 3


def build(seed, *, batchnorm=True, dropout=True, regularizer="l2"):
    """A network with everything that makes weight space awkward."""
    keras.utils.set_random_seed(seed)
    layers = [keras.layers.Input((6, 6, 1)), keras.layers.Conv2D(4, 3, activation="relu")]
    layers += [keras.layers.BatchNormalization()] * batchnorm
    layers += [keras.layers.Flatten()]
    layers += [keras.layers.Dropout(0.4)] * dropout
    layers += [
        keras.layers.Dense(8, activation="tanh", kernel_regularizer=regularizer),
        keras.layers.Dense(CLASSES),
    ]
    return keras.Sequential(layers)


def trained(seed, **options):
    """The same after two epochs of Keras' own training, so that its statistics have moved."""
    network = build(seed, **options)
    network.compile("sgd", logits_loss())
    network.fit(*arrays(seed), epochs=2, verbose=0, shuffle=False)
    return network


def logits_loss():
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def only(folder, pattern):
    """The one path in a folder that fits a pattern."""
    (path,) = folder.glob(pattern)
    return path


def saved_weights(folder, seed):
    """The flat weights of a base network, read by Keras alone."""
    network = keras.models.load_model(only(folder, f"base/*seed{seed}*/model.keras"))
    return np.concatenate([np.ravel(array) for array in network.get_weights()])


def saved_network(path, units=4, activation=None):
    """A small network for the digits, saved by Keras alone; returns the path."""
    layers = [keras.layers.Flatten(), keras.layers.Dense(units, activation)]
    keras.Sequential([keras.Input((8, 8, 1)), *layers, keras.layers.Dense(10)]).save(path)
    return path


def arrays(seed=0, n=48):
    """Random images and labels."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 6, 6, 1)).astype("float32"), rng.integers(0, CLASSES, n)


@pytest.fixture(scope="session")
def networks():
    """Two trained networks with BatchNorm and dropout; tests do not change them."""
    return trained(1), trained(2)


@pytest.fixture(scope="session")
def plain_networks():
    """Two trained networks without state."""
    return (
        trained(1, batchnorm=False, dropout=False),
        trained(2, batchnorm=False, dropout=False),
    )


@pytest.fixture
def cli(tmp_path, monkeypatch, caplog):
    """The command line in this process: arguments -> (exit status, what it said)."""
    caplog.set_level("INFO", logger="mc")
    for module in (hydra.core.utils, hydra._internal.hydra, basic_launcher):
        # Hydra's logging would close the streams that pytest captures with.
        monkeypatch.setattr(module, "configure_log", lambda *_: None)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["mc.run", *arguments, f"output_dir={tmp_path}"])
        monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
        caplog.clear()
        try:
            run.main()
        except SystemExit as leave:  # with a message, Python prints it and exits with status 1
            status = leave.code if isinstance(leave.code, int) else 1
            return status, f"{caplog.text}{leave.code}"
        return 0, caplog.text

    return call
