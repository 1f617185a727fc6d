"""The density of networks in a subspace, given data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from mc import curves
from mc.ensembles.joint import Member
from mc.evaluation.evaluator import Evaluator
from mc.network import batchnorm
from mc.posteriors.likelihoods import Likelihood
from mc.posteriors.subspaces import Subspace

if TYPE_CHECKING:
    from mc.curve_model import CurveModel


class Density:
    """The function of z `[k, dim]` that gives log p(z | data), unnormalised, `[k]`:

        1/temperature * sum_i log p(y_i | x_i, w(z)) + log p(z).

    The prior is not tempered. All k networks are evaluated in one reading of the data. Nothing is
    random: there is no dropout and no augmentation, and BatchNorm statistics are estimated anew
    for each network, which takes one more reading; see `batchnorm.estimate`. The penalty of a
    weight decay and the network's own regularisation losses are priors of trainings, and no part
    of it.

    Args:
        curve: of the networks.
        subspace: where they lie, and the prior.
        likelihood: of the data.
        batches: (x, y) or (x, y, sample_weight), read once a call; all of them count, whatever
            their sizes.
        bn_data: batches that BatchNorm statistics are estimated from.
        temperature: of the likelihood; infinite: the prior alone.

    Raises:
        ValueError: `temperature` is not positive.
    """

    def __init__(
        self,
        curve: CurveModel,
        subspace: Subspace,
        likelihood: Likelihood,
        batches: Iterable,
        bn_data: Iterable,
        temperature: float = 1.0,
    ):
        if not temperature > 0:
            raise ValueError(
                "temperature divides the log-likelihood and must be positive; received "
                f"temperature={temperature}. At 1 it is as it is, and above 1 counts less."
            )
        self.network, self.state = curve.network, curve.state_values
        self.subspace, self.likelihood = subspace, likelihood
        self.temperature = float(temperature)
        self.bn_data = bn_data
        self.evaluator = Evaluator(
            *(curve.network, subspace.points, self.state, {"data": batches}),
            bn_data=bn_data,
            loss=None,
            weight_decay=0.0,
            task=likelihood,
        )

    def __call__(self, z: np.ndarray, note: str = "") -> np.ndarray:
        """log p(z | data), unnormalised; `[k]`, -inf where outputs are not finite."""
        return self.log_likelihood(z, note) + self.subspace.log_prior(z)

    def log_likelihood(self, z: np.ndarray, note: str = "") -> np.ndarray:
        """The tempered log-likelihood alone; `[k]`, -inf where outputs are not finite."""
        rows = self.subspace.coefficients(z)
        found = self.evaluator(rows, note)["data/log_likelihood"]
        with np.errstate(invalid="ignore"):  # -inf at an infinite temperature
            found = found / self.temperature
        return np.where(np.isnan(found), -np.inf, found)

    def networks(self, z: np.ndarray) -> Iterator[Member]:
        """The networks at z `[k, dim]` one by one, their BatchNorm statistics estimated anew."""
        rows = self.subspace.coefficients(z).astype(np.float32)
        statistics = self.evaluator.estimate(rows, self.bn_data)
        for number, row in enumerate(rows):
            w = curves.mix(row, self.evaluator.points).numpy()
            yield Member(str(number + 1), w, batchnorm.state_of(statistics, number, self.state))
