"""The table of metrics, and what follows from a row."""

import subprocess
import sys

import pytest

from mc.evaluation import metrics


def test_what_is_better_lower_has_barriers_along_paths():
    assert metrics.BARRIERS == ("loss", "nll", "error", "mse")


@pytest.mark.parametrize(
    ("column", "label"),
    [
        ("test/error", "test error (fraction)"),
        ("train/nll", "train negative log-likelihood"),
        ("valid/own", "valid own"),  # a metric of a user's own
    ],
)
def test_axes_say_what_a_column_is(column, label):
    assert metrics.label(column) == label


def test_names_are_unique_and_the_main_metrics_are_among_them():
    names = [metric.name for metric in metrics.METRICS]
    assert len(set(names)) == len(names)
    assert {column.split("/")[1] for column in metrics.SHOWN} <= set(names)


def test_the_rooms_that_commands_read_early_are_cheap_to_import():
    code = "import sys, mc.evaluation.metrics; print([m for m in sys.modules if '.' not in m])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    assert "'dataclasses'" in loaded
    for heavy in ("numpy", "tensorflow", "keras", "matplotlib", "sklearn", "wandb", "pandas"):
        assert f"'{heavy}'" not in loaded
