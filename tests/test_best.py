"""The best epoch by validation: which it is, and that a killed run ends with the same."""

import json

import numpy as np
import pandas as pd
import pytest
from conftest import arrays, only
from test_training import run as train

import mc
from mc import best
from mc.datasets import Split


class Killed(Exception):
    pass


def validated(curve, valid):
    """The mean loss at eleven t, of plain networks."""
    losses = []
    for t in np.linspace(0, 1, 11):
        curve.t = t
        losses.append(curve.evaluate(*valid, batch_size=1000, verbose=0, return_dict=True)["loss"])
    return np.mean(losses)


@pytest.mark.slow
def test_the_curve_is_as_it_was_after_the_epoch_that_validation_likes_best(plain_networks):
    # Labels of the validation data are of chance, so that training makes them worse after a while.
    options = {"valid": Split(*arrays(2)), "rate": 0.5, "epochs": 6}
    after = []

    def keep(history, take_snapshot):
        after.append(take_snapshot())

    curve, history = train(plain_networks, best=True, after_epoch=keep, **options)
    losses = [row["valid/loss"] for row in history]
    chosen = int(np.argmin(losses))
    assert chosen < len(losses) - 1
    assert best.row_of(history) == history[chosen]
    kept = np.stack([after[chosen][f"variable_{k}"] for k in range(3)])
    np.testing.assert_array_equal(curve.control_points, kept)
    assert losses[chosen] == pytest.approx(validated(curve, arrays(2)), rel=1e-5)
    assert curve.t == 1.0  # as the line above left it
    last, _ = train(plain_networks, **options)
    np.testing.assert_array_equal(last.points[1].numpy(), after[-1]["variable_1"])


@pytest.mark.slow
@pytest.mark.parametrize("stop", [1, 4, 6])
def test_a_killed_run_goes_on_to_the_same_epoch(plain_networks, stop):
    options = {"valid": Split(*arrays(2)), "rate": 0.5, "epochs": 6, "best": True}
    saved = {}

    def until(history, take_snapshot):
        saved.update(take_snapshot())
        if len(history) == stop:
            raise Killed

    whole, history = train(plain_networks, **options)
    with pytest.raises(Killed):
        train(plain_networks, after_epoch=until, **options)
    again, rows = train(plain_networks, snapshot=saved, **options)
    assert rows == history
    np.testing.assert_array_equal(again.control_points, whole.control_points)


def test_epochs_without_a_finite_validation_loss_are_none(plain_networks):
    history = [{"valid/loss": value} for value in (np.nan, 2.0, 1.0, 1.0, np.inf)]
    assert best.row_of(history) is history[2]
    assert best.row_of([{"valid/loss": np.nan}, {"valid/loss": np.nan}])["valid/loss"] is np.nan
    looked = best.Best(mc.connect(*plain_networks))
    before = looked.variables[1].numpy()
    looked.see({"valid/loss": np.nan})
    looked.take()
    np.testing.assert_array_equal(looked.variables[1].numpy(), before)


def test_what_cannot_be_validated_is_refused(networks, plain_networks):
    with pytest.raises(ValueError, match="pass valid="):
        train(plain_networks, best=True)
    with pytest.raises(ValueError, match=r"train\.curve\.best=false"):
        train(networks, best=True, valid=Split(*arrays(2)))


QUICK = ("model=mlp", "train.base.epochs=3", "train.curve.epochs=5", "build=true", "stage=curve")


@pytest.mark.slow
def test_a_run_keeps_the_best_epoch_and_tells_its_numbers(cli, tmp_path):
    settings = ("dataset.valid_size=200", "train.curve.best=true", "train.curve.learning_rate=0.5")
    status, output = cli(*QUICK, *settings, "train.curve.save_every=1")
    assert status == 0, output
    folder = only(tmp_path, "curve/*")
    history = pd.read_csv(folder / "history.csv")
    chosen = history.loc[history["valid/loss"].idxmin()]
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["valid/loss"] == pytest.approx(chosen["valid/loss"])
    with np.load(folder / "curve.npz") as curve:
        points = curve["control_points"]
    with np.load(folder / "epochs" / f"{int(chosen.epoch)}.npz") as epoch:
        np.testing.assert_array_equal(points, epoch["control_points"])


@pytest.mark.parametrize("section", ["base", "curve"])
def test_a_run_without_validation_data_is_refused_at_once(cli, tmp_path, section):
    stage = ("stage=base",) if section == "base" else QUICK
    status, output = cli(*stage, f"train.{section}.best=true")
    assert status != 0
    assert "type dataset.valid_size=500" in output
    assert not list(tmp_path.glob("base/*/model.keras"))
