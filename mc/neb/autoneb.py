"""AutoNEB: a band that gets pivots where it rises most, cycle after cycle."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import keras
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from mc import training
from mc.connecting import connect
from mc.curve_model import CurveModel
from mc.curves import PolyChain
from mc.datasets import Examples, Split
from mc.evaluation import along
from mc.neb import geometry
from mc.neb.band import Band
from mc.neb.cycles import HEIGHT, Found, Schedule, State
from mc.terms import SPREAD

log = logging.getLogger(__name__)

CHUNK = 100  # steps at most after which there is a snapshot
TRAINING = "training:"  # before the names of what a snapshot holds of a cycle at work

Heights: TypeAlias = Callable[[np.ndarray, np.ndarray], Mapping[str, np.ndarray]]


def find(
    straight: CurveModel,
    data: Examples,
    schedule: Schedule,
    *,
    evaluate: Heights,
    optimizer: Callable[[float], keras.optimizers.Optimizer],
    loss: Any,
    loss_weights: Any = None,
    snapshot: Mapping[str, np.ndarray] | None = None,
    after: Callable[[Callable[[], dict]], None] | None = None,
) -> Found:
    """The band with the lowest highest point, of all cycles and of the straight segment.

    Of every cycle's band the loss is taken at all pivots and at `subsample` points within each
    link. Before a cycle, from the second on, pivots are put where that was higher than between two
    pivots it should be (see `geometry.highest`); then all are trained, by an optimizer of its own.

    Args:
        straight: a `PolyChain` between the two networks, its bends on the straight segment: the
            first cycle's pivots.
        data: training examples.
        schedule: of the cycles.
        evaluate: the metrics of the networks at coefficients `[n, N] @ points`, `train/loss` among
            them, on all training data.
        optimizer: makes one, of a learning rate.
        loss, loss_weights: as in `keras.Model.compile`.
        snapshot: one that `after` was given, to continue from there.
        after: called now and then with a function that takes a snapshot, a dict of arrays.

    Raises:
        ValueError: the two are one network.
        FloatingPointError: weights became NaN or infinite.
    """
    if np.array_equal(straight.points[0], straight.points[-1]):
        raise ValueError("AutoNEB joins two networks, and both ends have the same weights.")
    state, before = _restored(straight, snapshot or {})
    if state.done < 0:
        values = evaluate(state.points, _looked_at(state.points, schedule))
        state = state.after(
            state.points, values, {"steps": 0, "learning_rate": 0.0, "gradients": 0}
        )
        _note(after, state)
    for cycle in range(state.done + 1, len(schedule.steps) + 1):
        begun = state if cycle == 1 else state.with_pivots(schedule)
        band = _band(straight, begun, cycle)

        def note(history: list[dict], take: Callable[[], dict], state: State = state) -> None:
            _note(after, state, take)

        steps, rate = schedule.steps[cycle - 1], schedule.learning_rates[cycle - 1]
        chunk = max(n for n in range(1, min(CHUNK, steps) + 1) if steps % n == 0)
        training.train(
            band,
            data,
            optimizer=optimizer(rate),
            loss=loss,
            loss_weights=loss_weights,
            metrics=[],
            epochs=steps // chunk,
            steps_per_epoch=chunk,
            batch_size=schedule.batch_size,
            rate=training.EpochRate(rate, "constant", steps // chunk),
            seed=(straight.seed + SPREAD * cycle) % 2**31,
            snapshot=dict(before) if before else None,
            after_epoch=note,
            label=f"cycle {cycle} of {len(schedule.steps)}, {len(begun.points) - 2} pivots",
        )
        before = {}
        points = band.control_points
        values = evaluate(points, _looked_at(points, schedule))
        gradients = steps * (len(points) - 2)
        told = {"steps": steps, "learning_rate": rate, "gradients": gradients}
        state = begun.after(points, values, told)
        _note(after, state)
        log.info(
            "Cycle %d of %d: %d pivots, the largest train loss %.4g",
            *(cycle, len(schedule.steps), len(points) - 2, state.cycles[-1][f"{HEIGHT}/max"]),
        )
    return state.found()


def _looked_at(points: np.ndarray, schedule: Schedule) -> np.ndarray:
    return geometry.between(len(points), schedule.subsample + 1)


def _band(straight: CurveModel, state: State, cycle: int) -> Band:
    return Band(
        straight.network.model,
        state.points,
        state.shares,
        end_states=straight.end_states.value,
        weight_decay=straight.weight_decay,
        seed=(straight.seed + SPREAD * cycle) % 2**31,
    )


def _restored(straight: CurveModel, snapshot: Mapping[str, np.ndarray]) -> tuple[State, dict]:
    """Where a snapshot is, and that of its cycle's training, if one is at work."""
    if not snapshot:
        points = straight.control_points
        return State(points, np.ones(len(points) - 1, np.float32)), {}
    named = (k for k in snapshot if k.startswith(TRAINING))
    return State.of_arrays(snapshot), {k.removeprefix(TRAINING): snapshot[k] for k in named}


def _note(
    after: Callable[[Callable[[], dict]], None] | None,
    state: State,
    take: Callable[[], dict] = dict,
) -> None:
    if after:
        after(lambda: state.arrays() | {f"{TRAINING}{k}": v for k, v in take().items()})


def autoneb(
    start: keras.Model,
    end: keras.Model,
    data: tuple[ArrayLike, ArrayLike],
    loss: Any,
    *,
    num_bends: int = 3,
    steps: Sequence[int] = (1000, 1000, 1000, 1000),
    learning_rates: Sequence[float] = (0.05, 0.05, 0.01, 0.001),
    batch_size: int = 128,
    optimizer: Callable[[float], keras.optimizers.Optimizer] | None = None,
    weight_decay: float = 0.0,
    insert: int = 2,
    threshold: float = 0.1,
    subsample: int = 9,
    seed: int = 0,
) -> tuple[CurveModel, pd.DataFrame]:
    """A polygonal chain of low loss between two networks, by AutoNEB, and a row a cycle.

    What is lowered is the highest loss on the way, the saddle between the two minima, where
    training a curve at random t lowers the mean. A step costs as many gradients as there are
    pivots. The chain is that of the cycle whose largest train loss is the least, the straight
    segment among them. See `Band` for a step, and `Found.cycles` for the table.

    Args:
        start, end: Keras models of the same architecture.
        data: x and y, in memory: arrays, of several inputs or outputs dicts of them.
        loss: as in `keras.Model.compile`.
        num_bends: pivots of the first cycle.
        steps, learning_rates: of each cycle.
        batch_size: examples of a step, the same for all pivots.
        optimizer: makes one, of a learning rate; default: SGD with momentum 0.9.
        weight_decay: of the penalty 0.5 * weight_decay * ||w||^2, a part of the loss.
        insert, threshold, subsample: see `Schedule`.
        seed: of the order of the data, and of dropout.

    Raises:
        ValueError: fewer than one pivot; or see `Schedule` and `connect`.

    Source: Draxler et al. 2018, "Essentially No Barriers in Neural Network Energy Landscape".
    """
    if num_bends < 1:
        raise ValueError(f"AutoNEB begins with at least one pivot; received num_bends={num_bends}.")
    schedule = Schedule(steps, learning_rates, batch_size, insert, threshold, subsample)
    options: dict[str, Any] = {"weight_decay": weight_decay, "seed": seed}
    straight = connect(start, end, curve="polychain", num_bends=num_bends, **options)
    x, y = (keras.tree.map_structure(np.asarray, part) for part in data)
    split = Split(x, y)
    batches = split.batches(batch_size)
    at_points = along.evaluators(
        straight, {"train": batches}, batches, loss=loss, loss_weights=None
    )
    found = find(
        straight,
        split,
        schedule,
        evaluate=lambda points, rows: at_points(points)(rows),
        optimizer=optimizer or (lambda rate: keras.optimizers.SGD(rate, momentum=0.9)),
        loss=loss,
    )
    return chain(straight, found.points), found.cycles


def chain(straight: CurveModel, points: np.ndarray) -> CurveModel:
    """The `PolyChain` through points, with the ends of another chain; `points: [N, P]`."""
    return CurveModel(
        straight.network.model,
        PolyChain(len(points) - 2),
        points,
        weight_decay=straight.weight_decay,
        end_states=straight.end_states.value,
        seed=straight.seed,
    )
