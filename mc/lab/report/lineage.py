"""Which settings the result of a run depends on, through all that it builds on."""

from typing import Any

from mc.lab import counting
from mc.lab.graph import Run
from mc.lab.variants import flat, select


def lineage(stage: str, values: dict) -> dict[str, Any]:
    """The settings that a run depends on, by full key; of a stage that is not known here, all.

    Args:
        stage: of the run.
        values: all of its settings, nested; of an earlier version, those that it had.
    """
    try:
        return _of(Run.stages[stage](values))
    except KeyError:  # of a stage, or of settings that an earlier version did not have
        return {k: v for k, v in _acting(values).items() if k != "stage"}


def _of(run: Run) -> dict[str, Any]:
    """Those of a run and of the runs below it."""
    found: dict[str, Any] = {}
    for one in run.built_on:
        found |= _of(one.run) if one.run else {}
    try:
        left_out = {*run.idle(), *run.changes}
    except KeyError:
        left_out = {*run.changes}
    for key in (*run.depends, *run.named_by()):
        values = flat({key: select(run.values, key, {})})
        found |= {k: v for k, v in values.items() if k not in left_out}
    kept = _acting(run.values)
    return {k: v for k, v in found.items() if k in kept}


def _acting(values: dict) -> dict[str, Any]:
    """All settings on which results depend, by full key: not where the data lie, for one."""
    aside = counting.NOT_COUNTED.get(select(values, "dataset._target_", None), ())
    keys = {f"dataset.{name}" for name in aside}
    return {k: v for k, v in flat(values).items() if counting.counts(k) and k not in keys}
