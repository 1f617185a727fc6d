"""stage=align, and the stages that join the networks that it makes."""

import json
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from conftest import QUICK, only

import mc
from mc.network.weights import pack

ALIGNED = [*QUICK, "align=weights"]
WITH_BATCHNORM = ["smoke=true", "model._target_=conftest.small_bn", "align=weights", "build=true"]


def summary(folder, pattern):
    return json.loads((only(folder, pattern) / "summary.json").read_text())


def keras_network(folder, pattern):
    return keras.models.load_model(only(folder, pattern) / "model.keras")


def run(cli, *arguments):
    status, output = cli(*arguments)
    assert status == 0, output
    return output


def test_align_makes_a_run_of_each_network_after_the_first(cli, made_runs):
    output = run(cli, *ALIGNED, "stage=align", "align.networks=[1,2,3]", "build=true")
    folders = sorted(p.name for p in made_runs.glob("align/*"))
    assert [name.rpartition("-")[0] for name in folders] == [
        "smoke-digits-mlp-1-2-weights",
        "smoke-digits-mlp-1-3-weights",
    ]
    assert "cosine/after" in output
    for second in (2, 3):
        pattern = f"align/*-1-{second}-*"
        folder, numbers = only(made_runs, pattern), summary(made_runs, pattern)
        own = [keras_network(made_runs, f"base/*seed{seed}-*") for seed in (1, second)]
        aligned = keras_network(made_runs, pattern)
        permutation = mc.Permutation.load(folder / "permutation.npz")
        np.testing.assert_array_equal(pack(permutation.apply(own[1])), pack(aligned))
        a, b, w = pack(own[0]), pack(own[1]), pack(aligned)
        for name, other in (("before", b), ("after", w)):
            cosine = a @ other / np.linalg.norm(a) / np.linalg.norm(other)
            assert numbers[f"cosine/{name}"] == pytest.approx(cosine, rel=1e-4)
            distance = np.linalg.norm(a - other)
            assert numbers[f"distance/{name}"] == pytest.approx(distance, rel=1e-4)
        assert numbers["cosine/after"] > numbers["cosine/before"]
        assert (numbers["num_groups"], numbers["num_units"]) == (1, 8)
        history = pd.read_csv(folder / "history.csv")
        assert (history.groupby("start")["objective"].diff().dropna() >= 0).all()
        x = np.random.default_rng(0).normal(size=(4, 8, 8, 1)).astype("float32")
        np.testing.assert_allclose(aligned(x), own[1](x), rtol=1e-4, atol=1e-5)


def test_eval_shows_the_segment_unaligned_and_repaired(cli, made_runs):
    before = pd.read_csv(only(made_runs, "eval/*") / "points.csv")
    run(cli, *ALIGNED, "stage=eval", "build=true", "eval.repair=true")
    points = pd.read_csv(only(made_runs, "eval/*aligned*") / "points.csv")
    assert list(points["path"].unique()) == ["curve", "linear", "unaligned", "repaired"]
    columns = ["t", "segment_length", "train/loss", "test/error"]
    of_path = {path: rows[columns].to_numpy() for path, rows in points.groupby("path")}
    linear = before[before["path"] == "linear"][columns].to_numpy()
    np.testing.assert_allclose(of_path["unaligned"], linear, rtol=1e-5)
    for path in ("linear", "repaired"):  # of the same two networks
        np.testing.assert_allclose(of_path[path][[0, -1], 2:], linear[[0, -1], 2:], rtol=1e-5)
        np.testing.assert_allclose(of_path[path][:, :2], of_path["linear"][:, :2], rtol=1e-5)
    assert (of_path["linear"][1:, 1] < linear[1:, 1]).all()  # nearer to one another
    numbers = summary(made_runs, "eval/*aligned*")
    for path in ("unaligned", "repaired"):
        assert f"{path}/test/error/barrier_mean" in numbers
        assert f"{path}/train/loss/barrier_linear" in numbers


@pytest.mark.slow
def test_runs_that_are_not_aligned_are_found_where_they_were(cli, made_runs):
    there = {path.name for path in made_runs.glob("*/smoke-*")}
    run(cli, *QUICK, "align=none")
    assert {path.name for path in made_runs.glob("*/smoke-*")} == there
    run(cli, *ALIGNED)
    new = [path.parent.name for path in made_runs.glob("*/smoke-*") if path.name not in there]
    assert sorted(new) == ["align", "all", "curve", "eval"]  # base networks serve both
    numbers = summary(made_runs, "all/*aligned*")
    assert {"base_1/train/loss", "base_2/train/loss", "alignment/cosine/after"} <= set(numbers)
    assert {"curve/test/error/max", "unaligned/test/error/max"} <= set(numbers)
    again = run(cli, *ALIGNED)
    assert "Finished before" in again
    assert "alignment/cosine/after" in again
    assert "curve/length_ratio" in again


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "more"),
    [
        ("chain", ["chain.networks=[1,2,3]"]),
        ("pairs", []),
        ("soup", []),
        ("plane", ["plane.networks=[1,2,3]"]),
    ],
)
def test_stages_that_join_networks_join_aligned_ones(cli, made_runs, stage, more):
    run(cli, *ALIGNED, f"stage={stage}", "build=true", *more)
    (folder,) = (made_runs / stage).iterdir()
    assert "2-aligned" in folder.name
    read = json.loads((folder / "environment.json").read_text())["read"]
    assert sum("/align/" in str(value) for value in read.values()) == len(more) + 1
    run(cli, *QUICK, f"stage={stage}", "build=true", *more)
    assert len(list((made_runs / stage).iterdir())) == 2  # of networks as they are, another


@pytest.mark.slow
def test_the_middle_of_an_aligned_pair_is_that_of_the_files(cli, made_runs):
    run(cli, *ALIGNED, "stage=soup", "build=true")
    first = keras_network(made_runs, "base/*seed1-*")
    second = keras_network(made_runs, "align/*")
    soup = keras_network(made_runs, "soup/*")
    np.testing.assert_allclose(pack(soup), (pack(first) + pack(second)) / 2, rtol=1e-5, atol=1e-7)


@pytest.mark.slow
def test_batchnorm_moves_along(cli, tmp_path):
    run(cli, *WITH_BATCHNORM, "stage=align")
    own, aligned = (keras_network(tmp_path, p) for p in ("base/*seed2-*", "align/*"))
    x = np.random.default_rng(0).uniform(size=(6, 8, 8, 1)).astype("float32")
    np.testing.assert_allclose(aligned(x), own(x), rtol=1e-3, atol=1e-4)
    assert (only(tmp_path, "align/*") / "moving.npz").is_file()
    run(cli, *WITH_BATCHNORM, "stage=eval")
    status, output = cli(*WITH_BATCHNORM, "stage=eval", "eval.repair=true")
    assert status == 1
    assert "has BatchNorm, whose statistics are estimated anew" in output


@pytest.mark.slow
def test_a_curve_whose_end_moves_is_compared_with_its_own_end(cli, made_runs):
    free = ["train.curve.fix_end=false", "train.curve.learning_rate=0.5", "eval.t=[0,1]"]
    run(cli, *ALIGNED, "stage=eval", "build=true", *free)
    points = pd.read_csv(only(made_runs, "eval/*aligned*") / "points.csv")
    ends = points[points["t"] == 1].set_index("path")["train/loss"]
    assert ends["unaligned"] == pytest.approx(ends["linear"], rel=1e-5)
    assert ends["unaligned"] == pytest.approx(ends["curve"], rel=1e-5)
    base = summary(made_runs, "base/*seed2-*")["train/loss"]
    assert ends["unaligned"] != pytest.approx(base, rel=1e-3)  # which it has left


@pytest.mark.slow
def test_activations_align_networks_kept_on_the_way_and_files(cli, made_runs, tmp_path):
    file = tmp_path / "mine.keras"
    keras_network(made_runs, "base/*seed2-*").save(file)
    given = [*QUICK, "align=activations", "stage=align", "train.base.save_every=1", "build=true"]
    run(cli, *given, f"align.networks=[1,3@1,{file}]")
    names = sorted(path.name for path in made_runs.glob("align/*"))
    assert [name.rpartition("-")[0] for name in names] == [
        "smoke-digits-mlp-1-3_1-activations",
        "smoke-digits-mlp-1-mine-activations",
    ]
    for name in names:
        assert json.loads((made_runs / "align" / name / "summary.json").read_text())["moved"] > 0


def test_what_cannot_be_repaired_is_told_before_anything_is_trained(cli, tmp_path):
    given = [word for word in WITH_BATCHNORM if word != "build=true"]
    status, output = cli(*given, "stage=all", "eval.repair=true")
    assert status == 1
    assert "has BatchNorm" in output
    assert "Leave eval.repair" in output
    assert not list(tmp_path.glob("base/*"))


def test_a_killed_alignment_comes_to_the_same(cli, made_runs, monkeypatch):
    given = [*ALIGNED, "stage=align", "align.restarts=2"]
    run(cli, *given)
    folder = only(made_runs, "align/*")
    before = (folder / "permutation.npz").read_bytes(), (folder / "history.csv").read_bytes()
    (folder / "summary.json").unlink()
    (folder / "model.keras").unlink()
    run(cli, *given)
    after = (folder / "permutation.npz").read_bytes(), (folder / "history.csv").read_bytes()
    assert after == before


@pytest.mark.slow
def test_an_aligned_network_is_named_by_its_folder_too(cli, made_runs):
    run(cli, *ALIGNED, "stage=align")
    folder = only(made_runs, "align/*")
    run(cli, *QUICK, "stage=chain", f"chain.networks=[1,{folder}]")
    run(cli, *ALIGNED, "stage=chain", "chain.networks=[1,2]")
    one, other = (pd.read_csv(path / "points.csv") for path in (made_runs / "chain").iterdir())
    pd.testing.assert_frame_equal(one, other, rtol=1e-5)


@pytest.mark.slow
def test_adapters_are_aligned_in_their_factors_or_merged(cli, made_runs):
    start = ["train.base.start=1", "lora.rank=2", "model.widths=[8,6]", "align=weights"]
    given = [*QUICK, *start, "stage=pairs", "build=true", "pairs.networks=[3,4]"]
    run(cli, *given)
    run(cli, *given, "lora.paths=merged")

    def aligned():
        return list((made_runs / "align").iterdir())

    sizes = [json.loads((f / "summary.json").read_text())["num_units"] for f in aligned()]
    assert sorted(sizes) == [3 * 2, 8 + 6]  # the ranks of three layers; all hidden units


def test_the_plan_of_an_alignment_lists_all_that_it_stands_for(cli, made_runs, capsys):
    cli(*ALIGNED, "stage=align", "align.networks=[1,2,3]", "build=true", "plan=true")
    output = capsys.readouterr().out
    assert output.count("stage=align 'align.networks=[1,") == 2
    assert "stage=base seed=3" in output
    assert not list(Path(made_runs).glob("align"))


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (["stage=align"], "type align=weights, or align=activations"),
        (["stage=align", "align=weights", "align.networks=[1]"], "two networks or more"),
        (["stage=align", "align=weigths"], "Could not find 'align/weigths'"),
        (["stage=align", "align.method=weigths"], "must be one of none, weights, activations"),
        (["stage=pairs", "align=weights", "pairs.networks=[fge:1,2]"], "Name its members"),
        (["stage=align", "align=weights"], "builds on runs that are not finished"),
        (["stage=eval", "objective=repaired/test/error/max"], "eval.repair=true alone"),
        (
            ["stage=eval", "objective=unaligned/test/error/max"],
            "align=weights or align=activations",
        ),
        (["stage=align", "align=weights", "align.restarts=-1"], "at least 0"),
    ],
)
def test_mistakes_are_told_in_one_message(cli, tmp_path, typed, told):
    status, output = cli(*typed)
    assert status == 1
    assert told in output
    assert "Traceback" not in output
    assert not list(tmp_path.iterdir())


def test_a_network_without_hidden_units_is_told_so(cli, made_runs):
    status, output = cli(*ALIGNED, "model.widths=[]", "stage=align", "build=true")
    assert status == 1
    assert "has no units that may be renumbered" in output
