"""The table and the figure of README.md, from the runs of stage=posterior and stage=ensemble.

    python experiments/posterior_uci/draw.py outputs

Writes runs.csv, lppd.png and lppd.pdf into its own folder, and the table into its README.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from omegaconf import OmegaConf

from mc.plots.style import COLUMN_WIDTH, CURVE, OTHERS, SEGMENT, PaperFigure, dress, legend_of

HERE = Path(__file__).parent
SCORES = ("lppd", "rmse", "coverage", "interval_width")
# Test LPPD with K = 20 and 100,000 steps (Dold et al. 2025, notebook uci), along the line.
PUBLISHED = {"airfoil": 0.386, "concrete": 0.060, "energy": 1.831, "yacht": 1.484}
ENSEMBLE = "five networks"
WAYS = {  # what it is called, and its look
    ENSEMBLE: SEGMENT,
    "line, 1 bend": OTHERS[0],
    "hull, 1 bend": OTHERS[1],
    "line, 19 bends": CURVE,
    "hull, 19 bends": OTHERS[2],
    "line, 19 bends, 100,000 steps": OTHERS[4],
    "line, 19 bends, last epoch": OTHERS[3],
}
COLUMNS = list(WAYS)


def gathered(outputs: Path) -> pd.DataFrame:
    """A row a run: data, split, way, and its scores on the test data."""
    rows = []
    for path in sorted(outputs.glob("*/table-*/summary.json")):
        config = OmegaConf.load(path.parent / "config.yaml")
        if config.stage not in ("ensemble", "posterior"):
            continue
        own = json.loads(path.read_text())
        row = {"data": Path(config.dataset.path).stem, "split": config.dataset.split_seed}
        row["way"] = ENSEMBLE if config.stage == "ensemble" else way_of(config)
        row |= {score: own[f"ensemble/test/{score}"] for score in SCORES}
        row["temperature"] = config.posterior.temperature if row["way"] != ENSEMBLE else np.nan
        row |= {"valid_lppd": own["ensemble/valid/lppd"], "r_hat": own.get("r_hat/max", np.nan)}
        rows.append(row)
    return pd.DataFrame(rows).sort_values(["data", "way", "split", "temperature"])


def chosen(runs: pd.DataFrame) -> pd.DataFrame:
    """Of each data set, split and way the run at the temperature that validation likes best."""
    best = runs.groupby(["data", "split", "way"])["valid_lppd"].idxmax()
    return runs.loc[best]


def way_of(config: OmegaConf) -> str:
    """The name in `WAYS` of a posterior."""
    bends = config.num_bends
    name = f"{config.posterior.subspace}, {bends} bend{'s' * (bends > 1)}"
    name += ", last epoch" * (not config.train.curve.best)
    return name + ", 100,000 steps" * (config.train.curve.epochs == 200)


def markdown(runs: pd.DataFrame, score: str) -> str:
    """Mean and standard deviation over the splits, a row a data set."""
    published = score == "lppd"
    head = ["data", *COLUMNS, *(["published"] if published else [])]
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    for data in PUBLISHED:
        cells = [data]
        for way in COLUMNS:
            own = runs[(runs.data == data) & (runs.way == way)][score]
            spread = f" ± {own.std():.3f}" if len(own) > 1 else ""
            cells.append(f"{own.mean():.3f}{spread}" if len(own) else "")
        lines.append("| " + " | ".join(cells + [f"{PUBLISHED[data]:.3f}"] * published) + " |")
    return "\n".join(lines)


def draw(runs: pd.DataFrame) -> PaperFigure:
    """LPPD of every split, a panel a data set."""
    figure = PaperFigure((2 * COLUMN_WIDTH, 3.0), layout="constrained")
    panels = figure.subplots(1, len(PUBLISHED))
    for axes, (data, published) in zip(panels, PUBLISHED.items(), strict=True):
        for place, (way, look) in enumerate(WAYS.items()):
            values = runs[(runs.data == data) & (runs.way == way)].lppd
            style = {"color": look["color"], "marker": look["marker"], "linestyle": "none"}
            axes.plot([place] * len(values), values, markersize=4, label=way, **style)
        axes.axhline(published, color="0.4", linewidth=0.9, linestyle=":", label="published")
        axes.set_xticks([])
        axes.set_xlim(-0.7, len(WAYS) - 0.3)
        dress(axes, data, "test LPPD" * (data == "airfoil"))
    legend_of(figure, panels)
    return figure


if __name__ == "__main__":
    every = gathered(Path(sys.argv[1]))
    every.to_csv(HERE / "runs.csv", index=False)
    found = chosen(every)
    for ending in ("png", "pdf"):
        draw(found).savefig(HERE / f"lppd.{ending}")
    text = (HERE / "README.md").read_text()
    for score in SCORES[:3]:
        begin, end = f"<!-- {score} -->", f"<!-- end of {score} -->"
        before, rest = text.split(begin)
        text = f"{before}{begin}\n{markdown(found, score)}\n{end}{rest.split(end)[1]}"
    (HERE / "README.md").write_text(text)
