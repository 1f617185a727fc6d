"""Training runs: the schedule, the history, and continuing from a snapshot."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import arrays, build, logits_loss

import mc
from mc import schedules, training
from mc.datasets import Split

EPOCHS = 4


def run(networks, snapshot=None, after_epoch=None, epochs=EPOCHS, rate=0.1, **options):
    """A short training run of a curve; returns the curve and its history."""
    curve = mc.connect(*networks, weight_decay=1e-3, seed=5)
    schedule = options.pop("schedule", "garipov")
    arguments = {
        "optimizer": keras.optimizers.SGD(0.1, momentum=0.9),
        "loss": logits_loss(),
        "metrics": ["accuracy"],
        "batch_size": 20,
        "rate": training.EpochRate(rate, schedule, epochs),
        "seed": 7,
    }
    history = training.train(
        curve,
        Split(*arrays(1)),
        epochs=epochs,
        snapshot=snapshot,
        after_epoch=after_epoch,
        **(arguments | options),
    )
    return curve, history


def test_history_has_a_row_an_epoch_with_the_scheduled_rate(plain_networks):
    _, history = run(plain_networks, valid=Split(*arrays(2)))
    assert [row["epoch"] for row in history] == [1, 2, 3, 4]
    rates = [0.1 * schedules.garipov(e, EPOCHS) for e in range(1, 5)]
    np.testing.assert_allclose([row["learning_rate"] for row in history], rates, rtol=1e-6)
    names = {"train/loss", "train/accuracy", "valid/loss", "valid/accuracy"}
    assert set(history[0]) == {"epoch", "learning_rate"} | names


@pytest.mark.parametrize("stop", [1, 3])
def test_a_continued_run_repeats_the_uninterrupted_one_bit_for_bit(networks, stop):
    class Killed(Exception):
        pass

    saved = {}

    def until(history, snapshot):
        saved.update(snapshot=snapshot)
        if len(history) == stop:
            raise Killed

    whole, history = run(networks)
    with pytest.raises(Killed):
        run(networks, after_epoch=until)
    continued, again = run(networks, snapshot=saved["snapshot"])
    np.testing.assert_array_equal(continued.control_points, whole.control_points)
    assert again == history
    for a, b in zip(continued.variables, whole.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_shorter_epochs_take_the_same_steps(plain_networks):
    # 48 examples in batches of 20 are three steps: four epochs of them are six of two.
    options = {"schedule": "constant"}
    whole, _ = run(plain_networks, **options)
    cut, history = run(plain_networks, epochs=6, steps_per_epoch=2, **options)
    assert len(history) == 6
    np.testing.assert_array_equal(cut.control_points, whole.control_points)


def test_batches_reach_a_gpu_ahead_of_their_step(plain_networks, monkeypatch):
    whole, history = run(plain_networks)
    cpu = tf.config.list_logical_devices("CPU")  # in place of a GPU
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: cpu)
    asked = []
    original = tf.data.experimental.prefetch_to_device

    def prefetch(device):
        asked.append(device)
        return original(device)

    monkeypatch.setattr(tf.data.experimental, "prefetch_to_device", prefetch)
    ahead, rows = run(plain_networks)
    assert asked == [cpu[0].name]
    assert rows == history
    np.testing.assert_array_equal(ahead.control_points, whole.control_points)


def test_a_finished_snapshot_trains_no_further(plain_networks):
    snapshots = []
    curve, history = run(plain_networks, after_epoch=lambda _, s: snapshots.append(s))
    again, rows = run(plain_networks, snapshot=snapshots[-1])
    np.testing.assert_array_equal(again.control_points, curve.control_points)
    assert rows == history


def test_a_loss_that_is_not_finite_stops_at_its_epoch_and_hands_nothing_on(plain_networks):
    epochs = []
    options = {"rate": 1e20, "after_epoch": lambda h, _: epochs.append(len(h))}
    with pytest.raises(FloatingPointError, match="in epoch 1"):
        run(plain_networks, **options)
    assert epochs == []


def test_a_snapshot_of_another_run_is_refused(plain_networks):
    snapshots = []
    run(plain_networks, after_epoch=lambda _, s: snapshots.append(s), epochs=1)
    other = [build(s, batchnorm=True) for s in (1, 2)]
    with pytest.raises(ValueError, match="does not fit this run"):
        run(other, snapshot=snapshots[-1])
