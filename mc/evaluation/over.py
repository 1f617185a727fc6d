"""Metrics over a surface of networks."""

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from mc import between, domains
from mc.evaluation import tasks
from mc.evaluation.along import evaluators
from mc.evaluation.evaluator import in_blocks
from mc.evaluation.geometry import gram, segment_lengths, volume
from mc.surfaces import Simplex

if TYPE_CHECKING:
    from mc.curve_model import CurveModel

MOST = 20_000  # points of a grid
FINE = 200  # segments by which an edge that is no straight one is measured
NEAR = 1e-6  # coordinates of one t, in float32


def evaluate_surface(
    surface: "CurveModel",
    *,
    train: Any = None,
    valid: Any = None,
    test: Any = None,
    cells: int = 10,
    loss: Any = None,
    loss_weights: Any = None,
    bn_data: Any = None,
    num_classes: int | None = None,
    task: tasks.Task | str | None = None,
    token_characters: ArrayLike | None = None,
    progress: Callable[[Iterable, str], Iterable] | None = None,
    after_block: Callable[[dict], None] | None = None,
    snapshot: dict | None = None,
) -> pd.DataFrame:
    """Metrics at the points of a grid over a surface.

    BatchNorm statistics are estimated anew at every point; see `batchnorm.estimate`.

    Args:
        surface: a `CurveModel` of a surface.
        cells: how many the grid has along an edge: of a simplex of n vertices the grid has
            `(cells + n - 1)! / (cells! (n - 1)!)` points, of a square `(cells + 1)^2`.
        train, valid, test, loss, loss_weights, bn_data, num_classes, task, token_characters,
            progress, after_block, snapshot: as of `mc.evaluate`.

    Returns:
        One row a point: its t in `t1`, `t2`, ..., then `<split>/<metric>` as of `mc.evaluate`.

    Raises:
        ValueError: the family is a curve; `cells` below 1; or see `mc.evaluate`.
    """
    family: Any = surface.family
    if domains.is_curve(family):
        raise ValueError(f"{family} is a curve: evaluate it by mc.evaluate(curve, ...).")
    if cells < 1:
        raise ValueError(f"cells, along an edge, must be at least 1; received {cells}.")
    at_points = evaluators(
        surface,
        {"train": train, "valid": valid, "test": test},
        train if bn_data is None else bn_data,
        loss=loss,
        loss_weights=loss_weights,
        num_classes=num_classes,
        task=task,
        token_characters=token_characters,
        progress=progress,
    )
    _check_count(family, cells)
    t = family.grid(cells)
    corners = {k: number for number, (_, k) in enumerate(family.anchors)}
    at = at_points(surface.points, own_state=between.EndStates(surface, corners))
    rows = np.asarray(family.coefficients(t))
    values = in_blocks(at, rows, after_block, snapshot) if after_block else at(rows)
    table = pd.DataFrame({f"t{i + 1}": column for i, column in enumerate(t.T)}).assign(**values)
    table.attrs["dependence"] = at.dependence
    return table


def _check_count(family: Any, cells: int) -> None:
    n = family.num_points
    count = math.comb(cells + n - 1, n - 1) if isinstance(family, Simplex) else 0
    if count > MOST:
        fits = next(k for k in range(cells, 0, -1) if math.comb(k + n - 1, n - 1) <= MOST or k == 1)
        raise ValueError(
            f"A grid of {cells} cells along the edges of a simplex of {n} vertices has {count} "
            f"points, and more than {MOST} are refused: choose cells={fits}."
        )


def positions_of(table: pd.DataFrame) -> np.ndarray:
    """The t of a surface's points, `[n, dim]`, from a table of `evaluate_surface`."""
    names = [name for name in table.columns if name.startswith("t") and name[1:].isdecimal()]
    return table[names].to_numpy(np.float32)


def summarise_surface(table: pd.DataFrame, family: Any) -> dict[str, float]:
    """Flat summary of every metric over a surface and over each of its edges.

    Keys are `surface/<split>/<metric>/<statistic>`, with min, max and mean over all points of the
    grid, and `edge-<i>-<j>/<split>/<metric>/<statistic>` over those on the edge between corners
    (of a simplex: vertices) i and j, counted from 1.

    `table`: of `evaluate_surface`.
    """
    t = positions_of(table)
    places = {"surface": np.arange(len(t))}
    cells = round(1 / np.diff(np.unique(t[:, 0])).min())
    for name, on in family.edges(cells + 1).items():
        near = np.abs(t[:, np.newaxis] - on).max(axis=-1) <= NEAR
        places[f"edge-{name}"] = np.flatnonzero(near.any(axis=1))
    summary = {}
    for name, rows in places.items():
        for column in (c for c in table.columns if "/" in c):
            values = table[column].to_numpy()[rows]
            for statistic in ("min", "max", "mean"):
                summary[f"{name}/{column}/{statistic}"] = float(getattr(values, statistic)())
    return summary


def sizes(surface: "CurveModel") -> dict[str, float]:
    """Lengths of a surface's edges, `edge-<i>-<j>/length`; of a simplex also `surface/volume`.

    In units of weights, the volume of k + 1 vertices in these to the power of k.
    """
    family: Any = surface.family
    distances = gram(surface.points)
    found = {
        f"edge-{name}/length": float(
            segment_lengths(np.asarray(family.coefficients(t)), distances).sum()
        )
        for name, t in family.edges(FINE + 1).items()
    }
    if isinstance(family, Simplex):
        found["surface/volume"] = volume(surface.points)
    return found
