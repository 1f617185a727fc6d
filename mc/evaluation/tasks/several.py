"""Several outputs, each with a task of its own."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

import numpy as np
import tensorflow as tf

from mc.evaluation.tasks.task import Task

BETWEEN = ":"  # in the names of sums, an output's and the sum's


@dataclass(frozen=True)
class Several(Task):
    """The metrics of every output, named `<output>_<metric>`.

    Attributes:
        tasks: of each output, by its name.
        places: where the outputs lie: their names, or positions.
    """

    name: ClassVar[str] = "several outputs"
    tasks: Mapping[str, Task] = field(default_factory=dict)
    places: tuple = ()

    @property
    def metrics(self) -> str:  # type: ignore[override]
        """Those of each output."""
        return "; ".join(f"of {name} {task.metrics}" for name, task in self.tasks.items())

    @property
    def signature(self) -> dict[str, tf.TensorSpec]:
        """The sums of all outputs."""
        own = ((name, task.signature) for name, task in self.tasks.items())
        return {f"{name}{BETWEEN}{k}": spec for name, specs in own for k, spec in specs.items()}

    def sums(self, y: Any, outputs: Any, sample_weight: Any = None) -> dict[str, tf.Tensor]:
        """The sums of a batch; targets and weights lie as the outputs do, or by their names."""
        found: dict[str, tf.Tensor] = {}
        for name, task, own in self._each(y, outputs, sample_weight):
            found |= {f"{name}{BETWEEN}{k}": v for k, v in task.sums(*own).items()}
        return found

    def _each(self, *structures: Any) -> Iterator[tuple[str, Task, list]]:
        """Name, task and parts of every output that has metrics."""
        for place, (name, task) in zip(self.places, self.tasks.items(), strict=True):
            if task.signature:
                yield name, task, [part_of(structure, name, place) for structure in structures]

    @property
    def alike(self) -> tuple[str, ...]:
        """Those of all outputs."""
        own = ((name, task.alike) for name, task in self.tasks.items() if task.signature)
        return tuple(f"{name}{BETWEEN}{k}" for name, names in own for k in names)

    def likeness(
        self, y: Any, outputs: Any, other: Any, sample_weight: Any = None
    ) -> dict[str, tf.Tensor]:
        """Of each output."""
        found: dict[str, tf.Tensor] = {}
        for name, task, own in self._each(y, outputs, other, sample_weight):
            found |= {f"{name}{BETWEEN}{k}": v for k, v in task.likeness(*own).items()}
        return found

    def weights(self, outputs: Any, sample_weight: Any) -> dict[str, Any]:
        """Those of each output."""
        own = self._each(outputs, sample_weight)
        return {name: task.weights(*parts) for name, task, parts in own}

    def averaged(self, outputs: Any, y: Any = None) -> dict[str, Any]:
        """Of each output."""
        return {name: task.averaged(*parts) for name, task, parts in self._each(outputs, y)}

    def alone(self, own: Any) -> dict[str, Any]:
        """Of each output."""
        return {name: task.alone(*parts) for name, task, parts in self._each(own)}

    def added(self, total: Any, own: Any) -> dict[str, Any]:
        """Of each output."""
        return {name: task.added(*parts) for name, task, parts in self._each(total, own)}

    def mean(self, total: Any, count: int) -> dict[str, Any]:
        """Of each output."""
        return {name: task.mean(own, count) for name, task, (own,) in self._each(total)}

    def sums_of_members(
        self, y: Any, outputs: Any, total: Any, sample_weight: Any = None
    ) -> dict[str, np.ndarray]:
        """Of each output."""
        found: dict[str, np.ndarray] = {}
        for name, task, own in self._each(y, outputs, total, sample_weight):
            sums = task.sums_of_members(*own)
            found |= {f"{name}{BETWEEN}{k}": v for k, v in sums.items()}
        return found

    def as_outputs(self, mean: Any) -> dict[str, Any]:
        """Of each output, by its name."""
        return {name: task.as_outputs(*parts) for name, task, parts in self._each(mean)}

    def values(self, mean: Any) -> dict[str, Any]:
        """Of each output."""
        return {name: task.values(*parts) for name, task, parts in self._each(mean)}

    def calibrated(self) -> Self:
        """Each output's."""
        return replace(self, tasks={name: t.calibrated() for name, t in self.tasks.items()})

    def of_mean(self) -> Self:
        """Each output's."""
        return replace(self, tasks={name: t.of_mean() for name, t in self.tasks.items()})

    def scores(self, totals: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The metrics of all outputs."""
        found: dict[str, np.ndarray] = {}
        for name, task in self.tasks.items():
            begin = f"{name}{BETWEEN}"
            own = {k.removeprefix(begin): v for k, v in totals.items() if k.startswith(begin)}
            found |= {f"{name}_{metric}": v for metric, v in task.scores(own).items()}
        return found


def part_of(structure: Any, name: str, place: Any) -> Any:
    """What belongs to an output: by its name in a mapping, by its place in a list; None of None."""
    if structure is None:
        return None
    if isinstance(structure, Mapping):
        return structure.get(name, structure.get(place))
    return structure[place] if isinstance(structure, list | tuple) else structure
