"""stage=landscape: metrics in one or two directions from a network."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mc.curvature.products import Products
from mc.curvature.spectrum import spectrum
from mc.datasets import Data
from mc.ensembles import predictive
from mc.lab import files
from mc.lab.job import Job
from mc.lab.stages.base import saved_epoch
from mc.lab.work import curves, drawings, measure, networks
from mc.lab.work.data import load_data, make_loss, plain_weights, splits_of
from mc.landscape import directions, view
from mc.landscape.view import View
from mc.network.weights import FlatNetwork, pack

log = logging.getLogger(__name__)

DIRECTIONS = "directions"  # the file of what takes long to find
EXAMPLES = 4096  # of the Hessian, if none are set
MARGIN = 0.25  # of what is to be seen, on every side
STEPS = 80  # of Lanczos' method, for the largest eigenvalues
CLOSE = 0.05  # of the largest eigenvalue: residuals of directions that have been found


@dataclass(frozen=True, eq=False)
class Middle:
    """The network that is looked around.

    Attributes:
        network, w, state: it itself, its weights, and its state, BatchNorm statistics as reported.
        name: what it is called.
        decay: the weight decay that it was trained with.
    """

    network: FlatNetwork
    w: np.ndarray
    state: list
    name: str
    decay: float


@dataclass(frozen=True, eq=False)
class Seen:
    """What a view shows beside the metrics.

    Attributes:
        views: of one set of directions or several.
        points: names and positions of networks `[dims]`.
        path: positions of a training `[e, 2]`, and how far off each lies; None if there is none.
        shares: of its variation along each axis.
    """

    views: list[View]
    points: list[tuple[str, np.ndarray]]
    path: tuple[np.ndarray, np.ndarray] | None = None
    shares: np.ndarray = field(default_factory=lambda: np.empty(0))


def run(job: Job) -> dict:
    """The metrics in the middle, and their extremes; `landscape.npz` holds them all."""
    data = load_data(job.cfg)
    middle = (_of_curve if job.cfg.landscape.t is not None else _of_network)(job, data)
    if job.cfg.landscape.batchnorm == "fixed" and not middle.network.batchnorm:
        raise ValueError(
            "landscape.batchnorm=fixed is of networks with BatchNorm, and this has none: leave it "
            "out."
        )
    seen = SEEN[job.cfg.landscape.directions](job, data, middle)
    given, dims = job.cfg.landscape, seen.views[0].dims
    axes, x = view.grid(_ranges(job, seen), given.grid_points)
    x = np.concatenate([x, np.zeros((1, dims))])  # the middle, wherever the grid begins
    values = _measured(job, data, middle, seen.views, x)
    shape = (len(seen.views), *[given.grid_points] * dims)
    grids = {name: v[:, :-1].reshape(shape) for name, v in values.items()}
    centres = {name: float(v[0, -1]) for name, v in values.items()}
    arrays: dict[str, Any] = {"x": axes[0], **({"y": axes[1]} if dims == 2 else {})}
    arrays["lengths"] = np.stack([own.lengths() for own in seen.views])
    arrays["names"] = np.array([name for name, _ in seen.points], str)
    arrays["points"] = np.array([point for _, point in seen.points])
    if seen.path is not None:
        arrays |= {"path": seen.path[0], "off": seen.path[1], "shares": seen.shares}
    files.save_arrays(job.folder, "landscape", arrays | grids)
    drawings.draw(job)
    summary = {}
    for name, grid in grids.items():
        summary[f"landscape/{name}/centre"] = centres[name]
        finite = np.isfinite(grid).all()
        summary[f"landscape/{name}/min"] = float(grid.min()) if finite else float("nan")
        summary[f"landscape/{name}/max"] = float(grid.max()) if finite else float("nan")
    explained = {"landscape/explained": float(seen.shares.sum())} if seen.path else {}
    return explained | summary


def _of_network(job: Job, data: Data) -> Middle:
    network: Any = job.run.inputs()["middle"]
    model = networks.load(job, network, data)
    flat = FlatNetwork(model)
    decay = (network.run or job.run.of("base")).weight_decay
    return Middle(flat, pack(model), flat.state(), network.title, decay)


def _of_curve(job: Job, data: Data) -> Middle:
    curve, t = curves.load(job, data), job.cfg.landscape.t
    rows = curve.family.coefficients(np.array([t], np.float32)).numpy()
    ((w, state),) = curves.networks_along(job, curve, data, rows)
    return Middle(curve.network, w, state, f"t = {t:g}", curve.weight_decay)


def _random(job: Job, data: Data, middle: Middle) -> Seen:
    given = job.cfg.landscape
    views = []
    for repeat in range(given.repeats):
        own = [
            directions.random(
                *(middle.network, middle.w, (job.cfg.seed, repeat, k)),
                norm=given.norm,
                biases=given.biases,
            )
            for k in range(given.dims)
        ]
        views.append(View.around(middle.w, own))
    return Seen(views, [(middle.name, np.zeros(given.dims))])


def _hessian(job: Job, data: Data, middle: Middle) -> Seen:
    """The eigenvectors of the largest eigenvalues, of length 1; a killed run finds them once."""
    given, there = job.cfg.landscape, job.folder / f"{DIRECTIONS}.npz"
    if there.exists():
        with np.load(there) as file:
            own = list(file["directions"])
        return Seen([View.around(middle.w, own)], [(middle.name, np.zeros(given.dims))])
    train = measure.some(data.train_clean, given.examples or EXAMPLES, job.cfg.eval.batch_size)
    loss, loss_weights = make_loss(job.cfg, data), plain_weights(job.cfg)
    products = Products(middle.network, train.cache(), loss, loss_weights=loss_weights)
    product = products.at(middle.w, middle.state)
    options = {"probes": 0, "steps": STEPS, "seed": job.cfg.seed}
    found = spectrum(product, middle.network.size, top=given.dims, **options)
    log.info("Largest eigenvalues: %s.", ", ".join(f"{v:.4g}" for v in found.largest))
    if found.residuals[: given.dims].max() > CLOSE * np.abs(found.largest[0]):
        log.warning(
            "The directions are not yet eigenvectors: residuals are %s.",
            ", ".join(f"{v:.2g}" for v in found.residuals[: given.dims]),
        )
    own = [v / np.linalg.norm(v) for v in found.vectors]
    files.save_arrays(job.folder, DIRECTIONS, {"directions": np.stack(own)})
    return Seen([View.around(middle.w, own)], [(middle.name, np.zeros(given.dims))])


def _networks(job: Job, data: Data, middle: Middle) -> Seen:
    """Towards other networks: at 1 along an axis lies one of them."""
    others, points = [], [(middle.name, np.zeros(job.cfg.landscape.dims))]
    named: Any = job.run.inputs()["networks"]
    for k, network in enumerate(named):
        model = networks.load(job, network, data)
        alike = (middle.name, middle.network.model), (network.named.typed, model)
        networks.check_alike(job, data, *alike)
        others.append(pack(model) - middle.w)
        taken = network.title in dict(points)
        points.append((str(network.named.typed) if taken else network.title, np.eye(len(named))[k]))
    return Seen([View.around(middle.w, others)], points)


def _principal(job: Job, data: Data, middle: Middle) -> Seen:
    """The plane in which a training moved most, in units of weight distance."""
    network: Any = job.run.inputs()["middle"]
    every, last = job.cfg.train.base.save_every, job.run.last_epoch  # type: ignore[attr-defined]  # of the stage
    kept = [saved_epoch(network.run.folder, epoch) for epoch in range(every, last + 1, every)]
    points = [member.w for member in predictive.saved(kept, network.title)]
    if points[0].shape != middle.w.shape:
        raise ValueError(
            "A training of adapters is drawn in their factors: type lora.paths=factors, or leave "
            "it out."
        )
    here = [n for n, point in enumerate(points) if np.array_equal(point, middle.w)]
    if not here:
        here = [len(points)]
        points.append(middle.w)
    rows, shares = directions.principal(points)
    own = View(points, np.eye(len(points))[here[-1]], rows)
    path = own.project(np.eye(len(points)))
    log.info(
        "The plane has %.1f %% of the variation of %d points; they lie up to %.3g off it.",
        *(100 * shares.sum(), len(points), path[1].max()),
    )
    return Seen([own], [(middle.name, np.zeros(2))], path, shares)


SEEN = {
    "random": _random,
    "principal": _principal,
    "hessian": _hessian,
    "networks": _networks,
}


def _ranges(job: Job, seen: Seen) -> list[Sequence[float]]:
    """Of each axis what is typed; else -1 to 1, or where a training or networks lie."""
    given = [job.cfg.landscape.x, job.cfg.landscape.y][: seen.views[0].dims]
    lying = np.array([point for _, point in seen.points])
    if seen.path is not None:
        lying = seen.path[0]
    low, high = lying.min(0), lying.max(0)
    room = MARGIN * np.where(high > low, high - low, 1.0)
    wide = [(-1.0, 1.0)] * len(given)
    if len(lying) > 1:
        wide = list(zip(low - room, high + room, strict=True))
    return [own or default for own, default in zip(given, wide, strict=True)]


def _measured(
    job: Job, data: Data, middle: Middle, views: Sequence[View], x: np.ndarray
) -> dict[str, np.ndarray]:
    """`<split>/<metric>` at positions of all views, `[views, positions]`."""
    points, rows = _together(views, x)
    given = job.cfg.landscape
    values = measure.at(
        job,
        data,
        middle.network,
        points,
        rows,
        state=middle.state,
        splits=splits_of(job.cfg, data),
        weight_decay=middle.decay,
        examples=given.examples,
        estimates=given.batchnorm == "estimated",
    )
    return {name: v.reshape(len(views), -1) for name, v in values.items()}


def _together(views: Sequence[View], x: np.ndarray) -> tuple[list, np.ndarray]:
    """The points of all views, each once where it is the middle of all, and rows over these."""
    if len(views) == 1:
        return list(views[0].points), views[0].coefficients(x)
    points = [views[0].points[0], *(p for own in views for p in own.points[1:])]
    rows = np.zeros((len(views), len(x), len(points)), np.float32)
    for k, own in enumerate(views):
        first = 1 + k * own.dims
        found = own.coefficients(x)
        rows[k, :, 0], rows[k, :, first : first + own.dims] = found[:, 0], found[:, 1:]
    return points, rows.reshape(-1, len(points))
