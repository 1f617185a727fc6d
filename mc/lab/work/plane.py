"""stage=plane: metrics on a grid of the plane through three points of a curve or networks."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from mc import domains
from mc.datasets import Data
from mc.evaluation.geometry import gram
from mc.evaluation.plane import Plane
from mc.lab import files
from mc.lab.job import Job
from mc.lab.work import curves, drawings, measure, networks
from mc.lab.work.data import load_data
from mc.network.weights import FlatNetwork, pack

CURVE_POINTS = 61  # of the projected curve that is drawn


@dataclass(frozen=True)
class Spanned:
    """What spans a plane.

    Attributes:
        network, state: whose weights they are, and the state of the curve, or the first network.
        points: the weight vectors that are mixed.
        decay: the weight decay of each.
        rows: `[3, num_points]`, the coefficients of the three points among these.
        family: of the curve; None for a plane of networks.
        names: of the three points.
        bends: which of them are no networks.
    """

    network: FlatNetwork
    state: list
    points: list
    decay: list[float]
    rows: np.ndarray
    names: list[str]
    family: Any = None
    bends: tuple[int, ...] = ()


def run(job: Job) -> dict:
    """Metrics at the three points and the extremes over the grid; `plane.npz` holds them all."""
    data = load_data(job.cfg)
    spanned = (_of_networks if job.cfg.plane.networks else _of_curve)(job, data)
    plane = Plane(spanned.rows, gram(spanned.points))
    num = job.cfg.plane.grid_points
    x, y = plane.grid(num, list(job.cfg.plane.margins))
    # The three points themselves lie beside the grid.
    xy = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    rows = np.concatenate([plane.coefficients(xy), np.asarray(spanned.rows, np.float32)])
    values = measure.at(
        job,
        data,
        spanned.network,
        spanned.points,
        rows,
        state=spanned.state,
        splits={"train": data.train_clean, "test": data.test},
        weight_decay=spanned.decay,
    )
    grid = {name: value[:-3].reshape(num, num) for name, value in values.items()}
    at_points = {name: value[-3:] for name, value in values.items()}
    arrays = {"x": x, "y": y, "corners": plane.corners}
    arrays |= {"names": np.array(spanned.names), "bends": np.array(spanned.bends, int)}
    if spanned.family is not None:
        t = np.linspace(0, 1, CURVE_POINTS, dtype=np.float32)
        along = spanned.family.coefficients(t).numpy()
        arrays |= {"t": t, "curve": plane.project(along), "off": plane.distances(along)}
    named = {f"points:{name}": value for name, value in at_points.items()}
    files.save_arrays(job.folder, "plane", arrays | grid | named)
    drawings.draw(job)
    return _summary(grid, at_points)


def _summary(grid: dict, at_points: dict) -> dict[str, float]:
    summary: dict[str, float] = {}
    for name, values in grid.items():
        summary |= {f"plane/{name}/{how}": extreme(values, how) for how in ("min", "max")}
        summary |= {
            f"plane/{name}/point_{i}": extreme(value, "max")
            for i, value in enumerate(at_points[name])
        }
    return summary


def extreme(values: np.ndarray, how: str) -> float:
    """The `min` or `max` of values; nan, unless all of them are finite."""
    return float(getattr(np, how)(values)) if np.isfinite(values).all() else float("nan")


def _of_networks(job: Job, data: Data) -> Spanned:
    models = networks.load_all(job, data)
    points, names = [pack(model) for model in models], [n.title for n in job.run.networks]
    flat = FlatNetwork(models[0])
    return Spanned(flat, flat.state(), points, networks.decays(job), np.eye(3), names)


def _of_curve(job: Job, data: Data) -> Spanned:
    model = curves.load(job, data)
    count = model.family.num_points
    is_curve = domains.is_curve(model.family)
    corners = [k for _, k in domains.anchors(model.family)]
    middle = [0, count // 2, count - 1]
    first = middle if is_curve else list(dict.fromkeys([*corners, *range(count)]))[:3]
    chosen = list(job.cfg.plane.points or first)
    if max(chosen) >= count:
        raise ValueError(
            f"plane.points must be three of the control points 0 to {count - 1}; received "
            f"plane.points={chosen}."
        )
    free = ("start", "end") if is_curve else [f"corner {k}" for k in range(1, len(corners) + 1)]
    ends = {
        k: network.title if k in model.fixed else name
        for k, network, name in zip(corners, job.run.networks, free, strict=True)
    }
    bends = tuple(i for i, k in enumerate(chosen) if k not in ends)
    several = len(bends) > 1 or not is_curve
    what = "bend" if is_curve else "control point"
    names = [ends.get(k, f"{what} {k}" if several else "") for k in chosen]
    decay = [model.weight_decay] * count
    rows = np.eye(count)[chosen]
    state = model.state_values
    family = model.family if is_curve else None  # of a surface no curve is drawn
    return Spanned(model.network, state, model.points, decay, rows, names, family, bends)
