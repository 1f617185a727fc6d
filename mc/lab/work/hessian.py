"""stage=hessian: the curvature of the loss at networks, or at points of a curve or segment."""

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mc.curvature.chosen import Chosen
from mc.curvature.products import Products
from mc.curvature.spectrum import Spectrum, spectrum, unknown
from mc.datasets import Data
from mc.evaluation import statistics
from mc.evaluation.evaluator import Evaluator
from mc.evaluation.geometry import straight_segment
from mc.lab import batch_notes, files
from mc.lab.job import Job
from mc.lab.work import as_typed, curves, drawings, gathered, measure
from mc.lab.work.data import load_data, make_loss, plain_weights
from mc.network.weights import FlatNetwork

log = logging.getLogger(__name__)

KEPT = ("largest", "smallest", "residuals", "traces", "nodes", "weights")


@dataclass(frozen=True, eq=False)
class Places:
    """Where the Hessian is taken.

    Attributes:
        network, state: whose weights they are, and the state of the curve, or the first network.
        points: the weight vectors that are mixed.
        rows: `[n, num_points]`, the coefficients of the places among these.
        named: of each place what says where it is, for the table.
        weight_decay: of the points, one each, or of all.
    """

    network: FlatNetwork
    state: list
    points: Any
    rows: np.ndarray
    named: dict[str, Any]
    weight_decay: list[float] | float


def run(job: Job) -> dict:
    """Means and extremes over all places; `curvature.csv` has a row a place."""
    data = load_data(job.cfg)
    places = (_of_networks if job.cfg.hessian.networks else _of_path)(job, data)
    train = measure.some(data.train_clean, job.cfg.hessian.examples, job.cfg.eval.batch_size)
    found, size = _spectra(job, data, places, train)
    table = pd.DataFrame(places.named).assign(**_losses(job, data, places, train))
    table = table.assign(**_columns(found), weights=size, examples=int(found["examples"][0]))
    files.save_table(job.folder, "curvature", table)
    arrays = {name: found[name] for name in ("nodes", "weights")}
    files.save_arrays(job.folder, "spectrum", {"names": _names(table)} | arrays)
    job.tracker.table("curvature", table)
    drawings.draw(job)
    return _summary(table)


def _of_networks(job: Job, data: Data) -> Places:
    found = gathered.gather(job, data)
    rows = np.eye(len(found.points), dtype=np.float32)
    state, named = found.network.state(), {"name": found.names}
    decays = gathered.decays(job, found)
    return Places(found.network, state, found.points, rows, named, decays)


def _of_path(job: Job, data: Data) -> Places:
    curve = curves.load(job, data)
    t, path = np.asarray(job.cfg.hessian.t, np.float32), job.cfg.hessian.path
    rows = curve.family.coefficients(t).numpy()
    if path == "linear":
        rows = straight_segment(t, curve.family.num_points)
    named = {"path": path, "t": t.astype(float)}
    state, decay = curve.state_values, curve.weight_decay
    return Places(curve.network, state, curve.points, rows, named, decay)


def _spectra(job: Job, data: Data, places: Places, train: Any) -> tuple[dict, int]:
    """What is known of the spectrum at every place, stacked; a killed run goes on after the last.

    And of how many weights it is.
    """
    given = job.cfg.hessian
    with as_typed.named("hessian", "layers"):
        chosen = Chosen.of(places.network, given.layers)
    loss, loss_weights = make_loss(job.cfg, data), plain_weights(job.cfg)
    products = Products(
        *(places.network, train.cache(), loss), loss_weights=loss_weights, operator=given.operator
    )
    done = dict(files.load_checkpoint(job.folder) or {})
    first = len(done.get("examples", ()))
    at = curves.networks_at(
        job, data, places.network, places.points, places.state, places.rows[first:]
    )
    for n, (w, state) in enumerate(at, first):
        product = chosen.block(products.at(w, state))
        options = {"top": min(given.top, chosen.size), "probes": given.probes, "steps": given.steps}
        try:
            own = spectrum(product, chosen.size, seed=job.cfg.seed, **options)
        except FloatingPointError:
            log.warning("The Hessian at place %d of %d is not finite.", n + 1, len(places.rows))
            own = unknown(chosen.size, **options)
        done = _stacked(done, own, products.examples)
        files.save_checkpoint(job.folder, done)
        if n == first:
            log.info(
                "The %s is that of the mean loss over %d training examples, of %d weights.",
                *(given.operator, products.examples, chosen.size),
            )
        log.info("%d of %d: the largest is %.4g", n + 1, len(places.rows), own.largest[0])
    return done, chosen.size


def _stacked(done: dict, own: Spectrum, examples: int) -> dict[str, np.ndarray]:
    """The arrays of all places so far."""
    arrays = {name: getattr(own, name) for name in KEPT}
    arrays["examples"] = np.asarray(examples)
    return {
        name: np.concatenate([done[name], value[np.newaxis]]) if done else value[np.newaxis]
        for name, value in arrays.items()
    }


def _losses(job: Job, data: Data, places: Places, train: Any) -> dict[str, np.ndarray]:
    """`train/<metric>` on the same examples; the loss with its penalty, as in all tables."""
    evaluate = Evaluator(
        *(places.network, places.points, places.state, {"train": train}),
        **measure.arguments(job.cfg, data),
        weight_decay=places.weight_decay,
    )
    values = evaluate(places.rows)
    batch_notes.note(job.folder, job.cfg.eval.batch_size, evaluate.dependence)
    return values


def _columns(found: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The numbers of every place, by their columns."""
    top = found["largest"].shape[1]
    columns = {}
    for k in range(top):
        columns[f"largest_{k + 1}"] = found["largest"][:, k]
        columns[f"residual_largest_{k + 1}"] = found["residuals"][:, k]
    for k in range(top):
        columns[f"smallest_{k + 1}"] = found["smallest"][:, k]
        columns[f"residual_smallest_{k + 1}"] = found["residuals"][:, top + k]
    traces = found["traces"]
    columns["trace"] = traces.mean(1)
    columns["trace_error"] = traces.std(1, ddof=1) / np.sqrt(traces.shape[1])
    return columns


def _names(table: pd.DataFrame) -> np.ndarray:
    named = table["name"].tolist() if "name" in table else [f"t = {t:g}" for t in table["t"]]
    return np.array(named, str)


def _summary(table: pd.DataFrame) -> dict[str, float]:
    own = {"largest": "largest_1", "smallest": "smallest_1", "trace": "trace"}
    summary: dict[str, float] = {"hessian/examples": int(table["examples"].iloc[0])}
    for name, column in own.items():
        summary |= statistics.spread(f"hessian/{name}", table[column])
    return summary
