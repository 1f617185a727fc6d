"""stage=align: renumber the units of a network so that they are where another's are."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import pandas as pd

from mc.curve_model import CurveModel
from mc.curves import Point
from mc.datasets import Data
from mc.lab import files
from mc.lab.job import Job
from mc.lab.stages.base import ADAPTED
from mc.lab.work import kept, networks
from mc.lab.work.data import load_data
from mc.network.weights import FlatNetwork, pack
from mc.symmetry.aligning import alignment
from mc.symmetry.permutation import Permutation

BATCH = 100  # examples whose activations are held at a time


def run(job: Job) -> dict:
    """How close the weights are before and after; `permutation.npz` is the renumbering.

    The renumbered network is written as a base network is, the rise of the objective as
    `history.csv`. Names: `cosine/before`, that of the angle between the two weight vectors,
    `distance/before`, `.../after`; `num_groups`, `num_units` that may be renumbered, and `moved`,
    the fraction of these that have changed their places.
    """
    cfg = job.cfg.align
    data = load_data(job.cfg)
    first, last = _pair(job, data)
    whole = kept.can_be_saved(last)
    given: dict[str, Any] = {}
    if cfg.method == "activations":
        count = -(-min(cfg.examples, len(data.train)) // BATCH)
        given["data"] = data.train_clean.spread(BATCH, count)
    found = alignment(first, last, cfg.method, **given, seed=cfg.seed, restarts=cfg.restarts)
    files.save_table(job.folder, "history", pd.DataFrame(found.history))
    found.permutation.save(job.folder / "permutation.npz")
    weights = {"before": pack(last)}
    weights["after"] = found.permutation.of_weights(last, pack(last))
    _save(job, data, last, found.permutation, whole)
    summary: dict[str, Any] = {"num_groups": len(found.found.groups)}
    summary["num_units"] = sum(found.found.groups.values())
    summary["moved"] = _moved(found.orders)
    for when, w in weights.items():
        summary |= {f"{name}/{when}": value for name, value in _apart(pack(first), w).items()}
    return summary


def _pair(job: Job, data: Data) -> list[keras.Model]:
    """Both networks, with the BatchNorm statistics of reports.

    Raises:
        ValueError: they do not compute one function of their weights.
    """
    named = job.run.networks
    first, last = (networks.load(job, network, data) for network in named)
    typed = (network.named.typed for network in named)
    networks.check_alike(job, data, *zip(typed, (first, last), strict=True))
    return [first, last]


def _save(
    job: Job, data: Data, network: keras.Model, permutation: Permutation, whole: bool
) -> None:
    """Write a network renumbered, and the BatchNorm statistics that its training left."""
    named = job.run.networks[-1]
    flat = FlatNetwork(network)
    of_training = FlatNetwork(networks.load(job, named, data, left=True)).state()
    left = permutation.of_state(network, of_training)
    w = permutation.of_weights(network, pack(network))
    flat.assign(w, permutation.of_state(network, flat.state()))
    if job.run.adapters_of():
        model = CurveModel(network, curve=Point(), control_points=w[np.newaxis])
        model.save(job.folder / ADAPTED)
    merged = networks.without_adapters(job, named, network, data)
    if merged is network:
        kept.save(job.folder, network, left, whole)
    else:
        files.save_network(job.folder, merged, whole)


def _moved(orders: Mapping[str, np.ndarray]) -> float:
    """The fraction of units that have changed their places."""
    changed = [order != np.arange(len(order)) for order in orders.values()]
    return float(np.concatenate(changed).mean())


def _apart(a: np.ndarray, b: np.ndarray) -> dict[str, float]:
    """The cosine of the angle between two weight vectors `[P]`, and their distance."""
    a, b = a.astype(float), b.astype(float)
    cosine = a @ b / (np.linalg.norm(a) * np.linalg.norm(b))
    return {"cosine": float(cosine), "distance": float(np.linalg.norm(a - b))}
