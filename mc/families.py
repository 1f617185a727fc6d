"""A curve family as plain text, and back: its class by name, and what it holds."""

import copyreg
import json
import pkgutil
import sys
from dataclasses import asdict, is_dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from mc import domains
from mc.curves import Curve

KEYS = ("family", "settings", "attributes")  # of what `describe` gives
KIND = "kind of value"  # the key that marks what JSON has no form for


def describe(curve: Curve) -> dict[str, str]:
    """A family as text: `family`, its import path, and `settings` or `attributes`, both JSON.

    `settings` are a dataclass' arguments; `attributes` what an object of any other class holds, as
    pickle would keep it, but as plain values: numbers, strings, arrays, containers of these, other
    objects of this form, and functions and classes by name.

    Raises:
        ValueError: the class cannot be found again by name, it holds something else, or what would
            be read again computes other coefficients; says which.
    """
    name = _name_of(type(curve))
    if is_dataclass(curve):
        try:
            plain = {"family": name, "settings": json.dumps(asdict(curve))}
            if same(restore(plain), curve):
                return plain
        except Exception:  # it holds more than its arguments, or no plain ones
            pass
    described = {"family": name, "attributes": json.dumps(_encoded(_state_of(curve, name), name))}
    if not same(restore(described), curve):
        raise ValueError(
            f"A curve of the family {name} cannot be saved: read again it would compute other "
            "coefficients. Keep all that coefficients(t) needs in attributes of the object."
        )
    return described


def restore(described: dict) -> Curve:
    """The family that `describe` was given.

    Raises:
        ValueError: its class cannot be found; says where it was.
    """
    kind = _found(described["family"])
    if not hasattr(kind, "coefficients"):  # never call what is no family
        raise ValueError(f"{described['family']} is no curve family: it has no coefficients(t).")
    if "attributes" not in described:
        return kind(**json.loads(described["settings"]))
    return _with_state(kind, _decoded(json.loads(described["attributes"])))


def same(a: Curve, b: Curve) -> bool:
    """Whether two families have equal coefficients: of equally many points, at t spread over all.

    Of surfaces the corners are the same, too.
    """
    if int(a.num_points) != int(b.num_points) or domains.anchors(a) != domains.anchors(b):
        return False
    ours, theirs = (np.asarray(curve.coefficients(domains.spread(a, 65))) for curve in (a, b))
    return np.array_equal(ours, theirs)


def _name_of(kind: Any) -> str:
    module, qualname = kind.__module__, kind.__qualname__
    if "<" in qualname:  # <locals>, <lambda>
        raise ValueError(
            f"{qualname} cannot be found by name, so a curve that uses it cannot be saved: define "
            "it in a module, outside of any function."
        )
    if module == "__main__":  # by its own name, if python -m ran it
        module = getattr(sys.modules["__main__"].__spec__, "name", module)
    return f"{module}.{qualname}"


def _found(name: str) -> Any:
    main = sys.modules["__main__"]
    running = getattr(main.__spec__, "name", None)
    try:
        if running and name.startswith(f"{running}."):  # imported again it would be another class
            return pkgutil.resolve_name(f"__main__:{name.removeprefix(f'{running}.')}")
        return pkgutil.resolve_name(name)
    except (ImportError, AttributeError, ValueError) as error:
        where = "a script that ran then, which is" if name.startswith("__main__.") else "a module"
        raise ValueError(
            f"The curve's family {name} is not found ({error}): it was defined in {where} not here "
            "now. Make it importable, or give the family itself: "
            "mc.load_curve(filepath, network, curve=...)."
        ) from error


def _with_state(kind: Any, state: Any) -> Any:
    made = kind.__new__(kind)
    if hasattr(made, "__setstate__"):
        made.__setstate__(state)
        return made
    attributes, slots = state if isinstance(state, tuple) else (state, None)
    for name, value in ((attributes or {}) | (slots or {})).items():
        object.__setattr__(made, name, value)  # frozen ones too
    return made


def _encoded(value: Any, where: str) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list):
        return [_encoded(v, where) for v in value]
    if isinstance(value, dict) and all(isinstance(k, str) for k in value):
        return {k: _encoded(v, f"{where}.{k}") for k, v in value.items()}
    if isinstance(value, tuple) and type(value) is tuple:
        return {KIND: "tuple", "of": [_encoded(v, where) for v in value]}
    if isinstance(value, np.ndarray | np.generic | tf.Tensor):
        array = np.asarray(value)
        if array.dtype.kind in "biuf":
            kind = "tensor" if tf.is_tensor(value) else "array"
            return {KIND: kind, "dtype": array.dtype.name, "of": array.tolist()}
    if isinstance(value, type) or (callable(value) and hasattr(value, "__qualname__")):
        return {KIND: "name", "of": _name_of(value)}
    state = _encoded(_state_of(value, where), where)
    return {KIND: "object", "class": _name_of(type(value)), "of": state}


def _state_of(value: Any, where: str) -> Any:
    """What an object of a class written in Python holds, as pickle would keep it."""
    try:
        made_by, arguments, *state = value.__reduce_ex__(2)[:3]
    except TypeError:  # what not even pickle can keep
        made_by, arguments, state = None, None, []
    if made_by is not copyreg.__newobj__ or arguments != (type(value),):  # type: ignore[attr-defined]  # typeshed lacks it
        raise ValueError(
            f"A curve of this family cannot be saved: {where} is of {type(value)}. Keep numbers, "
            "strings, arrays, and lists and dicts of these."
        )
    return state[0] if state else None


def _decoded(value: Any) -> Any:
    if isinstance(value, list):
        return [_decoded(v) for v in value]
    if not isinstance(value, dict):
        return value
    kind = value.get(KIND)
    if kind is None:
        return {k: _decoded(v) for k, v in value.items()}
    if kind == "name":
        return _found(value["of"])
    if kind == "object":
        return _with_state(_found(value["class"]), _decoded(value["of"]))
    if kind == "tuple":
        return tuple(_decoded(v) for v in value["of"])
    array = np.array(value["of"], value["dtype"])
    return tf.constant(array) if kind == "tensor" else array
