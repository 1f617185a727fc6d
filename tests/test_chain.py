"""stage=chain: straight segments through a list of networks."""

import json

import numpy as np
import pandas as pd
import pytest
from conftest import QUICK, only, saved_network, saved_weights


def test_a_chain_through_two_networks_is_the_straight_segment_of_eval(cli, made_runs, tmp_path):
    status, output = cli(*QUICK, "stage=chain")
    assert status == 0, output
    chain = pd.read_csv(only(tmp_path, "chain/*/points.csv"))
    line = pd.read_csv(only(tmp_path, "eval/*/points.csv")).query("path == 'linear'")
    assert set(chain.path) == {"chain"}
    columns = [c for c in chain.columns if c != "path"]
    np.testing.assert_allclose(chain[columns], line[columns], rtol=1e-5, atol=1e-6)


def test_the_default_chain_does_not_cut_peaks(cli, tmp_path):
    files = [saved_network(tmp_path / f"{name}.keras") for name in "ab"]
    settings = ["stage=chain", f"chain.networks=[{files[0]},{files[1]}]", "eval.splits=[test]"]
    for more in ([], ["chain.num_points=6"]):
        status, output = cli(*settings, *more)
        assert status == 0, output
    tables = [pd.read_csv(path) for path in tmp_path.glob("chain/*/points.csv")]
    coarse, fine = sorted(tables, key=len)
    assert (len(coarse), len(fine)) == (6, 31)
    np.testing.assert_allclose(fine["test/loss"][::6], coarse["test/loss"], rtol=1e-5)


def test_a_chain_passes_through_every_network(cli, made_runs, tmp_path):
    assert cli(*QUICK, "stage=base", "seed=3")[0] == 0
    status, output = cli(*QUICK, "stage=chain", "chain.networks=[3,1,2]")
    assert status == 0, output
    folder = only(tmp_path, "chain/smoke-digits-mlp-3-1-2-*")
    points = pd.read_csv(folder / "points.csv")
    assert len(points) == 5
    for row, seed in ((0, 3), (2, 1), (4, 2)):
        base = json.loads(only(tmp_path, f"base/*seed{seed}*/summary.json").read_text())
        assert points["test/nll"][row] == pytest.approx(base["test/nll"], rel=1e-5)
    w = [saved_weights(tmp_path, seed) for seed in (3, 1, 2)]
    length = np.linalg.norm(w[1] - w[0]) + np.linalg.norm(w[2] - w[1])
    assert points.arc_length.iloc[-1] == pytest.approx(length, rel=1e-5)
    assert (folder / "figures/along_t.pdf").exists()
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["chain/test/nll/max"] == points["test/nll"].max()


def test_networks_that_do_not_fit_are_named(cli, tmp_path):
    a, b = (saved_network(tmp_path / f"{name}.keras") for name in "ab")
    c = saved_network(tmp_path / "c.keras", units=5)
    status, output = cli("smoke=true", "stage=chain", f"chain.networks=[{a},{b},{c}]")
    assert (status, f"{a} and {c} do not fit" in output) == (1, True), output
    status, output = cli("smoke=true", "stage=chain", "chain.networks=[1]")
    assert (status, "at least two" in output) == (1, True)
    status, output = cli("smoke=true", "stage=chain", "chain.networks=[1,9]")
    assert (status, "stage=base seed=9" in output) == (1, True)


def test_each_network_of_a_chain_has_its_own_penalty(cli, tmp_path):
    decays = ["train.base.weight_decay=0.3", "fge.weight_decay=0.1", "train.curve.weight_decay=9"]
    settings = [*QUICK, *decays, "build=true", "eval.splits=[train]"]
    status, output = cli(*settings, "stage=chain", "chain.networks=[1,fge:1/1]")
    assert status == 0, output
    assert "trained with weight decays 0.3, 0.1: in loss they are mixed" in output
    points = pd.read_csv(only(tmp_path, "chain/*/points.csv"))
    base = json.loads(only(tmp_path, "base/*/summary.json").read_text())
    member = pd.read_csv(only(tmp_path, "fge/*/members.csv")).iloc[0]
    assert points["train/loss"][0] == pytest.approx(base["train/loss"], rel=1e-5)
    assert points["train/nll"].iloc[-1] == pytest.approx(member["train/nll"], rel=1e-5)
    with np.load(only(tmp_path, "fge/*/epochs/1.npz")) as file:
        w = [saved_weights(tmp_path, 1), file["control_points"][0]]
    for row, t in enumerate(points["t"]):  # the penalty of the mixture, by its definition
        decay, mixed = (1 - t) * 0.3 + t * 0.1, (1 - t) * w[0] + t * w[1]
        penalty = 0.5 * decay * float(mixed.astype(float) @ mixed)
        found = points["train/loss"][row] - points["train/nll"][row]
        assert found == pytest.approx(penalty, rel=1e-4)
