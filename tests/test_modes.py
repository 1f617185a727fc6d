"""Many networks as a graph: trees and passes against brute force, and stage=pairs with curves."""

import json
from itertools import combinations, pairwise, permutations

import numpy as np
import pandas as pd
import pytest
from conftest import QUICK, only
from hypothesis import given
from hypothesis import strategies as st
from test_config import CONF

from mc import plots
from mc.evaluation import modes, passes
from mc.lab import hydra_inside, waves
from mc.lab.work import curve as work


def symmetric(seed, n, ties=False):
    rng = np.random.default_rng(seed)
    own = rng.integers(0, 4, (n, n)).astype(float) if ties else rng.normal(size=(n, n))
    made = np.triu(own, 1)
    made = made + made.T
    np.fill_diagonal(made, np.nan)
    return made


def lowest_pass(heights, a, b):
    """Over all ways, whatever others they go through."""
    others = [k for k in range(len(heights)) if k not in (a, b)]
    ways = ([a, *w, b] for r in range(len(others) + 1) for w in permutations(others, r))
    return min(max(heights[i, j] for i, j in pairwise(w)) for w in ways)


@given(st.integers(0, 10**6), st.integers(2, 5), st.booleans())
def test_bottlenecks_are_those_of_all_ways(seed, n, ties):
    heights = symmetric(seed, n, ties)
    found = modes.bottlenecks(heights)
    assert np.isnan(np.diag(found)).all()
    for a, b in combinations(range(n), 2):
        assert found[a, b] == found[b, a] == lowest_pass(heights, a, b)


@given(st.integers(0, 10**6), st.integers(2, 5))
def test_the_tree_is_the_lightest_of_all_trees(seed, n):
    heights = symmetric(seed, n)
    edges = modes.tree(heights)
    assert len(edges) == n - 1
    assert [heights[e] for e in edges] == sorted(heights[e] for e in edges)
    all_pairs = list(combinations(range(n), 2))
    weights = []
    for chosen in combinations(all_pairs, n - 1):
        reached = {0}
        for _ in range(n):
            reached |= {k for pair in chosen if set(pair) & reached for k in pair}
        if len(reached) == n:
            weights.append(sum(heights[pair] for pair in chosen))
    assert sum(heights[e] for e in edges) == pytest.approx(min(weights))


@given(st.integers(0, 10**6), st.integers(3, 6))
def test_bottlenecks_are_ultrametric(seed, n):
    found = modes.bottlenecks(symmetric(seed, n))
    for a, b, c in permutations(range(n), 3):
        assert found[a, c] <= max(found[a, b], found[b, c])


def test_what_is_not_finite_is_higher_than_all_else():
    heights = np.array([[np.nan, np.nan, 1], [np.nan, np.nan, np.inf], [1, np.inf, np.nan]])
    assert modes.tree(heights)[0] == (0, 2)
    found = modes.bottlenecks(heights)
    assert found[0, 2] == 1
    assert np.isinf(found[0, 1])


def test_clusters_join_by_others():
    barriers = np.full((5, 5), 9.0)
    for a, b in ((0, 3), (3, 4)):
        barriers[a, b] = barriers[b, a] = 0.1
    barriers[1, 2] = barriers[2, 1] = 0.11
    assert modes.clusters(barriers, 0.1).tolist() == [1, 2, 3, 1, 1]
    assert modes.clusters(barriers, 0.2).tolist() == [1, 2, 2, 1, 1]
    assert modes.clusters(np.full((3, 3), np.nan), 1.0).tolist() == [1, 2, 3]


def test_the_next_pairs_are_those_that_could_lower_a_bottleneck():
    #  0 and 1 are near, 2 is far from both, and 3 lies high itself
    heights = np.full((4, 4), np.nan)
    for (a, b), height in {
        (0, 1): 1.0, (0, 2): 5.0, (1, 2): 6.0, (0, 3): 8.0, (1, 3): 9.0, (2, 3): 7.0,
    }.items():  # fmt: skip
        heights[a, b] = heights[b, a] = height
    floors = [0.1, 0.1, 0.2, 7.5]
    # The tree: 0-1 of height 1, 0-2 of 5, 2-3 of 7, which 3 itself is above.
    assert modes.tree(heights) == [(0, 1), (0, 2), (2, 3)]
    assert modes.next_pairs(heights, floors, set()) == [(0, 2), (0, 1)]
    # Their own pairs were tried: across the same cut there is 1-2, and nothing beside 0-1.
    assert modes.next_pairs(heights, floors, {(0, 1), (0, 2)}) == [(1, 2)]
    assert modes.next_pairs(heights, floors, {(0, 1), (0, 2), (1, 2)}) == []
    assert modes.next_pairs(heights, [0.1, 0.1, 0.2, 0.1], set())[0] == (2, 3)


@given(st.integers(0, 10**6), st.integers(2, 6))
def test_rounds_end_with_the_bottlenecks_of_all_pairs(seed, n):
    rng = np.random.default_rng(seed)
    floors = rng.uniform(0, 1, n)
    least = np.maximum.outer(floors, floors)
    true = least + np.abs(symmetric(seed, n))  # what a curve would find
    heights = true + np.abs(symmetric(seed + 1, n))  # the straight segments
    known, tried = heights.copy(), set()
    while found := modes.next_pairs(known, floors, tried):
        assert not set(found) & tried
        assert len(set(found)) == len(found)
        for a, b in found:
            tried.add((a, b))
            known[a, b] = known[b, a] = min(true[a, b], heights[a, b])
    np.testing.assert_array_equal(modes.bottlenecks(known), modes.bottlenecks(true))


# --- tables of points


def points_of(paths):
    """A row a point: `{path: losses}`, with ends one apart."""
    parts = []
    for path, losses in paths.items():
        t = np.linspace(0, 1, len(losses))
        length = np.diff(t, prepend=0)
        own = {"path": path, "t": t, "segment_length": length, "arc_length": t}
        parts.append(pd.DataFrame(own | {"train/loss": losses, "test/perplexity": losses}))
    return pd.concat(parts)


SEGMENTS = {"1|2": [0.1, 3, 0.2], "1|3": [0.1, 2, 0.3], "2|3": [0.2, 4, 0.3]}


def test_of_a_pair_with_a_curve_the_lower_path_that_was_measured_with_it_counts():
    own = {(0, 2): points_of({"curve": [0.1, 0.5, 0.3], "linear": [0.1, 2.5, 2.6, 0.3]})}
    own[1, 2] = points_of({"curve": [0.2, 9, 0.3], "linear": [0.2, 3.5, 0.3]})
    found = passes.known(points_of(SEGMENTS), own, ["1", "2", "3"])
    assert found.table["path"].tolist() == ["linear", "curve", "linear"]
    assert found.table["height"].tolist() == [3, 0.5, 3.5]
    np.testing.assert_allclose(found.floors, [0.1, 0.2, 0.3])
    assert found.networks["test/perplexity"].tolist() == [0.1, 0.2, 0.3]
    np.testing.assert_allclose(found.barriers[0, 2], 0.2)


def test_what_is_not_finite_is_no_low_path_and_stays_so():
    broken = SEGMENTS | {"1|3": [0.1, 2, np.nan], "2|3": [0.2, 4, np.nan]}
    own = {(0, 1): points_of({"curve": [0.1, np.nan, 0.2], "linear": [0.1, 3, 0.2]})}
    found = passes.known(points_of(broken), own, ["1", "2", "3"])
    assert found.table["path"].iloc[0] == "linear"
    assert found.table["height"].iloc[0] == 3
    np.testing.assert_array_equal(found.floors, [0.1, 0.2, np.nan])
    assert modes.next_pairs(found.heights, found.floors, set()) == [(0, 1)]
    assert modes.next_pairs(found.heights, found.floors[::-1], set()) in ([], [(1, 2)])
    assert modes.clusters(found.barriers, 9).tolist() == [1, 1, 2]


# --- the stage

CURVES = ["stage=pairs", "pairs.networks=[1,2,3]", "pairs.path=curve", "build=true"]
SMOKE = [*QUICK, *CURVES]
SHORT = [*QUICK[1:], *CURVES, "train.base.epochs=3", "train.curve.epochs=1", "eval.num_points=5"]


def run(cli, *arguments):
    status, output = cli(*arguments)
    assert status == 0, output
    return output


@pytest.mark.slow
def test_all_pairs_have_their_curves(cli, tmp_path):
    run(cli, *SMOKE, "pairs.threshold=9")
    assert len(list(tmp_path.glob("eval/*"))) == 3
    folder = only(tmp_path, "pairs/*bezier*")
    table, networks = (pd.read_csv(folder / f"{name}.csv") for name in ("pairs", "networks"))
    assert networks["cluster"].tolist() == [1, 1, 1]
    for number, (a, b) in enumerate(((1, 2), (1, 3), (2, 3))):
        row = table.iloc[number]
        points = pd.read_csv(only(tmp_path, f"eval/*-{a}-{b}-*") / "points.csv")
        heights = points.groupby("path")["train/loss"].max()
        assert row["height"] == pytest.approx(heights.min(), rel=1e-5)
        own = points[points["path"] == row["path"]]
        assert row["length"] == pytest.approx(own["arc_length"].iloc[-1], rel=1e-5)
        ends = own["train/loss"].iloc[[0, -1]]
        barrier = row["height"] - ends.max()
        assert row["train/loss/barrier_max"] == pytest.approx(barrier, abs=1e-5)
        loss = networks["train/loss"].iloc[[a - 1, b - 1]]
        np.testing.assert_allclose(loss, ends, rtol=1e-5)
    assert table["in_tree"].sum() == 2
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["pairs/curves"] == 3
    assert summary["pairs/clusters"] == 1
    assert summary["pairs/bottleneck/max"] == table["bottleneck"].max()
    for name in ("barriers", "dendrogram", "tree"):
        assert (folder / "figures" / f"{name}.pdf").exists()


@pytest.mark.slow
def test_aligned_pairs_have_the_segments_of_their_own_curves(cli, tmp_path):
    run(cli, *SHORT, "align=weights", "eval.num_points=7")
    table = pd.read_csv(only(tmp_path, "pairs/*bezier*") / "pairs.csv")
    row = table.iloc[2]  # the third network is renumbered to the second
    points = pd.read_csv(only(tmp_path, "eval/*-2-3-aligned-*") / "points.csv")
    paths = dict(list(points[points["path"] != "unaligned"].groupby("path")))
    assert row["distance"] == pytest.approx(paths["linear"]["arc_length"].iloc[-1], rel=1e-5)
    assert row["height"] == pytest.approx(min(p["train/loss"].max() for p in paths.values()))
    assert (table["length"] >= table["distance"] * (1 - 1e-5)).all()


@pytest.mark.slow
def test_another_threshold_measures_nothing_again(cli, capsys):
    run(cli, *SMOKE)
    capsys.readouterr()
    run(cli, *SMOKE, "pairs.threshold=5", "plan=true")
    assert capsys.readouterr().out.count("missing  ") == 1
    run(cli, *SMOKE, "pairs.budget=2", "plan=true")
    told = capsys.readouterr().out
    assert "first up to 2 curves, with an evaluation each, chosen as it goes" in told


@pytest.mark.slow
def test_a_budget_is_spent_where_it_could_lower_a_bottleneck_and_nothing_is_trained_twice(
    cli, tmp_path, monkeypatch
):
    trained, train = [], work._trained

    def counted(job, data):
        trained.append(job.folder.name)
        return train(job, data)

    monkeypatch.setattr(work, "_trained", counted)
    told = run(cli, *SHORT, "pairs.budget=1")
    assert "pairs/curves" in told
    assert len(trained) == 1
    segments = pd.read_csv(only(tmp_path, "pairs/*-1-2-3-????????") / "pairs.csv")
    heights = np.zeros((3, 3))
    for (a, b), height in zip(combinations(range(3), 2), segments["height"], strict=True):
        heights[a, b] = heights[b, a] = height
    first = modes.tree(heights)[-1]
    assert f"-{first[0] + 1}-{first[1] + 1}-" in trained[0]

    killed = []

    def kill(job, data):
        if len(killed) == 0 and len(trained) == 2:
            killed.append(1)
            raise KeyboardInterrupt
        return counted(job, data)

    monkeypatch.setattr(work, "_trained", kill)
    assert cli(*SHORT, "pairs.budget=3")[0] != 0
    run(cli, *SHORT, "pairs.budget=3")
    assert killed
    assert len(trained) == len(set(trained)) <= 3
    assert len(list(tmp_path.glob("pairs/*bezier*"))) == 2


@pytest.mark.slow
def test_pairs_that_a_sweep_is_to_make_are_jobs_of_their_own(cli, tmp_path):
    words = [*SHORT, f"output_dir={tmp_path}", "pairs.budget=2"]
    with hydra_inside.Composer(CONF) as compose:
        jobs = waves.planned(compose, [words], 0)
    titles = [job.title.partition("/")[0] for job in jobs]
    assert titles[:-1] == ["base", "base", "base", "pairs"]
    run(cli, *words[:-1], "pairs.path=linear")  # what the first waves make
    with hydra_inside.Composer(CONF):
        all_jobs = waves.Waves(jobs)
        begun = all_jobs.ready()
        while not any(job.title.startswith("pairs/") for job in begun):
            for job in begun:
                all_jobs.ended(job, failed=False)
            begun = all_jobs.ready()
        for job in begun:
            all_jobs.ended(job, failed=False)
        more = all_jobs.ready()
        assert [job.title.partition("/")[0] for job in more] == ["curve"] * len(more)
        assert len(more) >= 1
        assert next(iter(all_jobs.waiting.values())) is jobs[-1]
        after = [job for number, job in all_jobs.waiting.items() if number != 0]
        assert all(job.title.startswith("eval/") for job in after)
        assert jobs[-1].needs >= {job.number for job in after}
        # With what it needs the whole fails, as other jobs do.
        for job in more:
            all_jobs.ended(job, failed=True)
        assert all_jobs.waiting == {}


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (["pairs.path=linear", "pairs.budget=2"], "pairs.budget is of curves"),
        (["pairs.networks=[1,fge:2]"], "fge:2 is a list of some"),
        (["pairs.networks=[1,1]"], "needs different networks"),
        (["curve=simplex"], "joins two networks at a time"),
        (["eval.t=[0.5]"], "needs whole curves"),
        (["train.curve.weight_decay=0"], "must have one penalty: train.curve.weight_decay=0"),
        (["train.curve.fix_start=false"], "leave train.curve.fix_start out"),
        (["pairs.budget=1", "train.curve.method=autoneb"], "finds polygonal chains"),
        (["pairs.budget=1", "num_bends=0"], "Nothing to train"),
        (["pairs.path=linear", "objective=pairs/curves"], "is not made by stage=pairs"),
        (["pairs.budget=0"], "pairs.budget must be a number at least 1"),
        (["pairs.networks=[1]"], "must be at least two"),
    ],
)
def test_what_is_no_graph_of_curves_is_refused(cli, typed, told):
    status, output = cli(*SMOKE, *typed)
    assert status != 0
    assert told in output


def test_figures_need_fitting_shapes():
    with pytest.raises(ValueError, match=r"dendrogram needs floors \[2\] and merges \[1, 4\]"):
        plots.dendrogram(["1", "2"], [0.1], np.zeros((1, 4)), "loss")
    with pytest.raises(ValueError, match=r"tree needs edges \[1, 2\]"):
        plots.tree(["1", "2"], [[0, 1], [1, 0]], [1.0], [1, 1], "loss")
