"""A walk through a network: every operation says what the axes of its inputs and weights share."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import keras

from mc.network import unpromised
from mc.symmetry import axes
from mc.symmetry.axes import Axis
from mc.symmetry.units import Units

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Array:
    """An array that flows through a network.

    Attributes:
        axes: None where a length is open.
        picked: positions of axes that are gone, which stay if the array's numbers are used.
    """

    axes: tuple[Axis | None, ...]
    picked: tuple[Axis, ...] = ()

    @property
    def shape(self) -> tuple[int | None, ...]:
        """The length of every axis, as Keras has shapes."""
        return tuple(None if axis is None else len(axis) for axis in self.axes)

    def but(self, place: int, axis: Axis | None) -> Array:
        """The array with another axis at a place."""
        place %= len(self.axes)
        return Array((*self.axes[:place], axis, *self.axes[place + 1 :]), self.picked)


Rule: TypeAlias = Callable[..., Any]
RULES: dict[type, Rule] = {}
NAMED: dict[str, Rule] = {}  # of functions of `keras.ops`, by the names of their classes
KERAS_LAYERS = "keras.src.layers"
WITHOUT_NUMBERS = ("OnesLike", "ZerosLike")  # functions of an array's shape alone


def rule(*kinds: type) -> Callable[[Rule], Rule]:
    """Register the rule of some layers: `(walk, layer, *inputs, **arguments) -> outputs`."""

    def register(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(kinds, function))
        return function

    return register


@dataclass(frozen=True, eq=False)
class Weight:
    """The axes of a weight in some shape, most often its own."""

    shape: tuple[int, ...]
    axes: tuple[Axis, ...]


class Unknown(Exception):
    """Raised by a rule for what it does not know: all that is touched is pinned."""


class Walk:
    """What a walk through a network finds.

    Attributes:
        units: all units, in their groups.
        weights: of each variable, by `id`, the axes of its dimensions; others stay as they are.
        unseen: names of what could not be seen through, and pins its axes.
        within: axes of units within heads, and of these heads; see `heads.apart`.
        sites: what layers with weights are given: the number of the call, of the calls that a run
            through the graph makes in turn, the place among its arrays, and the array.
    """

    def __init__(self) -> None:
        self.units = Units()
        self.weights: dict[int, Weight] = {}
        self.unseen: list[str] = []
        self.within: list[tuple[Axis, Axis]] = []
        self.sites: list[tuple[int, int, Array]] = []
        self._calls = 0
        self._within = False  # an operation, which a run through the graph calls whole

    def through(self, model: keras.Model, inputs: Sequence[Any]) -> Any:
        """The outputs of a functional model for some inputs."""
        return unpromised.run_graph(model, inputs, self.call)

    def call(self, operation: Any, *args: Any, **kwargs: Any) -> Any:
        """The outputs of an operation."""
        if graph := unpromised.graph_of(operation):
            return self.through(graph, args[0] if len(args) == 1 else args)
        self._note(operation, args)
        outer, self._within = self._within, True
        outputs = self._outputs(operation, *args, **kwargs)
        self._within = outer
        return outputs

    def _outputs(self, operation: Any, *args: Any, **kwargs: Any) -> Any:
        self._use(type(operation).__name__, (args, kwargs))
        try:
            return rule_of(operation)(self, operation, *args, **kwargs)
        except Unknown:
            pass
        if found := self._expanded(operation, *args, **kwargs):
            return self.through(*found)
        return self._opaque(operation, *args, **kwargs)

    def _note(self, operation: Any, arguments: Any) -> None:
        """Keep what a layer with weights is given."""
        if self._within:
            return
        self._calls += 1
        if getattr(operation, "weights", None):
            for place, array in enumerate(keras.tree.flatten(arguments)):
                if isinstance(array, Array):
                    self.sites.append((self._calls, place, array))

    def _expanded(self, operation: Any, *args: Any, **kwargs: Any) -> tuple[Any, list] | None:
        """The graph within a layer of somebody's own, and its inputs; None if it shows none."""
        if not isinstance(operation, keras.Layer) or isinstance(operation, keras.layers.Lambda):
            return None
        if type(operation).__module__.startswith(KERAS_LAYERS):  # which has a rule, or none
            return None
        given: list[Array] = []
        symbols: list[keras.KerasTensor] = []

        def symbol(value: Any) -> Any:
            if not isinstance(value, Array):
                return value
            given.append(value)
            symbols.append(keras.KerasTensor(value.shape))
            return symbols[-1]

        args, kwargs = keras.tree.map_structure(symbol, (args, kwargs))
        try:
            return keras.Function(symbols, operation.call(*args, **kwargs)), given
        except Exception:  # of many kinds: it asks for numbers, or is no Keras within
            return None

    def _use(self, name: str, arguments: Any) -> None:
        """Pin what was picked of arrays whose numbers are used."""
        for array in keras.tree.flatten(arguments):
            if isinstance(array, Array) and name not in WITHOUT_NUMBERS:
                self.units.pin(*array.picked)

    def _opaque(self, operation: Any, *args: Any, **kwargs: Any) -> Any:
        arrays = [a for a in keras.tree.flatten((args, kwargs)) if isinstance(a, Array)]
        for array in arrays:
            self.pin(array)
        self.unseen.append(operation.name)

        def symbol(value: Any) -> Any:
            return keras.KerasTensor(value.shape) if isinstance(value, Array) else value

        args, kwargs = keras.tree.map_structure(symbol, (args, kwargs))
        spec = operation.compute_output_spec(*args, **kwargs)
        return keras.tree.map_structure(lambda tensor: still(tensor.shape), spec)

    def pin(self, array: Array) -> None:
        """Have all axes of an array stay."""
        self.units.pin(*array.picked, *(axis for axis in array.axes if axis is not None))

    def one(self, x: Axis | None, y: Axis | None) -> Axis | None:
        """The axis that two have in common; of an open length nothing moves."""
        if x is None or y is None:
            self.units.pin(*(axis for axis in (x, y) if axis is not None))
            return x if y is None else y
        self.units.unify(x, y)
        return x

    def weight(
        self, variable: keras.Variable, *of: Axis | None, shape: Sequence[int] | None = None
    ) -> tuple[Axis, ...]:
        """The axes of a weight, which are those given; where one is None, an axis of its own.

        A weight that is used again keeps its axes, which are one with those given. With `shape`,
        they are those of the weight in another shape, so that positions of two axes share a label.
        """
        shape = tuple(variable.shape if shape is None else shape)
        for axis in of:
            if axis is not None:
                self.units.settle(axis)
        known = self.weights.get(id(variable))
        if known is None:
            new = (self.units.fresh(n) if a is None else a for a, n in zip(of, shape, strict=True))
            known = self.weights[id(variable)] = Weight(shape, tuple(new))
            return known.axes
        check_known(known.shape == shape)
        for old, axis in zip(known.axes, of, strict=True):
            if axis is not None:
                self.units.unify(old, axis)
        return known.axes


def still(shape: Sequence[int | None]) -> Array:
    """An array of a shape, of which nothing moves."""
    return Array(tuple(None if n is None else axes.fixed(n) for n in shape))


def rule_of(operation: Any) -> Rule:
    """The rule of an operation.

    Raises:
        Unknown: there is none; or it is of a subclass with a `call` of its own.
    """
    if not isinstance(operation, keras.Layer):
        if type(operation).__name__ not in NAMED:
            raise Unknown
        return NAMED[type(operation).__name__]
    for kind in type(operation).__mro__:
        if kind in RULES:
            if getattr(kind, "call", None) is not getattr(type(operation), "call", None):
                raise Unknown
            return RULES[kind]
    raise Unknown


def check_known(condition: Any) -> None:
    """Raise unless a rule knows what it has before it.

    Raises:
        Unknown: it does not.
    """
    if not condition:
        raise Unknown
