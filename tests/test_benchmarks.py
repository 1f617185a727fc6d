"""Every benchmark runs, at its smallest size: it prints a ratio, whatever that is."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from test_datasets import SHARED, needs_tfds

HERE = Path(__file__).parent.parent / "experiments/benchmarks"
SMALLEST = {
    "curve_step": ["--network", "cnn", "--batch-size", "2", "--pairs", "1"],
    "evaluation": ["--examples", "4", "--batch-size", "2", "--points", "2", "--repeats", "1"],
    "memory": ["--network", "cnn", "--batch-size", "2"],
    "streaming": [
        *("--data-dir", str(SHARED / "tfds"), "--image-size", "8", "--examples", "64"),
        *("--batch-size", "4", "--batches", "2"),
    ],
    "whole_experiment": ["regression", "--epochs", "2"],
}


def test_every_benchmark_has_a_smallest_size():
    scripts = {path.stem for path in HERE.glob("*.py") if "def main(" in path.read_text()}
    assert scripts == set(SMALLEST)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=needs_tfds("cifar10")) if n == "streaming" else n for n in SMALLEST],
)
def test_a_benchmark_runs(name):
    command = [sys.executable, str(HERE / f"{name}.py"), *SMALLEST[name]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    last = done.stdout.splitlines()[-1]
    assert re.search(r"\d", last), done.stdout
    assert not re.search(r"\bnan\b|\binf\b", last), last
