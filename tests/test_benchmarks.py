"""Every benchmark runs, at its smallest size: it prints a ratio, whatever that is."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent.parent / "experiments/benchmarks"
SMALLEST = {
    "alignment": ["mlp"],
    "curvature": ["--examples", "4", "--batch-size", "2", "--pairs", "1"],
    "curve_step": ["--network", "cnn", "--batch-size", "2", "--pairs", "1"],
    "evaluation": ["--examples", "4", "--batch-size", "2", "--points", "2", "--repeats", "1"],
    "memory": ["--network", "cnn", "--batch-size", "2"],
    "posterior": ["--examples", "4", "--batch-size", "2", "--chains", "2", "--repeats", "1"],
    "streaming": [
        *("--data-dir", "tfds", "--image-size", "8", "--batch-size", "4", "--batches", "2"),
    ],
    "small_steps": ["regression", "--epochs", "2"],
    "whole_experiment": ["regression", "--epochs", "2"],
    "view": ["--examples", "4", "--batch-size", "2", "--cells", "2", "--pairs", "1"],
    "tokens": [
        *("--vocabulary", "8", "--context", "4", "--sequences", "4", "--batch-size", "2"),
        *("--points", "2"),
    ],
}

# Random images where TFDS looks for CIFAR-10.
MADE_UP = """
import numpy as np, tensorflow as tf, tensorflow_datasets as tfds

def split(n):
    x = np.random.default_rng(0).integers(0, 256, (n, 32, 32, 3)).astype("uint8")
    names = [str(i) for i in range(n)]
    return tf.data.Dataset.from_tensor_slices({"id": names, "image": x, "label": np.arange(n) % 10})

known = tfds.builder("cifar10", data_dir="tfds", try_gcs=False)
tfds.dataset_builders.store_as_tfds_dataset(
    "cifar10",
    version=str(known.version),
    features=known.info.features,
    split_datasets={"train": split(64), "test": split(16)},
    data_dir="tfds",
)
"""


def test_every_benchmark_has_a_smallest_size():
    scripts = {path.stem for path in HERE.glob("*.py") if "def main(" in path.read_text()}
    assert scripts == set(SMALLEST)


@pytest.mark.long
@pytest.mark.parametrize("name", SMALLEST)
def test_a_benchmark_runs(name, tmp_path):
    if name == "streaming":
        subprocess.run([sys.executable, "-c", MADE_UP], cwd=tmp_path, check=True)
    command = [sys.executable, str(HERE / f"{name}.py"), *SMALLEST[name]]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    last = done.stdout.splitlines()[-1]
    assert re.search(r"\d", last), done.stdout
    assert not re.search(r"\bnan\b|\binf\b", last), last
