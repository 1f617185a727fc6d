"""mc: curves of low loss between trained networks, for any Keras model.

A network is a function of its flat weight vector, and a curve is a few control points and the
coefficients that mix them: w(t) = coefficients(t) @ control_points.
"""

import importlib
from typing import Any

from mc import backend

__version__ = "0.1.0"

# Loaded at first use (PEP 562): importing mc does not import TensorFlow.
_HOMES = {
    "Bezier": "mc.curves",
    "CurveModel": "mc.curve_model",
    "CyclicalRate": "mc.ensembles.fge",
    "Linear": "mc.curves",
    "Point": "mc.curves",
    "PolyChain": "mc.curves",
    "connect": "mc.connecting",
    "evaluate": "mc.evaluation.along",
    "load_curve": "mc.connecting",
    "pack": "mc.network.weights",
    "unpack": "mc.network.weights",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'mc' has no attribute {name!r}; it has {', '.join(__all__)}")
    if told := backend.refusal():
        raise ImportError(told)
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
