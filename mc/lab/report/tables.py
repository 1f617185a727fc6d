"""One table of all finished runs, and means over the endpoints and seeds of it."""

import ast
import logging
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from mc.lab import contents, fingerprints, folders, schema
from mc.lab.graph import Run
from mc.lab.report.lineage import lineage
from mc.lab.stages.views import joining
from mc.lab.variants import flat

log = logging.getLogger(__name__)

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the former is ten times as fast
ROUNDING = 1e-15  # what is left of the difference of two equal numbers of the size of 1
FIRST = ("stage", "folder")
BY_SEED = re.compile(r"((?:\w+:)*)\d+((?:@\w+)?(?:/\w+)*)")  # 1, 1@160, fge:1/3


def repeated() -> list[str]:
    """The settings that only repeat a run: tables show means over them."""
    return [key for key, declared in schema.known().items() if declared.metadata["repeats"]]


def naming_networks() -> list[str]:
    """The settings that name networks."""
    return [key for key, declared in schema.known().items() if declared.metadata["names"]]


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
    for folder in folders.finished_runs(output_dir, leave_out=joining()):
        try:
            rows.append(_row(folder))
        except ValueError as error:
            log.warning("left out: %s", error)
    if not rows:
        raise ValueError(f"No run in output_dir={output_dir} can be read.")
    table = pd.DataFrame(rows)
    if unknown := set(table["stage"]) - set(Run.stages):
        log.warning(
            "of stage %s it is not known what its numbers are: name the module that declares it, "
            "as in imports=[my_stage]",
            ", ".join(sorted(unknown)),
        )
    return table[sorted(table.columns, key=is_metric)]


def _row(folder: Path) -> dict:
    stage, path = folder.parent.name, folder / "config.yaml"
    try:
        values = dict(yaml.load(path.read_text(), LOADER))
    except (OSError, TypeError, ValueError, yaml.YAMLError) as error:
        raise ValueError(f"{path} is damaged or gone ({error}).") from error
    # Text, so that null differs from a setting that other stages have.
    depended = lineage(stage, values)
    own = {k: _text(depended[k]) for k in flat(values) if k in depended}
    if own.get("eval.bn_batches", "None") != "None" and folders.took_first(folder):
        own["eval.bn_batches"] = f"first {own['eval.bn_batches']}"  # other numbers: not averaged
    place = {"stage": stage, "folder": f"{stage}/{folder.name}"}
    if (summary := folders.summary(folder)) is None:
        raise ValueError(f"{folder} is gone.")
    found = contents.compare([folder])
    for _, label, below in found.changed[:1]:
        raise ValueError(f"{folder} is of another {label}: {below} was made again since.")
    numbers = {k: np.nan if v is None else v for k, v in summary.items()}  # null: not finite
    return place | own | _source(found.folders) | numbers


def _source(made_in: list[Path]) -> dict[str, str]:
    """What tells runs apart that callables of one's own with other sources have made."""
    noted = {pair for f in made_in for pair in folders.environment(f).get("sources", {}).items()}
    return {"source": f"#{fingerprints.of_settings(sorted(noted))[:8]}"} if noted else {}


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, list | None) else value


def is_metric(column: str) -> bool:
    """Whether a column of `gather` is a number of the summaries, and no setting."""
    return "/" in column or any(column in stage.numbers for stage in Run.stages.values())


def varied(runs: pd.DataFrame) -> list[str]:
    """The settings that differ among runs, in their order; each is a column of `gather`."""
    settings = [c for c in runs if not is_metric(c) and c not in FIRST]
    stages = runs["stage"].tolist()
    return [c for c in settings if _differs(runs[c].tolist(), stages)]


def _differs(setting: list, stages: list) -> bool:
    """Whether a setting differs among runs of one stage, of which some may not have it at all.

    Among stages only values differ: one that does not depend on the setting has none.
    """
    by_stage: dict[str, set[str]] = {}
    values: set[str] = set()
    for stage, value in zip(stages, setting, strict=True):
        there = value == value  # not nan
        by_stage.setdefault(stage, set()).add(str(value))
        values |= {str(value)} if there else set()
    return len(values) > 1 or any(len(own) > 1 for own in by_stage.values())


def headlines(runs: pd.DataFrame) -> list[str]:
    """The main metrics, in their order, that some of the runs have."""
    known = dict.fromkeys(m for stage in Run.stages.values() for m in stage.headlines)
    return [m for m in known if m in runs and runs[m].notna().any()]


def grouped(runs: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """For each stage, a row a group of runs that differ in the seeds of networks and stage alone.

    Columns: what varies among the groups; `networks` where these differ in more than seeds (files,
    saved epochs such as `1@160`, how many there are); `runs`, how many runs; and of the main
    metrics `<metric> mean` and `<metric> std` (of the sample; empty for a single run, and both
    where a run's number is not finite).
    """
    tables, repeats = {}, repeated()
    for stage, own in runs.groupby("stage", sort=False):
        own = own.assign(**_apart(own))
        keys = [key for key in varied(own) if key not in repeats]
        metrics = headlines(own)
        groups = own.groupby(keys or ["stage"], sort=True, dropna=False)
        table = groups[metrics].agg([mean, std]) if metrics else groups[[]].first()
        table.columns = [" ".join(names) for names in table.columns]
        table.insert(0, "runs", groups.size())
        tables[stage] = table.reset_index()
    return tables


def _apart(runs: pd.DataFrame) -> dict[str, list]:
    """Columns, beside the settings, that tell runs apart which do not repeat one another."""
    named = (runs[key].tolist() for key in naming_networks() if key in runs)
    # Networks as their training left them, of earlier versions, are no repetition of others.
    anew = runs.filter(regex="^moving/").notna().any(axis=1)
    return {
        "networks": [_networks(names) for names in zip(*named, strict=True)] or [""] * len(runs),
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


def without_seeds(networks: Iterable) -> str:
    """What lists of networks have in common that differ in seeds alone; `[1, 2@9]`: seed seed@9.

    Files, which are no repetitions of one another, keep their paths.
    """
    matches = ((BY_SEED.fullmatch(name), name) for name in map(str, networks))
    return " ".join(f"{match[1]}seed{match[2]}" if match else name for match, name in matches)
