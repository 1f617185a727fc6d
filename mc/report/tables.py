"""One table of all finished runs, and means over the endpoints and seeds of it."""

import logging
import re
from pathlib import Path

import pandas as pd
import yaml

from mc import contents, store

log = logging.getLogger(__name__)

# What a run of a stage is, by the beginnings of its settings' keys; all else is where and how it
# was made, or is for other stages.
COMMON = ("dataset.", "model.", "optimizer.", "loss.", "precision", "smoke", "seed", "train.base.")
ON_CURVE = (*COMMON, "endpoints", "curve.", "train.curve.")
DEPENDS = {
    "base": COMMON,
    "curve": ON_CURVE,
    "eval": (*ON_CURVE, "eval."),
    "plane": (*ON_CURVE, "plane.", "eval.bn_"),
    "chain": (
        *(*COMMON, "endpoints", "chain.", "train.curve.weight_decay"),
        *("eval.bn_", "eval.splits"),
    ),
    "fge": (*COMMON, "fge.", "eval.bn_"),
    "ensemble": (*ON_CURVE, "ensemble.", "eval.bn_", "eval.splits"),
}
ASIDE = (
    *("stage", "dataset.data_dir", "eval.batch_size"),
    *("train.base.save_every", "train.curve.save_every"),
)
# What repeats a run: tables show means over these.
REPEATED = ("seed", "endpoints", "fge.start", "chain.networks")
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
    return table[sorted(table.columns, key=_is_metric)]


def _row(folder: Path) -> dict:
    stage, path = folder.parent.name, folder / "config.yaml"
    try:
        settings = _flat(dict(yaml.safe_load(path.read_text())))
    except (OSError, TypeError, ValueError, yaml.YAMLError) as error:
        raise ValueError(f"{path} is damaged or gone ({error}).") from error
    depends = DEPENDS.get(stage, "")  # a stage of your own: on all
    own = {k: v for k, v in settings.items() if k.startswith(depends) and k not in ASIDE}
    place = {"stage": stage, "folder": f"{stage}/{folder.name}"}
    if (summary := store.summary(folder)) is None:
        raise ValueError(f"{folder} is gone.")
    for _, label, below in contents.compare([folder]).changed[:1]:
        raise ValueError(f"{folder} is of another {label}: {below} was made again since.")
    return place | own | summary


def _is_metric(column: str) -> bool:
    return "/" in column or column == "num_members"


def _flat(settings: dict, prefix: str = "") -> dict:
    flat = {}
    for key, value in settings.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            # Text, so that null differs from a setting that other stages have.
            flat[prefix + key] = str(value) if isinstance(value, list | None) else value
    return flat


def varied(runs: pd.DataFrame) -> list[str]:
    """The settings that differ among runs, in their order; each is a column of `gather`."""
    settings = [c for c in runs if not _is_metric(c) and c not in ("stage", "folder")]
    return [c for c in settings if _differs(runs[c], runs["stage"])]


def _differs(setting: pd.Series, stage: pd.Series) -> bool:
    """Whether a setting differs among runs of one stage, of which some may not have it at all.

    Among stages only values differ: one that does not depend on the setting has none.
    """
    within = setting.astype(object).map(str).groupby(stage).nunique().max() > 1
    return bool(within or setting.dropna().astype(str).nunique() > 1)


def headlines(runs: pd.DataFrame) -> list[str]:
    """The main metrics, in their order, that some of the runs have."""
    return [m for m in HEADLINES if m in runs and runs[m].notna().any()]


def grouped(runs: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """For each stage, a row a group of runs that differ in endpoints and seed alone.

    Columns: what varies among the groups; `saved epochs` if endpoints such as `1@160` differ in
    them; `runs`, how many there are; and of the main metrics
    `<metric> mean` and `<metric> std` (of the sample; empty for a single run).
    """
    tables = {}
    for stage, own in runs.groupby("stage", sort=False):
        own = own.assign(**{"saved epochs": own.apply(_saved_epochs, axis=1)})
        # Networks as their training left them, of earlier versions, are no repetition of others.
        anew = own.filter(regex="^moving/").notna().any(axis=1)
        own["BatchNorm"] = anew.map({True: "estimated anew", False: ""})
        keys = [key for key in varied(own) if key not in REPEATED]
        metrics = headlines(own)
        groups = own.groupby(keys or ["stage"], sort=True, dropna=False)
        table = groups[metrics].agg(["mean", "std"]) if metrics else groups[[]].first()
        table.columns = [" ".join(names) for names in table.columns]
        table.insert(0, "runs", groups.size())
        tables[stage] = table.reset_index()
    return tables


def _saved_epochs(run: pd.Series) -> str:
    """`10 10` of endpoints `[1@10, 2@10]`; empty for networks as training left them."""
    named = " ".join(str(run.get(key, "")) for key in REPEATED)
    return " ".join(re.findall(r"@(\d+)", named))
