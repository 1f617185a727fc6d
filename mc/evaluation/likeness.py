"""How alike a network predicts to others: how often it says another class, and how far it is."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from mc.evaluation.tasks.task import Task, ratio

# Of the sums of `Task.likeness`: what they are called as metrics, before the other network's name.
METRICS = {"differs": "disagreement", "distance": "js_distance"}
OF = "|"  # between the name of the other network and that of a sum


def signature(task: Task, others: Mapping[str, Any]) -> dict[str, tf.TensorSpec]:
    """What `sums` gives."""
    return {f"{other}{OF}{name}": tf.TensorSpec([]) for other in others for name in task.alike}


def sums(
    task: Task, y: Any, outputs: Any, others: Mapping[str, Any], sample_weight: Any
) -> dict[str, tf.Tensor]:
    """Of a batch, what `scores` takes; `others`: name -> outputs of another network."""
    found: dict[str, tf.Tensor] = {}
    for other, theirs in others.items():
        own = task.likeness(y, outputs, theirs, sample_weight)
        found |= {f"{other}{OF}{name}": value for name, value in own.items()}
    return found


def scores(totals: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Means over what counts: `disagreement_<other>` and `js_distance_<other>`, `[n]` each.

    Of several outputs `<output>_disagreement_<other>`.
    """
    found: dict[str, np.ndarray] = {}
    for key, total in totals.items():
        other, _, name = key.partition(OF)
        if not name:
            continue
        output, _, kind = name.rpartition(":")
        weight = totals[f"{output}:weight" if output else "weight"]
        found[f"{output}_{METRICS[kind]}_{other}".lstrip("_")] = ratio(total, weight)
    return found
