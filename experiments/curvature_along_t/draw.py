"""The table and the figure of README.md, from the three runs of stage=hessian.

    python experiments/curvature_along_t/draw.py outputs

Writes curvature.csv, curvature.png and curvature.pdf into its own folder, and the table into its
README.
"""

import sys
from pathlib import Path

import pandas as pd
from omegaconf import OmegaConf

from mc.plots.style import (
    COLUMN_WIDTH,
    CURVE,
    OTHERS,
    SEGMENT,
    PaperFigure,
    dress,
    legend_of,
    log_scale,
)

HERE = Path(__file__).parent
LOOKS = {"straight segment": SEGMENT, "Bezier": CURVE, "AutoNEB": OTHERS[0]}
COLUMNS = {"train/nll": "nll", "largest_1": "largest eigenvalue", "trace": "trace"}
SPREADS = ("at the ends, mean", "mean", "max")


def gathered(outputs: Path) -> pd.DataFrame:
    """A row a place: path, t, the nll, and what is of its Hessian."""
    parts = []
    for path in sorted(outputs.glob("hessian/digits-*/curvature.csv")):
        config = OmegaConf.load(path.parent / "config.yaml")
        way = "AutoNEB" if config.train.curve.method == "autoneb" else "Bezier"
        way = "straight segment" if config.hessian.path == "linear" else way
        parts.append(pd.read_csv(path).assign(path=way))
    return pd.concat(parts)[["path", "t", *COLUMNS, "smallest_1", "trace_error"]]


def markdown(table: pd.DataFrame) -> str:
    """A row a path: of each number its mean at both ends, its mean and its largest value."""
    head = ["", *(f"{name}, {how}" for name in COLUMNS.values() for how in SPREADS)]
    lines = ["| " + " | ".join([*head, "smallest eigenvalue"]) + " |"]
    lines.append("|---|" + "---:|" * len(head))
    for way in LOOKS:
        own = table[table["path"] == way]
        cells = [way]
        for column in COLUMNS:
            ends = own[own.t.isin([0.0, 1.0])][column].mean()
            cells += [f"{v:.3g}" for v in (ends, own[column].mean(), own[column].max())]
        lines.append("| " + " | ".join([*cells, f"{own.smallest_1.min():.2g}"]) + " |")
    return "\n".join(lines)


def draw(table: pd.DataFrame) -> PaperFigure:
    """A panel a number, a line a path."""
    figure = PaperFigure((2 * COLUMN_WIDTH, 2.4), layout="constrained")
    panels = figure.subplots(1, len(COLUMNS))
    for axes, (column, label) in zip(panels, COLUMNS.items(), strict=True):
        for way, look in LOOKS.items():
            own = table[table["path"] == way]
            axes.plot(own.t, own[column], label=way, markersize=3.5, linewidth=1.5, **look)
        log_scale(axes)
        dress(axes, "t, position on the path", f"{label} (log)")
    legend_of(figure, panels)
    return figure


if __name__ == "__main__":
    every = gathered(Path(sys.argv[1]))
    every.to_csv(HERE / "curvature.csv", index=False)
    for ending in ("png", "pdf"):
        draw(every).savefig(HERE / f"curvature.{ending}")
    before, rest = (HERE / "README.md").read_text().split("<!-- curvature -->\n")
    after = rest.split("<!-- end of curvature -->")[1]
    told = f"<!-- curvature -->\n{markdown(every)}\n<!-- end of curvature -->"
    (HERE / "README.md").write_text(before + told + after)
