"""Recurrent layers, whose kernels have their units on both axes, and wrappers of layers."""

from __future__ import annotations

from typing import Any

from keras import layers

from mc.symmetry import axes
from mc.symmetry.rules.elementwise import met
from mc.symmetry.walk import Array, Walk, check_known, rule


@rule(layers.LSTM, layers.GRU, layers.SimpleRNN)
def recurrent(walk: Walk, layer: Any, x: Array, initial_state: Any = None, **_: Any) -> Any:
    """kernel `[in, gates * u]`, recurrent kernel `[u, gates * u]`, bias `[(2,) gates * u]`."""
    cell = layer.cell
    if x.axes[1] is not None:
        walk.units.pin(x.axes[1])  # one step follows another
    units = walk.units.fresh(cell.units)
    wide = axes.product(axes.fixed(cell.kernel.shape[-1] // cell.units), units)
    walk.weight(cell.kernel, x.axes[-1], wide)
    walk.weight(cell.recurrent_kernel, units, wide)
    if cell.bias is not None:
        before = [axes.fixed(n) for n in cell.bias.shape[:-1]]
        walk.weight(cell.bias, *before, wide)
    # A kernel that was there before has its units already.
    units = walk.weights[id(cell.recurrent_kernel)].axes[0]
    state = Array((x.axes[0], units))
    given = initial_state if isinstance(initial_state, list | tuple) else [initial_state]
    for array in given:
        if isinstance(array, Array):
            walk.one(array.axes[-1], units)
    whole = Array((x.axes[0], x.axes[1], units)) if layer.return_sequences else state
    if not layer.return_state:
        return whole
    return [whole, *(state for _ in range(2 if isinstance(layer, layers.LSTM) else 1))]


@rule(layers.Bidirectional)
def bidirectional(walk: Walk, layer: Any, x: Array, initial_state: Any = None, **_: Any) -> Any:
    """Both ways, side by side or number by number."""
    check_known(initial_state is None and not layer.return_state and layer.merge_mode is not None)
    there, back = (walk.call(one, x) for one in (layer.forward_layer, layer.backward_layer))
    if layer.merge_mode == "concat":
        return there.but(-1, axes.concatenated([there.axes[-1], back.axes[-1]]))
    return met(walk, there, back)


@rule(layers.TimeDistributed)
def at_each_step(walk: Walk, layer: Any, x: Array, **_: Any) -> Array:
    """The layer within, without the axis of time."""
    found = walk.call(layer.layer, Array((x.axes[0], *x.axes[2:])))
    return Array((x.axes[0], x.axes[1], *found.axes[1:]))
