"""Deep narrow networks on MNIST, joined by a straight segment: as they are, aligned, repaired.

    python experiments/repair_depth/repair_depth.py

Writes points.csv, the figure, and the table of README.md, into its own folder. Networks have 128
units a hidden layer, and are trained twice each, from seeds 1 and 2: with BatchNorm, which is then
folded into the dense layers, or without it.
"""

from pathlib import Path

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from keras import layers

import mc
from mc.datasets import tfds_images
from mc.plots.style import COLUMN_WIDTH, PaperFigure, dress, looks

HERE = Path(__file__).parent
WIDTH, BATCH, EPOCHS, WARM_UP, RATE = 128, 1000, 50, 5, 0.05
MEAN, DEVIATION = 33.32, 78.58  # of all pixels
NETWORKS = ((2, True), (11, True), (7, False))  # hidden layers, and whether BatchNorm is trained
NAMES = {"as they are": "unaligned", "aligned": "aligned", "aligned, repaired": "repaired"}
PUBLISHED = {  # test accuracy at the ends, and half-way: as they are, aligned, repaired
    (2, True): (0.9807, 0.396, 0.9682, 0.9751),
    (11, True): (0.9825, 0.097, 0.8118, 0.9531),
    (7, False): (0.965, None, 0.717, 0.830),
}


class UpAndDown(keras.optimizers.schedules.LearningRateSchedule):
    """From 0 up to `RATE` in `WARM_UP` epochs, and down to 0 at the end; straight lines."""

    def __init__(self, steps_per_epoch):
        self.peak, self.end = WARM_UP * steps_per_epoch, EPOCHS * steps_per_epoch

    def __call__(self, step):
        """The rate of a step."""
        step = keras.ops.cast(step, "float32")
        return RATE * keras.ops.minimum(
            step / self.peak, (self.end - step) / (self.end - self.peak)
        )


def dense(x, units):
    """A dense layer with PyTorch's initial weights: uniform within 1/sqrt(inputs)."""
    low = keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform")
    bound = x.shape[-1] ** -0.5
    biases = keras.initializers.RandomUniform(-bound, bound)
    return layers.Dense(units, kernel_initializer=low, bias_initializer=biases)(x)


def network(depth, normalized):
    """Flat pixels, `depth` hidden layers of ReLU, ten logits."""
    x = inputs = keras.Input((784,))
    for _ in range(depth):
        x = dense(x, WIDTH)
        x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x) if normalized else x
        x = layers.ReLU()(x)
    return keras.Model(inputs, dense(x, 10))


def folded(trained):
    """The network without BatchNorm that computes the same: W g / s, (b - m) g / s + beta."""
    kinds = layers.Dense, layers.BatchNormalization
    dense, norms = ([x for x in trained.layers if isinstance(x, kind)] for kind in kinds)
    made = network(len(dense) - 1, False)
    weights = []
    for i, layer in enumerate(dense):
        kernel, bias = map(np.asarray, layer.weights)
        if i < len(norms):
            gamma, beta, mean, variance = map(np.asarray, norms[i].weights)
            factor = gamma / np.sqrt(variance + norms[i].epsilon)
            kernel, bias = kernel * factor, (bias - mean) * factor + beta
        weights += [kernel, bias]
    made.set_weights(weights)
    return made


def trained(depth, normalized, seed, x, y, loss):
    """A network after its training."""
    keras.utils.set_random_seed(seed)
    made = network(depth, normalized)
    steps = -(-len(x) // BATCH)
    made.compile(keras.optimizers.SGD(UpAndDown(steps), momentum=0.9), loss)
    made.fit(x, y, batch_size=BATCH, epochs=EPOCHS, verbose=0)
    return folded(made) if normalized else made


def segments(a, b, train, test, loss):
    """Test accuracy along the segments between two networks; a row a point."""
    options = {"curve": "linear", "num_bends": 0}
    given = {"train": batches(*train), "test": test, "loss": loss, "num_points": 11}
    aligned, _ = mc.align(a, b, "activations", data=batches(*train))
    plain = mc.evaluate(mc.connect(a, b, **options), **given)
    both = mc.evaluate(mc.connect(a, aligned, **options), **given, repair=True)
    tables = {"as they are": plain[plain["path"] == "linear"]}
    tables["aligned"] = both[both["path"] == "linear"]
    tables["aligned, repaired"] = both[both["path"] == "repaired"]
    columns = ["t", "train/loss", "test/loss", "test/accuracy"]
    return pd.concat([rows[columns].assign(path=path) for path, rows in tables.items()])


def batches(x, y):
    """Batches of `BATCH`, in order."""
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(BATCH)


def main():
    """Train, join, measure; then the table and the figure."""
    data = tfds_images("mnist")
    splits = [
        ((x.reshape(len(x), -1).astype(np.float32) - MEAN) / DEVIATION, y)
        for x, y in (data["train"], data["test"])
    ]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    found = []
    for depth, normalized in NETWORKS:
        a, b = (trained(depth, normalized, seed, *splits[0], loss) for seed in (1, 2))
        rows = segments(a, b, *splits, loss)
        found.append(rows.assign(hidden_layers=depth, batchnorm=normalized))
        print(found[-1].to_string())
    points = pd.concat(found, ignore_index=True)
    points.to_csv(HERE / "points.csv", index=False)
    write(points)


def write(points):
    """The table of the page, and the figure, from the points."""
    lines = ["| hidden layers | trained with | | ends | as they are | aligned | and repaired |"]
    lines.append("|---:|---|---|---:|---:|---:|---:|")
    for (depth, normalized), published in PUBLISHED.items():
        own = points[(points.hidden_layers == depth) & (points.batchnorm == normalized)]
        middle = own[np.isclose(own.t, 0.5)].set_index("path")["test/accuracy"]
        ends = own[(own.path == "as they are") & own.t.isin([0, 1])]["test/accuracy"].mean()
        kind = "BatchNorm, folded" if normalized else "nothing"
        ours = [ends, *(middle[path] for path in NAMES)]
        for who, values in (("here", ours), ("published", published)):
            cells = " | ".join("" if v is None else f"{v:.4f}" for v in values)
            lines.append(f"| {depth} | {kind} | {who} | {cells} |")
    text = (HERE / "README.md").read_text()
    begin, end = "<!-- results -->", "<!-- end of results -->"
    before, rest = text.split(begin)
    (HERE / "README.md").write_text(
        f"{before}{begin}\n" + "\n".join(lines) + f"\n{end}{rest.split(end)[1]}"
    )
    figure = PaperFigure((2 * COLUMN_WIDTH, 2.4), layout="constrained")
    titles = {
        "as they are": "straight segment, unaligned",
        "aligned": "straight segment",
        "aligned, repaired": "straight segment, repaired",
    }
    styles = looks(list(titles.values()))
    grid = figure.subplots(1, len(NETWORKS), sharey=True)
    for axes, (depth, normalized) in zip(grid, NETWORKS, strict=True):
        own = points[(points.hidden_layers == depth) & (points.batchnorm == normalized)]
        for path, title in titles.items():
            rows = own[own.path == path]
            axes.plot(
                rows.t,
                1 - rows["test/accuracy"],
                label=path,
                linewidth=1.5,
                markersize=3.5,
                **styles[title],
            )
        dress(axes, "t", "test error" if axes is grid[0] else "")
        how = "BatchNorm, folded" if normalized else "no BatchNorm"
        axes.set_title(f"{depth} hidden layers, {how}", fontsize=8)
    figure.legend(
        *grid[0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=3,
        fontsize=8,
        frameon=False,
    )
    for kind in ("png", "pdf"):
        figure.savefig(HERE / f"repair_depth.{kind}")


if __name__ == "__main__":
    main()
