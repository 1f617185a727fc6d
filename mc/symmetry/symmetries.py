"""The units of a network that may be renumbered, found from its graph and proved on a copy."""

from __future__ import annotations

import gc
import logging

import keras
import numpy as np

import mc.symmetry.rules  # noqa: F401  # which registers them
from mc.network import copying, unpromised
from mc.symmetry import heads, proof
from mc.symmetry.axes import NONE
from mc.symmetry.groups import Site, Symmetries
from mc.symmetry.walk import Walk, Weight, still

log = logging.getLogger(__name__)


def symmetries(network: keras.Model) -> Symmetries:
    """The groups of units of a network that may be renumbered.

    They follow from what every operation of its graph says of the axes of its inputs, outputs and
    weights. What cannot be seen through (a Lambda, raw TensorFlow) lets nothing that it touches
    move. Then all groups are renumbered at once, at random, in a copy of the network with random
    weights: groups that change its outputs are told, and stay.

    Args:
        network: a functional or sequential model, built; what layers of one's own are made of is
            looked at where Keras can trace it.

    Raises:
        ValueError: it has no graph; a layer is quantized; or Keras cannot copy it.
    """
    # Tracing leaves marks in layers, and proving other weights.
    own = copying.copy(network, in_float32=True)  # or rounding would look like a change
    graph = unpromised.graph_of(own)
    if graph is None:
        raise ValueError(
            f"The network {network.name!r} is no functional or sequential model, so what its units "
            "are cannot be seen. Build it by keras.Model(inputs, outputs)."
        )
    walk = Walk()
    inputs = keras.tree.map_structure(lambda x: still(x.shape), graph.inputs)
    for array in keras.tree.flatten(walk.through(graph, inputs)):
        walk.pin(array)
    if walk.unseen:
        log.info("Not seen through, so what they touch stays: %s", ", ".join(walk.unseen))
    found = _found(walk, network.variables, own.variables)
    changing = proof.changing(found, own)
    for name in changing:
        told = ", ".join(path for path, _ in found.touched(name))
        log.warning(
            "Renumbering the units of %s changes what the network computes: they stay.", told
        )
    del own, graph, inputs, array, walk
    gc.collect()  # a Keras model refers to itself, and would stay as long as it is not looked for
    return found.without(changing)


def _found(walk: Walk, variables: list, own: list) -> Symmetries:
    """What a walk through a copy has found, of the variables of the network."""
    weights: dict[int, Weight] = {}
    first: dict[int, str] = {}
    for place, variable in enumerate(own):
        if (weight := walk.weights.get(id(variable))) is None:
            continue
        now = Weight(weight.shape, tuple(map(walk.units.of, weight.axes)))
        weights[place] = now
        for axis in now.axes[::-1]:
            for unit in np.unique(axis.units[axis.units != NONE]).tolist():
                first.setdefault(unit, variables[place].path)
    names: dict[int, str] = {}
    groups = walk.units.groups()
    for group in sorted(groups, key=lambda group: int(groups[group][0])):
        if (path := first.get(int(groups[group][0]))) is not None:
            taken = sum(name == path or name.startswith(f"{path} (") for name in names.values())
            names[group] = f"{path} ({taken + 1})" if taken else path
    weights, split = heads.apart(walk.units, walk.within, weights)
    apart = {one.group: one for one in split}
    members: dict[str, np.ndarray] = {}
    within: dict[str, list[list[str]]] = {}
    for group, name in names.items():
        if (one := apart.get(group)) is None:
            members[name] = groups[group]
            continue
        kind = [f"{name}, head {number}" for number in range(1, len(one.units) + 1)]
        members |= dict(zip(kind, one.units, strict=True))
        within.setdefault(names[one.heads], []).append(kind)
    moving = np.concatenate([*members.values(), np.empty(0, int)])
    moves = {
        place: weight
        for place, weight in weights.items()
        if any(np.isin(axis.units, moving).any() for axis in weight.axes)
    }
    sites = [
        Site(
            call, place, tuple(None if axis is None else walk.units.of(axis) for axis in array.axes)
        )
        for call, place, array in walk.sites
    ]
    return Symmetries(
        members,
        moves,
        [variable.path for variable in variables],
        [tuple(variable.shape) for variable in variables],
        within,
        walk.unseen,
        sites,
        len(walk.units.group) + sum(one.units.size for one in split),
    )
