"""Whether networks that came from different places fit together."""

import keras
from omegaconf import DictConfig

from mc import runs


def check_precision(cfg: DictConfig, name, network: keras.Model) -> None:
    """Raise unless the network of a file works in the dtype policy of base networks beside it.

    Raises:
        ValueError: it does not; says what to type.
    """
    if all(network.root.is_file for network in runs.networks(cfg)):
        return
    layers = network._flatten_layers(include_self=False)
    mixed = sorted({layer.dtype_policy.name for layer in layers if layer.weights} - {"float32"})
    if mixed != sorted({cfg.precision} - {"float32"}):
        policy = mixed[0] if mixed else "float32"
        raise ValueError(
            f"{name} works in {policy}, as it was saved, but the base networks beside it in "
            f"precision={cfg.precision}, which is another function. Type precision={policy}."
        )
