"""The table and the figure of README.md, from the predictions of stage=ensemble.

    python experiments/simplex_cifar10/compare.py outputs

Two components are averaged here: each run keeps the mean of its networks' probabilities. Writes
ways.csv, ways.png and ways.pdf into its own folder, and the table into its README.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from omegaconf import OmegaConf
from sklearn.metrics import accuracy_score, log_loss

from mc.evaluation.uncertainty import reliability
from mc.plots.style import COLUMN_WIDTH, CURVE, OTHERS, SEGMENT, PaperFigure, dress, legend_of

HERE = Path(__file__).parent
# Epochs of a network; and of a vertex, whose 4 epochs count twice, with two draws a step.
BASE, VERTEX = 16, 8
FAMILIES = {"networks": SEGMENT, "lines": CURVE, "triangles": OTHERS[0]}


def predicted(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Mean probabilities `[n, 10]` and labels `[n]` of a run."""
    with np.load(folder / "predictions.npz") as file:
        return file["mean"].astype(float), file["targets"].reshape(-1)


def runs(outputs: Path) -> dict[tuple, Path]:
    """The folder of each ensemble: `("networks", (1, 2))`, or `("lines", 1)` of a component."""
    found = {}
    for folder in outputs.glob("ensemble/cifar10-*"):
        config = OmegaConf.load(folder / "config.yaml")
        if config.ensemble.networks:
            found["networks", tuple(config.ensemble.networks)] = folder
        else:
            name = {1: "lines", 2: "triangles"}[config.num_bends]
            found[name, config.endpoints[0]] = folder
    return found


def table(found: dict[tuple, Path]) -> pd.DataFrame:
    """A row a family and number of components."""
    rows = []
    for count in range(1, 5):
        own = [found["networks", tuple(range(1, count + 1))]]
        rows.append({"family": "networks", "components": count, "epochs": BASE * count} | of(own))
    for extra, name in ((1, "lines"), (2, "triangles")):
        for count in (1, 2):
            own = [found[name, seed] for seed in range(1, count + 1)]
            epochs = (BASE + VERTEX * extra) * count
            rows.append({"family": name, "components": count, "epochs": epochs} | of(own))
    return pd.DataFrame(rows)


def of(folders: list[Path]) -> dict[str, float]:
    """Scores of the mean of the probabilities of some runs."""
    parts = [predicted(folder) for folder in folders]
    mean, labels = np.mean([p for p, _ in parts], axis=0), parts[0][1]
    told = mean.argmax(-1)
    right = (told == labels).astype(float)
    return {
        "test error": 1 - accuracy_score(labels, told),
        "test nll": log_loss(labels, mean / mean.sum(-1, keepdims=True)),
        "test ece": reliability(np.minimum(mean.max(-1), 1.0), right).error,
    }


def draw(rows: pd.DataFrame) -> PaperFigure:
    """Error and nll against what was trained, a line a family."""
    figure = PaperFigure((2 * COLUMN_WIDTH, 2.6), layout="constrained")
    panels = figure.subplots(1, 2)
    for axes, score in zip(panels, ("test error", "test nll"), strict=True):
        for family, look in FAMILIES.items():
            own = rows[rows.family == family]
            axes.plot(own.epochs, own[score], label=family, **look)
        axes.set_xticks([16, 32, 48, 64])
        dress(axes, "epochs of gradients", score + " (fraction)" * (score == "test error"))
    legend_of(figure, panels)
    return figure


def markdown(rows: pd.DataFrame) -> str:
    """The table of the page."""
    lines = ["| " + " | ".join(rows.columns) + " |", "|---|" + "---:|" * (len(rows.columns) - 1)]
    for row in rows.itertuples(index=False):
        cells = (f"{v:.4f}" if isinstance(v, float) else f"{v}" for v in row)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    made = table(runs(Path(sys.argv[1])))
    made.to_csv(HERE / "ways.csv", index=False)
    for ending in ("png", "pdf"):
        draw(made).savefig(HERE / f"ways.{ending}")
    begin, end = "<!-- ways -->", "<!-- end of ways -->"
    before, rest = (HERE / "README.md").read_text().split(begin)
    text = f"{before}{begin}\n{markdown(made)}\n{end}{rest.split(end)[1]}"
    (HERE / "README.md").write_text(text)
