"""stage=ensemble: the predictive mean of several networks, or of points of a curve."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from omegaconf import DictConfig

from mc import geometry, runs, store
from mc.ensembles import predictive
from mc.ensembles.predictive import Member
from mc.predictions import targets_of
from mc.stages import figures, kept, parts
from mc.weights import FlatNetwork, pack


def run(cfg: DictConfig, folder: Path, tracker) -> dict:
    """Metrics of the ensemble and of its members; `members.csv` shows them as members join."""
    data = parts.load_data(cfg)
    splits = parts.batched(cfg, parts.splits_of(cfg, data))
    flat, members = (_networks if cfg.ensemble.networks else _points)(cfg, data)

    def keep(mean_of):
        arrays = predictions(mean_of("test"), splits["test"], data.num_classes)
        store.save_arrays(folder, "predictions", arrays)

    at_end, loss = keep if cfg.ensemble.predictions else None, parts.make_loss(cfg, data)
    table = predictive.join(flat, members, splits, data.num_classes, loss, at_end)
    store.save_table(folder, "members", table)
    tracker.members(table)
    tracker.figures(figures.draw(folder))
    return predictive.summary(table)


def predictions(mean, batches, num_classes: int | None) -> dict[str, np.ndarray]:
    """What an ensemble predicts for the test data, as arrays of a file.

    Arrays: `mean [n, C]`, the mean of the members' probabilities, or `[n, d]`, of their outputs
    where it is a regression; float32; `targets [n, ...]`, and `num_classes`, 0 for a regression.

    Args:
        mean: as `predictive.join` hands it on: log-probabilities, or outputs of a regression.
        batches: the test data.
        num_classes: None for a regression.
    """
    values = mean if num_classes is None else np.exp(mean)
    arrays = {"mean": values.astype(np.float32), "targets": targets_of(batches)}
    return arrays | {"num_classes": num_classes or 0}


def _networks(cfg: DictConfig, data) -> tuple[FlatNetwork, Iterator[Member]]:
    """Networks with the BatchNorm statistics of reports; of a list of networks, all of them."""
    names = runs.networks(cfg)
    first = parts.load_endpoint(cfg, names[0].typed, data, left=True)

    def members():
        for named in names:
            network = parts.load_endpoint(cfg, named.typed, data, left=named.is_list)
            parts.check_alike(cfg, data, (names[0].typed, first), (named.typed, network))
            if named.is_list:
                left = predictive.saved(runs.network_files(cfg, named), named.typed)
                yield from (kept.settled(FlatNetwork(network), one, data) for one in left)
            else:
                flat = FlatNetwork(network)
                own = Member(str(named.typed), pack(network), flat.state())
                yield kept.settled(flat, own, data) if named.is_file else own

    return FlatNetwork(first), members()


def _points(cfg: DictConfig, data) -> tuple[FlatNetwork, Iterator[Member]]:
    """Networks along the curve, with BatchNorm statistics estimated anew."""
    curve = parts.load_curve(cfg, data)
    num = parts.shortened(cfg, cfg.ensemble.num_points, parts.SMOKE_POINTS)
    t = np.linspace(0, 1, num, dtype=np.float32)
    if cfg.ensemble.spacing == "arc_length":
        t = geometry.equal_arc_lengths(curve.curve.coefficients, geometry.gram(curve.points), num)
    rows = curve.curve.coefficients(t).numpy()
    along = zip(t, parts.networks_along(cfg, curve, data, rows), strict=True)
    return curve.network, (Member(f"t={at:.4g}", w, state) for at, (w, state) in along)
