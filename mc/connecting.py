"""From networks to curves: connect two networks, or load a curve that was saved."""

import warnings
from pathlib import Path

import keras
import numpy as np

from mc import curve_file, curves, families
from mc.curve_model import CurveModel
from mc.curves import Curve
from mc.network import first_look, probe, refusals
from mc.network.copying import copy
from mc.network.shapes import check_same_shapes
from mc.network.weights import FlatNetwork, check_same_architecture, pack


def connect(
    network_a: keras.Model,
    network_b: keras.Model,
    curve: str | Curve = "bezier",
    num_bends: int = 1,
    *,
    init: str = "linear",
    fix_start: bool = True,
    fix_end: bool = True,
    weight_decay: float = 0.0,
    seed: int = 0,
) -> CurveModel:
    """A curve between two trained networks, ready to compile and fit.

    Args:
        network_a, network_b: Keras models of the same architecture, at t=0 and t=1.
        curve: the name of a family (`bezier`, `polychain`) or a curve object.
        num_bends: inner control points; not used with a curve object.
        init: `linear`, bends evenly spaced on the straight segment, or `random`, bends at fresh
            initial weights of the network drawn from `seed` (which seeds Keras' global generators).
        fix_start, fix_end, weight_decay, seed: as in `CurveModel`.

    Raises:
        ValueError: the architectures differ (the first differing variable and both shapes), or
            `init` is unknown, or `random` for a network that Keras cannot copy; the family is none
            (`curves.check_family`); or see `CurveModel` and `CurveModel.check_on`: the latter is
            done here on inputs made up, and again on the first real batch.
    """
    flat = FlatNetwork(network_a)
    refusals.check_weights(flat)
    check_same_shapes(network_a, network_b)
    if (x := first_look.made_up_inputs(flat)) is not None:
        refusals.check_weights_stay(flat, pack(network_a), flat.state(), x)
    check_same_architecture(network_a, network_b)
    family = curves.check_family(curves.resolve(curve, num_bends))
    try:
        families.describe(family)
    except ValueError as error:
        warnings.warn(f"This curve cannot be saved: {error}", stacklevel=2)
    points = curves.linear_points(pack(network_a), pack(network_b), family.num_points)
    if init == "random":
        for k in range(1, family.num_points - 1):
            own_seed = np.random.SeedSequence([seed, k]).generate_state(1)[0]
            points[k] = random_weights(network_a, int(own_seed))
    elif init != "linear":
        raise ValueError(f"init must be linear or random; received {init!r}.")
    curve = CurveModel(
        network_a,
        family,
        points,
        fix_start=fix_start,
        fix_end=fix_end,
        weight_decay=weight_decay,
        end_states=[flat.state(), FlatNetwork(network_b).state()],
        seed=seed,
    )
    curve.first_look.others = [(1.0, network_b)]
    if x is not None:
        curve.first_look.compare(x)
    return curve


def random_weights(network: keras.Model, seed: int) -> np.ndarray:
    """Fresh initial weights of a network, drawn from `seed`; `[P] float32`.

    Seeds Keras' global generators, from which initialisers without a seed draw.

    Raises:
        ValueError: Keras cannot copy the network.
    """
    keras.utils.set_random_seed(seed)
    return pack(copy(network, ', or choose init="linear"'))


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
        weight_decay=saved["weight_decay"],
        end_states=saved["end_states"],
        seed=saved["seed"],
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
    for fixed, k, end in ((curve.fix_start, 0, "start"), (curve.fix_end, -1, "end")):
        if fixed and not np.allclose(curve.points[k], saved["control_points"][k], rtol=1e-5):
            raise ValueError(
                f"The {end} of the curve in {filepath} is not the endpoint network: its training "
                f"moved it, or it joins others. Free this {end} (fix_{end}=false), or name the "
                "networks that it joins."
            )
    for point, row in zip(curve.points, saved["control_points"], strict=True):
        point.assign(row)
    for variable, value in zip(curve.state, saved["state"], strict=True):
        variable.assign(curve_file.typed(value, variable.numpy()))


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
