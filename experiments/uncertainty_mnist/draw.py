"""The table and the figures of README.md, from the runs of stage=ensemble and stage=posterior.

    python experiments/uncertainty_mnist/draw.py outputs

Writes ways.csv and both figures into its own folder, and the table into its README.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from omegaconf import OmegaConf

from mc.evaluation.uncertainty import reliability
from mc.plots.style import (
    COLUMN_WIDTH,
    CURVE,
    OTHERS,
    SEGMENT,
    SMALL,
    PaperFigure,
    dress,
    legend_of,
)

HERE = Path(__file__).parent
LISTS = {  # what ensemble.networks lists, and what it is called
    "[1]": "one network",
    "[1, 2, 3, 4, 5]": "five networks",
}
LINE = "line posterior"
EPOCHS = {"one network": 10, "five networks": 50, "FGE": 17, "SWAG": 25, LINE: 35}
SCORES = ("error", "nll", "ece", "ece_adaptive", "brier", "mutual_information", "disagreement")
APART = ("auroc", "aupr", "fpr95")
SHOWN = ("one network", "five networks", "SWAG", LINE)
LOOKS = dict(zip(EPOCHS, (SEGMENT, CURVE, *OTHERS), strict=False))


def runs(outputs: Path) -> dict[str, Path]:
    """The folder of each way to predict; of the line, at the temperature that validation likes.

    A run of FGE or SWAG is its own ensemble.
    """
    found = {}
    for folder in sorted(outputs.glob("ensemble/mnist-*")):
        networks = OmegaConf.load(folder / "config.yaml").ensemble.networks
        found[LISTS[str(list(networks))]] = folder
    for name in ("fge", "swag"):
        (found[name.upper()],) = outputs.glob(f"{name}/mnist-*")
    lines = list(outputs.glob("posterior/mnist-*"))
    found[LINE] = min(lines, key=lambda folder: summary(folder)["ensemble/valid/nll"])
    return {name: found[name] for name in EPOCHS}


def summary(folder: Path) -> dict:
    """The numbers of a run."""
    return json.loads((folder / "summary.json").read_text())


def table(found: dict[str, Path]) -> pd.DataFrame:
    """A row a way: epochs of training, and what all its networks are worth together."""
    rows = []
    for name, folder in found.items():
        own = summary(folder)
        row = {"way": name, "epochs": EPOCHS[name], "networks": own["num_members"]}
        row |= {score: own[f"ensemble/test/{score}"] for score in SCORES}
        row |= {score: own[f"ensemble/ood/{score}"] for score in APART}
        rows.append(row)
    return pd.DataFrame(rows)


def temperatures(outputs: Path) -> pd.DataFrame:
    """A row a temperature of the line."""
    rows = []
    for folder in outputs.glob("posterior/mnist-*"):
        own = summary(folder)
        row = {"temperature": OmegaConf.load(folder / "config.yaml").posterior.temperature}
        for name in ("valid/nll", "test/nll", "test/error", "test/disagreement", "ood/auroc"):
            row[name] = own[f"ensemble/{name}"]
        rows.append(row)
    return pd.DataFrame(rows).sort_values("temperature")


def entropies(found: dict[str, Path]) -> PaperFigure:
    """Densities of predictive entropy in and out, a panel a way."""
    figure = PaperFigure((2 * COLUMN_WIDTH, 3.6), layout="constrained")
    panels = figure.subplots(2, 2, sharex=True, sharey=True).ravel()
    edges = np.linspace(0, np.log(10), 36)
    names = {"entropy": ("MNIST test", CURVE), "ood_entropy": ("CIFAR-10, grey", SEGMENT)}
    for axes, name in zip(panels, SHOWN, strict=True):
        with np.load(found[name] / "uncertainty.npz") as file:
            for key, (label, look) in names.items():
                share = np.histogram(file[key], edges)[0] / len(file[key])
                style = {"color": look["color"], "linestyle": look["linestyle"]}
                axes.stairs(share, edges, label=label, linewidth=1.3, **style)
        axes.set_yscale("log")
        axes.set_title(name, fontsize=SMALL)
        below, left = name in SHOWN[2:], name in SHOWN[::2]
        dress(axes, "predictive entropy (nats)" * below, "fraction of images" if left else "")
    legend_of(figure, panels)
    return figure


def calibrations(found: dict[str, Path]) -> PaperFigure:
    """Accuracy less confidence in bins of as many images, a line a way."""
    figure = PaperFigure((COLUMN_WIDTH, 2.8), layout="constrained")
    axes = figure.subplots()
    for name, folder in found.items():
        with np.load(folder / "uncertainty.npz") as file:
            own = reliability(
                *(file[key] for key in ("confidence", "right", "weight")), adaptive=True
            )
        # Nearly all images are told with a confidence close to 1: the rest is what differs.
        style = LOOKS[name] | {"markersize": 3, "linewidth": 1.1}
        axes.plot(1 - own.confidence, own.accuracy - own.confidence, label=name, **style)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set_xscale("log")
    dress(axes, "1 - confidence", "accuracy - confidence")
    legend_of(figure, [axes])
    return figure


def markdown(frame: pd.DataFrame) -> str:
    """A table under the names of its columns."""
    lines = ["| " + " | ".join(name.replace("_", " ") for name in frame.columns) + " |"]
    lines.append("|---|" + "---:|" * (len(frame.columns) - 1))
    for row in frame.itertuples(index=False):
        cells = (v if isinstance(v, str) else f"{v:g}" if v % 1 == 0 else f"{v:.4f}" for v in row)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def write(name: str, frame: pd.DataFrame) -> None:
    """The table as a file, and in the README between its two marks."""
    frame.to_csv(HERE / f"{name}.csv", index=False)
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, rest = (HERE / "README.md").read_text().split(begin)
    text = f"{before}{begin}\n{markdown(frame)}\n{end}{rest.split(end)[1]}"
    (HERE / "README.md").write_text(text)


if __name__ == "__main__":
    there = runs(Path(sys.argv[1]))
    write("ways", table(there))
    write("temperatures", temperatures(Path(sys.argv[1])))
    for stem, figure in {"entropies": entropies(there), "calibration": calibrations(there)}.items():
        for ending in ("png", "pdf"):
            figure.savefig(HERE / f"{stem}.{ending}")
