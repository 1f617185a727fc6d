"""stage=plane: metrics on a grid of the plane through three points of a curve or networks."""

import logging
from pathlib import Path

import numpy as np
from omegaconf import DictConfig

from mc import evaluation, store
from mc.geometry import gram
from mc.plane import Plane
from mc.progress import Progress
from mc.stages import figures, parts
from mc.weights import FlatNetwork, pack

log = logging.getLogger(__name__)

CURVE_POINTS = 61  # of the projected curve that is drawn


def run(cfg: DictConfig, folder: Path, tracker) -> dict:
    """Metrics at the three points and the extremes over the grid; `plane.npz` holds them all.

    A row of the grid is kept as soon as it is done, and an interrupted grid continues.
    """
    data = parts.load_data(cfg)
    network, points, state, rows, curve = _three_points(cfg, data)
    plane = Plane(rows, gram(points))
    num = parts.shortened(cfg, cfg.plane.grid_points, parts.SMOKE_POINTS)
    x, y = plane.grid(num, list(cfg.plane.margins))
    evaluate = _evaluator(cfg, data, network, points, state)
    done = _earlier(folder)
    progress = Progress(num + 1, "plane", len(done))
    # The three points themselves lie beside the grid; they come last, as one more row.
    lines = [plane.coefficients(np.stack([x, np.full(num, v)], axis=-1)) for v in y]
    for number, coefficients in enumerate([*lines, np.asarray(rows, np.float32)]):
        if number >= len(done):
            done.append(evaluate(coefficients))
            store.save_arrays(folder, "unfinished", _numbered(done))
            progress.step()
    progress.close()
    grid = {name: np.stack([row[name] for row in done[:-1]]) for name in done[0]}
    arrays = {"x": x, "y": y, "corners": plane.corners}
    if curve is not None:
        t = np.linspace(0, 1, CURVE_POINTS, dtype=np.float32)
        arrays |= {"t": t, "curve": plane.project(curve.coefficients(t).numpy())}
    at_points = {f"points:{name}": values for name, values in done[-1].items()}
    store.save_arrays(folder, "plane", arrays | grid | at_points)
    (folder / "unfinished.npz").unlink(missing_ok=True)
    tracker.figures(figures.draw(folder))
    summary = {}
    for name, values in grid.items():
        summary |= {
            f"plane/{name}/min": float(values.min()),
            f"plane/{name}/max": float(values.max()),
        }
        for i, value in enumerate(done[-1][name]):
            summary[f"plane/{name}/point_{i}"] = float(value)
    return summary


def _three_points(cfg: DictConfig, data):
    """The network, the control points, the state, the three points' coefficients, and the curve."""
    if cfg.plane.networks is not None:
        networks = parts.load_networks(cfg, data)
        flat = FlatNetwork(networks[0])
        return flat, [pack(n) for n in networks], flat.state(), np.eye(3), None
    model = parts.load_curve(cfg, data)
    count = model.curve.num_points
    chosen = cfg.plane.points or [0, count // 2, count - 1]
    if max(chosen) >= count:
        raise ValueError(
            f"plane.points must be three of the control points 0 to {count - 1}; received "
            f"plane.points={list(chosen)}."
        )
    return model.network, model.points, model.state_values, np.eye(count)[list(chosen)], model.curve


def _evaluator(cfg: DictConfig, data, network, points, state):
    splits = parts.batched(cfg, {"train": data.train_clean, "test": data.test})
    settings = parts.evaluation_arguments(cfg, data)
    settings["weight_decay"] = cfg.train.curve.weight_decay

    def evaluate(coefficients):
        return evaluation.values_at(network, points, coefficients, state, splits, **settings)

    return evaluate


def _numbered(done: list[dict]) -> dict:
    return {f"{i}:{name}": values for i, row in enumerate(done) for name, values in row.items()}


def _earlier(folder: Path) -> list[dict]:
    """The rows that an earlier, interrupted attempt has left."""
    path = folder / "unfinished.npz"
    if not path.exists():
        return []
    rows = {}
    with np.load(path) as file:
        for key, values in file.items():
            number, _, name = key.partition(":")
            rows.setdefault(int(number), {})[name] = values
    log.info("Continuing after row %d of the grid.", len(rows))
    return [rows[i] for i in range(len(rows))]
