"""The table of metrics, and what follows from a row."""

import subprocess
import sys

import pytest

from mc.evaluation import metrics


def test_what_is_better_lower_has_barriers_along_paths():
    assert metrics.BARRIERS == ("loss", "nll", "error", "bits_per_character", "mse")


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


def test_names_are_unique():
    names = [metric.name for metric in metrics.METRICS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("columns", "shown"),
    [
        ("test/error test/nll train/error train/loss valid/error", "train/loss test/error"),
        ("test/error test/nll test/perplexity train/loss", "train/loss test/nll"),
        ("train/mse test/mse test/loss train/loss", "train/loss test/mse"),
        ("test/mse test/nll train/loss train/nll", "train/loss test/nll test/mse"),
        (
            "test/a_b_mse test/c_error test/c_nll test/d_error test/d_nll test/d_perplexity",
            "test/d_nll test/c_error test/a_b_mse",
        ),
        ("test/bits_per_character t path", ""),
    ],
)
def test_what_figures_show_first(columns, shown):
    assert metrics.shown(columns.split()) == shown.split()


def test_metrics_of_outputs_are_labelled_by_their_output():
    assert metrics.label("test/my_head_error") == "test my_head error (fraction)"
    assert metrics.label("test/bits_per_character") == "test bits a character"
    assert metrics.has_barrier("test/my_head_bits_per_character")
    assert not metrics.has_barrier("test/my_head_accuracy")


def test_the_rooms_that_commands_read_early_are_cheap_to_import():
    code = "import sys, mc.evaluation.metrics; print([m for m in sys.modules if '.' not in m])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    assert "'dataclasses'" in loaded
    for heavy in ("numpy", "tensorflow", "keras", "matplotlib", "sklearn", "wandb", "pandas"):
        assert f"'{heavy}'" not in loaded
