"""Results belong to what they were made from, by content."""

import hashlib
import json
import re
import shutil
import sys

import numpy as np
import pandas as pd
import pytest
from conftest import QUICK, only
from test_config import compose, run_of

from mc.lab import contents, files, folders, inputs, missing, stale
from mc.lab.declared import Stage
from mc.lab.graph import Run


def finish(run, value):
    """A finished run as far as others look at it: files with a number in them, and its notes."""
    import h5py

    folder = run.folder
    noted = contents.read(folder, inputs.files_read(run))
    folders.begin(folder, "", {"read": noted})
    (folder / "epochs").mkdir(exist_ok=True)
    if run.name == "fge":
        for epoch in (1, 3):
            files.save_arrays(folder, f"epochs/{epoch}", {"w": np.array([value, epoch])})
    if run.name in ("curve", "swag"):
        files.save_arrays(folder, run.name, {"w": np.array([value])})
    with h5py.File(folder / "model.weights.h5", "w") as file:
        file["w"] = value
    made = contents.made(folder)
    folders.finish(folder, {"test/error": 0.5}, folders.read_environment(folder) | {"made": made})


def test_what_builds_on_an_evaluation_is_noticed_too(tmp_path, monkeypatch):
    parts = {"name": "own", "numbers": ("own/mean",), "depends": (), "__module__": __name__}
    monkeypatch.setattr(Run, "stages", dict(Run.stages))
    monkeypatch.setattr(Stage, "stages", Run.stages)
    stage = type("Own", (Run,), parts | {"inputs": lambda run: {"eval": run.of("eval")}})
    top = stage(compose("model=mlp", f"output_dir={tmp_path}"))
    for run in top.chain():
        finish(run, 1.0)
    assert stale.changed(top, []) is None
    assert stale.notices(top) == []
    (tmp_path / "eval" / top.of("eval").folder.name / "summary.json").write_text("{}")
    told = stale.changed(top, [])
    assert told.startswith(f"eval of {top.folder} is another one now: {top.of('eval').folder} was")


@pytest.mark.parametrize(
    ("command", "again"),
    [
        ("stage=curve", ["curve"]),
        ("stage=eval", ["curve", "eval"]),
        ("stage=plane", ["curve", "plane"]),
        ("stage=ensemble", ["curve", "ensemble"]),
        ("stage=plane plane.networks=[1,2,3]", ["plane"]),
        ("stage=chain chain.networks=[2,1]", ["chain"]),
        ("stage=ensemble ensemble.networks=[2,1]", ["ensemble"]),
        ("stage=fge", ["fge"]),
        ("stage=ensemble ensemble.networks=[2,fge:1]", ["fge", "ensemble"]),
        ("stage=chain chain.networks=[2,fge:1/2]", ["fge", "chain"]),
        ("stage=eval endpoints=[fge:1/1,fge:2/swa]", ["fge", "curve", "eval"]),
        ("stage=fge fge.start=fge:1/swa", ["fge", "fge"]),
        ("stage=ensemble ensemble.networks=[swag:1,swag:2/3]", ["swag", "ensemble"]),
        ("stage=swag swag.start=swag:1/swa", ["swag", "swag"]),
    ],
)
def test_a_network_made_again_is_noticed_through_the_whole_chain(tmp_path, command, again):
    overrides = [*command.split(), "model=mlp", f"output_dir={tmp_path}"]
    top = run_of(compose(*overrides))
    chain = top.chain()
    for run in chain:
        finish(run, 1.0)
    assert stale.changed(top, overrides) is None
    assert stale.notices(top) == []
    first = next(run for run in chain if run.name == "base" and run["seed"] == 1)
    finish(first, 1.0)  # with the same weights
    assert stale.changed(top, overrides) is None
    finish(first, 2.0)
    told = stale.changed(top, overrides)
    assert f"network 1 of {tmp_path}" in told
    assert f"{first.folder} was made again since" in told
    commands = [line.split() for line in told.splitlines() if "python -m mc.run" in line]
    assert [words[3] for words in commands] == [f"stage={stage}" for stage in again]
    assert all(words[-1] == "force=true" for words in commands)
    # In this order they make everything hold again.
    outdated = [run for run in chain if run.name != "base"]
    for run in outdated:
        finish(run, 2.0)
    assert stale.changed(top, overrides) is None


def test_folders_are_the_same_whichever_way_they_are_written(tmp_path):
    (tmp_path / "inner").mkdir()
    overrides = ["stage=eval", "model=mlp", f"output_dir={tmp_path}/inner/../made"]
    top = run_of(compose(*overrides))
    for run in top.chain():
        finish(run, 1.0)
    finish(top.chain()[0], 2.0)
    told = stale.changed(top, overrides)
    commands = [line.split()[3] for line in told.splitlines() if "python -m mc.run" in line]
    assert commands == ["stage=curve", "stage=eval"]


def test_a_run_that_begins_looks_at_what_is_below_it(tmp_path):
    overrides = ["stage=eval", "model=mlp", f"output_dir={tmp_path}"]
    top = run_of(compose(*overrides))
    *below, own = top.chain()
    for run in below:
        finish(run, 1.0)
    stale.check(top, overrides)
    finish(below[0], 2.0)
    with pytest.raises(
        ValueError, match=r"stage=curve .*force=true\n  python .*stage=eval"
    ) as told:
        stale.check(top, overrides)
    assert str(told.value).count("force=true") == 1  # there is no evaluation yet
    finish(own, 1.0)
    forced = run_of(compose(*overrides, "force=true"))
    with pytest.raises(ValueError, match=r"stage=eval .*force=true"):
        stale.check(forced, overrides)  # on a stale curve
    finish(below[-1], 2.0)
    stale.check(forced, overrides)
    told = stale.changed(top, overrides)  # of the evaluation, which is of the curve before
    assert told.startswith(f"curve of {own.folder} is another one now")
    assert [line.split()[3] for line in told.splitlines() if "mc.run" in line] == ["stage=eval"]


def test_the_input_of_a_finished_run_may_be_deleted(tmp_path):
    overrides = ["stage=eval", "model=mlp", f"output_dir={tmp_path}"]
    top = run_of(compose(*overrides))
    for run in top.chain():
        finish(run, 1.0)
    shutil.rmtree(tmp_path / "base")
    missing.check_made(top, overrides)
    stale.check(top, overrides)
    (line,) = stale.notices(top)
    assert "network 1 of" in line
    assert "(and 1 more like it)" in line
    for stage in ("plane", "eval"):  # the curve's file is all that they read
        missing.check_made(run_of(compose(*overrides, f"stage={stage}", "force=true")), overrides)
    with pytest.raises(ValueError, match=r"stage=base seed=1"):
        missing.check_made(run_of(compose(*overrides, "stage=curve", "force=true")), overrides)


OWN = """
import keras


def net(input_shape, num_classes):
    return keras.Sequential([
        keras.Input(input_shape), keras.layers.Flatten(),
        keras.layers.Dense(6, "relu"), keras.layers.Dense(num_classes)
    ])
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Settings of a network of one's own, and a function that changes it."""
    folder = tmp_path / "code"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    (folder / "changing.py").write_text(OWN)

    def change(text):
        (folder / "changing.py").write_text(text)
        sys.modules.pop("changing", None)

    yield ["smoke=true", "model._target_=changing.net"], change
    sys.modules.pop("changing", None)


@pytest.mark.long
def test_what_was_made_of_another_network_is_not_shown_as_if_it_held(cli, own, tmp_path):
    settings, change = own
    assert cli(*settings)[0] == 0
    before = {p: p.read_text() for p in tmp_path.glob("*/*/summary.json")}
    change(OWN.replace("relu", "softplus"))
    status, output = cli(*settings)
    assert status == 0
    assert output.count("The source of changing.net has changed since") == 1
    again = [line.split()[3:5] for line in output.splitlines() if "python -m mc.run" in line]
    stages = ["base", "base", "curve", "eval"]
    assert [words[0] for words in again] == [f"stage={stage}" for stage in stages]
    status, output = cli(*settings, "stage=figures")
    assert (status, "The source of changing.net has changed since" in output) == (0, True)
    status, output = cli(*settings, "stage=plane")  # which cannot read the curve by this network
    assert (status, "stage=base seed=1 smoke=true" in output) == (1, True), output
    assert cli(*settings, "stage=base", "seed=1", "force=true")[0] == 0

    for stage in ("curve", "eval", "all", "plane", "ensemble"):
        status, output = cli(*settings, f"stage={stage}")
        assert status == 1, output
        assert "network 1 of" in output
        assert "Finished before" not in output
        assert "stage=curve smoke=true model._target_=changing.net" in output
        # The other network is of the source of before.
        assert "stage=base seed=2" in output.partition("in this order:")[2]
        assert "stage=base seed=1" not in output
    shutil.rmtree(tmp_path / "plane")
    status, output = cli(*settings, "stage=figures")
    assert (status, "not drawn" in output) == (1, True)
    status, output = cli("stage=report")
    assert status == 0
    told = re.findall("source of changing.net has changed since: (.*)", output)
    assert [name.partition("-net-")[2][:5] for name in told] == ["seed2"]
    # Networks of two functions are no repetitions of one another.
    assert pd.read_csv(tmp_path / "results_base.csv")["runs"].tolist() == [1, 1]
    table = (tmp_path / "results.csv").read_text()
    assert ("base/" in table, "curve/smoke" in table, "eval/smoke" in table) == (True, False, False)

    for run in (["stage=base", "seed=2"], ["stage=curve"], ["stage=eval"]):
        status, output = cli(*settings, *run, "force=true")
        assert status == 0, output
    status, output = cli(*settings)
    assert status == 0, output
    joined = only(tmp_path, "all/*/summary.json")
    error = json.loads(only(tmp_path, "base/*seed1*[!1]/summary.json").read_text())["test/nll"]
    assert json.loads(joined.read_text())["base_1/test/nll"] == error
    assert joined.read_text() != before[joined]


@pytest.mark.slow
def test_a_half_trained_curve_does_not_go_on_between_other_networks(
    cli, own, tmp_path, monkeypatch
):
    settings, change = own
    for seed in (1, 2):
        assert cli(*settings, "stage=base", f"seed={seed}")[0] == 0
    save = files.save_checkpoint

    def killed(folder, arrays):
        save(folder, arrays)
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "save_checkpoint", killed)
    assert cli(*settings, "stage=curve")[0] == 1
    monkeypatch.setattr(files, "save_checkpoint", save)
    change(OWN.replace("relu", "softplus"))
    assert cli(*settings, "stage=base", "seed=2", "force=true")[0] == 0
    status, output = cli(*settings, "stage=curve")
    assert (status, "network 2 of" in output, "Continuing" in output) == (1, True, False), output
    assert "stage=curve smoke=true" in output
    change(OWN)
    assert cli(*settings, "stage=base", "seed=2", "force=true")[0] == 0
    status, output = cli(*settings, "stage=curve")  # between the same networks again
    assert (status, "Continuing" in output) == (0, True), output


@pytest.mark.slow
def test_a_run_of_before_is_shown_as_it_is_with_one_line(cli, made_runs, tmp_path):
    for path in tmp_path.glob("*/*/environment.json"):
        noted = json.loads(path.read_text())
        kept = {k: v for k, v in noted.items() if k not in ("read", "made", "sources")}
        path.write_text(json.dumps(kept))
    for stage, lines in (("base", 0), ("curve", 1), ("eval", 1), ("all", 1)):
        status, output = cli(*QUICK, f"stage={stage}")
        assert (status, output.count("was not noted")) == (0, lines), output
    shutil.rmtree(tmp_path / "base")
    for stage in ("eval", "all"):
        status, output = cli(*QUICK, f"stage={stage}")
        assert (status, "Finished before" in output) == (0, True), output
        assert not (tmp_path / "base").exists()


@pytest.mark.parametrize(
    "named",
    ["dataset.tokenizer=own_tokens.encode", "dataset.tokenizer={_target_: own_tokens.Words}"],
)
def test_the_source_of_a_tokenizer_is_noted(tmp_path, monkeypatch, named):
    (tmp_path / "own_tokens.py").write_text("def encode(text): return list(text.encode())")
    monkeypatch.syspath_prepend(tmp_path)
    texts = ["dataset=text", "model=gpt", named, "dataset.vocabulary_size=256"]
    run = run_of(compose("stage=base", *texts, f"output_dir={tmp_path}"))
    (noted,) = stale.notes(run)["sources"].values()
    assert noted == hashlib.sha256((tmp_path / "own_tokens.py").read_bytes()).hexdigest()
