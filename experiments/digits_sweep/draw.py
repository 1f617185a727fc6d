"""Draw maximum test error and barrier against num_bends, and write the table, from results.csv.

    python experiments/digits_sweep/draw.py outputs/results.csv

The straight segment is the curve without bends. Error bars: standard deviation over endpoints.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from mc.lab.report.tables import mean, std
from mc.plots.style import (
    COLUMN_WIDTH,
    CURVE,
    LOOKS,
    OTHERS,
    PaperFigure,
    dress,
    legend_of,
    log_scale,
)

PAGE = Path(__file__).parent
METRICS = {
    "test/error/max": "maximum test error (fraction)",
    "test/error/barrier_max": "test error barrier (fraction)",
    "train/nll/barrier_max": "train nll barrier",
}
FAMILIES = {"mc.curves.Bezier": "Bezier", "mc.curves.PolyChain": "PolyChain"}
STRAIGHT = "straight segment"
STYLES = {STRAIGHT: LOOKS[STRAIGHT], "Bezier": CURVE, "PolyChain": OTHERS[0]}


def gathered(results: Path) -> pd.DataFrame:
    """A row a metric, family and number of bends: `mean` and `std` over the pairs of endpoints.

    The curve without bends is the straight segment, and no family's.
    """
    runs = pd.read_csv(results, low_memory=False).query("stage == 'eval'")
    rows = []
    for target, family in FAMILIES.items():
        own = runs[runs["curve._target_"] == target]
        straight = [0] if family == "Bezier" else []
        for bends in (*straight, *sorted(own["curve.num_bends"].unique())):
            of = own if bends else own.drop_duplicates("endpoints")
            of = of[of["curve.num_bends"] == bends] if bends else of
            for metric in METRICS:
                values = of[f"{'curve' if bends else 'linear'}/{metric}"]
                name = family if bends else STRAIGHT
                row = {"metric": metric, "family": name, "num_bends": int(bends)}
                rows.append(row | {"mean": mean(values), "std": std(values), "runs": len(of)})
    return pd.DataFrame(rows)


def draw(table: pd.DataFrame) -> PaperFigure:
    """A panel a metric, a line a family."""
    figure = PaperFigure((COLUMN_WIDTH * 2, 2.5), layout="constrained")
    grid = figure.subplots(1, len(METRICS))
    for axes, (metric, label) in zip(grid, METRICS.items(), strict=True):
        for i, (family, style) in enumerate(STYLES.items()):
            rows = table[(table.metric == metric) & (table.family == family)]
            low = (rows["mean"] - rows["std"]).clip(lower=rows["mean"] / 4)  # none below zero
            bars = np.stack([rows["mean"] - low, rows["std"]])
            shifted = rows["num_bends"] + (0, -0.06, 0.06)[i]
            style = style | {"markersize": 4, "capsize": 2, "elinewidth": 0.8}
            axes.errorbar(shifted, rows["mean"], bars, label=family, **style)
        log_scale(axes)
        axes.set_xticks(range(4))
        dress(axes, "num_bends (0: straight)", label)
    legend_of(figure, grid)
    return figure


def markdown(table: pd.DataFrame) -> str:
    """The table of the page: mean and standard deviation."""
    lines = ["| family | num_bends | " + " | ".join(METRICS.values()) + " |"]
    lines.append("|---|---:|" + "---:|" * len(METRICS))
    for (family, bends), rows in table.groupby(["family", "num_bends"], sort=False):
        by = rows.set_index("metric")
        cells = (f"{by.loc[m, 'mean']:.4f} ± {by.loc[m, 'std']:.4f}" for m in METRICS)
        lines.append(f"| {family} | {bends} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    made = gathered(Path(sys.argv[1]))
    for ending in ("png", "pdf"):
        draw(made).savefig(PAGE / f"bends.{ending}")
    readme = PAGE / "README.md"
    before, rest = readme.read_text().split("<!-- results -->")
    after = rest.split("<!-- end of results -->")[1]
    readme.write_text(f"{before}<!-- results -->\n{markdown(made)}\n<!-- end of results -->{after}")
