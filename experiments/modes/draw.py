"""The tables and figures of README.md, from the runs of stage=pairs.

    python experiments/modes/draw.py outputs

Writes passes.csv, and of the straight segments and of AutoNEB the tree and the dendrogram, into its
own folder, and the table into its README.
"""

import json
import shutil
import sys
from pathlib import Path

import pandas as pd
from omegaconf import OmegaConf

HERE = Path(__file__).parent
SEGMENTS, AUTONEB = "straight segments", "AutoNEB, 2000 steps"
FIGURES = {SEGMENTS: "segments", AUTONEB: "autoneb"}


def name_of(config: OmegaConf) -> str:
    """What a run joins its networks by."""
    if config.pairs.path == "linear":
        aligned = config.align.method != "none"
        return f"{SEGMENTS}, all renumbered to network 1" if aligned else SEGMENTS
    if config.train.curve.method == "autoneb":
        return f"AutoNEB, {sum(config.neb.steps)} steps"
    bends = f"{config.num_bends} bend{'s' * (config.num_bends > 1)}"
    family = config.curve._target_.rpartition(".")[2]
    return f"{family}, {bends}, {config.train.curve.epochs} epochs"


def gathered(outputs: Path) -> pd.DataFrame:
    """A row a run: how many curves, the gradients of each, and the passes."""
    rows = []
    for path in sorted(outputs.glob("pairs/digits-*/summary.json")):
        config, own = OmegaConf.load(path.parent / "config.yaml"), json.loads(path.read_text())
        table = pd.read_csv(path.parent / "pairs.csv")
        ends = pd.read_csv(path.parent / "networks.csv")["train/loss"]
        name = name_of(config)
        row = {"paths": name, "curves": own.get("pairs/curves", 0)}
        row["gradients of each"] = gradients(outputs, config)
        joined = table[table["path"] == "curve"] if row["curves"] else table
        row["barrier of a path, mean"] = joined["train/loss/barrier_max"].mean()
        row["barrier of a path, largest"] = joined["train/loss/barrier_max"].max()
        row["lowest pass, highest of all"] = table["bottleneck"].max()
        row["clusters"] = own["pairs/clusters"]
        row["worst network"] = ends.max()
        rows.append(row)
        if name in FIGURES:
            for figure in ("tree", "dendrogram"):
                for ending in ("png", "pdf"):
                    made = path.parent / "figures" / f"{figure}.{ending}"
                    shutil.copy(made, HERE / f"{FIGURES[name]}_{figure}.{ending}")
    return pd.DataFrame(rows).sort_values(["gradients of each", "curves", "paths"])


def gradients(outputs: Path, config: OmegaConf) -> int:
    """Gradients of a batch that a path takes, of AutoNEB the mean over the pairs."""
    if config.pairs.path == "linear":
        return 0
    if config.train.curve.method == "autoneb":
        tables = []
        for path in outputs.glob("curve/*-autoneb-*/cycles.csv"):
            if OmegaConf.load(path.parent / "config.yaml").neb.steps == config.neb.steps:
                tables.append(pd.read_csv(path))
        return round(sum(table["gradients"].sum() for table in tables) / len(tables))
    steps = -(-1437 // config.train.curve.batch_size)
    return config.train.curve.epochs * steps


def markdown(table: pd.DataFrame) -> str:
    """The table of the page."""
    head = [name for name in table if name != "worst network"]
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    for row in table[head].itertuples(index=False):
        cells = (f"{v:.4f}" if isinstance(v, float) else f"{v}" for v in row)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    every = gathered(Path(sys.argv[1]))
    every.to_csv(HERE / "passes.csv", index=False)
    before, rest = (HERE / "README.md").read_text().split("<!-- passes -->\n")
    after = rest.split("<!-- end of passes -->")[1]
    told = f"<!-- passes -->\n{markdown(every)}\n<!-- end of passes -->"
    (HERE / "README.md").write_text(before + told + after)
