"""Attention: heads, and units within them, which queries and keys have in common."""

from __future__ import annotations

from typing import Any

from keras import layers

from mc.network import unpromised
from mc.symmetry.axes import Axis
from mc.symmetry.rules.dense import einsum
from mc.symmetry.walk import Array, Walk, check_known, rule


@rule(layers.MultiHeadAttention)
def multi_head(
    walk: Walk, layer: Any, query: Array, value: Array, key: Array | None = None, **masks: Any
) -> Any:
    """query, key `[d, heads, units]`, value `[d, heads, values]`, output `[heads, values, out]`.

    Whole heads are a group, and so are the units within each head.
    """
    check_known(not masks.get("return_attention_scores"))
    key = value if key is None else key
    _pin_masked(walk, masks, query, key, value)
    return attended(walk, layer, query, value, key, ())


@rule(layers.GroupQueryAttention)
def grouped_query(
    walk: Walk, layer: Any, query: Array, value: Array, key: Array | None = None, **masks: Any
) -> Any:
    """As with heads alone, but that several heads of queries share one of keys and values."""
    check_known(not masks.get("return_attention_scores"))
    repeats = layer.num_query_heads // layer.num_key_value_heads
    key = value if key is None else key
    _pin_masked(walk, masks, query, key, value)
    return attended(walk, layer, query, value, key, (repeats,))


def _pin_masked(walk: Walk, masks: dict[str, Any], *arrays: Array) -> None:
    """Have the steps stay where a mask tells them apart."""
    if any(given is not None and given is not False for given in masks.values()):
        walk.units.pin(*(a for array in arrays for a in array.axes[1:-1] if a is not None))


def attended(
    walk: Walk, layer: Any, query: Array, value: Array, key: Array, repeats: tuple[int, ...]
) -> Array:
    """What attention gives for a query, values and keys."""
    parts = unpromised.attention_parts(layer)
    asked = einsum(walk, parts["query"], query)
    keys, values = einsum(walk, parts["key"], key), einsum(walk, parts["value"], value)
    heads, kept = asked.axes[-2], keys.axes[-2]
    walk.one(kept, values.axes[-2])
    if repeats:
        found, _ = walk.units.split(heads, len(kept))
        walk.units.unify(found, kept)
    else:
        walk.one(heads, kept)
    walk.one(asked.axes[-1], keys.axes[-1])
    for inner in (asked.axes[-1], values.axes[-1]):
        if inner is not None and kept is not None:
            walk.within.append((inner, kept))
    joined: tuple[Axis | None, ...] = (*asked.axes[:-1], values.axes[-1])
    if "gate" in parts:
        gate = einsum(walk, parts["gate"], query)
        joined = tuple(walk.one(a, b) for a, b in zip(joined, gate.axes, strict=True))
    return einsum(walk, parts["output"], Array(joined))
