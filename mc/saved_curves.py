"""Curves and surfaces that were saved: loaded, gone on from, or grown."""

from pathlib import Path
from typing import Any

import keras
import numpy as np

from mc import curve_file, domains, families, surfaces
from mc.connecting import connect
from mc.curve_model import CurveModel
from mc.curves import Curve
from mc.network import probe
from mc.network.weights import FlatNetwork
from mc.terms import Terms


def load_curve(
    filepath: str | Path, network: keras.Model, curve: Curve | None = None
) -> CurveModel:
    """The curve that `CurveModel.save` wrote.

    Args:
        filepath: a `.npz` file.
        network: a model of the architecture of the curve's networks; its weights do not matter.
        curve: the family, where its class is not found by name any more, such as that of a script.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not a curve's; the network has another architecture (the first
            differing variable and both shapes), other vocabularies, or computes something else
            than the network with which the curve was saved; or the family is not found.
    """
    saved = curve_file.read(filepath, curve)
    flat = FlatNetwork(network)
    curve_file.check_network(saved, flat)
    made = CurveModel(
        network,
        saved["curve"],
        saved["control_points"],
        fix_start=saved["fix_start"],
        fix_end=saved["fix_end"],
        fix=saved["fix"],
        weight_decay=saved["weight_decay"],
        end_states=saved["end_states"],
        seed=saved["seed"],
        terms=Terms(**saved["terms"]),
    )
    for variable, value in zip(made.state, saved["state"], strict=True):
        variable.assign(curve_file.typed(value, variable.numpy()))
    made.step.assign(saved["step"])
    probe.check(made, saved["probe"])
    return made


def start_from(curve: CurveModel, filepath: str | Path) -> None:
    """Set a curve's control points and state to those of a saved curve of the same family.

    Raises:
        ValueError: the saved curve is of another family or other networks, or one of its ends,
            which is fixed here, lies elsewhere.
    """
    saved = curve_file.read(filepath)
    curve_file.check_network(saved, curve.network)
    check_family(saved, curve.family, filepath)
    _check_ends(curve, saved, filepath)
    for point, row in zip(curve.points, saved["control_points"], strict=True):
        point.assign(row)
    for variable, value in zip(curve.state, saved["state"], strict=True):
        variable.assign(curve_file.typed(value, variable.numpy()))


def _check_ends(curve: CurveModel, saved: dict, filepath: str | Path) -> None:
    """Raise unless the fixed ends of a curve are those of a saved one."""
    ends = ("start", "end") if domains.is_curve(curve.family) else range(1, len(curve.points) + 1)
    for (_, k), end in zip(domains.anchors(curve.family), ends, strict=False):
        moved = not np.allclose(curve.points[k], saved["control_points"][k], rtol=1e-5)
        if k in curve.fixed and moved:
            others = ",".join(str(i) for i in curve.fixed if i != k)
            named, free = f"corner {end}", f"fix=[{others}]"
            if isinstance(end, str):
                named, free = end, f"fix_{end}=false"
            raise ValueError(
                f"The {named} of the curve in {filepath} is not the endpoint network: its training "
                f"moved it, or it joins others. Free it ({free}), or name the networks that it "
                "joins."
            )


def check_family(saved: dict, family: Curve, filepath: str | Path) -> None:
    """Raise unless a saved curve is of the family of the curve that goes on from it.

    Raises:
        ValueError: it is of another; says both.
    """
    if not families.same(saved["curve"], family):
        raise ValueError(
            f"The curve in {filepath} is {saved['curve']}, but the one to train is {family}: "
            "choose the same curve and num_bends."
        )


def is_smaller(saved: dict, family: Any) -> bool:
    """Whether a saved curve is a simplex with the corners of another, and fewer vertices."""
    own: Any = saved["curve"]
    simplex = surfaces.Simplex
    both = isinstance(own, simplex) and isinstance(family, simplex)
    return both and own.num_corners == family.num_corners and own.num_bends < family.num_bends


def grow(
    filepath: str | Path, *networks: keras.Model, num_bends: int, **options: Any
) -> CurveModel:
    """A simplex that begins with the vertices of a saved, smaller one, which stay as they are.

    The further vertices begin near the centroid of those that are there (Benton et al. 2021,
    Section 4.2, trains one after another so).

    Args:
        filepath: a `.npz` file of the smaller simplex.
        networks: those at its corners.
        num_bends: vertices beside the corners: more than the smaller one has.
        options: as in `connect`; of `fix` the default is all vertices of the smaller one.

    Raises:
        ValueError: the saved curve is no smaller simplex with these corners; or see `connect` and
            `start_from`.
    """
    saved = curve_file.read(filepath)
    family, smaller = surfaces.Simplex(len(networks), num_bends), saved["curve"]
    old = saved["control_points"]
    if not is_smaller(saved, family):
        raise ValueError(
            f"{family} can begin at a simplex of {family.num_corners} corners and fewer vertices; "
            f"the curve in {filepath} is {smaller}. Choose a larger num_bends, or the networks "
            "that it joins."
        )
    made = connect(*networks, curve=family, **{"fix": range(len(old))} | options)
    curve_file.check_network(saved, made.network)
    _check_ends(made, saved, filepath)
    for point, row in zip(made.points, family.start(old, made.seed), strict=True):
        point.assign(row)
    return made
