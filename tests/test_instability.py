"""stage=instability: its onset by hand, its barriers beside those of pairs, what is refused."""

import json

import numpy as np
import pandas as pd
import pytest
from conftest import only

from mc import plots
from mc.evaluation import stability

SHORT = ["model=mlp", "model.widths=[8]", "train.base.epochs=3", "train.base.steps_per_epoch=4"]
BUILD = [*SHORT, "build=true", "stage=instability"]


def table_of(train, test, steps=(0, 10, 20, 30)):
    rows = [
        {"parent": 1, "step": step, "train/error/barrier_mean": a, "test/error/barrier_mean": b}
        for step, a, b in zip(steps, train, test, strict=True)
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("train", "test", "expected"),
    [
        ([0.3, 0.01, 0.0, 0.0], [0.2, 0.01, 0.01, 0.0], 10),
        ([0.3, 0.01, 0.05, 0.0], [0.2, 0.01, 0.01, 0.0], 30),  # back above it in between
        ([0.3, 0.01, 0.01, 0.0], [0.2, 0.01, 0.05, 0.0], 30),  # of either split
        ([0.01, 0.01, 0.01, 0.0], [0.0, 0.0, 0.0, 0.0], 0),
        ([0.3, 0.1, 0.1, 0.02], [0.0, 0.0, 0.0, 0.0], np.nan),  # not below it
    ],
)
def test_the_onset_is_the_first_step_from_which_all_stay_below_the_threshold(train, test, expected):
    found = stability.onset(table_of(train, test), 0.02)
    np.testing.assert_equal(found, expected)


def test_parents_and_pairs_are_averaged_and_the_worse_split_counts():
    table = pd.concat([table_of([0.2] * 4, [0.1] * 4), table_of([0.0] * 4, [0.4] * 4)])
    np.testing.assert_allclose(stability.instability(table), [0.25] * 4)
    x, mean, values = stability.by_step(table, "train/error/barrier_mean")
    np.testing.assert_array_equal(x, [0, 10, 20, 30])
    np.testing.assert_allclose(mean, [0.1] * 4)
    np.testing.assert_allclose(values, [[0.2, 0.0]] * 4)
    with pytest.raises(ValueError, match="received columns step"):
        stability.instability(table[["step"]])


def test_a_regression_is_told_by_its_squared_error():
    table = table_of([0.2] * 4, [0.1] * 4).rename(columns=lambda n: n.replace("error", "mse"))
    assert stability.deciding(table) == ["train/mse/barrier_mean", "test/mse/barrier_mean"]
    table["valid/mse/barrier_mean"] = 9.0  # too few examples to decide
    np.testing.assert_allclose(stability.instability(table), [0.2] * 4)
    alone = table[["step", "valid/mse/barrier_mean"]]
    assert stability.deciding(alone) == ["valid/mse/barrier_mean"]


def test_of_several_outputs_each_has_its_error():
    table = table_of([0.2] * 4, [0.1] * 4)
    table = table.rename(columns=lambda n: n.replace("/error", "/a_error"))
    table["test/loss/barrier_mean"] = 9.0
    np.testing.assert_allclose(stability.instability(table), [0.2] * 4)


@pytest.mark.slow
def test_all_that_it_needs_is_made_and_measured(cli, tmp_path):
    settings = ["instability.steps=[0,4]", "instability.num_points=5"]
    status, output = cli(*BUILD, *settings)
    assert status == 0, output
    assert len(list(tmp_path.glob("base/*/summary.json"))) == 1 + 2 * 2  # a parent, its children
    folder = only(tmp_path, "instability/*")
    table = pd.read_csv(folder / "instability.csv")
    assert table["step"].tolist() == [0, 4]
    assert (folder / "figures" / "instability.png").exists()
    found = json.loads((folder / "summary.json").read_text())
    worst = stability.instability(table)
    stable = [step for step in (0, 4) if (worst[worst.index >= step] < 0.02).all()]
    assert found["instability/onset"] == (stable[0] if stable else None)
    # The children of the later step, as stage=pairs sees them.
    children = []
    for config in sorted(tmp_path.glob("base/*/config.yaml")):
        if "start: 1@step4" in config.read_text():
            children.append(config.parent)
    assert len(children) == 2
    orders = ["order_seed: 1001", "order_seed: 1002"]
    children.sort(key=lambda f: [o in (f / "config.yaml").read_text() for o in orders][1])
    named = f"pairs.networks=[{children[0]},{children[1]}]"
    status, output = cli(*SHORT, "stage=pairs", named, "pairs.num_points=5")
    assert status == 0, output
    pair = pd.read_csv(only(tmp_path, "pairs/*") / "pairs.csv").iloc[0]
    own = table[table["step"] == 4].iloc[0]
    for name in ("test/error/barrier_mean", "train/loss/barrier_max", "distance"):
        assert own[name] == pytest.approx(pair[name], rel=1e-5, abs=1e-7)
    # Children go on in the parent's schedule: their rates are those of its later epochs.
    parent = next(
        c.parent for c in tmp_path.glob("base/*/config.yaml") if "start: null" in c.read_text()
    )
    whole, later = (pd.read_csv(f / "history.csv") for f in (parent, children[0]))
    np.testing.assert_array_equal(later["epoch"], [2, 3])
    np.testing.assert_allclose(later["learning_rate"], whole["learning_rate"][1:])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["instability.steps=[4,0]"], "instability.steps must be increasing"),
        (["instability.steps=[]"], "instability.steps must be increasing"),
        (["instability.parents=[1,1]"], "instability.parents must be different"),
        (["instability.threshold=2"], "instability.threshold is of a fraction"),
        (["instability.threshold=0"], "instability.threshold must be"),
        (["instability.children=1"], "instability.children must be"),
        (["instability.start_optimizer=new"], "reset, keep"),
        (["train.base.start=7"], "leave out train.base.start."),
        (["train.base.order_seed=7"], "leave out train.base.order_seed."),
    ],
)
def test_what_is_no_such_question_is_refused_at_once(cli, tmp_path, settings, words):
    status, output = cli(*BUILD, *settings)
    assert status != 0
    assert words.lower() in output.lower()
    assert not list(tmp_path.glob("base/*/model.keras"))


def test_a_step_beyond_the_parents_training_is_refused(cli, tmp_path):
    status, output = cli(*BUILD, "instability.steps=[0,100]")
    assert status != 0
    assert "100" in output
    assert not list(tmp_path.glob("base/*/model.keras"))


def test_a_figure_needs_a_split():
    with pytest.raises(ValueError, match="received none"):
        plots.instability({}, "barrier", 0.02)
