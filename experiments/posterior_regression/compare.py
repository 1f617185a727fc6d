"""The tables and figures of README.md: posteriors of one curve, and a deep ensemble.

    python experiments/posterior_regression/compare.py data.npy outputs

Reads four base networks, the curve and the snapshots of stage=swag below `outputs`. Writes
plane.csv, predictions.csv and both figures into its own folder, and the tables into its README.
"""

import sys
import time
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

import mc
from mc import datasets
from mc.ensembles.swag import Swag
from mc.evaluation import mixtures
from mc.evaluation.mixtures import Mixture
from mc.plots.planes import COLOURS
from mc.plots.style import (
    COLUMN_WIDTH,
    CURVE,
    NETWORK,
    SEGMENT,
    SMALL,
    PaperFigure,
    dress,
    legend_of,
)
from mc.posteriors import predictions

HERE = Path(__file__).parent
NOISE = 0.05**0.5  # deviation of the noise that the published notebooks suppose
CELLS, BINS = 200, 20
TEMPERATURES = (0.75, 10.0)
BAND = np.linspace(-10, 10, 400, dtype=np.float32)
NAMES = ("four networks", "line", "plane of the curve", "principal components")


def only(pattern: str) -> Path:
    """The one file of a pattern below the folder of outputs."""
    (found,) = sorted(Path(sys.argv[2]).glob(pattern))
    return found


def read() -> tuple:
    """Data as arrays `(x, y)` of network inputs, the curve, four networks, and snapshots."""
    data = datasets.make_data(datasets.regression(sys.argv[1]))
    splits = {name: (s.inputs(s.x).numpy(), s.y) for name, s in data.splits.items()}
    bases = sorted(Path(sys.argv[2]).glob("base/regression-mlp-seed[1-4]-*/model.keras"))
    networks = [keras.models.load_model(path) for path in bases]
    curve = mc.load_curve(only("curve/*/curve.npz"), networks[0])
    with np.load(only("swag/*/swag.npz")) as file:
        swag = Swag.of_state(dict(file))
    x = {name: split.x for name, split in data.splits.items()}
    return data, x, splits, curve, networks, swag


def plane(curve: mc.CurveModel, train: tuple, temperature: float) -> tuple[dict, dict]:
    """Slice samples of the curve's plane, and what they are worth beside exact quadrature."""
    given = {"data": train, "subspace": "curve", "noise_std": NOISE, "loss": "mse"}
    given |= {"temperature": temperature, "prior_std": 1.0}
    began = time.monotonic()
    drawn = mc.posterior(curve, chains=16, samples=5000, burn_in=1000, seed=1, **given)
    seconds = time.monotonic() - began
    z = drawn.samples.reshape(-1, 2)
    low, high = z.min(0) - 0.3, z.max(0) + 0.3
    box = list(zip(low, high, strict=True))
    exact = mc.posterior(curve, sampler="quadrature", box=box, cells=CELLS, samples=1, **given)
    row = {"temperature": temperature, "evaluations": drawn.evaluations, "seconds": seconds}
    for k in range(2):
        edges = np.linspace(low[k], high[k], BINS + 1)
        sampled = np.histogram(z[:, k], edges)[0] / len(z)
        expected = np.histogram(exact.grid.axes[k], edges, weights=exact.grid.marginal(k))[0]
        row[f"total_variation_z{k + 1}"] = 0.5 * np.abs(sampled - expected).sum()
        row[f"r_hat_z{k + 1}"] = drawn.r_hat[k]
        row[f"effective_sample_size_z{k + 1}"] = drawn.effective_sample_size[k]
    likelihood = (
        exact.grid.log_density - exact.subspace.log_prior(exact.grid.points).reshape((CELLS, CELLS))
    ) * temperature
    count = len(train[1])
    mse = -2 * NOISE**2 * (likelihood / count + np.log(NOISE * np.sqrt(2 * np.pi)))
    t = np.linspace(0, 1, 101)
    path = drawn.subspace.nearest(np.asarray(curve.family.coefficients(t.astype(np.float32))))
    return row, {"grid": exact.grid, "mse": mse, "z": z, "path": path}


def draw_planes(shown: dict[float, dict]) -> PaperFigure:
    """The loss of the plane, the exact posterior on it, and samples, a panel a temperature."""
    figure = PaperFigure((2 * COLUMN_WIDTH, 3.4), layout="constrained")
    panels = figure.subplots(1, len(shown))
    levels = np.geomspace(0.002, 2, 13)
    for axes, (temperature, of) in zip(panels, shown.items(), strict=True):
        one, two = of["grid"].axes
        mse = np.clip(of["mse"].T, levels[0], levels[-1])
        filled = axes.contourf(one, two, mse, levels, norm="log", cmap=COLOURS)
        shares = of["grid"].probabilities
        ordered = np.sort(shares.ravel())[::-1]
        bounds = [ordered[np.searchsorted(np.cumsum(ordered), part)] for part in (0.99, 0.5)]
        axes.contour(one, two, shares.T, bounds, colors="black", linewidths=0.8)
        axes.plot([], [], color="black", linewidth=0.8, label="exact, 50 % and 99 %")
        chosen = of["z"][:: len(of["z"]) // 1000]
        look = {"s": 4, "linewidths": 0, "alpha": 0.6, "color": SEGMENT["color"]}
        axes.scatter(chosen[:, 0], chosen[:, 1], label="slice samples", **look)
        axes.plot(*of["path"].T, color="0.35", linewidth=1.4, linestyle="--", label="curve")
        axes.plot(*of["path"][[0, -1]].T, label="networks", **NETWORK)
        axes.set_xlim(one[0], one[-1])
        axes.set_ylim(two[0], two[-1])
        dress(axes, "$z_1$", "$z_2$")
        axes.set_title(f"temperature {temperature:g}", fontsize=SMALL)
    bar = figure.colorbar(filled, ax=panels, format="%.3g")
    bar.set_label("train MSE", fontsize=SMALL)
    bar.ax.tick_params(labelsize=SMALL)
    legend_of(figure, panels)
    return figure


def of_networks(networks: list, x: np.ndarray) -> Mixture:
    """What a deep ensemble predicts, with the noise that is supposed."""
    means = np.stack([network.predict(x, verbose=0) for network in networks])
    return Mixture(means, np.full_like(means, NOISE))


def compared(curve, train, networks, swag) -> dict:
    """Of each way to predict, a function of inputs that gives its mixture."""
    given = {"data": train, "noise_std": NOISE, "loss": "mse", "seed": 1}
    drawn = {
        "line": mc.posterior(curve, subspace="line", temperature=1.0, samples=100, **given),
        "plane of the curve": mc.posterior(
            curve, subspace="curve", temperature=0.75, chains=16, samples=2000, burn_in=500, **given
        ),
        "principal components": mc.posterior(
            curve,
            subspace="pca",
            dim=10,
            snapshots=swag,
            prior_std=5.0,
            temperature=1.5,
            chains=16,
            samples=2000,
            burn_in=500,
            **given,
        ),
    }
    found = {"four networks": lambda x: of_networks(networks, x)}
    for name, own in drawn.items():
        print(name, "R-hat", own.r_hat.max(), "evaluations", own.evaluations)
        found[name] = lambda x, own=own: predictions.mixture(own.density, own.members(100), x)
    return found


def draw_bands(data, x: dict, ways: dict) -> PaperFigure:
    """The central 95 % of what is predicted, a panel a way, over the data."""
    figure = PaperFigure((2 * COLUMN_WIDTH, 4.2), layout="constrained")
    panels = figure.subplots(2, 2, sharex=True, sharey=True).ravel()
    inputs = data.train.inputs(BAND[:, np.newaxis]).numpy()
    for axes, name in zip(panels, NAMES, strict=True):
        mixture = ways[name](inputs)
        low, high = mixture.interval()
        look = {"color": CURVE["color"], "linewidth": 0}
        axes.fill_between(BAND, low[:, 0], high[:, 0], alpha=0.2, label="central 95 %", **look)
        spread = np.quantile(mixture.means[..., 0], (0.025, 0.975), axis=0)
        axes.fill_between(BAND, *spread, alpha=0.4, label="95 % of the functions", **look)
        axes.plot(BAND, mixture.mean[:, 0], color=CURVE["color"], label="mean")
        points = {"s": 4, "linewidths": 0, "color": "0.25"}
        axes.scatter(x["train"][:, 0], data.train.y[:, 0], label="train data", **points)
        axes.set_xlim(BAND[0], BAND[-1])
        axes.set_title(name, fontsize=SMALL)
        outer: Axes = axes
        dress(outer, "x" if name in NAMES[2:] else "", "y" if name in NAMES[::2] else "")
    panels[0].set_ylim(-3, 3.5)
    legend_of(figure, panels)
    return figure


def markdown(table: pd.DataFrame) -> str:
    """A table of numbers under their names."""
    lines = ["| " + " | ".join(table.columns).replace("_", " ") + " |"]
    lines.append("|---|" + "---:|" * (len(table.columns) - 1))
    for row in table.itertuples(index=False):
        cells = (v if isinstance(v, str) else f"{v:.0f}" if v > 100 else f"{v:.3f}" for v in row)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def write(name: str, table: pd.DataFrame) -> None:
    """The table as a file, and in the README between its two marks."""
    table.to_csv(HERE / f"{name}.csv", index=False)
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, rest = (HERE / "README.md").read_text().split(begin)
    text = f"{before}{begin}\n{markdown(table)}\n{end}{rest.split(end)[1]}"
    (HERE / "README.md").write_text(text)


def save(name: str, figure: PaperFigure) -> None:
    """As PNG and PDF."""
    for ending in ("png", "pdf"):
        figure.savefig(HERE / f"{name}.{ending}")


if __name__ == "__main__":
    data, x, splits, curve, networks, swag = read()
    found = {t: plane(curve, splits["train"], t) for t in TEMPERATURES}
    write("plane", pd.DataFrame([row for row, _ in found.values()]))
    save("plane", draw_planes({t: shown for t, (_, shown) in found.items()}))
    ways = compared(curve, splits["train"], networks, swag)
    rows = [
        {"way": name} | mixtures.scores(splits["test"][1], ways[name](splits["test"][0]))
        for name in NAMES
    ]
    write("predictions", pd.DataFrame(rows))
    save("bands", draw_bands(data, x, ways))
