"""Small networks and data that the tests share, and what keeps tests from one another."""

import gc
import logging
import os
import shutil
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["WANDB_MODE"] = "disabled"

import hydra._internal.hydra
import hydra.core.utils
import keras
import numpy as np
import pytest
from hydra._internal.core_plugins import basic_launcher
from hypothesis import HealthCheck, settings
from PIL import Image

from mc import run
from mc.plots.style import PaperFigure

# How long something takes says how busy the machine is, and nothing of what is tested.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")
# Whether TensorFlow finds that it traces often depends on the tests before.
logging.getLogger("tensorflow").setLevel("ERROR")
PATIENCE = 1800  # seconds: an end for what hangs, which no busy machine meets

CLASSES = 3
render = PaperFigure.savefig
# Small runs of every stage, which many tests begin with.
QUICK = ["smoke=true", "model=mlp", "model.widths=[8]"]


# Files that take long, the longest first: what starts last should be short, or the other process
# has nothing left to do.
LONG_FILES = (
    "cluster",
    "readme",
    "run",
    "disks",
    "kept",
    "stale",
    "settings_act",
    "front_door",
    "plane",
)


def pytest_collection_modifyitems(items):
    names = [f"test_{name}.py" for name in LONG_FILES]
    place = {name: number for number, name in enumerate(names)}
    items.sort(key=lambda item: place.get(item.path.name, len(names)))


def pytest_collection_finish():
    """What is imported by now stays, so that no later collection of garbage walks through it."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def leftovers_are_found_where_they_were_left():
    """What a file of tests has left open is told at its end, and not in a test of another file."""
    yield
    gc.collect()


@pytest.fixture(autouse=True)
def registered_names_are_those_of_before():
    """What a test registers with Keras, or removes, is so for this test alone."""
    before = dict(keras.saving.get_custom_objects())
    yield
    keras.saving.get_custom_objects().clear()
    keras.saving.get_custom_objects().update(before)


def until(condition, why=lambda: ""):
    """Wait for something that must come; `why` says more where it does not. Returns what came."""
    end = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < end, why()
        time.sleep(0.05)
    return found


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


def small_bn(input_shape, num_classes):
    """The smallest network with BatchNorm, for the command line."""
    layers = [keras.layers.Flatten(), keras.layers.Dense(8), keras.layers.BatchNormalization()]
    layers += [keras.layers.ReLU(), keras.layers.Dense(num_classes)]
    return keras.Sequential([keras.Input(input_shape), *layers])


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
    """The command line in this process: arguments -> (exit status, what it said).

    Figures are made, and not rendered, which takes a second each: `render` does so.
    """
    dot = Image.new("RGB", (400, 300))
    monkeypatch.setattr(PaperFigure, "savefig", lambda _, to, **how: dot.save(to, "PNG"))
    caplog.set_level("INFO", logger="mc")
    # Hydra composes all once more to read hydra.mode, which no test sets but by -m.
    monkeypatch.setattr(hydra._internal.hydra.Hydra, "get_mode", lambda *_, **__: None)
    for module in (hydra.core.utils, hydra._internal.hydra, basic_launcher):
        # Hydra's logging would close the streams that pytest captures with.
        monkeypatch.setattr(module, "configure_log", lambda *_: None)

    def call(*arguments):
        given = any(argument.startswith("output_dir=") for argument in arguments)
        own = [] if given else [f"output_dir={tmp_path}"]
        monkeypatch.setattr(sys, "argv", ["mc.run", *arguments, *own])
        monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
        caplog.clear()
        try:
            run.main()
        except SystemExit as leave:  # with a message, Python prints it and exits with status 1
            status = leave.code if isinstance(leave.code, int) else 1
            return status, f"{caplog.text}{leave.code}"
        return 0, caplog.text

    return call


@pytest.fixture(scope="session")
def kept_runs(tmp_path_factory):
    """Where `made_runs` keeps them for the next test."""
    return tmp_path_factory.mktemp("kept") / "outputs"


@pytest.fixture
def made_runs(cli, kept_runs, tmp_path):
    """The runs of `stage=all` with `QUICK`, finished, in the test's own folder; returns it."""
    if not kept_runs.exists():
        status, output = cli(*QUICK)
        assert status == 0, output
        shutil.copytree(tmp_path, kept_runs)
    else:
        shutil.copytree(kept_runs, tmp_path, dirs_exist_ok=True)
    return tmp_path
