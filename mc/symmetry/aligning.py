"""One network renumbered so that its units are where those of another are."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mc.network import first_look
from mc.network.batches import as_batches
from mc.network.weights import FlatNetwork, check_same_architecture
from mc.symmetry import by_activations, by_weights
from mc.symmetry.blocks import blocks
from mc.symmetry.groups import Symmetries
from mc.symmetry.permutation import Permutation
from mc.symmetry.symmetries import symmetries

log = logging.getLogger(__name__)

METHODS = ("weights", "activations")


@dataclass(frozen=True, eq=False)
class Alignment:
    """A renumbering of b's units, and how it was found.

    Attributes:
        found: what may be renumbered.
        orders: of each group the place `[n] int` that each unit of b goes to.
        permutation: the same, of the whole network.
        history: of the objective <w_a, pi(w_b)>: `start, step, objective`.
    """

    found: Symmetries
    orders: Mapping[str, np.ndarray]
    permutation: Permutation
    history: list[dict[str, float]]


def align(
    a: keras.Model,
    b: keras.Model,
    method: str = "weights",
    data: Any = None,
    seed: int = 0,
    restarts: int = 0,
) -> tuple[keras.Model, Permutation]:
    """A copy of b whose units are numbered as those of a are, and that renumbering.

    The copy computes what b does; its weights lie close to those of a, so that less loss lies
    between. What may be renumbered is found and proved by `symmetries`; units that touch constants
    (frozen weights) stay, since networks that are joined share these.

    Args:
        a, b: functional or sequential networks of the same architecture.
        method: `weights`, see `by_weights.match`; or `activations`, see `by_activations.match`.
        data: of `activations`, in a form of `batches.as_batches`; read once.
        seed: of the order in which groups take turns, and of restarts.
        restarts: of matching by weights, how often to begin again from a random renumbering.

    Returns:
        The renumbered copy, and the `Permutation`, which takes any other network along:
        `permutation.apply(network)`.

    Raises:
        ValueError: an unknown method; no data; the architectures differ (the first difference);
            there is nothing to renumber, or a network has weights that are not finite; or see
            `symmetries`.
    """
    found = alignment(a, b, method, data, seed, restarts)
    return found.permutation.apply(b), found.permutation


def alignment(
    a: keras.Model,
    b: keras.Model,
    method: str = "weights",
    data: Any = None,
    seed: int = 0,
    restarts: int = 0,
) -> Alignment:
    """The same, with how it was found."""
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}; received {method!r}.")
    if method == "activations" and data is None:
        raise ValueError(
            "method='activations' matches units by what they do on data: pass data=, inputs x or "
            "(x, y); method='weights' needs none."
        )
    found = joinable(a, symmetries(a))  # which refuses quantized layers
    check_pair(a, b)
    if not found.groups:
        told = f" Not seen through: {', '.join(found.unseen)}." if found.unseen else ""
        raise ValueError(f"The network {a.name!r} has no units that may be renumbered.{told}")
    before: dict[str, np.ndarray] = {}
    if method == "activations":
        before = by_activations.match(found, a, b, as_batches(data))
        if unseen := found.without(before).groups:
            log.info("Not seen at work, so matched by weights: %s", ", ".join(unseen))
    moved = found.permutation(before)
    trained = {id(v) for v in a.trainable_variables}
    places = [place for place, v in enumerate(a.variables) if id(v) in trained]
    rest = found.without(before)
    matched = by_weights.match(
        rest,
        {place: _seen(a.variables[place]) for place in places},
        {place: moved.of_array(place, _seen(b.variables[place])) for place in places},
        seed,
        restarts if rest.groups else 0,
    )
    orders = found.composed(before, matched.orders)
    return Alignment(found, orders, found.permutation(orders), matched.history)


def check_pair(a: keras.Model, b: keras.Model) -> None:
    """Raise unless two networks compute one function of their weights, which are finite.

    Raises:
        ValueError: names the first difference, or the weight.
    """
    check_same_architecture(a, b)
    for which, network in (("first", a), ("second", b)):
        for variable in network.variables:
            if keras.backend.is_float_dtype(variable.dtype) and not _is_finite(variable):
                raise ValueError(
                    f"The {which} network has numbers that are not finite in {variable.path}, so "
                    "its units cannot be matched. Train it again at a lower rate, or leave it out."
                )
    flat = FlatNetwork(a)
    x = first_look.made_up_inputs(flat)
    if x is None:
        return
    other = flat.of(b)
    ours, theirs = (first_look.own_outputs(one, other, x) for one in (flat, other))
    if (far := first_look.farthest(ours, theirs, 1e-4)) is not None:
        raise ValueError(
            f"With the same weights the two networks' outputs differ by {far:.3g}: they have other "
            "layers. Build both by the same code."
        )


def _seen(variable: keras.Variable) -> np.ndarray:
    """A variable's value; where TensorFlow can, its own memory and no copy, to be read only."""
    return np.asarray(tf.convert_to_tensor(variable))


def _is_finite(variable: keras.Variable) -> bool:
    return bool(np.isfinite(_seen(variable)).all())


def joinable(network: keras.Model, found: Symmetries) -> Symmetries:
    """What may be renumbered of networks that share what is not trained.

    Groups that touch it stay, BatchNorm statistics aside, which move along with their weights; and
    so do groups that an array has on more than two axes.
    """
    flat = FlatNetwork(network)
    free = {id(v) for v in flat.trainable} | {id(flat.untrained[i]) for i in flat.batchnorm}
    constant = {v.path for v in network.variables if id(v) not in free}
    held = [n for n in found.groups if constant & {path for path, _ in found.touched(n)}]
    if held:
        log.info(
            "These units touch what is not trained, which joined networks share, and stay: %s",
            ", ".join(held),
        )
    often = [
        name
        for name, members in found.members.items()
        if name not in held
        for weight in found.weights.values()
        if any(block.count > 2 for block in blocks(weight.axes, members, weight.shape))
    ]
    if often:
        log.warning("On more than two axes of one weight, so they stay: %s", ", ".join(often))
    return found.without([*held, *often])
