"""What the networks of a posterior predict together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from mc.ensembles.predictive import Member
from mc.evaluation import tasks
from mc.network.batches import as_batches, unpacked
from mc.network.predictions import predictor
from mc.posteriors.density import Density


def of(density: Density, members: Iterable[Member], x: Any) -> Any:
    """Mean probabilities of classes, or mean and deviation of a regression.

    See `Posterior.predict`. One weight vector is in memory at a time.

    Args:
        density: whose networks they are.
        members: the networks, at least one.
        x: inputs, in a form of `batches.as_batches`.
    """
    networks = _outputs(density, members, x)
    if isinstance(density.likelihood.task, tasks.Regression):
        return _moments(density, networks)
    task, total, count = density.likelihood.task, None, 0
    for outputs in networks:
        own = task.alone(np.concatenate([np.asarray(task.averaged(batch)) for batch in outputs]))
        total = own if total is None else task.added(total, own)
        count += 1
    return task.values(task.mean(total, count))


def _moments(density: Density, networks: Iterable[Iterable]) -> tuple[np.ndarray, np.ndarray]:
    """By the law of total variance."""
    first, second, count = 0.0, 0.0, 0  # sums of means, and of means of squares
    for outputs in networks:
        parts = [density.likelihood.moments(batch) for batch in outputs]
        first = first + np.concatenate([mean for mean, _ in parts])
        second = second + np.concatenate([mean**2 + variance for mean, variance in parts])
        count += 1
    mean = np.asarray(first / count)
    return mean, np.sqrt(np.maximum(second / count - mean**2, 0.0))


def _outputs(density: Density, members: Iterable[Member], x: Any) -> Iterator[Iterator]:
    """Of one network after another its outputs, batch by batch."""
    batches, outputs = as_batches(x), predictor(density.network)
    for member in members:
        inputs = ((unpacked(batch)[0], None) for batch in batches)
        yield outputs(member.w, member.state, inputs)
