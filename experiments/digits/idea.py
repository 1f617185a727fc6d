"""Draw the idea: two minima, the wall between them, and the curve round it, all as measured.

    python experiments/digits/idea.py outputs/plane/NAME outputs/eval/NAME experiments/digits

The first folder holds the plane, the second the metrics along the curve and the straight segment.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.patheffects import withStroke

from mc.plots.style import COLUMN_WIDTH, LOOKS, SMALL, TEXT, PaperFigure, dress

CURVE, SEGMENT = LOOKS["curve"]["color"], LOOKS["straight segment"]["color"]
LEVELS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4)
HALO = [withStroke(linewidth=2.5, foreground="white")]


def landscape(axes, plane) -> None:
    """The train loss on the plane through the curve's control points, and both paths in it."""
    filled = axes.contourf(
        plane["x"], plane["y"], np.log2(plane["train/loss"]), np.log2(LEVELS),
        cmap="Greys", vmax=5, extend="max",
    )  # fmt: skip
    bar = axes.figure.colorbar(filled, ax=axes, pad=0.02, ticks=np.log2(LEVELS))
    bar.ax.set_yticklabels([f"{level:g}" for level in LEVELS], fontsize=SMALL)
    bar.set_label("train loss", fontsize=TEXT)
    (start, _, end), curve = plane["corners"], plane["curve"]
    axes.plot(*curve.T, color=CURVE, linewidth=2.4)
    axes.plot(*np.stack([start, end]).T, color=SEGMENT, linewidth=2, linestyle="--")
    axes.plot(*np.stack([start, end]).T, "o", color="black", markersize=7)
    middle = (start + end) / 2
    told = {"ha": "center", "fontsize": TEXT, "path_effects": HALO}
    axes.text(*curve[30] + [0, 0.55], "the curve", color=CURVE, **told)
    axes.text(*middle - [0, 1.0], "the wall", color=SEGMENT, **told)
    for name, at in (("network 1", start), ("network 2", end)):
        axes.text(*at - [0, 1.4], name, color="black", **told)
    dress(axes, "distance in weight space, along the segment", "distance across it")
    axes.grid(False)


def along(axes, points) -> None:
    """The test error along both paths."""
    for path, color, line in (("curve", CURVE, "-"), ("linear", SEGMENT, "--")):
        rows = points[points["path"] == path]
        axes.plot(rows["t"], rows["test/error"], line, color=color, linewidth=2)
    axes.text(0.87, 0.06, "the curve", color=CURVE, ha="center", fontsize=TEXT)
    axes.text(0.62, 0.55, "straight\nsegment", color=SEGMENT, fontsize=TEXT)
    dress(axes, "t, position on the path", "test error (fraction)")


def main(plane: Path, evaluation: Path, page: Path) -> None:
    """Write `idea.png` and `idea.pdf` into the folder `page`."""
    figure = PaperFigure((2 * COLUMN_WIDTH, 2.3), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1.75, 1])
    with np.load(plane / "plane.npz") as arrays:
        landscape(left, arrays)
    along(right, pd.read_csv(evaluation / "points.csv"))
    for ending in ("png", "pdf"):
        figure.savefig(page / f"idea.{ending}")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
