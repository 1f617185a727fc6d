"""What the README says runs as written."""

import re
import runpy
import shlex
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import mc

README = (Path(__file__).parent.parent / "README.md").read_text()
BLOCKS = {
    language: re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    for language in ("bash", "python")
}


def commands():
    """The arguments of every `python -m mc.run` command, in the order of the page."""
    for line in "".join(BLOCKS["bash"]).splitlines():
        for command in line.split("&&"):
            words = shlex.split(command, comments=True)
            if words[:3] == ["python", "-m", "mc.run"]:
                yield words[3:]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with the README's own module, as a user would have it."""
    (own,) = (code for code in BLOCKS["python"] if code.startswith("# my_project.py"))
    (tmp_path / "my_project.py").write_text(own)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("my_project", None)


@pytest.mark.slow
def test_every_command_runs_in_the_order_of_the_page(cli, project):
    done = 0
    for arguments in commands():
        status, output = cli(*arguments, "smoke=true")
        assert status == 0, f"{arguments}: {output}"
        done += 1
    assert done >= 9
    # Seeds 1 to 4, spirals' two, and a parent of two children.
    assert len(list(project.glob("base/*/summary.json"))) == 6 + 3


def test_the_python_example_shows_the_wall_and_the_way_round(project, capsys):
    code = [code for code in BLOCKS["python"] if "mc.connect" in code]
    # The posterior is that of the curve which the first of these makes, further down the page.
    code[1:1] = [code for code in BLOCKS["python"] if "mc.posterior" in code]
    (project / "example.py").write_text("\n".join(code))
    keras.utils.clear_session()  # which numbers layers, by names that the page speaks of
    names = runpy.run_path(str(project / "example.py"))
    worst = names["points"].groupby("path")["test/error"].max()
    ends = names["points"].query("path == 'curve' and t in (0, 1)")["test/error"]
    assert worst["linear"] > 2 * ends.max()
    assert worst["curve"] <= ends.max() + 0.03
    assert "linear" in capsys.readouterr().out
    assert (project / "curve.npz").exists()
    np.testing.assert_array_equal(mc.pack(names["back"]), mc.pack(names["b"]))
    assert "dense/kernel" in str(mc.symmetries(names["a"]))
    posterior, wrong = names["posterior"], names["p"].argmax(axis=1) != names["y_test"]
    assert wrong.mean() <= ends.max() + 0.01
    assert (posterior.r_hat < 1.5).all()


def test_every_link_leads_somewhere():
    root = Path(__file__).parent.parent
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    headings = re.findall("^## (.*)$", README, re.MULTILINE)
    anchors = {f"#{heading.lower().replace(' ', '-')}" for heading in headings}
    assert {link for link in links if link.startswith("#")} <= anchors
    files = [link for link in links if not link.startswith("#")]
    assert [link for link in files if not (root / link).exists()] == []
