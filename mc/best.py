"""The epoch of a training whose validation loss is the least, in place of the last."""

from collections.abc import Mapping, Sequence

import numpy as np

from mc import curve_file, domains
from mc.curve_model import CurveModel

POINTS = 11  # t of a curve at which it is validated
KEY = "best:"  # before their names in snapshots


class Best:
    """The weights and the state after the epoch with the least validation loss so far.

    Of a curve, that is the mean of the loss at 11 equidistant t; of a surface over a grid of it.

    Args:
        curve: the one that is trained.

    Raises:
        ValueError: it has BatchNorm, so that no network within it has statistics of its own while
            it is trained.
    """

    def __init__(self, curve: CurveModel):
        if curve.network.batchnorm and curve.family.num_points > 1:
            raise ValueError(
                "The best epoch is that of the least validation loss, and with BatchNorm networks "
                "within a curve have no statistics of their own before its training ends: take the "
                "last epoch, train.curve.best=false."
            )
        self.variables = [*curve.points, *curve.state]
        self.positions = [domains.check(curve.family, t) for t in _positions(curve)]
        self.loss = np.inf
        self.arrays: list[np.ndarray] = []

    def see(self, row: Mapping[str, float]) -> None:
        """Keep what there is after an epoch, if its row of the history is the best so far."""
        if row["valid/loss"] < self.loss:
            self.loss = row["valid/loss"]
            self.arrays = [variable.numpy() for variable in self.variables]

    def take(self) -> None:
        """Set the curve to the best; as it is, if no epoch had a finite validation loss."""
        for variable, array in zip(self.variables, self.arrays, strict=False):
            variable.assign(array)

    def state(self) -> dict[str, np.ndarray]:
        """What a snapshot holds of it."""
        arrays = {f"{KEY}{i}": curve_file.plain(array) for i, array in enumerate(self.arrays)}
        return {f"{KEY}loss": np.asarray(self.loss)} | arrays

    def restore(self, snapshot: Mapping[str, np.ndarray]) -> None:
        """Go on from a snapshot."""
        self.loss = float(snapshot[f"{KEY}loss"])
        there = f"{KEY}0" in snapshot
        self.arrays = [
            curve_file.typed(snapshot[f"{KEY}{i}"], variable.numpy())
            for i, variable in enumerate(self.variables if there else ())
        ]


def row_of(history: Sequence[dict]) -> dict:
    """The row of the best epoch: of the least validation loss, the first of several."""
    losses = [row["valid/loss"] for row in history]
    finite = np.nan_to_num(losses, nan=np.inf)
    return history[-1 if np.isinf(finite).all() else int(np.argmin(finite))]


def _positions(curve: CurveModel) -> np.ndarray:
    return domains.spread(curve.family, POINTS if curve.family.num_points > 1 else 1)
