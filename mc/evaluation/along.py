"""Metrics along a curve and along the straight segment between its ends."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from mc import between, curves, domains
from mc.evaluation import tasks
from mc.evaluation.evaluator import Evaluator, in_blocks
from mc.evaluation.geometry import gram, positions, segment_lengths, straight_segment
from mc.evaluation.repaired import Repaired
from mc.network import unpromised
from mc.network.batches import as_batches

if TYPE_CHECKING:
    from mc.curve_model import CurveModel


def evaluate(
    curve: "CurveModel",
    *,
    train: Any = None,
    valid: Any = None,
    test: Any = None,
    num_points: int = 61,
    t: ArrayLike | None = None,
    loss: Any = None,
    loss_weights: Any = None,
    bn_data: Any = None,
    num_classes: int | None = None,
    task: tasks.Task | str | None = None,
    token_characters: ArrayLike | None = None,
    initial: curves.Points | None = None,
    unaligned: ArrayLike | None = None,
    repair: bool = False,
    compare: bool = False,
    progress: Callable[[Iterable, str], Iterable] | None = None,
    after_block: Callable[[dict], None] | None = None,
    snapshot: dict | None = None,
) -> pd.DataFrame:
    """Metrics along a curve and along the straight segment between its ends.

    BatchNorm statistics are estimated anew at every point; see `batchnorm.estimate`.

    Args:
        curve: a `CurveModel`.
        train, valid, test: the data of each split to evaluate, at least one: (x, y) or
            (x, y, sample_weight), in a form of `batches.as_batches`. `train` must be free of
            augmentation.
        num_points: that many equidistant t, ends included; or
        t: the positions themselves, increasing, in [0, 1].
        loss, loss_weights: as in `keras.Model.compile`; default: what the curve was compiled with.
        bn_data: clean training data whose batches BatchNorm statistics come from; default: `train`.
        num_classes: the number of classes, where targets are classes that the loss and the shapes
            do not say (one-hot targets with mean squared error); see `tasks.of`.
        task: a `Task`, or one of `tasks.NAMES`, where the loss does not say what it is.
        token_characters: `[C]`, how many characters each class stands for, if it is a token: then
            there are bits_per_character.
        initial: control points `[num_points, P]` that the curve had before its training, to
            evaluate as the path `initial`.
        unaligned: weights `[P]` of the curve's end as it was before it was renumbered (see
            `mc.align`), to evaluate the segment from the start to it as the path `unaligned`.
        repair: whether to evaluate the straight segment also with the statistics of units repaired
            on `bn_data`, as the path `repaired`; see `Repair`. It is no straight one in w: its
            lengths are those of the segment that is repaired.
        compare: whether predictions are compared with those of the two ends, where they are of
            classes: `disagreement_start`, `js_distance_start`, and the same of the end; see
            `Task.likeness`.
        progress: wraps an iterable of batches and a label, to show how far it is.
        after_block, snapshot: evaluate some points at a time, to continue after an interruption;
            see `evaluator.in_blocks`.

    Returns:
        One row a point: `path` (`curve`, `linear`, `unaligned`, `repaired`, `initial`), `t`,
        `segment_length` (the distance from the point before, ||w_i - w_{i-1}||), `arc_length`
        (their sum so far), and for every split `<split>/<metric>`: loss; of classes nll, error,
        accuracy and f1, of tokens perplexity and of pixels iou too; of a regression mse; of several
        outputs `<output>_<metric>`. See `Evaluator` for what they are. What it is that depends on
        the batches, of a loss that is no plain mean over examples, is in `attrs["dependence"]`:
        split -> why.

    Raises:
        ValueError: no data; `num_points` below 2; a t outside [0, 1] or out of order; BatchNorm
            without `train`; no loss.
    """
    if not domains.is_curve(curve.family):
        raise ValueError(
            f"{curve.family} is a surface, and has no path from a start to an end: evaluate it by "
            "mc.evaluate_surface(surface, train=..., test=...)."
        )
    t = positions(num_points, t)
    bn_data = train if bn_data is None else bn_data
    at_points = evaluators(
        curve,
        {"train": train, "valid": valid, "test": test},
        bn_data,
        loss=loss,
        loss_weights=loss_weights,
        num_classes=num_classes,
        task=task,
        token_characters=token_characters,
        progress=progress,
    )
    paths, points = _paths(curve, t, initial, unaligned)
    last = curve.family.num_points - 1
    ends = {0: 0, last: 1}
    if initial is not None:
        ends |= {last + 1: 0, 2 * last + 1: 1}
    if unaligned is not None:
        ends |= {len(points) - 1: 1}  # what is renumbered is no state but BatchNorm's
    beside = dict(zip(("start", "end"), np.eye(len(points))[[0, last]], strict=True))
    given = {"beside": beside if compare else None}
    at = at_points(points, own_state=between.EndStates(curve, ends), **given)
    rows = np.concatenate(list(paths.values()))
    evaluate: Any = at
    if repair:
        if bn_data is None:
            raise ValueError("repair=True measures units on training data: pass train=.")
        repaired = Repaired(curve, as_batches(bn_data), at_points, compare)
        evaluate, rows = repaired.beside(at, t, rows)
        paths["repaired"] = paths["linear"]
    values = in_blocks(evaluate, rows, after_block, snapshot) if after_block else evaluate(rows)
    table = positions_table(paths, t, points).assign(**values)
    table.attrs["dependence"] = at.dependence
    return table


def evaluators(
    curve: "CurveModel",
    splits: Mapping[str, Any],
    bn_data: Any,
    *,
    loss: Any,
    loss_weights: Any,
    **given: Any,
) -> Callable[..., Evaluator]:
    """What makes an `Evaluator` of a curve's network at points: `(points, own_state=None)`.

    Args:
        curve: the curve or surface, which is looked at on the first batch.
        splits: of data by name; None: there is none of that name.
        bn_data: clean training data, for BatchNorm.
        loss, loss_weights: default: what the curve was compiled with.
        given: what an `Evaluator` takes besides.

    Raises:
        ValueError: no data; BatchNorm without `bn_data`; no loss.
    """
    there = {k: as_batches(v) for k, v in splits.items() if v is not None}
    if not there:
        raise ValueError("Nothing to evaluate on: pass train=, valid= or test=.")
    if loss is None:
        loss, loss_weights = unpromised.compiled_with(curve)
    if loss is None and not curve.compiled:  # else the network has a loss of its own
        raise ValueError("No loss: compile the curve, or pass loss=.")
    curve.first_look.of_batches(next(iter(there.values())))
    if curve.network.batchnorm and bn_data is None:
        raise ValueError("The network has BatchNorm: pass train=, from which to estimate it.")
    return partial(
        Evaluator,
        curve.network,
        state=curve.state_values,
        splits=there,
        bn_data=None if bn_data is None else as_batches(bn_data),
        loss=loss,
        loss_weights=loss_weights,
        weight_decay=curve.weight_decay,
        **given,
    )


def _paths(
    curve: "CurveModel",
    t: np.ndarray,
    initial: curves.Points | None,
    unaligned: ArrayLike | None,
) -> tuple[dict[str, np.ndarray], list]:
    """Coefficients `[n, k]` of every path, and the k control points of all of them."""
    rows = curve.family.coefficients(t).numpy()
    paths = {"curve": rows, "linear": straight_segment(t, curve.family.num_points)}
    points = list(curve.points)
    if initial is not None:
        none = np.zeros_like(rows)
        paths = {path: np.hstack([own, none]) for path, own in paths.items()}
        paths["initial"] = np.hstack([none, rows])
        points += list(initial)
    if unaligned is not None:
        paths = {path: np.pad(own, ((0, 0), (0, 1))) for path, own in paths.items()}
        away = np.zeros((len(t), len(points) + 1), np.float32)
        away[:, 0], away[:, -1] = 1 - t, t
        paths["unaligned"] = away
        points.append(np.asarray(unaligned, np.float32))
    return paths, points


def positions_table(paths: dict, t: np.ndarray, points: curves.Points) -> pd.DataFrame:
    """A row a point of every path: `path, t, segment_length, arc_length`.

    `paths`: name -> coefficients `[n, num_points]`; `t: [n]`; `points`: num_points vectors `[P]`.
    """
    tables, distances = [], gram(points)
    for path, rows in paths.items():
        length = segment_lengths(rows, distances)
        columns = {"t": t, "segment_length": length, "arc_length": np.cumsum(length)}
        tables.append(pd.DataFrame({"path": path, **columns}))
    return pd.concat(tables, ignore_index=True)
