"""The table and the figures of README.md, from the runs of stage=landscape.

    python experiments/landscape_cifar10/draw.py outputs

Writes views.csv and copies the maps of each run into its own folder, and the table into its README.
"""

import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from omegaconf import OmegaConf

HERE = Path(__file__).parent
NAMES = {
    ("cnn", "estimated"): "without BatchNorm",
    ("cnn_bn", "estimated"): "with BatchNorm, statistics estimated anew",
    ("cnn_bn", "fixed"): "with BatchNorm, statistics of the centre",
}
FILES = dict(zip(NAMES.values(), ("plain", "bn", "bn_fixed"), strict=True))
RADII = (0.25, 0.5, 1.0)  # of rings around the centre, in lengths of the filters


def gathered(outputs: Path) -> pd.DataFrame:
    """A row a run and pair of directions: train loss and test error at the centre and on rings."""
    rows = []
    for path in sorted(outputs.glob("landscape/cifar10-*/landscape.npz")):
        config = OmegaConf.load(path.parent / "config.yaml")
        name = NAMES[config.model._target_.rpartition(".")[2], config.landscape.batchnorm]
        with np.load(path) as file:
            arrays = dict(file)
        x, y = np.meshgrid(arrays["x"], arrays["y"])
        radius = np.hypot(x, y)
        for pair in range(len(arrays["train/loss"])):
            row = {"network": name, "directions": pair + 1}
            for metric in ("train/loss", "test/error"):
                values = arrays[metric][pair]
                row[f"{metric}, centre"] = values[radius < 1e-9].mean()
                for r in RADII:
                    row[f"{metric}, at {r:g}"] = values[np.abs(radius - r) < 0.051].mean()
            rows.append(row)
        for figure in sorted((path.parent / "figures").iterdir()):
            shutil.copy(figure, HERE / f"{FILES[name]}_{figure.name}")
    return pd.DataFrame(rows)


def markdown(table: pd.DataFrame) -> str:
    """A row a network: mean and range over the pairs of directions."""
    columns = list(table)[2:]
    lines = ["| network | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]
    for name in FILES:
        own = table[table.network == name]
        if own.empty:  # not run yet
            continue
        cells = [name]
        for column in columns:
            low, high = own[column].min(), own[column].max()
            spread = "" if high - low < 5e-4 else f" ({low:.3f} to {high:.3f})"
            cells.append(f"{own[column].mean():.3f}{spread}")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    every = gathered(Path(sys.argv[1]))
    every.to_csv(HERE / "views.csv", index=False)
    before, rest = (HERE / "README.md").read_text().split("<!-- views -->\n")
    after = rest.split("<!-- end of views -->")[1]
    told = f"<!-- views -->\n{markdown(every)}\n<!-- end of views -->"
    (HERE / "README.md").write_text(before + told + after)
