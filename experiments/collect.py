"""Copy an experiment's result from its output folder into its page.

    python experiments/collect.py outputs/all/NAME experiments/mnist_cnn

Takes the finished `stage=all` run, finds its evaluation beside it, copies `summary.json`,
`points.csv` and the figures, and writes the table of results into README.md, between its two
`results` comments.
"""

import json
import shutil
import sys
from pathlib import Path

import pandas as pd

PATHS = {"curve": "curve", "linear": "straight segment"}
STATISTICS = ("start", "end", "min", "max", "integral", "barrier_max")


def table(summary: dict) -> str:
    """Markdown: a row for every path, split and metric."""
    rows = {}
    for key, value in summary.items():
        parts = key.split("/")
        if len(parts) == 4 and parts[3] in STATISTICS and parts[2] not in ("accuracy", "f1"):
            name = f"{PATHS[parts[0]]}: {parts[1]} {parts[2]}"
            rows.setdefault(name, {})[parts[3]] = value
    frame = pd.DataFrame.from_dict(rows, orient="index")[list(STATISTICS)]
    lines = ["| | " + " | ".join(STATISTICS) + " |", "|---|" + "---:|" * len(STATISTICS)]
    for name, row in frame.iterrows():
        lines.append(f"| {name} | " + " | ".join(f"{v:.4f}" for v in row) + " |")
    return "\n".join(lines)


def main(run: Path, page: Path) -> None:
    """Copy and write."""
    evaluation = run.parent.parent / "eval" / run.name
    summary = json.loads((run / "summary.json").read_text())
    for name in ("points.csv",):
        shutil.copy(evaluation / name, page / name)
    shutil.copy(run / "summary.json", page / "summary.json")
    for figure in sorted((evaluation / "figures").iterdir()):
        shutil.copy(figure, page / figure.name)
    readme = page / "README.md"
    begin, end = "<!-- results -->", "<!-- end of results -->"
    before, rest = readme.read_text().split(begin)
    after = rest.split(end)[1]
    readme.write_text(f"{before}{begin}\n{table(summary)}\n{end}{after}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
