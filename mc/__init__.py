"""mc: curves of low loss between trained networks, for any Keras model.

A network is a function of its flat weight vector, and a curve is a few control points and the
coefficients that mix them: w(t) = coefficients(t) @ control_points.
"""

import importlib
from typing import TYPE_CHECKING, Any

from mc import backend

if TYPE_CHECKING:  # what editors and type checkers see of the names below
    from mc.connecting import connect as connect
    from mc.curvature.products import hessian_vector_product as hessian_vector_product
    from mc.curvature.spectrum import hessian_spectrum as hessian_spectrum
    from mc.curve_model import CurveModel as CurveModel
    from mc.curves import Bezier as Bezier
    from mc.curves import Linear as Linear
    from mc.curves import Point as Point
    from mc.curves import PolyChain as PolyChain
    from mc.ensembles.fge import CyclicalRate as CyclicalRate
    from mc.evaluation.along import evaluate as evaluate
    from mc.evaluation.over import evaluate_surface as evaluate_surface
    from mc.neb.autoneb import autoneb as autoneb
    from mc.network.weights import pack as pack
    from mc.network.weights import unpack as unpack
    from mc.posteriors.posterior import posterior as posterior
    from mc.saved_curves import load_curve as load_curve
    from mc.surfaces import BezierSurface as BezierSurface
    from mc.surfaces import Simplex as Simplex
    from mc.symmetry.aligning import align as align
    from mc.symmetry.permutation import Permutation as Permutation
    from mc.symmetry.symmetries import symmetries as symmetries
    from mc.terms import Terms as Terms

__version__ = "0.1.0"

# Loaded at first use (PEP 562): importing mc does not import TensorFlow.
_HOMES = {
    "Bezier": "mc.curves",
    "BezierSurface": "mc.surfaces",
    "CurveModel": "mc.curve_model",
    "CyclicalRate": "mc.ensembles.fge",
    "Linear": "mc.curves",
    "Permutation": "mc.symmetry.permutation",
    "Point": "mc.curves",
    "PolyChain": "mc.curves",
    "Simplex": "mc.surfaces",
    "Terms": "mc.terms",
    "align": "mc.symmetry.aligning",
    "autoneb": "mc.neb.autoneb",
    "connect": "mc.connecting",
    "evaluate": "mc.evaluation.along",
    "evaluate_surface": "mc.evaluation.over",
    "hessian_spectrum": "mc.curvature.spectrum",
    "hessian_vector_product": "mc.curvature.products",
    "load_curve": "mc.saved_curves",
    "pack": "mc.network.weights",
    "posterior": "mc.posteriors.posterior",
    "symmetries": "mc.symmetry.symmetries",
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
