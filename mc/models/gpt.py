"""A decoder of tokens, such as GPT-2, of any size."""

import math
from collections.abc import Sequence
from functools import partial

import keras
from keras import ops

from mc.models import transformer

NORMS = ("layer", "rms")
PREDICTS = ("next", "document")


def gpt(
    input_shape: Sequence[int],
    num_classes: int | None,
    layers: int = 2,
    heads: int = 2,
    width: int = 64,
    norm: str = "layer",
    dropout: float = 0.0,
    predict: str = "next",
    vocabulary: int | None = None,
    mask_zero: bool = False,
) -> keras.Model:
    """A pre-norm transformer decoder from tokens `[b, T]` to logits of the next at each position.

    Token vectors plus learned positions; `layers` blocks of causal self-attention and a perceptron
    of `4 * width` units; a last norm; logits `[b, T, num_classes]`. Its initial weights are
    GPT-2's: N(0, 0.02^2), and N(0, 0.02^2 / (2 * layers)) for what ends a block's two branches.

    Args:
        input_shape: `(T,)`, the context: how many tokens an input has.
        num_classes: number of logits.
        layers: number of blocks.
        heads: attention heads of a block, of `width / heads` each.
        width: size of the vector at a position.
        norm: `layer` for LayerNorm, or `rms` for RMSNorm, which neither centres nor has offsets.
        dropout: rate, of token vectors, of attention, and of what blocks add.
        predict: `next`, or `document`: logits `[b, num_classes]`, from the mean over positions.
        vocabulary: number of different tokens; None: num_classes.
        mask_zero: whether token 0 is padding: attended by none, and masked in the outputs, so that
            Keras' losses and metrics leave it out.

    Raises:
        ValueError: inputs that are no tokens `[T]`, no classes, or an argument of another form.

    Source: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners"; RMSNorm:
    Zhang and Sennrich 2019, "Root Mean Square Layer Normalization".
    """
    classes = _checked(input_shape, num_classes, norm, predict, vocabulary, mask_zero)
    transformer.check_size(layers, heads, width, dropout)
    branches = math.sqrt(2 * layers)
    tokens = keras.Input(tuple(input_shape), dtype="int32", name="tokens")
    real = ops.not_equal(tokens, 0) if mask_zero else None  # [b, T]
    options = {} if real is None else {"attention_mask": real[:, None, :]}
    x = _embedded(tokens, vocabulary or classes, width, dropout)
    for i in range(1, layers + 1):
        x = transformer.block(
            x,
            f"block{i}",
            heads,
            partial(_norm, norm),
            dropout,
            transformer.normal,
            last=partial(transformer.normal, branches),
            use_causal_mask=True,
            **options,
        )
    x = _norm(norm, "norm")(x)
    outputs = _logits(x if real is None else _masked(x, real), classes, predict)
    model = keras.Model(tokens, outputs, name="gpt")
    transformer.divide_attention(model, branches)
    return model


def _checked(
    input_shape: Sequence[int],
    num_classes: int | None,
    norm: str,
    predict: str,
    vocabulary: int | None,
    mask_zero: bool,
) -> int:
    """The number of classes, where the inputs are tokens and the gpt's own arguments are sound.

    Raises:
        ValueError: they are not; names the setting.
    """
    if len(input_shape) != 1:
        raise ValueError(
            f"model=gpt needs tokens [T], received inputs of shape {tuple(input_shape)}; use "
            "dataset=text, or another model"
        )
    if num_classes is None:
        raise ValueError(
            "model=gpt predicts tokens or classes, but the data set is a regression; let it return "
            "integer y, or 'num_classes'"
        )
    for name, value, words in (("norm", norm, NORMS), ("predict", predict, PREDICTS)):
        if value not in words:
            raise ValueError(f"model.{name} must be {' or '.join(words)}, received {value!r}")
    if not isinstance(mask_zero, bool):
        raise ValueError(f"model.mask_zero must be true or false, received {mask_zero!r}")
    if vocabulary is not None:
        transformer.check_whole("vocabulary", vocabulary)
    elif predict == "document":
        raise ValueError(
            "model.predict=document needs model.vocabulary, the number of different tokens, which "
            "dataset=text says when it is read; classes do not tell it"
        )
    return num_classes


def _embedded(
    tokens: keras.KerasTensor, vocabulary: int, width: int, dropout: float
) -> keras.KerasTensor:
    x = keras.layers.Embedding(vocabulary, width, transformer.normal(), name="embedding")(tokens)
    x = transformer.with_positions(x)
    return keras.layers.Dropout(dropout, name="dropout")(x) if dropout else x


def _norm(kind: str, name: str) -> keras.Layer:
    if kind == "rms":
        return keras.layers.RMSNormalization(epsilon=1e-5, name=name)
    return keras.layers.LayerNormalization(epsilon=1e-5, name=name)


def _masked(x: keras.KerasTensor, real: keras.KerasTensor) -> keras.KerasTensor:
    """`x [b, T, width]`, with a mask that leaves out where `real [b, T]` is false.

    Here, since not all layers before pass a mask on: RMSNormalization does not.
    """
    return keras.layers.Masking(name="mask")(x * ops.cast(real[:, :, None], x.dtype))


def _logits(x: keras.KerasTensor, num_classes: int, predict: str) -> keras.KerasTensor:
    if predict == "document":
        x = keras.layers.GlobalAveragePooling1D(name="mean")(x)
    return keras.layers.Dense(num_classes, kernel_initializer=transformer.normal(), name="logits")(
        x
    )
