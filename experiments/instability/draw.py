"""The table and the figure of README.md, from the runs of stage=instability.

    python experiments/instability/draw.py outputs

Copies their tables into its own folder, with instability.png and instability.pdf, and writes
the table into its README.
"""

import sys
from pathlib import Path

import pandas as pd

from mc.plots.style import COLUMN_WIDTH, CURVE, SEGMENT, PaperFigure, dress, legend_of

HERE = Path(__file__).parent
RUNS = {"mnist": "LeNet-300-100, MNIST", "cifar10": "cnn_bn, 10,000 of CIFAR-10"}
LOOKS = {"train": SEGMENT, "test": CURVE}
THRESHOLD = 0.02


def gathered(outputs: Path) -> dict[str, pd.DataFrame]:
    """The table of each run that is there, a row a pair of children."""
    found = {}
    for path in sorted(outputs.glob("instability/*/instability.csv"), reverse=True):
        name = path.parent.name.partition("-")[0]
        found[name] = pd.read_csv(path)
        found[name].to_csv(HERE / f"{name}.csv", index=False)
    return found


def markdown(tables: dict[str, pd.DataFrame]) -> str:
    """A row a run and split, a column a step: the barrier of the error over the mean of ends."""
    lines = []
    for name, table in tables.items():
        steps = list(table.step)
        lines += [f"| {RUNS[name]} | " + " | ".join(f"k = {k}" for k in steps) + " |"]
        lines += ["|---|" + "---:|" * len(steps)]
        for split in LOOKS:
            values = table[f"{split}/error/barrier_mean"]
            lines.append(f"| {split} | " + " | ".join(f"{v:.4f}" for v in values) + " |")
        lines.append("")
    return "\n".join(lines).rstrip()


def draw(tables: dict[str, pd.DataFrame]) -> PaperFigure:
    """A panel a run: the barrier against the step from which the children go on."""
    figure = PaperFigure((len(tables) * COLUMN_WIDTH, 2.7), layout="constrained")
    panels = figure.subplots(1, len(tables), squeeze=False)[0]
    for axes, (name, table) in zip(panels, tables.items(), strict=True):
        for split, look in LOOKS.items():
            values = table[f"{split}/error/barrier_mean"]
            axes.plot(table.step, values, label=split, markersize=4, linewidth=1.5, **look)
        axes.axhline(THRESHOLD, color="0.4", linewidth=0.9, linestyle=":", label="threshold")
        least = float(table.step[table.step > 0].min())
        axes.set_xscale("symlog", linthresh=least)
        axes.set_xlim(-0.2 * least, 1.4 * table.step.max())
        axes.set_xticks(list(table.step), [f"{step:g}" for step in table.step])
        axes.minorticks_off()
        axes.set_title(RUNS[name], fontsize=9)
        dress(axes, "k, step from which they go on", "barrier of the error (fraction)")
    legend_of(figure, panels)
    return figure


if __name__ == "__main__":
    every = gathered(Path(sys.argv[1]))
    for ending in ("png", "pdf"):
        draw(every).savefig(HERE / f"instability.{ending}")
    before, rest = (HERE / "README.md").read_text().split("<!-- instability -->\n")
    after = rest.split("<!-- end of instability -->")[1]
    told = f"<!-- instability -->\n{markdown(every)}\n<!-- end of instability -->"
    (HERE / "README.md").write_text(before + told + after)
