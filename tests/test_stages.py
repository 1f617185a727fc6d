"""What stages share: training that keeps its state, and the table of a summary."""

import logging
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from conftest import arrays
from omegaconf import OmegaConf

import mc
from mc import training
from mc.datasets import make_data
from mc.epochs import history_of
from mc.lab import files, folders, summaries
from mc.lab.work import training as resumable


class Told:
    """A tracker that remembers."""

    def __init__(self, stop=None):
        self.epochs, self.stop = [], stop

    def history(self, row):
        self.epochs.append(row["epoch"])
        if row["epoch"] == self.stop:
            raise KeyboardInterrupt


CFG = OmegaConf.create(
    {
        "optimizer": {"_target_": "keras.optimizers.SGD", "momentum": 0.9},
        "loss": {"_target_": None},
        "loss_weights": None,
        "seed": 1,
    }
)


def train(networks, folder, tracker, **options):
    curve = mc.connect(*networks, seed=1)
    schedule = resumable.Schedule(
        epochs=4,
        steps_per_epoch=None,
        batch_size=16,
        rate=training.EpochRate(0.1, "constant", 4),
        learning_rate=0.1,
        order_seed=1,
        **options,
    )
    data = make_data((arrays(1), arrays(2)))
    job = SimpleNamespace(cfg=CFG, folder=folder, tracker=tracker)
    return curve, resumable.train(job, curve, data, schedule, valid=None, label="curve")


def test_a_continued_training_tells_the_tracker_all_epochs_and_ends_the_same(
    networks, tmp_path, monkeypatch
):
    monkeypatch.setattr(resumable, "SECONDS", 0)  # a checkpoint after every epoch
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    whole, history = train(networks, tmp_path / "whole", Told())
    with pytest.raises(KeyboardInterrupt):
        train(networks, tmp_path / "killed", Told(stop=2))
    again = Told()
    continued, rows = train(networks, tmp_path / "killed", again)
    assert again.epochs == [1, 2, 3, 4]
    assert rows == history
    np.testing.assert_array_equal(continued.control_points, whole.control_points)
    table = pd.read_csv(tmp_path / "killed/history.csv")
    pd.testing.assert_frame_equal(table, pd.DataFrame(history))


@pytest.mark.parametrize(("seconds", "saved"), [(0, [1, 2, 3, 4]), (1e9, [4])])
def test_short_epochs_share_a_checkpoint_and_the_tracker_knows_no_more(
    networks, tmp_path, monkeypatch, seconds, saved
):
    monkeypatch.setattr(resumable, "SECONDS", seconds)
    tracker, found, save = Told(), [], files.save_checkpoint

    def saving(folder, arrays):
        # What a kill would leave at this moment: of later epochs, nothing but kept curves.
        assert tracker.epochs == list(range(1, 1 + (found[-1] if found else 0)))
        save(folder, arrays)
        found.append(len(history_of(files.load_checkpoint(folder))))

    monkeypatch.setattr(files, "save_checkpoint", saving)
    _, history = train(networks, tmp_path, tracker, keep=(2,))
    assert found == saved
    assert tracker.epochs == [1, 2, 3, 4]
    assert (tmp_path / "epochs/2.npz").exists()
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "history.csv"), pd.DataFrame(history))


def test_curves_are_kept_after_every_so_many_epochs(networks, tmp_path):
    curve, _ = train(networks, tmp_path, Told(), keep=(2, 4))
    assert {p.name for p in (tmp_path / "epochs").iterdir()} == {"2.npz", "4.npz"}
    last = mc.load_curve(tmp_path / "epochs/4.npz", networks[0])
    np.testing.assert_array_equal(last.control_points, curve.control_points)


def test_a_failure_is_in_the_log_of_the_run_with_its_traceback(tmp_path):
    def fail():
        with folders.logging_to(tmp_path):
            logging.getLogger("mc").warning("before")
            raise ValueError("no such thing")

    with pytest.raises(ValueError, match="no such thing"):
        fail()
    log = (tmp_path / "run.log").read_text()
    assert "before" in log
    assert "Stopped: ValueError('no such thing')" in log
    assert "Traceback" in log


def test_the_table_shows_what_a_summary_has_and_a_dash_for_what_it_lacks(tmp_path):
    summary = {"curve/test/error/max": 0.25, "curve/test/f1/max": 0.5, "curve/length_ratio": 1.5}
    summary |= {"linear/test/error/max": 0.5, "linear/test/error/min": 0.125}
    lines = summaries.table(summary, "eval", tmp_path, ["curve/length_ratio"]).splitlines()
    assert lines[0] == f"eval: {tmp_path}"
    assert lines[1].split() == ["curve/length_ratio", "1.5"]
    assert [line.split() for line in lines[2:]] == [
        ["min", "max"],
        ["curve/test/error", "-", "0.25"],
        ["linear/test/error", "0.125", "0.5"],
    ]


def test_the_table_of_pairs_shows_the_least_and_the_largest_barrier(tmp_path):
    names = ("distance", "test/error/barrier_max", "test/error/barrier_mean", "test/f1/barrier_max")
    summary = {f"pairs/{name}/{s}": 0.5 for name in names for s in ("mean", "min", "max")}
    lines = summaries.table(summary, "pairs", tmp_path).splitlines()
    expected = [["min", "max"], ["pairs/test/error/barrier_max", "0.5", "0.5"]]
    assert [line.split() for line in lines[1:]] == expected
    assert len(lines[1]) == len(lines[2])  # a column is one
