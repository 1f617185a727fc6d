"""What the networks of a posterior predict together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from mc.ensembles.joint import Member
from mc.evaluation import tasks
from mc.evaluation.mixtures import Mixture
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
    task, networks = density.likelihood.task, _outputs(density, members, x)
    if isinstance(task, tasks.Gaussian):
        return _moments(task, networks)
    total, count = None, 0
    for outputs in networks:
        own = task.alone(np.concatenate([np.asarray(task.averaged(batch)) for batch in outputs]))
        total = own if total is None else task.added(total, own)
        count += 1
    return task.values(task.mean(total, count))


def mixture(density: Density, members: Iterable[Member], x: Any) -> Mixture:
    """The predictive density of a regression of one number an example, `[k, n, outputs]`.

    What all networks output is in memory at once. Arguments: as of `of`.
    """
    task: Any = density.likelihood.task
    each = [_joined(task, outputs) for outputs in _outputs(density, members, x)]
    means, deviations = (np.stack(parts) for parts in zip(*each, strict=True))
    return Mixture(means, deviations)


def _joined(task: tasks.Gaussian, outputs: Iterable) -> list[np.ndarray]:
    """Means and deviations of a network, of all batches."""
    parts = [task.moments(batch) for batch in outputs]
    return [np.concatenate(values) for values in zip(*parts, strict=True)]


def _moments(task: tasks.Gaussian, networks: Iterable[Iterable]) -> tuple[np.ndarray, np.ndarray]:
    """By the law of total variance."""
    first, second, count = 0.0, 0.0, 0  # sums of means, and of means of squares
    for outputs in networks:
        own, deviations = _joined(task, outputs)
        first = first + own
        second = second + own**2 + deviations**2
        count += 1
    mean = np.asarray(first / count)
    return mean, np.sqrt(np.maximum(second / count - mean**2, 0.0))


def _outputs(density: Density, members: Iterable[Member], x: Any) -> Iterator[Iterator]:
    """Of one network after another its outputs, batch by batch."""
    batches, outputs = as_batches(x), predictor(density.network)
    for member in members:
        inputs = ((unpacked(batch)[0], None) for batch in batches)
        yield outputs(member.w, member.state, inputs)
