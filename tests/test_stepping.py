"""Many training steps in a call, against Keras' own loop of one step a call: equal bit for bit."""

import contextlib
import os
import signal
import threading
import time

import keras
import numpy as np
import pytest
from conftest import arrays, build, logits_loss

import mc
from mc import schedules, stepping, training
from mc.datasets import Split
from mc.ensembles import fge
from mc.network.weights import pack

EPOCHS, BATCH, RATE = 4, 20, 0.1  # 48 examples: three steps a pass, the last of 8


class OneByOne(keras.callbacks.Callback):
    """Sets the rate before every step, in Keras' own way."""

    def __init__(self, rate):
        super().__init__()
        self.rate = rate

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        rate = self.rate(self.epoch, batch, self.params["steps"])
        self.model.optimizer.learning_rate = rate


def garipov(epoch, batch, steps):
    return RATE * schedules.garipov(epoch + 1, EPOCHS)


def triangle(epoch, batch, steps):
    return schedules.cyclical(epoch * steps + batch, 2 * steps, 0.1, 0.02)


def by_keras(curve, optimizer, steps, rate=garipov, valid=None, **compiled):
    """History of Keras' own fit of a curve, one step a call unless `compiled` says otherwise."""
    curve.compile(optimizer, logits_loss(), metrics=["accuracy"], **compiled)
    curve.optimizer.build(curve.trainable_variables)
    split = Split(*arrays(1))
    history = curve.fit(
        split.epochs(BATCH, 7, last=EPOCHS, steps=steps),
        epochs=EPOCHS,
        steps_per_epoch=steps,
        validation_data=valid.batches(BATCH) if valid else None,
        callbacks=[OneByOne(rate)] if rate else [],
        shuffle=False,
        verbose=0,
    ).history
    names = {k: f"valid/{k[4:]}" if k.startswith("val_") else f"train/{k}" for k in history}
    return [{names[k]: history[k][e] for k in history} for e in range(EPOCHS)]


def by_mc(curve, optimizer, steps, rate=None, **options):
    """History of `training.train` of a curve, many steps a call."""
    return training.train(
        curve,
        Split(*arrays(1)),
        optimizer=optimizer,
        loss=logits_loss(),
        metrics=["accuracy"],
        epochs=EPOCHS,
        batch_size=BATCH,
        rate=rate or training.EpochRate(RATE, "garipov", EPOCHS),
        seed=7,
        steps_per_epoch=steps,
        **options,
    )


def check_equal(one, many, rows=None, others=None):
    """Raise unless two trained curves and their histories are the same in every bit."""
    ours, theirs = ([*c.variables, *c.optimizer.variables] for c in (one, many))
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy(), err_msg=a.path)
    for row, other in zip(rows or [], others or [], strict=True):
        assert {k: v for k, v in other.items() if "/" in k} == row


def curve_of(networks):
    return mc.connect(*networks, weight_decay=1e-3, seed=5)


OPTIMIZERS = {
    "sgd": lambda: keras.optimizers.SGD(0.1, momentum=0.9),
    "adam": lambda: keras.optimizers.Adam(0.1),
    "averaged": lambda: keras.optimizers.SGD(0.1, use_ema=True, ema_overwrite_frequency=5),
    "accumulated": lambda: keras.optimizers.SGD(0.1, gradient_accumulation_steps=2),
}


@pytest.mark.parametrize(
    ("optimizer", "steps"),  # 2 of a pass, a pass of 3, or more than two passes
    [("sgd", 2), ("adam", 3), ("averaged", 7), ("accumulated", 3)],
)
def test_many_steps_a_call_are_one_step_a_call(networks, optimizer, steps):
    one, many = curve_of(networks), curve_of(networks)
    rows = by_keras(one, OPTIMIZERS[optimizer](), steps)
    check_equal(one, many, rows, by_mc(many, OPTIMIZERS[optimizer](), steps))
    assert int(many.step.numpy()) == EPOCHS * steps


def test_so_are_those_of_a_network_with_a_validation_split(plain_networks):
    one, many = curve_of(plain_networks), curve_of(plain_networks)
    valid = Split(*arrays(2, n=90))  # more batches than an epoch has steps
    rows = by_keras(one, OPTIMIZERS["sgd"](), 3, valid=valid)
    check_equal(one, many, rows, by_mc(many, OPTIMIZERS["sgd"](), 3, valid=valid))
    assert "valid/accuracy" in rows[0]


def test_so_are_those_at_rates_that_change_within_an_epoch(networks):
    points = [
        mc.CurveModel(networks[0], mc.Point(), pack(networks[0])[None], seed=5) for _ in range(2)
    ]
    rows = by_keras(points[0], OPTIMIZERS["sgd"](), 5, rate=triangle)
    history = by_mc(points[1], OPTIMIZERS["sgd"](), 5, rate=fge.CyclicalRate(2, 0.1, 0.02))
    check_equal(*points, rows, history)
    last = [triangle(epoch, 4, 5) for epoch in range(EPOCHS)]
    np.testing.assert_allclose([row["learning_rate"] for row in history], last, rtol=1e-6)


@contextlib.contextmanager
def precision(policy):
    """Networks that are built meanwhile have a Keras dtype policy."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def test_so_are_those_whose_loss_scale_overflows():
    with precision("mixed_float16"):
        pair = [build(seed) for seed in (1, 2)]
    curves = [curve_of(pair) for _ in range(2)]
    scaled = [
        keras.optimizers.LossScaleOptimizer(
            OPTIMIZERS["sgd"](), initial_scale=2.0**20, dynamic_growth_steps=4
        )
        for _ in curves
    ]
    rows = by_keras(curves[0], scaled[0], 3)
    check_equal(*curves, rows, by_mc(curves[1], scaled[1], 3))
    assert float(scaled[1].dynamic_scale.numpy()) < 2.0**20  # steps were skipped


def test_so_are_those_of_a_run_that_goes_on_from_a_snapshot(networks):
    saved = {}

    def until(history, take_snapshot):
        saved.update(take_snapshot())
        if len(history) == 2:
            raise KeyboardInterrupt

    one, killed, many = (curve_of(networks) for _ in range(3))
    rows = by_keras(one, OPTIMIZERS["adam"](), 7)
    with pytest.raises(KeyboardInterrupt):
        by_mc(killed, OPTIMIZERS["adam"](), 7, after_epoch=until)
    check_equal(one, many, rows, by_mc(many, OPTIMIZERS["adam"](), 7, snapshot=saved))


@pytest.mark.parametrize("seconds", [0.0, 1e9])
def test_how_many_steps_a_call_takes_changes_nothing(networks, monkeypatch, seconds):
    sizes = []
    make = stepping._many

    def counted(*arguments):
        many = make(*arguments)

        def call(iterator, rates, first, last):
            sizes.append(int(last - first))
            return many(iterator, rates, first, last)

        return call

    monkeypatch.setattr(stepping, "_many", counted)
    monkeypatch.setattr(stepping, "SECONDS", seconds)
    one, many = curve_of(networks), curve_of(networks)
    rows = by_keras(one, OPTIMIZERS["sgd"](), 7)
    check_equal(one, many, rows, by_mc(many, OPTIMIZERS["sgd"](), 7))
    # A slow network's calls stay at one step; a fast one's soon have an epoch.
    assert sizes == ([1] * 28 if seconds == 0 else [1, 2, 4, 7, 7, 7])


def test_the_steps_per_execution_of_a_user_are_keras_own(networks):
    one, many = curve_of(networks), curve_of(networks)
    rows = by_keras(one, OPTIMIZERS["adam"](), 6, rate=None)
    heard = []

    class Heard(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            heard.append(batch)

    many.compile(OPTIMIZERS["adam"](), logits_loss(), metrics=["accuracy"], steps_per_execution=3)
    history = many.fit(
        Split(*arrays(1)).epochs(BATCH, 7, last=EPOCHS, steps=6),
        epochs=EPOCHS,
        steps_per_epoch=6,
        callbacks=[Heard()],
        shuffle=False,
        verbose=0,
    )
    check_equal(one, many)
    assert history.history["loss"] == [row["train/loss"] for row in rows]
    assert heard == [0, 3] * EPOCHS


def test_a_curve_that_was_trained_is_fitted_by_keras_again(networks):
    one, many = curve_of(networks), curve_of(networks)
    for curve in (one, many):
        by_mc(curve, OPTIMIZERS["sgd"](), 3)
    for curve, executions in ((one, 1), (many, 3)):
        by_keras(curve, OPTIMIZERS["sgd"](), 3, steps_per_execution=executions, rate=None)
    check_equal(one, many)


def test_the_callback_of_rates_refuses_what_it_cannot_follow():
    network = build(0, dropout=False)
    rate = fge.CyclicalRate(cycle=2, lr_1=0.05, lr_2=0.01)
    network.compile("sgd", logits_loss(), steps_per_execution=2)
    with pytest.raises(ValueError, match="compile with steps_per_execution=1"):
        network.fit(*arrays(n=48), batch_size=12, callbacks=[rate], verbose=0)
    network.compile("sgd", logits_loss())
    unknown = Split(*arrays(n=48)).batches(12).filter(lambda *_: True)
    with pytest.raises(ValueError, match="pass steps_per_epoch to fit"):
        network.fit(unknown, callbacks=[rate], shuffle=False, verbose=0)


def test_ctrl_c_is_heard_within_an_epoch(plain_networks):
    curve, steps, heard = curve_of(plain_networks), 10**6, threading.Event()  # minutes

    def interrupt():
        while int(curve.step.numpy()) < 100:
            time.sleep(0.1)
        while not heard.is_set():  # Python loses one that comes while it clears up
            os.kill(os.getpid(), signal.SIGINT)
            heard.wait(10)

    # A shell's command in the background ignores it, and so would this process.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    thread = threading.Thread(target=interrupt, daemon=True)
    thread.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            by_mc(curve, OPTIMIZERS["sgd"](), steps)
    finally:
        heard.set()
        thread.join()
        signal.signal(signal.SIGINT, before)
    assert 100 <= int(curve.step.numpy()) < steps
