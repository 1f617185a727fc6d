"""The number that a sweeper improves."""

import json

import pytest
import yaml
from conftest import QUICK
from test_config import compose

from mc.lab import check, objective
from mc.lab.graph import Run

# stage=all makes base, curve and eval too.
STAGES = ["all", "plane", "chain", "pairs", "fge", "swag", "ensemble", "soup", "posterior"]
STAGES += ["hessian", "landscape", "instability"]
EVERYTHING = ["dataset.valid_size=40", "eval.initial=true", "fge.start=1", "swag.start=1"]
REGRESSION = ["dataset=regression", "model.activation=tanh"]


@pytest.mark.long
@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(EVERYTHING, id="classes"),
        pytest.param(REGRESSION, id="regression"),
    ],
)
def test_all_that_a_stage_makes_may_be_the_objective(cli, tmp_path, settings):
    for stage in STAGES:
        assert cli(*QUICK, f"stage={stage}", *settings)[0] == 0
    summaries = list(tmp_path.glob("*/*/summary.json"))
    assert {path.parent.parent.name for path in summaries} == {"base", "curve", "eval", *STAGES}
    for path in summaries:
        for name in json.loads(path.read_text()):
            values = yaml.safe_load((path.parent / "config.yaml").read_text())
            objective.check(Run.stages[path.parent.parent.name](values), name)


@pytest.mark.parametrize(
    ("stage", "name", "nearest"),
    [
        ("base", "test/erorr", "test/error"),
        ("eval", "curve/test/nll/maximum", "curve/test/nll/max"),
        ("all", "base_3/test/nll", "base_2/test/nll"),
        ("fge", "swa/test/brier/max", "swa/test/brier"),
        ("curve", "curve/test/nll/max", None),
    ],
)
def test_a_misspelt_objective_is_told_before_anything_is_made(cli, tmp_path, stage, name, nearest):
    status, output = cli(*QUICK, f"stage={stage}", f"objective={name}")
    assert status == 1
    assert f"objective={name} is not made by stage={stage}, which makes" in output
    if nearest:
        assert f"objective={nearest}." in output
    assert list(tmp_path.iterdir()) == []


# A data set of one's own may have validation data that no setting tells of.
OWN = """
from mc.datasets import digits as data
"""


def test_a_network_s_number_does_not_wait_for_the_splits_of_the_evaluation():
    named = ["stage=all", "eval.splits=[train]"]
    check.check(compose(*named, "objective=base_1/moving/test/error"))
    with pytest.raises(ValueError, match="this run looks at train"):
        check.check(compose(*named, "objective=curve/test/error/max"))


@pytest.mark.slow
def test_what_only_the_data_decide_is_told_with_what_there_is(cli, tmp_path, monkeypatch):
    (tmp_path / "own_digits.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    own = [*QUICK, "stage=base", "dataset._target_=own_digits.data"]
    status, output = cli(*own, "objective=valid/error")
    assert status == 1
    assert "objective=valid/error is not made by this run, which makes: train/loss" in output
    assert cli(*own, "objective=test/error")[0] == 0
    (made,) = tmp_path.glob("base/*/summary.json")  # one run: objective does not count
    assert objective.of(json.loads(made.read_text()), "test/error") <= 1


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_a_number_that_is_not_finite_fails_the_job(value):
    with pytest.raises(FloatingPointError, match="objective=test/nll is not finite in this run"):
        objective.of({"test/nll": value}, "test/nll")
