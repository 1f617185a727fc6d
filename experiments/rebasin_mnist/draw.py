"""The table and the figure of README.md, from the runs of stage=chain and stage=align.

    python experiments/rebasin_mnist/draw.py outputs

Writes points.csv, rebasin.png and rebasin.pdf, and the table, into its own folder.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from omegaconf import OmegaConf

from mc.plots.style import COLUMN_WIDTH, PaperFigure, dress, legend_of, log_scale

HERE = Path(__file__).parent
LOOKS = {  # as they are, and how they were aligned
    "none": {"color": "#D55E00", "linestyle": (0, (4, 1.6)), "marker": "s"},
    "weights": {"color": "#0072B2", "linestyle": "-", "marker": "o"},
    "activations": {"color": "#009E73", "linestyle": "-.", "marker": "^"},
}
TITLES = {"none": "as they are", "weights": "aligned by weights"}
TITLES["activations"] = "aligned by activations"
# Test loss half-way and at the ends (Fort, dissect-git-re-basin; weight matching).
PUBLISHED = {(0.1, "none"): (0.742, 0.0789), (0.1, "weights"): (0.0884, 0.0789)}
PUBLISHED |= {(0.001, "none"): (1.69, 0.231), (0.001, "weights"): (1.19, 0.231)}


def gathered(outputs: Path) -> pd.DataFrame:
    """The points of all chains, with the rate and the method of each."""
    found = []
    for folder in sorted(outputs.glob("chain/*")):
        config = OmegaConf.load(folder / "config.yaml")
        rate, method = config.train.base.learning_rate, config.align.method
        points = pd.read_csv(folder / "points.csv").assign(learning_rate=rate, align=method)
        found.append(points)
    return pd.concat(found, ignore_index=True)


def cosines(outputs: Path) -> dict:
    """`(rate, method)` -> the cosine between the two weight vectors."""
    found = {}
    for folder in sorted(outputs.glob("align/*")):
        config = OmegaConf.load(folder / "config.yaml")
        rate = config.train.base.learning_rate
        numbers = json.loads((folder / "summary.json").read_text())
        found[rate, "none"] = numbers["cosine/before"]
        found[rate, config.align.method] = numbers["cosine/after"]
    return found


def markdown(points: pd.DataFrame, cosine: dict) -> str:
    """A row for each rate and method."""
    lines = ["| peak rate | networks | cosine | loss half-way | (published) | ends | (published) |"]
    lines.append("|---:|---|---:|---:|---:|---:|---:|")
    for rate in sorted(points.learning_rate.unique(), reverse=True):
        for method in LOOKS:
            rows = points[(points.learning_rate == rate) & (points["align"] == method)]
            middle = rows[np.isclose(rows.t, 0.5)]["test/loss"].item()
            ends = rows[rows.t.isin([0, 1])]["test/loss"].mean()
            known = PUBLISHED.get((rate, method), (None, None))
            told = ["" if value is None else f"{value:g}" for value in known]
            lines.append(
                f"| {rate:g} | {TITLES[method]} | {cosine[rate, method]:.3f} | {middle:.4f} | "
                f"{told[0]} | {ends:.4f} | {told[1]} |"
            )
    return "\n".join(lines)


def drawn(points: pd.DataFrame) -> PaperFigure:
    """Test loss along the segments, a panel a rate."""
    rates = sorted(points.learning_rate.unique(), reverse=True)
    figure = PaperFigure((2 * COLUMN_WIDTH, 2.5), layout="constrained")
    grid = figure.subplots(1, len(rates), squeeze=False).ravel()
    for axes, rate in zip(grid, rates, strict=True):
        for method, look in LOOKS.items():
            rows = points[(points.learning_rate == rate) & (points["align"] == method)]
            given = {"label": TITLES[method], "linewidth": 1.5, "markersize": 3.5, "markevery": 3}
            axes.plot(rows.t, rows["test/loss"], **given, **look)
        log_scale(axes)
        dress(axes, "t, position on the segment", "test loss, log scale")
        axes.set_title(f"peak learning rate {rate:g}", fontsize=9)
    legend_of(figure, grid)
    return figure


if __name__ == "__main__":
    runs = Path(sys.argv[1])
    table = gathered(runs)
    table.to_csv(HERE / "points.csv", index=False)
    begin, end = "<!-- results -->", "<!-- end of results -->"
    before, rest = (HERE / "README.md").read_text().split(begin)
    made = markdown(table, cosines(runs))
    (HERE / "README.md").write_text(f"{before}{begin}\n{made}\n{end}{rest.split(end)[1]}")
    for kind in ("png", "pdf"):
        drawn(table).savefig(HERE / f"rebasin.{kind}")
