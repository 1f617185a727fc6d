"""What a saved curve's network gave for inputs made up, to know the network again by.

Weights of equal shapes fit other networks too: another activation, a Normalization that was not
adapted, another vocabulary.
"""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

import numpy as np

from mc import domains
from mc.network import first_look, hidden_state

# Parts of the outputs' magnitude: other devices compute a little differently.
TOLERANCE = {"float32": 1e-2, "float64": 1e-2}
COARSE = 1e-1  # of 16-bit types


def of(curve: Any) -> dict:
    """Arrays: `tables`, hashes of vocabularies; `policy`; `outputs_*`, midway, of inputs made up.

    Without outputs where no inputs can be made up, or where two calls give different ones.
    """
    arrays: dict[str, Any] = {"tables": json.dumps(_tables(curve)), "policy": _policy(curve)}
    outputs = _outputs(curve)
    if outputs and first_look.farthest(outputs, _outputs(curve), 0.0) is None:  # type: ignore[arg-type]  # made up once more
        arrays |= {f"outputs_{i}": value for i, value in enumerate(outputs)}
    return arrays


def check(curve: Any, saved: dict) -> None:
    """Raise unless the network of a curve that was read is the one with which it was saved.

    `saved`: what `of` gave then; empty for files of before, which say nothing of it.

    Raises:
        ValueError: a vocabulary differs, or outputs do; says which and by how much.
    """
    if not saved:
        return
    own, tables = _tables(curve), json.loads(str(saved["tables"]))
    if len(own) != len(tables):
        raise ValueError(
            f"The network has {len(own)} vocabularies, the curve's networks had {len(tables)}: "
            "build it by the code that built the curve's endpoints."
        )
    for (_, before), (name, now) in zip(tables, own, strict=True):
        if before != now:
            raise ValueError(
                f"The vocabulary of the layer {name} is not the one that the curve's networks had: "
                "adapt the layer to the same data, or load an endpoint network from its file."
            )
    count = sum(name.startswith("outputs_") for name in saved)
    if count == 0 or str(saved["policy"]) != _policy(curve):
        return
    expected = [saved[f"outputs_{i}"] for i in range(count)]
    found = _outputs(curve)
    tolerance = TOLERANCE.get(_policy(curve), COARSE)
    far = None if found is None else first_look.farthest(found, expected, tolerance)
    if far is not None:
        raise ValueError(
            "The network computes something else than the one with which the curve was saved: at "
            f"t={domains.centre(curve.family)} outputs differ by {far:.3g}. It has weights of the "
            "same shapes but other layers: build it by the code that built the curve's endpoints."
        )


def _outputs(curve: Any) -> list[np.ndarray] | None:
    x = first_look.made_up_inputs(curve.network)
    if x is None:
        return None
    w = curve.weights_at(domains.centre(curve.family))
    return first_look.outputs_of(curve.network, w, curve.state_values, x)


def _tables(curve: Any) -> list[list[str]]:
    def digest(words: Iterable) -> str:
        return hashlib.sha256(json.dumps([str(word) for word in words]).encode()).hexdigest()

    return [[name, digest(words)] for name, words in hidden_state.tables(curve.network.model)]


def _policy(curve: Any) -> str:
    return curve.network.model.dtype_policy.name
