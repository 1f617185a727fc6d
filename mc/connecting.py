"""From networks to curves: connect two networks, or load a curve that was saved."""

import keras
import numpy as np
import tensorflow as tf

from mc import curve_file, curves, losses
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
            initial weights of the network drawn from `seed` (which seeds Keras' global generators).
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
        end_states=[FlatNetwork(network_a).state(), FlatNetwork(network_b).state()],
        seed=seed,
    )
    inputs = getattr(network_b, "inputs", None) or []
    if inputs and all(None not in i.shape[1:] for i in inputs):
        x = [losses.made_up(i) for i in inputs]
        check_ends(curve, network_a, network_b, x if len(x) > 1 else x[0])
    return curve


def check_ends(curve: CurveModel, start: keras.Model, end: keras.Model, x) -> None:
    """Nothing, if the curve's ends compute what the endpoint networks compute.

    Equal shapes do not make equal networks: an activation or a stride may differ. `x`: a batch of
    inputs; outputs may differ by 1e-4 of their largest magnitude.

    Raises:
        ValueError: they differ; says at which end and by how much.
    """
    for t, network in ((0.0, start), (1.0, end)):
        state = curve.end_states.value[int(t)]
        if (far := distance(curve.network, curve.weights_at(t), state, network, x)) is not None:
            raise ValueError(
                f"At t={t:g} the curve does not compute what its endpoint network does: "
                f"outputs differ by {far:.3g}. The endpoints have weights of the same shapes but "
                "other layers: build both by the same code."
            )


def distance(flat: FlatNetwork, w, state, network: keras.Model, x) -> float | None:
    """How far the outputs of one network are from another's, or None if they agree.

    `flat` with weights `w` and `state` against `network`, on a batch of inputs `x`; outputs may
    differ by 1e-4 of their largest magnitude.
    """
    found, _, _ = flat(tf.convert_to_tensor(w), state, x, training=False)
    expected = network(x, training=False) if network._call_has_training_arg else network(x)
    for ours, theirs in zip(keras.tree.flatten(found), keras.tree.flatten(expected), strict=True):
        ours, theirs = (np.asarray(keras.ops.cast(o, "float32")) for o in (ours, theirs))
        scale = max(np.abs(theirs).max(initial=0.0), 1e-6)
        far = np.abs(ours - theirs).max(initial=0.0)
        if not far <= 1e-4 * scale:
            return float(far)
    return None


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


def start_from(curve: CurveModel, filepath) -> None:
    """Set a curve's control points and state to those of a saved curve of the same family.

    Raises:
        ValueError: the saved curve is of another family or other networks.
    """
    saved = curve_file.read(filepath)
    curve_file.check_network(saved, curve.network)
    check_family(saved, curve.curve, filepath)
    for point, row in zip(curve.points, saved["control_points"], strict=True):
        point.assign(row)
    for variable, value in zip(curve.state, saved["state"], strict=True):
        variable.assign(value)


def check_family(saved: dict, family, filepath) -> None:
    """Raise unless a saved curve is of the family of the curve that goes on from it.

    Raises:
        ValueError: it is of another; says both.
    """
    own = saved["curve"]
    if own != family and (type(own), vars(own)) != (type(family), vars(family)):
        raise ValueError(
            f"The curve in {filepath} is {saved['curve']}, but the one to train is {family}: "
            "choose the same curve and num_bends."
        )
