"""stage=eval: metrics along the trained curve and along the straight segment between its ends."""

import numpy as np
import pandas as pd

from mc import domains
from mc.curve_model import CurveModel
from mc.datasets import Data
from mc.datasets.split import Split
from mc.evaluation import along, geometry, layers, over, statistics
from mc.lab import batch_notes, files
from mc.lab.graph import Run
from mc.lab.job import Job
from mc.lab.work import curves, drawings, measure
from mc.lab.work.data import load_data, splits_of
from mc.lab.work.growing import growing
from mc.network.predictions import predictor
from mc.symmetry.permutation import Permutation

GRID = 200  # positions at which the functions of a regression are drawn


def run(job: Job) -> dict:
    """The summary of every metric along both paths; points and figures go to the folder."""
    cfg, folder = job.cfg, job.folder
    data = load_data(cfg)
    curve = curves.load(job, data)
    if not domains.is_curve(curve.family):
        return _of_surface(job, data, curve)
    table = along.evaluate(
        curve,
        **_splits(job, data),
        **measure.arguments(cfg, data),
        num_points=cfg.eval.num_points,
        t=cfg.eval.t,
        initial=curves.untrained(job, data).control_points if cfg.eval.initial else None,
        unaligned=_unaligned(job, curve),
        repair=cfg.eval.repair,
        compare=cfg.eval.compare,
        **measure.blocks(folder),
    )
    files.save_table(folder, "points", table)
    batch_notes.note(folder, cfg.eval.batch_size, table.attrs["dependence"])
    if is_function(data):
        files.save_arrays(folder, "functions", functions(job, curve, data, table))
    alone = _layers(job, data, curve) if cfg.eval.layers else {}
    if cfg.eval.predictions:
        save_predictions(job, curve, data)
    job.tracker.along_t(table)
    drawings.draw(job)
    ends = geometry.straight_segment(np.array([0.0, 1.0]), curve.family.num_points)
    chord = geometry.segment_lengths(ends, geometry.gram(curve.points))[1]
    return statistics.summarise_paths(table, chord=float(chord)) | alone


def _layers(job: Job, data: Data, curve: CurveModel) -> dict[str, float]:
    """The barriers of all layers, each alone, together; those of each go to `layers.csv`."""
    made = along.evaluators(
        curve,
        _splits(job, data),
        **measure.arguments(job.cfg, data),
    )
    table = layers.barriers(curve.network, curve.points[0], curve.points[-1], made)
    files.save_table(job.folder, "layers", table)
    job.tracker.table("layers", table)
    found: dict[str, float] = {}
    for name in (column for column in table if "/" in column):
        found |= statistics.spread(f"layers/{name}", table[name])
    return found


def _of_surface(job: Job, data: Data, surface: CurveModel) -> dict:
    """The summary over a surface and its edges; the points of its grid go to the folder."""
    cfg, folder = job.cfg, job.folder
    table = over.evaluate_surface(
        surface,
        **_splits(job, data),
        **measure.arguments(cfg, data),
        cells=cfg.eval.cells,
        **measure.blocks(folder),
    )
    files.save_table(folder, "surface", table)
    batch_notes.note(folder, cfg.eval.batch_size, table.attrs["dependence"])
    job.tracker.table("surface", table)
    drawings.draw(job)
    return over.summarise_surface(table, surface.family) | over.sizes(surface)


def _splits(job: Job, data: Data) -> dict:
    """The batches of each split; of the training data as many as are asked for."""
    cfg = job.cfg.eval
    found = measure.batched(job.cfg, splits_of(job.cfg, data))
    if cfg.train_examples and "train" in found:
        found["train"] = measure.some(data.train_clean, cfg.train_examples, cfg.batch_size)
    return found


def _unaligned(job: Job, curve: CurveModel) -> np.ndarray | None:
    """The weights `[P]` of the curve's end as it was before it was renumbered, if it was."""
    aligned = job.run.inputs().get("alignment")
    if not isinstance(aligned, Run):
        return None
    permutation = Permutation.load(aligned.folder / "permutation.npz")
    return permutation.inverse().of_weights(curve.network.model, curve.control_points[-1])


def save_predictions(job: Job, curve: CurveModel, data: Data) -> None:
    """Write what the networks at some t of both paths output for the test data.

    Arrays: `t [k]`, `curve` and `linear` `[k, n, ...]`, `targets [n, ...]`, and `num_classes`, 0
    where there are no classes; of several outputs `curve/<output>`, and `targets/<output>`.
    """
    t = np.asarray(job.cfg.eval.predictions, np.float32)
    batches = data.test.batches(job.cfg.eval.batch_size)
    outputs = predictor(curve.network)
    paths = {"curve": curve.family.coefficients(t).numpy()}
    paths["linear"] = geometry.straight_segment(t, curve.family.num_points)
    with growing(curve.network.model) as kept:
        for _, y in batches:
            kept.add("targets", y)
        for path, rows in paths.items():
            for w, state in curves.networks_along(job, curve, data, rows):
                for batch in outputs(w, state, batches):
                    kept.add(path, batch)
        arrays = {"t": t, **kept.arrays({path: len(t) for path in paths})}
        arrays["num_classes"] = np.array(data.num_classes or 0)
        files.save_arrays(job.folder, "predictions", arrays)


def is_function(data: Data) -> bool:
    """Whether it is a regression of one variable on one."""
    train = data.train
    if data.num_classes is not None or not isinstance(train, Split):
        return False
    if isinstance(train.x, dict) or isinstance(train.y, dict):
        return False
    return train.x[0].size == train.y[0].size == 1


def functions(
    job: Job, curve: CurveModel, data: Data, table: pd.DataFrame
) -> dict[str, np.ndarray]:
    """For a regression of one variable, the functions y(x) of the networks along the curve.

    Arrays: `x [m]`, `t [k]`, `y [k, m]`, and the data, `train_x, train_y, test_x, test_y`.
    """
    t = table.loc[table["path"] == "curve", "t"].to_numpy()
    grid, inputs, arrays = grid_of(data)
    batches = [(inputs, None)]
    outputs = predictor(curve.network)
    along_t = curves.networks_along(job, curve, data, curve.family.coefficients(t).numpy())
    (y,) = zip(*(outputs(w, state, batches) for w, state in along_t), strict=True)
    return {"x": grid, "t": t, "y": np.stack(y)[..., 0]} | arrays


def grid_of(data: Data) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """For a regression of one variable, x to draw functions at, as inputs of networks, and data.

    `x [m]`, inputs `[m, 1]`, and arrays `train_x, train_y, test_x, test_y`.
    """
    train, test = data.train_clean, data.test
    assert isinstance(train, Split)
    assert isinstance(test, Split)
    x = train.x.reshape(len(train), -1)[:, 0]
    low, high = x.min(), x.max()
    margin = 0.1 * (high - low)
    grid = np.linspace(low - margin, high + margin, GRID, dtype=np.float32)
    arrays = {}
    for name, split in (("train", train), ("test", test)):
        arrays[f"{name}_x"] = split.x.reshape(len(split), -1)[:, 0]
        arrays[f"{name}_y"] = split.y[:, 0]
    return grid, train.inputs(grid[:, np.newaxis]), arrays
