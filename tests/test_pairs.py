"""stage=pairs: the straight segments between all pairs of a list of networks."""

import json
from itertools import combinations
from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import pytest
from conftest import QUICK, only, saved_network, saved_weights
from hypothesis import given
from hypothesis import strategies as st

from mc.datasets import digits
from mc.evaluation import pairs, passes
from mc.lab.work import drawings, gathered

BARRIERS = {
    "barrier_mean": lambda v, t: v.max() - (v[0] + v[-1]) / 2,
    "barrier_linear": lambda v, t: (v - (1 - t) * v[0] - t * v[-1]).max(),
    "barrier_max": lambda v, t: v.max() - max(v[0], v[-1]),
}


@given(st.integers(2, 6), st.integers(2, 7))
def test_every_point_of_every_segment_is_taken_once(n, num_points):
    rows, index = pairs.segments(n, num_points)
    assert len(rows) == n + n * (n - 1) // 2 * (num_points - 2)
    assert len(np.unique(rows, axis=0)) == len(rows)
    np.testing.assert_array_equal(rows[:n], np.eye(n))
    for own, (i, j) in zip(index, combinations(range(n), 2), strict=True):
        for row, t in zip(rows[own], np.linspace(0, 1, num_points), strict=True):
            expected = np.zeros(n)
            expected[i], expected[j] = 1 - t, t
            np.testing.assert_allclose(row, expected, atol=1e-7)


def test_barriers_and_distances_are_those_of_their_formulas():
    rng = np.random.default_rng(0)
    names, points = ["1", "fge:1/2", "3"], rng.normal(size=(3, 50)).astype("float32")
    rows, _ = pairs.segments(3, 5)
    values = {name: rng.random(len(rows)) for name in ("test/error", "test/a_nll", "test/f1")}
    values["test/mse"] = np.where(rows[:, 2] == 0, 1.0, np.nan)  # of the third network's
    table = pairs.points_table(names, points, 5, values)
    assert table["path"].unique().tolist() == ["1|fge:1/2", "1|3", "fge:1/2|3"]
    found = pairs.barriers(table, names)
    t = np.linspace(0, 1, 5)
    assert not [name for name in found if "f1" in name]
    for number, (i, j) in enumerate(combinations(range(3), 2)):
        row = found.iloc[number]
        assert [row["start"], row["end"]] == [names[i], names[j]]
        length = np.linalg.norm(points[i].astype(float) - points[j])
        assert row["distance"] == pytest.approx(length, rel=1e-6)
        own = table[table["path"] == f"{names[i]}|{names[j]}"]
        for metric in ("test/error", "test/a_nll"):
            for barrier, formula in BARRIERS.items():
                expected = formula(own[metric].to_numpy(), t)
                assert row[f"{metric}/{barrier}"] == pytest.approx(expected, abs=1e-12)
    assert found["test/mse/barrier_max"].isna().tolist() == [False, True, True]
    summary = pairs.summary(found)
    column = found["test/error/barrier_linear"]
    for statistic in ("mean", "min", "max"):
        expected = getattr(np, statistic)(column)
        assert summary[f"pairs/test/error/barrier_linear/{statistic}"] == pytest.approx(expected)
    assert np.isnan(summary["pairs/test/mse/barrier_max/min"])  # one that is not known
    assert passes.names_of(found) == names
    matrix = passes.matrix(found, "test/error/barrier_max")
    np.testing.assert_array_equal(matrix, matrix.T)
    assert np.isnan(np.diag(matrix)).all()
    assert matrix[2, 1] == found["test/error/barrier_max"][2]


@pytest.mark.slow
def test_networks_and_members_of_a_run_meet_in_pairs(cli, made_runs, tmp_path):
    settings = [*QUICK, "fge.weight_decay=0.1", "build=true"]
    status, output = cli(*settings, "stage=pairs", "pairs.networks=[1,2,fge:1]")
    assert status == 0, output
    assert "weight decays 0.0005, 0.0005, 0.1: in loss they are mixed" in output
    folder = only(tmp_path, "pairs/smoke-digits-mlp-1-2-fge_1-*")
    points, table = (pd.read_csv(folder / f"{name}.csv") for name in ("points", "pairs"))
    names = ["1", "2", "fge:1/1", "fge:1/2"]
    assert list(zip(table["start"], table["end"], strict=True)) == list(combinations(names, 2))
    w = {name: saved_weights(tmp_path, int(name)).astype(float) for name in names[:2]}
    for name, epoch in (("fge:1/1", 1), ("fge:1/2", 3)):
        with np.load(only(tmp_path, f"fge/*/epochs/{epoch}.npz")) as file:
            w[name] = file["control_points"][0].astype(float)
    decays = dict(zip(names, (5e-4, 5e-4, 0.1, 0.1), strict=True))
    model = keras.models.load_model(only(tmp_path, "base/*seed1*/model.keras"))
    x, y = (array[:32] for array in digits()["test"])  # as smoke=true leaves them
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for row in points.itertuples():
        a, b = row.path.split("|")
        mixed = (1 - row.t) * w[a] + row.t * w[b]
        sizes = np.cumsum([np.size(v) for v in model.get_weights()])[:-1]
        parts = zip(np.split(mixed, sizes), model.get_weights(), strict=True)
        model.set_weights([part.reshape(v.shape) for part, v in parts])
        logits = model.predict(x, verbose=0)
        found = points.loc[row.Index]
        nll = float(loss(y, logits))
        assert found["test/nll"] == pytest.approx(nll, rel=1e-4)
        assert found["test/error"] == pytest.approx(np.mean(logits.argmax(-1) != y))
        decay = (1 - row.t) * decays[a] + row.t * decays[b]
        assert found["test/loss"] == pytest.approx(nll + decay / 2 * mixed @ mixed, rel=1e-4)
    np.testing.assert_allclose(
        table["distance"], [np.linalg.norm(w[a] - w[b]) for a, b in combinations(names, 2)], 1e-5
    )
    summary = json.loads((folder / "summary.json").read_text())
    for metric in ("train/loss", "test/error"):
        grouped = points.groupby("path", sort=False)[metric]
        by_hand = [BARRIERS["barrier_max"](v.to_numpy(), None) for _, v in grouped]
        np.testing.assert_allclose(table[f"{metric}/barrier_max"], by_hand, atol=1e-12)
        assert summary[f"pairs/{metric}/barrier_max/max"] == pytest.approx(max(by_hand))
    figures = {p.name for p in (folder / "figures").iterdir()}
    drawn = ("barriers", "dendrogram", "tree")
    assert figures == {f"{name}.{kind}" for name in drawn for kind in ("png", "pdf")}


@pytest.mark.long
def test_two_networks_with_batchnorm_are_a_chain(cli, tmp_path):
    quick = ["smoke=true", "model._target_=conftest.small_bn", "build=true", "eval.bn_batch_size=8"]
    for stage in ("pairs", "chain"):
        status, output = cli(*quick, f"stage={stage}")
        assert status == 0, output
    chain, segment = (pd.read_csv(only(tmp_path, f"{s}/*/points.csv")) for s in ("chain", "pairs"))
    columns = [name for name in chain if name != "path"]
    np.testing.assert_allclose(segment[columns], chain[columns], rtol=1e-5, atol=1e-6)


def test_networks_of_one_title_are_told_apart(cli, tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
    a, b = (saved_network(tmp_path / name / "net.keras") for name in "ab")
    settings = ["smoke=true", "stage=pairs", "eval.splits=[test]"]
    status, output = cli(*settings, f"pairs.networks=[{a},{b},{b}]")
    assert status == 0, output
    table = pd.read_csv(only(tmp_path, "pairs/*/pairs.csv"))
    assert table["end"].tolist() == [str(b), f"{b} (2)", f"{b} (2)"]
    assert table["test/nll/barrier_max"][2] == pytest.approx(0, abs=1e-6)  # with itself
    assert table["distance"][2] == 0


def test_a_network_that_diverged_is_named(cli, tmp_path):
    a, b = (saved_network(tmp_path / f"{name}.keras") for name in "ab")
    network = keras.models.load_model(b)
    network.set_weights([np.full_like(v, np.nan) for v in network.get_weights()])
    network.save(b)
    for stage in ("pairs", "soup"):
        status, output = cli("smoke=true", f"stage={stage}", f"{stage}.networks=[{a},{b}]")
        told = f"network {b} has weights that are not finite"
        assert (status, told in output) == (1, True), output


def test_one_network_has_no_pairs(cli):
    status, output = cli("smoke=true", "stage=pairs", "pairs.networks=[1]")
    assert (status, "pairs.networks must be at least two" in output) == (1, True), output
    status, output = cli("smoke=true", "stage=pairs", "pairs.num_points=2")
    assert (status, "pairs.num_points must be a number at least 3" in output) == (1, True), output
    job = SimpleNamespace(run=SimpleNamespace(section="pairs"))
    one = gathered.Gathered(None, ["fge:1/1"], [np.zeros(3)], [1])
    with pytest.raises(ValueError, match="received fge:1/1 alone"):
        gathered.check_several(job, one)


@pytest.mark.parametrize("of_tokens", [True, False])
def test_the_matrix_of_tokens_shows_no_error(tmp_path, of_tokens):
    measured = ["test/nll", "test/error"]
    row = {"start": "1", "end": "2"} | {f"{name}/barrier_max": 0.5 for name in measured}
    pd.DataFrame([row]).to_csv(tmp_path / "pairs.csv", index=False)
    columns = ["path", "t", *measured, *["test/perplexity"] * of_tokens]
    pd.DataFrame(columns=columns).to_csv(tmp_path / "points.csv", index=False)
    run = SimpleNamespace(networks=[])
    figure = drawings.DRAWN["pairs.csv"](run, tmp_path / "pairs.csv")["barriers"]
    assert len(figure.axes) == (2 if of_tokens else 4)  # each with a colour bar
