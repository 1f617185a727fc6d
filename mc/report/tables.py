"""One table of all finished runs, and means over the endpoints and seeds of it."""

import ast
import logging
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from mc import contents, store
from mc.report.depends import NAMES, depends, without_seeds

log = logging.getLogger(__name__)

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the former is ten times as fast
REPEATED = ("seed", *NAMES)  # what repeats a run: tables show means over these
ROUNDING = 1e-15  # what is left of the difference of two equal numbers of the size of 1
HEADLINES = (
    "train/loss",
    "test/error",
    "test/mse",
    "curve/train/loss/max",
    "curve/test/error/max",
    "curve/test/mse/max",
    "curve/train/loss/barrier_max",
    "curve/test/error/barrier_max",
    "linear/test/error/max",
    "linear/test/mse/max",
    "curve/length_ratio",
    "chain/train/loss/max",
    "chain/test/error/max",
    "chain/test/mse/max",
    "plane/train/loss/min",
    "plane/test/error/min",
    "plane/test/mse/min",
    "ensemble/test/error",
    "ensemble/test/nll",
    "member/test/error/mean",
)


def gather(output_dir: Path) -> pd.DataFrame:
    """A row a finished run: `stage, folder`, every setting, then the summary.

    A setting's column is its key (`train.curve.epochs`), and holds only where the stage depends on
    it; a metric's is its name (`curve/test/error/max`). Runs that were set aside are left out, and
    those of `stage=all`, whose parts are runs too.

    Runs whose files are damaged are left out too, each with a warning.

    Raises:
        FileNotFoundError, ValueError: there is no finished run, or none that can be read.
    """
    rows = []
    for folder in store.finished_runs(output_dir):
        try:
            rows.append(_row(folder))
        except ValueError as error:
            log.warning("left out: %s", error)
    if not rows:
        raise ValueError(f"No run in output_dir={output_dir} can be read.")
    table = pd.DataFrame(rows)
    return table[sorted(table.columns, key=is_metric)]


def _row(folder: Path) -> dict:
    stage, path = folder.parent.name, folder / "config.yaml"
    try:
        settings = _flat(dict(yaml.load(path.read_text(), LOADER)))
    except (OSError, TypeError, ValueError, yaml.YAMLError) as error:
        raise ValueError(f"{path} is damaged or gone ({error}).") from error
    # Text, so that null differs from a setting that other stages have.
    own = {k: _text(v) for k, v in depends(stage, settings).items()}
    if own.get("eval.bn_batches", "None") != "None" and store.took_first(folder):
        own["eval.bn_batches"] = f"first {own['eval.bn_batches']}"  # other numbers: not averaged
    place = {"stage": stage, "folder": f"{stage}/{folder.name}"}
    if (summary := store.summary(folder)) is None:
        raise ValueError(f"{folder} is gone.")
    found = contents.compare([folder])
    for _, label, below in found.changed[:1]:
        raise ValueError(f"{folder} is of another {label}: {below} was made again since.")
    numbers = {k: np.nan if v is None else v for k, v in summary.items()}  # null: not finite
    return place | own | _source(found.folders) | numbers


def _source(folders: list[Path]) -> dict[str, str]:
    """What tells runs apart that callables of one's own with other sources have made."""
    noted = {pair for f in folders for pair in store.environment(f).get("sources", {}).items()}
    return {"source": f"#{store.fingerprint(sorted(noted))[:8]}"} if noted else {}


def _text(value):
    return str(value) if isinstance(value, list | None) else value


def is_metric(column: str) -> bool:
    """Whether a column of `gather` is a number of the summaries, and no setting."""
    return "/" in column or column == "num_members"


def _flat(settings: dict, prefix: str = "") -> dict:
    flat = {}
    for key, value in settings.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def varied(runs: pd.DataFrame) -> list[str]:
    """The settings that differ among runs, in their order; each is a column of `gather`."""
    settings = [c for c in runs if not is_metric(c) and c not in ("stage", "folder")]
    stages = runs["stage"].tolist()
    return [c for c in settings if _differs(runs[c].tolist(), stages)]


def _differs(setting: list, stages: list) -> bool:
    """Whether a setting differs among runs of one stage, of which some may not have it at all.

    Among stages only values differ: one that does not depend on the setting has none.
    """
    by_stage, values = {}, set()
    for stage, value in zip(stages, setting, strict=True):
        there = value == value  # not nan
        by_stage.setdefault(stage, set()).add(str(value))
        values |= {str(value)} if there else set()
    return len(values) > 1 or any(len(own) > 1 for own in by_stage.values())


def headlines(runs: pd.DataFrame) -> list[str]:
    """The main metrics, in their order, that some of the runs have."""
    return [m for m in HEADLINES if m in runs and runs[m].notna().any()]


def grouped(runs: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """For each stage, a row a group of runs that differ in the seeds of networks and stage alone.

    Columns: what varies among the groups; `networks` where these differ in more than seeds (files,
    saved epochs such as `1@160`, how many there are); `runs`, how many runs; and of the main
    metrics `<metric> mean` and `<metric> std` (of the sample; empty for a single run, and both
    where a run's number is not finite).
    """
    tables = {}
    for stage, own in runs.groupby("stage", sort=False):
        own = own.assign(**_apart(own))
        keys = [key for key in varied(own) if key not in REPEATED]
        metrics = headlines(own)
        groups = own.groupby(keys or ["stage"], sort=True, dropna=False)
        table = groups[metrics].agg([mean, std]) if metrics else groups[[]].first()
        table.columns = [" ".join(names) for names in table.columns]
        table.insert(0, "runs", groups.size())
        tables[stage] = table.reset_index()
    return tables


def _apart(runs: pd.DataFrame) -> dict[str, list]:
    """Columns, beside the settings, that tell runs apart which do not repeat one another."""
    named = (runs[key].tolist() for key in NAMES if key in runs)
    # Networks as their training left them, of earlier versions, are no repetition of others.
    anew = runs.filter(regex="^moving/").notna().any(axis=1)
    return {
        "networks": [_networks(names) for names in zip(*named, strict=True)] or "",
        "BatchNorm": ["estimated anew" if own else "" for own in anew],
    }


@lru_cache
def _networks(names: tuple) -> str:
    """What the networks of one run have in common with those of its repetitions."""
    there = (name for name in names if name == name)  # not nan
    lists = (ast.literal_eval(n) if str(n).startswith("[") else [n] for n in there)
    return " ".join(without_seeds(given) for given in lists)


def mean(values: pd.Series) -> float:
    """Mean; nan where a value is nan, and 0 where only rounding is left."""
    return _rounded(values.mean(skipna=False))


def std(values: pd.Series) -> float:
    """Standard deviation of the sample, nan for a single value; 0 where only rounding is left."""
    deviation = values.std(skipna=False)
    small = deviation <= ROUNDING * values.abs().max()
    return 0.0 if small else _rounded(deviation)


def _rounded(value: float) -> float:
    return 0.0 if abs(value) <= ROUNDING else float(value)
