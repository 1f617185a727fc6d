"""What w is made of: all trainable weights of a network, some of them, or adapters alone."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import keras

from mc.network import unpromised


def train_only(network: keras.Model, pattern: str | None) -> list[keras.Variable]:
    """Make constants of all weights whose paths a pattern does not match; returns these.

    Args:
        network: a built model.
        pattern: a regular expression, to be found anywhere in a path such as `cnn/dense1/kernel`;
            layers that Keras has numbered by itself count from the first of their class in this
            network: `dense`, `dense_1`, .... None: all weights stay as they are.

    Raises:
        ValueError: it is no regular expression, or no path matches; lists the layers.
    """
    if pattern is None:
        return []
    try:
        wanted = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"trainable={pattern} is no regular expression: {error}.") from error
    paths = paths_of(network)
    others = [v for v in network.trainable_variables if not wanted.search(paths[id(v)])]
    if len(others) == len(paths):
        layers = dict.fromkeys(path.rpartition("/")[0] for path in paths.values())
        raise ValueError(
            f"trainable={pattern} matches no weight of the network {network.name!r}. It has "
            f"weights in {', '.join(layers)}, such as {next(iter(paths.values()))}."
        )
    for variable in others:
        variable.trainable = False
    freeze_batchnorm(network)
    return others


def freeze_batchnorm(network: keras.Model) -> None:
    """Make constants of BatchNorm layers of which no weight is trained: of their averages too."""
    for layer in _batchnorms(network):
        own = unpromised.own_weights(layer)
        if own and not any(v.trainable for v in own):
            layer.trainable = False


def _batchnorms(network: keras.Model) -> list[keras.layers.Layer]:
    kind = keras.layers.BatchNormalization
    return [layer for layer in unpromised.layers_of(network) if isinstance(layer, kind)]


@contextmanager
def only(network: keras.Model, pattern: str | None) -> Iterator[None]:
    """`train_only` as long as a `with` block lasts."""
    before = [layer for layer in _batchnorms(network) if layer.trainable]
    others = train_only(network, pattern)
    try:
        yield
    finally:
        for layer in before if others else ():
            layer.trainable = True
        for variable in others:
            variable.trainable = True


def paths_of(network: keras.Model) -> dict[int, str]:
    """The path of every trainable weight, by its id, whatever else the process has built."""
    numbers: dict[str, list[str]] = {}  # of each class the names that Keras has numbered
    for layer in unpromised.layers_of(network):
        base = _snake(type(layer).__name__)
        if re.fullmatch(rf"{base}(_\d+)?", layer.name):
            numbers.setdefault(base, []).append(layer.name)
    names = {}
    for base, own in numbers.items():
        for n, name in enumerate(sorted(dict.fromkeys(own), key=_number)):
            names[name] = f"{base}_{n}" if n else base
    return {
        id(v): "/".join(names.get(part, part) for part in v.path.split("/"))
        for v in network.trainable_variables
    }


def _number(name: str) -> int:
    found = re.search(r"_(\d+)$", name)
    return int(found[1]) if found else 0


def _snake(name: str) -> str:
    """`conv2d` of Conv2D, `multi_head_attention` of MultiHeadAttention, as Keras names layers."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
