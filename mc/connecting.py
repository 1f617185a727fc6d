"""From networks to curves: connect two networks, or load a curve that was saved."""

import keras
import numpy as np

from mc import curve_file, curves
from mc.curve_model import CurveModel
from mc.weights import FlatNetwork, check_same_architecture, copy, pack


def connect(
    network_a,
    network_b,
    curve="bezier",
    num_bends=1,
    *,
    init="linear",
    fix_start=True,
    fix_end=True,
    weight_decay=0.0,
    seed=0,
) -> CurveModel:
    """A curve between two trained networks, ready to compile and fit.

    Args:
        network_a, network_b: Keras models of the same architecture, at t=0 and t=1.
        curve: the name of a family (`bezier`, `polychain`) or a curve object.
        num_bends: inner control points; not used with a curve object.
        init: `linear`, bends evenly spaced on the straight segment, or `random`, bends at fresh
            initial weights of the network drawn from `seed`.
        fix_start, fix_end, weight_decay, seed: as in `CurveModel`.

    Raises:
        ValueError: the architectures differ (the first differing variable and both shapes), or
            `init` is unknown, or `random` for a network that Keras cannot copy.
    """
    check_same_architecture(network_a, network_b)
    family = curves.resolve(curve, num_bends)
    points = curves.linear_points(pack(network_a), pack(network_b), family.num_points)
    if init == "random":
        for k in range(1, family.num_points - 1):
            points[k] = random_weights(network_a, seed=seed * 1000 + k)
    elif init != "linear":
        raise ValueError(f"init must be linear or random; received {init!r}.")
    return CurveModel(
        network_a,
        family,
        points,
        fix_start=fix_start,
        fix_end=fix_end,
        weight_decay=weight_decay,
        end_states=[FlatNetwork(network_a).state(), FlatNetwork(network_b).state()],
        seed=seed,
    )


def random_weights(network: keras.Model, seed: int) -> np.ndarray:
    """Fresh initial weights of a network, drawn from `seed`; `[P] float32`.

    Seeds Keras' global generators, from which initialisers without a seed draw.

    Raises:
        ValueError: Keras cannot copy the network.
    """
    keras.utils.set_random_seed(seed)
    return pack(copy(network))


def load_curve(filepath, network: keras.Model) -> CurveModel:
    """The curve that `CurveModel.save` wrote.

    Args:
        filepath: a `.npz` file.
        network: a model of the architecture of the curve's networks; its weights do not matter.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not a curve's, or the network has another architecture (the first
            differing variable and both shapes).
    """
    saved = curve_file.read(filepath)
    curve_file.check_network(saved, FlatNetwork(network))
    curve = CurveModel(
        network,
        saved["curve"],
        saved["control_points"],
        fix_start=saved["fix_start"],
        fix_end=saved["fix_end"],
        weight_decay=saved["weight_decay"],
        end_states=saved["end_states"],
    )
    for variable, value in zip(curve.state, saved["state"], strict=True):
        variable.assign(value)
    return curve
