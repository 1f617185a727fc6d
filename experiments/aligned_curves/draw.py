"""The table and the figure of README.md, from the runs of stage=eval.

    python experiments/aligned_curves/draw.py outputs

Several folders may be given, and the points.csv of runs whose folder is no more.
Writes points.csv, aligned_curves.png and aligned_curves.pdf, and the table, into its own folder.
"""

import sys
from pathlib import Path

import pandas as pd
from omegaconf import OmegaConf

from mc.plots.style import COLUMN_WIDTH, PaperFigure, dress

HERE = Path(__file__).parent
# What is shown of a path of a run: `(path, align, epochs of the curve)`.
SHOWN = {
    ("linear", "none", 10): "segment, as they are",
    ("linear", "activations", 10): "segment, aligned",
    ("repaired", "none", 10): "segment, repaired",
    ("repaired", "activations", 10): "segment, aligned and repaired",
    ("curve", "none", 10): "curve, as they are",
    ("curve", "activations", 10): "curve, aligned",
    ("curve", "activations", 3): "curve, aligned, 3 epochs",
}
LOOKS = {
    "segment, as they are": {"color": "#E69F00", "linestyle": ":", "marker": "D"},
    "segment, aligned": {"color": "#D55E00", "linestyle": (0, (4, 1.6)), "marker": "s"},
    "segment, aligned and repaired": {"color": "#009E73", "linestyle": (0, (8, 2)), "marker": "v"},
    "curve, as they are": {"color": "#000000", "linestyle": "-.", "marker": "X"},
    "curve, aligned": {"color": "#0072B2", "linestyle": "-", "marker": "o"},
    "curve, aligned, 3 epochs": {
        **{"color": "#56B4E9", "linestyle": (0, (5, 1, 1, 1)), "marker": "^"}
    },
}
KINDS = {False: "without BatchNorm", True: "with BatchNorm"}
COLUMNS = ["t", "train/loss", "train/nll", "test/loss", "test/error"]


def gathered(outputs: Path) -> pd.DataFrame:
    """The points of all evaluations, with what tells the runs apart."""
    found = []
    for folder in sorted(path.parent for path in outputs.glob("eval/*/summary.json")):
        config = OmegaConf.load(folder / "config.yaml")
        points = pd.read_csv(folder / "points.csv")
        keys = zip(points["path"], strict=False)
        told = {
            "batchnorm": bool(config.model.get("batch_norm", False)),
            "pair": "-".join(map(str, config.endpoints)),
            "what": [
                SHOWN.get((path, config["align"].method, config.train.curve.epochs))
                for (path,) in keys
            ],
        }
        found.append(points[COLUMNS].assign(**told))
    return pd.concat(found, ignore_index=True).dropna(subset="what")


def markdown(points: pd.DataFrame) -> str:
    """Means over the pairs, and the range over these, of the worst network on each path."""
    lines = [
        "| networks | path | largest train loss | smallest test accuracy | mean test accuracy |"
    ]
    lines.append("|---|---|---:|---:|---:|")
    for kind, name in KINDS.items():
        of_kind = points[points.batchnorm == kind]
        for what in SHOWN.values():
            pairs = of_kind[of_kind.what == what].groupby("pair")
            if not len(pairs):
                continue
            worst = pairs["train/loss"].max()
            least, mean = 1 - pairs["test/error"].max(), 1 - pairs["test/error"].mean()
            lines.append(f"| {name} | {what} | {_told(worst)} | {_told(least)} | {_told(mean)} |")
    return "\n".join(lines)


def _told(values: pd.Series) -> str:
    return f"{values.mean():.3f} ({values.min():.3f} to {values.max():.3f})"


def drawn(points: pd.DataFrame) -> PaperFigure:
    """Test error along the paths, means over the pairs, a panel a kind of network."""
    figure = PaperFigure((2 * COLUMN_WIDTH, 3.0), layout="constrained")
    kinds = {kind: name for kind, name in KINDS.items() if (points.batchnorm == kind).any()}
    grid = figure.subplots(1, len(kinds), sharey=True, squeeze=False).ravel()
    for axes, (kind, name) in zip(grid, kinds.items(), strict=True):
        for what, look in LOOKS.items():
            rows = points[(points.batchnorm == kind) & (points.what == what)]
            mean = rows.groupby("t")["test/error"].mean()
            if len(mean):
                axes.plot(mean.index, mean, label=what, linewidth=1.5, markersize=3.5, **look)
        dress(axes, "t, position on the path", "test error" if axes is grid[0] else "")
        axes.set_title(name, fontsize=9)
    given = {"loc": "outside upper center", "ncols": 3, "fontsize": 8, "frameon": False}
    figure.legend(*grid[0].get_legend_handles_labels(), handlelength=2.8, **given)
    return figure


if __name__ == "__main__":
    sources = [Path(given) for given in sys.argv[1:]]
    table = pd.concat(
        [pd.read_csv(s) if s.suffix == ".csv" else gathered(s) for s in sources], ignore_index=True
    )
    table.to_csv(HERE / "points.csv", index=False)
    begin, end = "<!-- results -->", "<!-- end of results -->"
    before, rest = (HERE / "README.md").read_text().split(begin)
    made = markdown(table)
    (HERE / "README.md").write_text(f"{before}{begin}\n{made}\n{end}{rest.split(end)[1]}")
    for file in ("png", "pdf"):
        drawn(table).savefig(HERE / f"aligned_curves.{file}")
