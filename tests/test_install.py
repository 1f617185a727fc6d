"""The package works from a wheel as from a checkout, in any folder."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with the package from a wheel built here, without network."""
    scratch = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(scratch)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = scratch.glob("mc-*.whl")
    target = scratch / "site"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*install, "--target", target, wheel], check=True, capture_output=True)
    return target


def run(folder, *arguments, site):
    return subprocess.run(
        [sys.executable, "-m", "mc.run", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_wheel_carries_its_configuration(installed, tmp_path):
    assert (installed / "mc/conf/config.yaml").read_bytes() == (
        ROOT / "conf/config.yaml"
    ).read_bytes()
    assert (installed / "hydra_plugins/mc_launchers.py").exists()  # which Hydra looks for there
    result = run(tmp_path, "--cfg", "job", "model=mlp", site=installed)
    assert result.returncode == 0, result.stderr
    assert "_target_: mc.models.mlp" in result.stdout


def test_a_wheel_runs_a_stage_in_any_folder(installed, tmp_path):
    result = run(tmp_path, "stage=base", "model=mlp", "smoke=true", site=installed)
    assert result.returncode == 0, result.stderr
    (environment,) = tmp_path.glob("outputs/base/*/environment.json")
    assert environment.parent.joinpath("summary.json").exists()
    assert json.loads(environment.read_text())["git_commit"] is None  # though this is a checkout


def test_a_checkout_tells_its_commit_and_a_machine_without_git_runs(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    said = {}
    for name in ("with", "without"):
        outputs = f"output_dir={tmp_path / name}"
        assert cli("stage=base", "model=mlp", "smoke=true", outputs)[0] == 0
        (made,) = tmp_path.glob(f"{name}/base/*/environment.json")
        said[name] = json.loads(made.read_text())["git_commit"]
        monkeypatch.setenv("PATH", "")
    monkeypatch.undo()
    assert said["without"] is None
    if (ROOT / ".git").exists() and shutil.which("git"):
        head = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=ROOT, text=True).strip()
        assert said["with"].removesuffix("-dirty") == head
