"""What figures of several stages say alike, and which metrics they show."""

from collections.abc import Iterable

import pandas as pd

from mc.evaluation import metrics
from mc.lab.graph import Run

BARRIER = "/barrier_max"  # that figures show
JOINING = ("error", "nll", "mse")


def with_barriers(table: pd.DataFrame) -> list[str]:
    """The `<split>/<metric>` of which a table has barriers."""
    return [name.removesuffix(BARRIER) for name in table if name.endswith(BARRIER)]


def main(columns: Iterable[str]) -> list[str]:
    """Of `<split>/<metric>` what figures of several networks show, the loss if there is no other.

    Of the test data, if they were looked at; of tokens no error.
    """
    there = metrics.without_errors_of_tokens(columns)
    for wanted in (JOINING, ("loss",)):
        for split in ("test", "valid", "train"):
            own = [name for name in there if name.startswith(f"{split}/")]
            named = [(metrics.found(name.partition("/")[2]), name) for name in own]
            if found := [n for kind in wanted for m, n in named if m and m.name == kind]:
                return found
    return []


def way(run: Run) -> str:
    """In which weights paths of networks with adapters are straight; nothing of others."""
    if not any(network.adapters for network in run.networks):
        return ""
    return f"in the {'merged weights' if run['lora.paths'] == 'merged' else 'factors of adapters'}"


def told(what: str, run: Run) -> str | None:
    """What a figure is of, where paths are straight in other weights than the networks'."""
    found = way(run)
    return f"{what} {found}" if found else None
