"""A stage of a user's own, in a module of theirs: all else follows from its declaration."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from conftest import QUICK, only, saved_weights

from mc.lab.graph import Run

OWN = '''
"""How long the weight vectors along a curve are."""

from dataclasses import dataclass

from mc.lab.graph import Run
from mc.lab.settings import setting


class Norms(Run):
    """Lengths of the weight vectors along the curve."""

    name = "norms"
    depends = ("norms",)
    numbers = ("norm/<spread>",)
    headlines = ("norm/max",)

    @dataclass
    class Settings:
        """Where to look."""

        num_points: int = setting(7, "equidistant t, ends included", low=2, smoke=3)

    def inputs(self):
        return {"curve": self.of("curve")}

    def work(self, job):
        import numpy as np

        from mc.lab.work import curves, data

        curve = curves.load(job, data.load_data(job.cfg))
        t = np.linspace(0, 1, job.cfg.norms.num_points)
        norms = [float(np.linalg.norm(curve.weights_at(at))) for at in t]
        (job.folder / "norms.json").write_text(str(norms))
        return {"norm/min": min(norms), "norm/mean": float(np.mean(norms)), "norm/max": max(norms)}
'''


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Settings of a module with the stage, in a folder of its own."""
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "my_stage.py").write_text(OWN)
    monkeypatch.syspath_prepend(folder)
    stages, fields = dict(Run.stages), dict(Run.fields)
    yield [*QUICK, "imports=[my_stage]", "stage=norms", f"output_dir={tmp_path}/outputs"]
    for registered, before in ((Run.stages, stages), (Run.fields, fields)):
        registered.clear()
        registered.update(before)
    sys.modules.pop("my_stage", None)


def test_a_stage_of_ones_own_is_declared_in_forty_lines():
    assert len(OWN.strip().splitlines()) <= 40


@pytest.mark.slow
def test_help_says_what_it_does_and_what_its_settings_mean(own, tmp_path):
    command = [sys.executable, "-m", "mc.run", "--help", own[-3]]
    found = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path / "code")
    assert found.returncode == 0, found.stderr
    assert "norms                           Lengths of the weight vectors" in found.stdout
    assert (
        "norms.num_points=7              equidistant t, ends included (at least 2)" in found.stdout
    )


def test_its_settings_are_checked_and_what_it_builds_on_is_named(cli, own, tmp_path):
    status, output = cli(*own, "norms.num_points=1")
    assert (status, "norms.num_points must be a number at least 2" in output) == (1, True), output
    status, output = cli(*own, "norms.points=1")
    assert (status, "Did you mean norms.num_points" in output) == (1, True), output
    status, output = cli(*own, "objective=norm/maximum")
    assert (status, "Type for example objective=norm/max" in output) == (1, True), output
    for stage in ("norms", "ensemble"):  # whose curves would have nothing to train
        status, output = cli(*own, f"stage={stage}", "num_bends=0", "build=true")
        assert (status, "Nothing to train" in output) == (1, True), output
    status, output = cli(*own)
    commands = [line.split()[3:5] for line in output.splitlines() if "python -m mc.run" in line]
    stages = ["stage=base", "stage=base", "stage=curve"]
    assert (status, [words[0] for words in commands]) == (1, stages), output
    assert not (tmp_path / "outputs").exists()


@pytest.mark.slow
def test_it_is_planned_built_reported_and_swept(cli, own, tmp_path, capsys):
    outputs = tmp_path / "outputs"
    assert cli(*own, "plan=true")[0] == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:-1:2]] == ["missing"] * 4
    assert lines[-1] == "4 runs: 0 done, 4 to be made."
    assert not outputs.exists()

    status, output = cli(*own, "build=true", "objective=norm/max")
    assert status == 0, output
    folder = only(outputs, "norms/smoke-digits-mlp-1-2-bezier-bends1-seed1-*")
    norms = json.loads((folder / "norms.json").read_text())
    assert len(norms) == 3  # as smoke leaves it
    ends = [np.linalg.norm(saved_weights(outputs, seed)) for seed in (1, 2)]
    np.testing.assert_allclose([norms[0], norms[-1]], ends, rtol=1e-6)
    assert cli(*own, "plan=true")[0] == 0
    assert capsys.readouterr().out.splitlines()[-1] == "4 runs: 4 done, 0 to be made."

    status, output = cli("-m", *own, "build=true", "norms.num_points=2,3", "endpoints=[1,2],[1,3]")
    assert status == 0, output
    # With smoke, as with every stage, what is typed names the folder.
    assert len(list(outputs.glob("norms/*/summary.json"))) == 5
    assert len(list(outputs.glob("base/*/summary.json"))) == 3

    status, output = cli("stage=report", own[-1])
    assert status == 0, output
    table = pd.read_csv(outputs / "results_norms.csv")
    assert table["norms.num_points"].tolist() == [2, 3, 7]
    assert table["runs"].tolist() == [2, 2, 1]
    assert table["norm/max mean"].notna().all()
