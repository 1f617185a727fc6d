"""stage=eval: metrics along the trained curve and along the straight segment between its ends."""

from pathlib import Path

import numpy as np
from omegaconf import DictConfig

from mc import evaluation, geometry, metrics, store
from mc.progress import show
from mc.stages import figures, parts

GRID = 200  # positions at which the functions of a regression are drawn


def run(cfg: DictConfig, folder: Path, tracker) -> dict:
    """The summary of every metric along both paths; points and figures go to the folder."""
    data = parts.load_data(cfg)
    curve = parts.load_curve(cfg, data)
    points = evaluation.evaluate(
        curve,
        **parts.batched(cfg, parts.splits_of(cfg, data)),
        **parts.evaluation_arguments(cfg, data),
        num_points=parts.SMOKE_POINTS if cfg.smoke else cfg.eval.num_points,
        t=cfg.eval.t,
        progress=show,
    )
    store.save_table(folder, "points", points)
    one_variable = data.train.x[0].size == 1 and data.train.y[0].size == 1
    if data.num_classes is None and one_variable:
        store.save_arrays(folder, "functions", functions(curve, data, points))
    tracker.along_t(points)
    tracker.figures(figures.draw(folder))
    ends = geometry.straight_segment(np.array([0.0, 1.0]), curve.curve.num_points)
    chord = geometry.segment_lengths(ends, geometry.gram(curve.points))[1]
    return metrics.summarise_paths(points, chord=float(chord))


def functions(curve, data, points) -> dict[str, np.ndarray]:
    """For a regression of one variable, the functions y(x) of the networks along the curve.

    Arrays: `x [m]`, `t [k]`, `y [k, m]`, and the data, `train_x, train_y, test_x, test_y`.
    """
    t = points.loc[points["path"] == "curve", "t"].to_numpy()
    train, test = data.train_clean, data.test
    x = train.x.reshape(len(train), -1)[:, 0]
    low, high = x.min(), x.max()
    margin = 0.1 * (high - low)
    grid = np.linspace(low - margin, high + margin, GRID, dtype=np.float32)
    batch = train.inputs(grid[:, np.newaxis])
    y = evaluation.outputs_at(
        curve.network, curve.points, curve.curve.coefficients(t), curve.state_values, {}, batch
    )
    arrays = {"x": grid, "t": t, "y": y[..., 0]}
    for name, split in (("train", train), ("test", test)):
        arrays[f"{name}_x"] = split.x.reshape(len(split), -1)[:, 0]
        arrays[f"{name}_y"] = split.y[:, 0]
    return arrays
