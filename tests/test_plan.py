"""plan=true: what a command stands for, without making anything."""

import re
import shutil

import pytest
from conftest import QUICK
from test_config import compose, run_of

PLANNED = [*QUICK, "plan=true"]


@pytest.fixture
def plan(cli, tmp_path, capsys):
    """The status and the lines of a command's plan."""

    def call(*arguments, swept=False):
        status, output = cli(*["-m"] * swept, *PLANNED, *arguments)
        return status, capsys.readouterr().out.splitlines() or output.splitlines()

    return call


def states(lines):
    """State and stage of every run that is listed, in order."""
    words = [line.split() for line in lines if "outputs" in line or "/smoke-" in line]
    return [(w[0], w[1].split("/")[-2]) for w in words if not line_of_command(w)]


def line_of_command(words):
    return words[0] == "python"


def test_every_run_is_listed_once_in_the_order_of_its_making(plan, tmp_path):
    status, lines = plan("stage=chain", "chain.networks=[1,fge:2/1,1@2]")
    assert status == 0
    listed = ["base", "base", "fge", "chain"]
    assert states(lines) == [("missing", stage) for stage in listed]
    assert "train.base.save_every=2" in lines[1]  # of network 1, which two of them need
    assert lines[-1] == "4 runs: 0 done, 4 to be made."
    assert list(tmp_path.iterdir()) == []


def test_what_is_done_and_what_is_begun_is_told(plan, made_runs, tmp_path):
    begun = next(tmp_path.glob("curve/*/summary.json"))
    begun.unlink()
    status, lines = plan("stage=eval", "force=true")
    assert status == 0
    found = [("done", "base"), ("done", "base"), ("unfinished", "curve"), ("again", "eval")]
    assert states(lines) == found
    assert ["force=true" in line for line in lines if "python -m" in line] == [False, True]


def test_the_plan_of_the_whole_is_what_it_does(plan, cli, made_runs, tmp_path):
    parts = ["base", "base", "curve", "eval", "all"]
    assert states(plan("stage=all")[1]) == [("done", stage) for stage in parts]
    assert states(plan("stage=all", "force=true")[1]) == [("again", stage) for stage in parts]
    # What an evaluation was made from is not made again for it.
    shutil.rmtree(tmp_path / "all")
    for folder in tmp_path.glob("base/*"):
        shutil.rmtree(folder)
    status, lines = plan("stage=all")
    done = [("done", "curve"), ("done", "eval"), ("missing", "all")]
    assert (status, states(lines)) == (0, done)
    status, output = cli(*QUICK)
    assert status == 0, output
    assert not list(tmp_path.glob("base/*/summary.json"))
    # With other networks the curve does not hold, unless all of it is made again.
    assert cli(*QUICK, "stage=base", "seed=1")[0] == 0
    network = tmp_path.glob("base/*/environment.json")
    for path in network:
        path.write_text(re.sub('("model.weights.h5": ")..', r"\1zz", path.read_text()))
    status, lines = plan("stage=all")
    assert (status, "is another one now" in " ".join(lines)) == (1, True)
    status, lines = plan("stage=all", "force=true")
    again = [("again", "base"), ("missing", "base"), ("again", "curve"), ("again", "eval")]
    again += [("unfinished", "all")]  # whose numbers are not those of its parts
    assert (status, states(lines)) == (0, again)


@pytest.mark.parametrize("word", ["plan=y", "plan=2", "++plan=True"])
def test_a_plan_that_is_asked_in_another_way_makes_nothing(cli, word, tmp_path, capsys):
    status, output = cli(*QUICK, word)
    told = output + capsys.readouterr().out
    assert ("Type plan=true" in told and status == 1) or "5 to be made" in told, told
    assert list(tmp_path.iterdir()) == []


def test_a_job_that_hydra_refuses_is_listed_and_the_others_are_shown(plan, tmp_path):
    status, lines = plan("stage=base", "seed=1,x", swept=True)
    assert (status, states(lines)) == (1, [("missing", "base")])
    assert "1 of 2 jobs cannot be run:" in lines


def test_a_mistake_in_one_job_of_a_sweep_is_listed_and_the_others_are_shown(plan, tmp_path):
    swept = ["num_bends=1,-2", "endpoints=[1,2],[1,3]"]
    status, lines = plan("stage=curve", *swept, swept=True)
    assert status == 1
    assert [stage for _, stage in states(lines)] == ["base", "base", "curve", "base", "curve"]
    at = lines.index("2 of 4 jobs cannot be run:")
    assert "num_bends=-2" in lines[at + 1]
    assert "num_bends must be a number at least 0" in lines[at + 2]
    assert list(tmp_path.iterdir()) == []


def test_a_mistake_where_nothing_is_swept_is_the_answer(plan, tmp_path):
    status, lines = plan("num_bends=-2")
    assert status == 1
    assert "num_bends must be a number at least 0" in lines[-1]
    assert list(tmp_path.iterdir()) == []


def test_a_sweeper_that_chooses_as_it_goes_has_no_plan(plan, tmp_path):
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    sweeper = ["hydra/sweeper=optuna", "objective=test/nll", "stage=base"]
    rates = "train.base.learning_rate=interval(0.1,0.2)"
    status, lines = plan(*sweeper, rates, swept=True)
    assert status == 1
    assert "this sweeper chooses them as it goes" in " ".join(lines)
    assert list(tmp_path.iterdir()) == []


def test_the_command_of_a_run_below_a_recipe_with_other_data_makes_that_run():
    typed = ["+experiment=uncertainty_mnist", "stage=ensemble", "ensemble.networks=[fge:1@8]"]
    (below,) = run_of(compose(*typed)).below
    words = below.words(typed)
    assert "ood=null" in words
    assert run_of(compose(*words)).fingerprint == below.fingerprint
    (named,) = run_of(compose("+dataset@ood=mnist", *typed[1:])).below  # which is not typed again
    assert "ood=null" not in named.words(["+dataset@ood=mnist", *typed[1:]])
