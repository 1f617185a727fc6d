"""stage=eval: metrics along the trained curve and along the straight segment between its ends."""

from pathlib import Path

import numpy as np
from omegaconf import DictConfig

from mc import evaluation, geometry, metrics, store
from mc.predictions import predictor, targets_of
from mc.stages import batch_notes, figures, parts, resumable

GRID = 200  # positions at which the functions of a regression are drawn


def run(cfg: DictConfig, folder: Path, tracker) -> dict:
    """The summary of every metric along both paths; points and figures go to the folder."""
    data = parts.load_data(cfg)
    curve = parts.load_curve(cfg, data)
    points = evaluation.evaluate(
        curve,
        **parts.batched(cfg, parts.splits_of(cfg, data)),
        **parts.evaluation_arguments(cfg, data),
        num_points=parts.shortened(cfg, cfg.eval.num_points, parts.SMOKE_POINTS),
        t=cfg.eval.t,
        initial=parts.untrained_curve(cfg, data).control_points if cfg.eval.initial else None,
        **resumable.blocks(folder),
    )
    store.save_table(folder, "points", points)
    batch_notes.note(cfg, folder, points.attrs["dependence"])
    if data.num_classes is None and data.train.x[0].size == data.train.y[0].size == 1:
        store.save_arrays(folder, "functions", functions(cfg, curve, data, points))
    if cfg.eval.predictions:
        store.save_arrays(folder, "predictions", predictions(cfg, curve, data))
    tracker.along_t(points)
    tracker.figures(figures.draw(folder))
    ends = geometry.straight_segment(np.array([0.0, 1.0]), curve.curve.num_points)
    chord = geometry.segment_lengths(ends, geometry.gram(curve.points))[1]
    return metrics.summarise_paths(points, chord=float(chord))


def predictions(cfg: DictConfig, curve, data) -> dict[str, np.ndarray]:
    """What the networks at some t of both paths output for the test data.

    Arrays: `t [k]`, `curve` and `linear` `[k, n, outputs]`, `targets [n, ...]`, and `num_classes`,
    0 for a regression.
    """
    t = np.asarray(cfg.eval.predictions, np.float32)
    batches = data.test.batches(cfg.eval.batch_size)
    outputs = predictor(curve.network)
    arrays = {"t": t, "targets": targets_of(batches), "num_classes": data.num_classes or 0}
    paths = {"curve": curve.curve.coefficients(t).numpy()}
    paths["linear"] = geometry.straight_segment(t, curve.curve.num_points)
    for path, rows in paths.items():
        networks = parts.networks_along(cfg, curve, data, rows)
        arrays[path] = np.stack([outputs(w, state, batches) for w, state in networks])
    return arrays


def functions(cfg: DictConfig, curve, data, points) -> dict[str, np.ndarray]:
    """For a regression of one variable, the functions y(x) of the networks along the curve.

    Arrays: `x [m]`, `t [k]`, `y [k, m]`, and the data, `train_x, train_y, test_x, test_y`.
    """
    t = points.loc[points["path"] == "curve", "t"].to_numpy()
    train, test = data.train_clean, data.test
    x = train.x.reshape(len(train), -1)[:, 0]
    low, high = x.min(), x.max()
    margin = 0.1 * (high - low)
    grid = np.linspace(low - margin, high + margin, GRID, dtype=np.float32)
    batches = [(train.inputs(grid[:, np.newaxis]), None)]
    outputs = predictor(curve.network)
    networks = parts.networks_along(cfg, curve, data, curve.curve.coefficients(t).numpy())
    y = np.stack([outputs(w, state, batches) for w, state in networks])
    arrays = {"x": grid, "t": t, "y": y[..., 0]}
    for name, split in (("train", train), ("test", test)):
        arrays[f"{name}_x"] = split.x.reshape(len(split), -1)[:, 0]
        arrays[f"{name}_y"] = split.y[:, 0]
    return arrays
