"""Copy the results of runs into an experiment's page.

    python experiments/collect.py PAGE results=outputs/eval/NAME plane=outputs/plane/NAME

Of each `name=run`, the tables (`summary.json`, `*.csv`) and figures are copied into folder PAGE,
under their own names for `results` and with `name_` before them for others; and a table of the
summary is written into its README.md, between `<!-- name -->` and `<!-- end of name -->`.
"""

import json
import shutil
import sys
from pathlib import Path

import pandas as pd

PATHS = {
    "curve": "curve",
    "linear": "straight segment",
    "initial": "before training",
    "chain": "chain",
    "plane": "plane",
}
ALONG = ("start", "end", "min", "max", "integral", "barrier_max")
PLANE = ("min", "max", "point_0", "point_1", "point_2")
OVER_PAIRS = ("mean", "min", "max")
WHO = {
    "member": "members, mean",
    "ensemble": "ensemble",
    "swa": "average of weights",
    "soup": "soup",
}
SPLITS = ("train/", "valid/", "test/")
# What error, or nll, tells too.
LEFT_OUT = ("accuracy", "f1", "perplexity", "bits_per_character")


def table(summary: dict) -> str:
    """Markdown: what a summary says, in the form that its stage asks for."""
    summary = {key: "not finite" if value is None else value for key, value in summary.items()}
    if any(key.startswith("surface/") for key in summary):
        return _markdown(_surface(summary), ".4f")
    if "num_members" in summary:
        return _markdown(_ensemble(summary), ".4f")
    if any(key.startswith("pairs/") for key in summary):
        return _markdown(_pairs(summary), ".4f")
    statistics = PLANE if any(key.startswith("plane/") for key in summary) else ALONG
    rows = {}
    for key, value in summary.items():
        parts = key.split("/")
        if len(parts) == 4 and parts[3] in statistics and parts[2] not in LEFT_OUT:
            rows.setdefault(f"{PATHS[parts[0]]}: {parts[1]} {parts[2]}", {})[parts[3]] = value
    return _markdown(pd.DataFrame.from_dict(rows, orient="index")[list(statistics)], ".4f")


def _surface(summary: dict) -> pd.DataFrame:
    """Of a surface and of each of its edges, what is seen of the main metrics, and lengths."""
    rows: dict[str, dict] = {}
    for key, value in summary.items():
        place, *metric, last = key.split("/")
        row = place.replace("edge-", "edge ")
        if last == "length":
            rows.setdefault(row, {})[last] = value
        elif metric in (["train", "loss"], ["test", "error"], ["test", "mse"]):
            rows.setdefault(row, {})[f"{' '.join(metric)}, {last}"] = value
    return pd.DataFrame.from_dict(rows, orient="index")


def _pairs(summary: dict) -> pd.DataFrame:
    """Of every metric how much worse segments get than their worse end, and distances."""
    rows = {}
    for key, value in summary.items():
        name, _, statistic = key.removeprefix("pairs/").rpartition("/")
        if name == "distance" or name.endswith("/barrier_max"):
            title = name.removesuffix("/barrier_max").replace("/", " ")
            rows.setdefault(title, {})[statistic] = value
    return pd.DataFrame.from_dict(rows, orient="index")[list(OVER_PAIRS)]


def _ensemble(summary: dict) -> pd.DataFrame:
    """Of an ensemble, or a soup, and of its members."""
    rows = {}
    for key, value in summary.items():
        own = key.count("/") == 1 and key.startswith(SPLITS)  # of a soup, as of a base network
        name = f"soup/{key}" if own else key
        who, _, metric = name.removesuffix("/mean").partition("/")
        if who in WHO and metric.count("/") == 1 and not metric.endswith(LEFT_OUT):
            rows.setdefault(WHO[who], {})[metric.replace("/", " ")] = value
    return pd.DataFrame.from_dict(rows, orient="index")


def _markdown(frame: pd.DataFrame, form: str) -> str:
    frame = frame.astype(object).where(frame.notna(), "")  # of what a metric does not have
    lines = ["| | " + " | ".join(frame.columns) + " |", "|---|" + "---:|" * len(frame.columns)]
    for name, row in frame.iterrows():
        cells = (v if isinstance(v, str) else format(v, form) for v in row)
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def collect(page: Path, name: str, run: Path) -> None:
    """Copy one run's files, and write its table if the page has a place for it."""
    prefix = "" if name == "results" else f"{name}_"
    figures = sorted((run / "figures").iterdir()) if (run / "figures").exists() else []
    for file in [run / "summary.json", *sorted(run.glob("*.csv")), *figures]:
        shutil.copy(file, page / (prefix + file.name.removeprefix(prefix)))
    readme, begin, end = page / "README.md", f"<!-- {name} -->", f"<!-- end of {name} -->"
    text = readme.read_text()
    if begin not in text:
        return
    before, rest = text.split(begin)
    made = table(json.loads((run / "summary.json").read_text()))
    readme.write_text(f"{before}{begin}\n{made}\n{end}{rest.split(end)[1]}")


if __name__ == "__main__":
    for argument in sys.argv[2:]:
        name, _, run = argument.partition("=")
        collect(Path(sys.argv[1]), name, Path(run))
