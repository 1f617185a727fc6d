"""stage=hessian: its table against Hessians of its networks, kills, and what is refused."""

import json

import keras
import numpy as np
import pandas as pd
import pytest
from conftest import QUICK, only
from test_curvature import logits_loss

import mc
from mc import plots
from mc.curvature import products
from mc.curvature.spectrum import spectrum
from mc.datasets import digits, make_data
from mc.lab import files, stages
from mc.lab.work import hessian as work
from mc.landscape import directions

BUILD = [*QUICK, "build=true", "stage=hessian"]
WHOLE = ["model=mlp", "model.widths=[8]", "build=true", "stage=hessian"]


def run(cli, *arguments):
    status, output = cli(*arguments)
    assert status == 0, output
    return output


def summary(folder):
    return json.loads((folder / "summary.json").read_text())


@pytest.mark.slow
def test_a_point_of_the_curve_has_the_eigenvalues_of_its_network(cli, tmp_path):
    short = ["train.base.epochs=3", "train.curve.epochs=3", "train.curve.weight_decay=1e-3"]
    told = run(
        *(cli, *WHOLE, *short, "hessian.t=[0,0.5]", "hessian.steps=60", "hessian.examples=200")
    )
    assert "mean loss over 200 training examples" in told
    folder = only(tmp_path, "hessian/*")
    table = pd.read_csv(folder / "curvature.csv")
    assert list(table["t"]) == [0.0, 0.5]
    network = keras.models.load_model(only(tmp_path, "base/*seed1*/model.keras"))
    curve = mc.load_curve(only(tmp_path, "curve/*/curve.npz"), network)
    train = make_data(digits()).train_clean
    chosen = np.arange(200) * len(train) // 200
    x, y = train.x[chosen] / np.float32(255 if train.x.dtype == np.uint8 else 1), train.y[chosen]
    for _, row in table.iterrows():
        own = curve.network_at(row.t)
        penalty = 0.5 * 1e-3 * np.sum(mc.pack(own).astype(float) ** 2)
        assert row["train/loss"] == pytest.approx(row["train/nll"] + penalty, rel=1e-4)
        assert row["train/nll"] == pytest.approx(logits_loss()(y, own(x)).numpy().item(), rel=1e-4)
        exact = mc.hessian_spectrum(
            own, (x, y), logits_loss(), top=3, probes=0, steps=200, tolerance=1e-4
        )
        found = row[["largest_1", "largest_2", "largest_3"]].to_numpy(float)
        np.testing.assert_allclose(found, exact.largest, rtol=0.02)
        assert row["residual_largest_1"] < 0.02 * found[0]
    found = summary(folder)
    assert found["hessian/largest/max"] == pytest.approx(table["largest_1"].max())
    assert found["hessian/examples"] == 200
    assert {p.stem for p in (folder / "figures").glob("*.png")} == {"curvature", "spectrum"}


def test_networks_and_saved_epochs_are_looked_at(cli, made_runs):
    run(cli, *BUILD, "hessian.networks=[1,2]", "hessian.operator=gauss_newton")
    folder = only(made_runs, "hessian/*")
    table = pd.read_csv(folder / "curvature.csv")
    assert table["name"].astype(str).tolist() == ["1", "2"]
    assert (table["smallest_1"] > -1e-3 * table["largest_1"]).all()  # no negative one
    assert (table["weights"] == table["weights"][0]).all()


def test_a_block_is_smaller_and_the_segment_is_straight(cli, made_runs):
    run(cli, *BUILD, "hessian.layers=bias", "hessian.path=linear", "hessian.t=[0,1]")
    table = pd.read_csv(only(made_runs, "hessian/*") / "curvature.csv")
    assert set(table["path"]) == {"linear"}
    assert (table["weights"] == 8 + 10).all()


@pytest.mark.slow
def test_a_killed_run_goes_on_after_the_last_place(cli, made_runs, monkeypatch):
    run(cli, *BUILD)
    folder = only(made_runs, "hessian/*")
    expected = pd.read_csv(folder / "curvature.csv"), summary(folder)
    calls = []

    def dies(*arguments, **options):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return spectrum(*arguments, **options)

    monkeypatch.setattr(work, "spectrum", dies)
    status, _ = cli(*BUILD, "force=true")
    assert status != 0
    folder = only(made_runs, "hessian/*-????????")
    assert len(files.load_checkpoint(folder)["examples"]) == 2
    run(cli, *BUILD)
    assert len(calls) == 3 + 3  # the other three places
    pd.testing.assert_frame_equal(pd.read_csv(folder / "curvature.csv"), expected[0])
    assert summary(folder) == expected[1]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["hessian.t=[0.5,0.2]"], "hessian.t must be increasing positions"),
        (["hessian.networks=[]"], "hessian.networks must name a network"),
        (["hessian.operator=fisher"], "hessian, gauss_newton"),
        (["hessian.path=chain"], "curve, linear"),
        (["curve=simplex", "endpoints=[1,2,3]"], "this is a surface: type networks"),
        (["hessian.steps=1"], "hessian.steps must be"),
    ],
)
def test_what_is_no_place_is_refused_at_once(cli, tmp_path, settings, words):
    status, output = cli(*BUILD, *settings)
    assert status != 0
    assert words.lower() in output.lower()
    assert not list(tmp_path.glob("base/*/model.keras"))


def test_layers_that_are_not_there_are_told_with_those_that_are(cli, made_runs):
    status, output = cli(*BUILD, "hessian.layers=conv")
    assert status != 0
    assert "hessian.layers='conv' matches none of the network's weights" in output
    assert "kernel" in output


def test_the_words_that_are_known_before_tensorflow_are_those_of_the_rooms():
    assert stages.hessian.OPERATORS == products.OPERATORS
    assert stages.landscape.NORMS == directions.NORMS


def test_figures_need_values_that_fit():
    with pytest.raises(ValueError, match="a value for each place"):
        plots.curvature([0.0, 1.0], np.zeros((2, 1)), np.zeros((2, 1)), [1], [1], [1])
    with pytest.raises(ValueError, match="received none"):
        plots.spectra({})
    figure = plots.curvature(
        ["a", "b"], np.ones((2, 2)), -np.ones((2, 2)), [3.0, 4.0], [0.1, np.nan], [0.5, 0.6]
    )
    assert [axes.get_ylabel() for axes in figure.axes] == ["eigenvalue", "trace", "train loss"]
