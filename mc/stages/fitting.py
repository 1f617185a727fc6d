"""Whether networks and curves that came from different places fit together."""

import keras
from omegaconf import DictConfig

from mc import connecting, runs
from mc.curve_model import CurveModel


def check_precision(cfg: DictConfig, name, network: keras.Model) -> None:
    """Raise unless the network of a file works in the dtype policy of base networks beside it.

    Raises:
        ValueError: it does not; says what to type.
    """
    if not any(runs.base_network(runs.start_of(n)) for n in runs.networks(cfg)):
        return
    layers = network._flatten_layers(include_self=False)
    mixed = sorted({layer.dtype_policy.name for layer in layers if layer.weights} - {"float32"})
    if mixed != sorted({cfg.precision} - {"float32"}):
        policy = mixed[0] if mixed else "float32"
        raise ValueError(
            f"{name} works in {policy}, as it was saved, but the base networks beside it in "
            f"precision={cfg.precision}, which is another function. Type precision={policy}."
        )


def check_fixed_ends(cfg: DictConfig, curve: CurveModel, networks, x) -> None:
    """Raise unless the fixed ends of a curve that is gone on with are the endpoint networks.

    Raises:
        ValueError: one is not, as of a curve whose end was free; says how to go on with it.
    """
    fixed = (curve.fix_start, curve.fix_end)
    for t, end in enumerate(("start", "end")):
        w, state = curve.weights_at(float(t)), curve.end_states.value[t]
        far = fixed[t] and connecting.distance(curve.network, w, state, networks[t], x)
        if far:
            raise ValueError(
                f"The curve of train.curve.init={cfg.train.curve.init} does not {end} at "
                f"{cfg.endpoints[t]}: outputs differ by {far:.3g}. Where its {end} was free, go on "
                f"with train.curve.fix_{end}=false; else name the networks that it joins as "
                "endpoints."
            )
