"""What transformers are made of: learned positions and pre-norm blocks, of Keras' own layers."""

from collections.abc import Callable

import keras
from keras import ops


def check_size(layers: int, heads: int, width: int, dropout: float) -> None:
    """Raise unless blocks can be made: heads divide the width.

    Raises:
        ValueError: they do not, or a number is none of its kind; names the setting.
    """
    for name, value in (("layers", layers), ("heads", heads), ("width", width)):
        check_whole(name, value)
    if width % heads:
        near = next(n for n in range(heads, 0, -1) if width % n == 0)
        raise ValueError(
            f"model.heads must divide model.width, received heads={heads} and width={width}; "
            f"for instance model.heads={near} or model.width={heads * max(1, width // heads)}"
        )
    if isinstance(dropout, bool) or not isinstance(dropout, int | float) or not 0 <= dropout < 1:
        raise ValueError(
            f"model.dropout must be a number from 0 to below 1, received {dropout!r}; for "
            "instance model.dropout=0.1"
        )


def check_whole(name: str, value: int) -> None:
    """Raise unless the setting of that name is a whole number >= 1.

    Raises:
        ValueError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"model.{name} must be a whole number >= 1, received {value!r}")


def normal(by: float = 1.0) -> keras.initializers.Initializer:
    """N(0, (0.02 / by)^2), what GPT-2 begins with, and ViT its positions."""
    return keras.initializers.RandomNormal(stddev=0.02 / by)


def with_positions(x: keras.KerasTensor) -> keras.KerasTensor:
    """`x [b, n, width]` plus a learned vector a position.

    Positions are counted from `x`, so that Keras' own layers do and files need no class of ours.
    """
    count = ops.cumsum(ops.ones_like(x[:, :, 0], dtype="int32"), axis=1) - 1
    _, n, width = x.shape
    learned = keras.layers.Embedding(n, width, normal(), name="positions")(count)
    return keras.layers.Add(name="positioned")([x, learned])


def block(
    x: keras.KerasTensor,
    name: str,
    heads: int,
    norm: Callable[[str], keras.Layer],
    dropout: float,
    initializer: Callable[[], keras.initializers.Initializer],
    last: Callable[[], keras.initializers.Initializer] | None = None,
    **attention: object,
) -> keras.KerasTensor:
    """A pre-norm transformer block: `x + attention(norm(x))`, and of that `x + mlp(norm(x))`.

    Args:
        x: `[b, n, width]`.
        name: begins the names of its layers.
        heads: heads of `width / heads` each.
        norm: the normalisation layer of a name.
        dropout: rate, of attention and of what is added.
        initializer: makes the initialiser of a matrix; biases begin at zero.
        last: likewise, of the perceptron's second matrix; None: as the others.
        attention: more arguments for the attention's call, such as masks.

    Returns:
        `[b, n, width]`; the multilayer perceptron has `4 * width` units with GELU between.
    """
    width = x.shape[-1]
    y = norm(f"{name}_norm1")(x)
    y = keras.layers.MultiHeadAttention(
        heads,
        width // heads,
        dropout=dropout,
        kernel_initializer=initializer(),
        name=f"{name}_attention",
    )(y, y, **attention)
    x = _added(x, y, f"{name}_attended", dropout)
    y = norm(f"{name}_norm2")(x)
    first, second = initializer(), (last or initializer)()
    y = keras.layers.Dense(4 * width, "gelu", kernel_initializer=first, name=f"{name}_mlp1")(y)
    y = keras.layers.Dense(width, kernel_initializer=second, name=f"{name}_mlp2")(y)
    return _added(x, y, f"{name}_out", dropout)


def divide_attention(model: keras.Model, by: float) -> None:
    """Divide the matrix that ends each block's attention, which has the initialiser of all four.

    A copy that Keras makes of the model, with weights of its own, begins without the division.
    """
    for layer in model.layers:
        if isinstance(layer, keras.layers.MultiHeadAttention):
            layer.output_dense.kernel.assign(layer.output_dense.kernel / by)


def _added(
    x: keras.KerasTensor, y: keras.KerasTensor, name: str, dropout: float
) -> keras.KerasTensor:
    if dropout:
        y = keras.layers.Dropout(dropout, name=f"{name}_dropout")(y)
    return keras.layers.Add(name=name)([x, y])
