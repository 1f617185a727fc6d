"""Training runs: the schedule, the history, and continuing from a snapshot."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import arrays, build, logits_loss

import mc
from mc import schedules, training
from mc.datasets import Split
from mc.network.weights import pack

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
        "rate": training.EpochRate(rate, schedule, epochs) if isinstance(rate, float) else rate,
        "seed": 7,
    }
    history = training.train(
        curve,
        options.pop("data", Split(*arrays(1))),
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

    def until(history, take_snapshot):
        saved.update(snapshot=take_snapshot())
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
    curve, history = run(plain_networks, after_epoch=lambda _, take: snapshots.append(take()))
    again, rows = run(plain_networks, snapshot=snapshots[-1])
    np.testing.assert_array_equal(again.control_points, curve.control_points)
    assert rows == history


class Rates:
    """Rates of one's own: `last` at the last step of the last epoch, 0.1 before."""

    def __init__(self, last):
        self.last = last

    def of_steps(self, epoch, steps):
        return [0.1] * (steps - 1) + [self.last if epoch == EPOCHS - 1 else 0.1]


def start_and_end(networks, **options):
    """What is handed on of a run that fails, and its error."""
    handed = []
    with pytest.raises((FloatingPointError, RuntimeError)) as error:
        run(networks, after_epoch=lambda h, take: handed.append((len(h), take())), **options)
    return handed, str(error.value)


def test_weights_that_overflow_stop_at_their_epoch_and_are_not_handed_on(plain_networks):
    handed, said = start_and_end(plain_networks, rate=1e20)
    assert handed == []
    assert "control_point_1 became infinite or NaN by the end of epoch 1" in said


def test_the_last_step_counts_though_its_loss_was_finite(networks):
    handed, said = start_and_end(networks, rate=Rates(np.inf))
    assert [epochs for epochs, _ in handed] == [1, 2, 3]
    for _, snapshot in handed:
        assert all(np.isfinite(snapshot[name]).all() for name in snapshot)
    assert "by the end of epoch 4" in said


def test_the_last_step_of_the_last_epoch_counts_where_nothing_is_kept(networks):
    with pytest.raises(FloatingPointError, match="by the end of epoch 4"):
        run(networks, rate=Rates(np.inf))


def test_a_loss_that_is_not_finite_is_told_and_finite_weights_train_on(plain_networks, caplog):
    def infinite(y, y_pred):
        return keras.losses.sparse_categorical_crossentropy(y, y_pred, True) + np.inf

    curve, history = run(plain_networks, loss=infinite)
    plain, _ = run(plain_networks)
    assert [row["train/loss"] for row in history] == [np.inf] * EPOCHS
    np.testing.assert_array_equal(curve.control_points, plain.control_points)
    assert "The loss of epoch 4 is inf, but all weights are finite" in caplog.text


@keras.saving.register_keras_serializable("test_training")
class Growing(keras.layers.Layer):
    """Holds a constant that is infinite, and a number that each call multiplies."""

    def __init__(self, factor=1.0, **options):
        super().__init__(**options)
        self.factor = factor
        self.constant = self.add_weight(
            shape=(2,), initializer=keras.initializers.Constant(np.inf), trainable=False
        )
        self.number = self.add_weight(shape=(), initializer="ones", trainable=False)

    def call(self, x, training=False):
        if training:
            self.number.assign(self.number * self.factor)
        return x


@pytest.mark.parametrize("factor", [1.0, 1e20])
def test_state_that_was_finite_must_stay_so(factor):
    keras.utils.set_random_seed(1)
    network = keras.Sequential(
        [keras.Input((6, 6, 1)), keras.layers.Flatten(), Growing(factor), keras.layers.Dense(3)]
    )
    model = mc.CurveModel(network, mc.Point(), pack(network)[None])
    arguments = {"optimizer": "sgd", "loss": logits_loss(), "metrics": [], "seed": 7}
    arguments |= {"epochs": 1, "batch_size": 20, "rate": training.EpochRate(0.1, "constant", 1)}
    if factor == 1.0:
        assert len(training.train(model, Split(*arrays(1)), **arguments)) == 1
        return
    with pytest.raises(FloatingPointError, match="state_1 became infinite or NaN"):
        training.train(model, Split(*arrays(1)), **arguments)


def test_a_saved_state_that_is_not_finite_is_refused(plain_networks):
    snapshots = []
    run(plain_networks, after_epoch=lambda _, take: snapshots.append(take()))
    snapshots[-1]["variable_1"][0] = np.nan
    with pytest.raises(ValueError, match="infinite or NaN, in control_point_1"):
        run(plain_networks, snapshot=snapshots[-1])


@pytest.mark.parametrize("limit", ["max_epochs", "max_steps_per_epoch"])
def test_limits_of_keras_are_refused_before_they_shorten_a_training(plain_networks, limit):
    set_limit = getattr(keras.config, f"set_{limit}")
    set_limit(2)
    try:
        with pytest.raises(ValueError, match=f"{limit}=2 .KERAS_{limit.upper()}"):
            run(plain_networks)
        # What fits is let through.
        assert len(run(plain_networks, epochs=2, steps_per_epoch=1)[1]) == 2
        if limit == "max_steps_per_epoch":
            with pytest.raises(ValueError, match="or its validation"):
                run(plain_networks, epochs=2, steps_per_epoch=1, valid=Split(*arrays(2)))
    finally:
        set_limit(None)


class Short(Split):
    """Promises more than it has."""

    def epochs(self, *arguments, **options):
        return super().epochs(*arguments, **options).take(5)


def test_data_that_run_out_do_not_finish_a_training(plain_networks):
    handed, said = start_and_end(plain_networks, data=Short(*arrays(1)))
    assert [epochs for epochs, _ in handed] == [1]
    assert "The data ran out within the 3 steps of an epoch" in said


def test_a_training_that_is_stopped_is_not_finished(plain_networks, monkeypatch):
    class Stopping(training.Epochs):
        def __call__(self, iterator):
            logs = super().__call__(iterator)
            self.curve.stop_training = len(self.history) == 2
            return logs

    monkeypatch.setattr(training, "Epochs", Stopping)
    handed, said = start_and_end(plain_networks)
    assert [epochs for epochs, _ in handed] == [1, 2]
    assert "ended after 2 of 4 epochs" in said


def test_a_snapshot_of_another_run_is_refused(plain_networks):
    snapshots = []
    run(plain_networks, after_epoch=lambda _, take: snapshots.append(take()), epochs=1)
    other = [build(s, batchnorm=True) for s in (1, 2)]
    with pytest.raises(ValueError, match="does not fit this run"):
        run(other, snapshot=snapshots[-1])
