"""stage=plane: metrics on a grid of the plane through three points of a curve or networks."""

from pathlib import Path

import numpy as np
from omegaconf import DictConfig

from mc import runs, store
from mc.evaluator import Evaluator, in_blocks
from mc.geometry import gram
from mc.plane import Plane
from mc.stages import batch_notes, figures, parts, resumable
from mc.weights import FlatNetwork, pack

CURVE_POINTS = 61  # of the projected curve that is drawn


def run(cfg: DictConfig, folder: Path, tracker) -> dict:
    """Metrics at the three points and the extremes over the grid; `plane.npz` holds them all."""
    data = parts.load_data(cfg)
    network, points, state, rows, curve, names = _three_points(cfg, data)
    plane = Plane(rows, gram(points))
    num = parts.shortened(cfg, cfg.plane.grid_points, parts.SMOKE_POINTS)
    x, y = plane.grid(num, list(cfg.plane.margins))
    evaluate = Evaluator(
        network,
        points,
        state,
        parts.batched(cfg, {"train": data.train_clean, "test": data.test}),
        **parts.evaluation_arguments(cfg, data),
        weight_decay=cfg.train.curve.weight_decay,
    )
    # The three points themselves lie beside the grid.
    xy = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    coefficients = np.concatenate([plane.coefficients(xy), np.asarray(rows, np.float32)])
    values = in_blocks(evaluate, coefficients, **resumable.blocks(folder))
    batch_notes.note(cfg, folder, evaluate.dependence)
    grid = {name: value[:-3].reshape(num, num) for name, value in values.items()}
    at_points = {name: value[-3:] for name, value in values.items()}
    arrays = {"x": x, "y": y, "corners": plane.corners, **names}
    if curve is not None:
        t = np.linspace(0, 1, CURVE_POINTS, dtype=np.float32)
        along = curve.coefficients(t).numpy()
        arrays |= {"t": t, "curve": plane.project(along), "off": plane.distances(along)}
    named = {f"points:{name}": value for name, value in at_points.items()}
    store.save_arrays(folder, "plane", arrays | grid | named)
    tracker.figures(figures.draw(folder))
    summary = {}
    for name, values in grid.items():
        summary |= {f"plane/{name}/{how}": extreme(values, how) for how in ("min", "max")}
        summary |= {
            f"plane/{name}/point_{i}": extreme(value, "max")
            for i, value in enumerate(at_points[name])
        }
    return summary


def extreme(values, how: str) -> float:
    """The `min` or `max` of values; nan, unless all of them are finite."""
    return float(getattr(np, how)(values)) if np.isfinite(values).all() else float("nan")


def _three_points(cfg: DictConfig, data):
    """The network, control points, state, the three points' coefficients, the curve, and names.

    The last are arrays for the figure: `names`, of the three points, and `bends`, which of them are
    no networks.
    """
    if cfg.plane.networks is not None:
        networks = parts.load_networks(cfg, data)
        flat = FlatNetwork(networks[0])
        titles = [network.title for network in runs.networks(cfg)]
        names = {"names": np.array(titles), "bends": []}
        return flat, [pack(n) for n in networks], flat.state(), np.eye(3), None, names
    model = parts.load_curve(cfg, data)
    count = model.curve.num_points
    chosen = list(cfg.plane.points or [0, count // 2, count - 1])
    if max(chosen) >= count:
        raise ValueError(
            f"plane.points must be three of the control points 0 to {count - 1}; received "
            f"plane.points={chosen}."
        )
    fixed = cfg.train.curve.fix_start, cfg.train.curve.fix_end
    titles = [
        network.title if stays else name
        for network, stays, name in zip(runs.networks(cfg), fixed, ("start", "end"), strict=True)
    ]
    ends = dict(zip((0, count - 1), titles, strict=True))
    bends = [i for i, k in enumerate(chosen) if k not in ends]
    several = len(bends) > 1
    names = [ends.get(k, f"bend {k}" if several else "") for k in chosen]
    rows = np.eye(count)[chosen]
    told = {"names": np.array(names), "bends": np.array(bends, int)}
    return model.network, model.points, model.state_values, rows, model.curve, told
