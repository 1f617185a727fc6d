"""What a loss expects of the network's outputs and of the targets."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeAlias

import keras
import numpy as np
import tensorflow as tf

Loss: TypeAlias = keras.losses.Loss | str | Callable  # itself, its name, or a function


def default(num_classes: int | None, one_hot: bool = False, **arguments: Any) -> keras.losses.Loss:
    """Cross-entropy of logits for classes, mean squared error for regression (`None`).

    `one_hot`: targets are rows of probabilities, such as one-hot ones, and no labels.
    `arguments` are Keras' own, such as `from_logits=False`, or of labels `ignore_class=0`.

    Raises:
        ValueError: the loss does not have one.
    """
    of_labels = keras.losses.SparseCategoricalCrossentropy
    kind = keras.losses.CategoricalCrossentropy if one_hot else of_labels
    if num_classes is None:
        kind = keras.losses.MeanSquaredError
    else:
        arguments = {"from_logits": True} | arguments
    known = inspect.signature(kind).parameters
    if unknown := [name for name in arguments if name not in known]:
        raise ValueError(
            f"loss.{unknown[0]} is not an argument of the default loss of this data, "
            f"{kind.__name__}. Known: {', '.join(known)}."
        )
    return kind(**arguments)


# What Keras' own losses compare the outputs with; names without underscores, as classes and
# functions share them. All other losses of Keras are about segments, sequences or similarity.
MEANINGS = {
    "labels": ("sparsecategoricalcrossentropy", "categoricalgeneralizedcrossentropy"),
    "one-hot labels": (
        *("categoricalcrossentropy", "categoricalfocalcrossentropy", "categoricalhinge"),
        *("kldivergence",),
    ),
    "binary": ("binarycrossentropy", "binaryfocalcrossentropy", "hinge", "squaredhinge"),
    "regression": (
        *("meansquarederror", "meanabsoluteerror", "meanabsolutepercentageerror"),
        *("meansquaredlogarithmicerror", "huber", "logcosh", "poisson", "cosinesimilarity"),
        "gaussian",  # `mc.likelihoods.Gaussian`
    ),
}
BY_SHAPE = ("crossentropy", "ce")  # for which `compile` chooses among three by the shapes
# Those that are a negative log-likelihood of the targets, up to a factor and a constant.
LIKELIHOODS = (
    *("SparseCategoricalCrossentropy", "CategoricalCrossentropy", "BinaryCrossentropy"),
    *("MeanSquaredError", "Gaussian"),
)


def meaning(loss: Loss) -> str | None:
    """What a loss compares the outputs with: one of `MEANINGS`, or else

    `classes` (labels or one-hot labels, as the shapes say), `other`, or None if it is not known.

    A loss counts as that of Keras, or of `mc.likelihoods`, which it is or derives from; one of your
    own whose name ends in "entropy" as what its name says.

    Args:
        loss: a Keras loss, its name, or a function.
    """
    if isinstance(loss, str) and loss.lower() in BY_SHAPE:
        return "classes"
    names = _names(loss)
    for name, from_keras in names:
        if from_keras and name not in ("loss", "lossfunctionwrapper"):
            return next((kind for kind, known in MEANINGS.items() if name in known), "other")
    own = names[0][0]
    if own.endswith(("entropy", "kldivergence")):
        words = {"binary": "binary", "sparse": "labels", "categorical": "one-hot labels"}
        return next((kind for word, kind in words.items() if word in own), "classes")
    return None


def is_likelihood(loss: Any) -> bool:
    """Whether a loss is one of `LIKELIHOODS`, or derives from one."""
    if isinstance(loss, str) and loss.lower() in BY_SHAPE:
        return True
    if isinstance(loss, dict | list | tuple):
        return False
    own = [name for name, from_keras in _names(loss) if from_keras]
    return bool(own) and own[0] in [name.lower() for name in LIKELIHOODS]


def _names(loss: Loss) -> list[tuple[str, bool]]:
    """The names of a loss, the most special first, and whether each is Keras' own, or ours."""
    loss = _function(keras.losses.get(loss))
    kinds = [loss] if hasattr(loss, "__name__") else type(loss).__mro__
    return [
        (
            kind.__name__.replace("_", "").lower(),
            kind.__module__.startswith(("keras.", "mc.likelihoods")),
        )
        for kind in kinds
        if kind is not object
    ]


def _function(loss: Any) -> Any:
    """The function that a partial one, or a wrapper made of a function, stands for."""
    while isinstance(loss, functools.partial) or type(loss).__name__ == "LossFunctionWrapper":
        loss = loss.func if isinstance(loss, functools.partial) else loss.fn  # type: ignore[union-attr]  # a wrapper has it
    return loss


def is_without_places(loss: Loss) -> bool:
    """Whether labels come in an order alone, and at no step of their own, as CTC takes them."""
    by_shape = isinstance(loss, str) and loss.lower() in BY_SHAPE
    return not by_shape and any(name == "ctc" for name, _ in _names(loss))


def compares_other_shapes(loss: Any, shape: tuple[int, ...]) -> bool:
    """Whether a loss may compare targets with outputs of another shape than `[batch, *shape]`.

    As CTC compares a sequence of labels with a longer one of their probabilities: other losses of
    Keras, and those of one's own where an example has more than one target.
    """
    if isinstance(loss, dict | list | tuple):
        return True
    kind = meaning(loss)
    return kind == "other" or (kind is None and len(shape) > 1)


def argument(loss: Any, name: str, default: Any = None) -> Any:
    """An argument that a loss was made with, such as `from_logits` or `ignore_class`."""
    if isinstance(loss, functools.partial):
        return loss.keywords.get(name, argument(loss.func, name, default))
    return getattr(loss, name, default)


def takes_one_hot(loss: Loss) -> bool:
    """Whether a loss over classes compares the outputs with one-hot targets, not with labels.

    True of Keras' own losses other than those on labels; a loss from elsewhere gets the labels.
    """
    from_keras = type(loss).__module__.startswith("keras.")
    return from_keras and meaning(loss) != "labels" and not is_without_places(loss)


def expects_logits(loss: Loss) -> bool | None:
    """Whether a cross-entropy expects logits; None for a loss that is none.

    The Kullback-Leibler divergence expects probabilities, as a cross-entropy without logits does.
    """
    if isinstance(loss, str) and loss.lower() in BY_SHAPE:
        return False
    if not _names(loss)[0][0].endswith(("entropy", "kldivergence")):
        return None
    return bool(argument(keras.losses.get(loss), "from_logits", False))


def are_probabilities(outputs: np.ndarray | tf.Tensor) -> bool:
    """Whether every row of `outputs: [batch, num_classes]` is non-negative and sums to 1."""
    rows = np.asarray(tf.cast(outputs, tf.float32))
    return bool(rows.min() >= 0 and np.allclose(rows.sum(-1), 1, atol=1e-2))


def check_targets(loss: Any, y: Any, outputs: Any) -> None:
    """Raise if targets are rows of probabilities, and the loss takes labels.

    Args:
        loss: a Keras loss, its name, or anything else (then nothing is checked).
        y, outputs: anything with shapes.

    Raises:
        ValueError: they are; says what to do.
    """
    if not isinstance(loss, str | keras.losses.Loss) or meaning(loss) != "labels":
        return
    shape, own = (tuple(getattr(part, "shape", ())) for part in (y, outputs))
    if len(own) < 2 or shape[1:] != own[1:] or own[-1] < 2:
        return
    raise ValueError(
        f"Targets of shape {shape} have a column a class, as one-hot ones do, and "
        f"{getattr(loss, 'name', loss)} takes labels: pass y.argmax(-1), or choose "
        "CategoricalCrossentropy (settings: loss._target_=keras.losses.CategoricalCrossentropy "
        "+loss.from_logits=true)."
    )


def check_outputs(loss: Any, outputs: Any) -> None:
    """Raise unless the outputs of a network are what a cross-entropy expects.

    Args:
        loss: a Keras loss, its name, or anything else (then nothing is checked).
        outputs: `[batch, num_classes]`; anything else is not checked.

    Raises:
        ValueError: probabilities for a loss on logits, or the reverse; names the fix.
    """
    if not isinstance(loss, str | keras.losses.Loss) and not callable(loss):
        return
    logits = expects_logits(loss)
    if logits is None or len(getattr(outputs, "shape", ())) != 2 or outputs.shape[-1] < 2:
        return
    if not np.isfinite(outputs).all():  # which are neither
        return
    if logits and are_probabilities(outputs):
        raise ValueError(
            "The network ends in probabilities (softmax), but the loss expects logits "
            "(from_logits=True). Remove the softmax from the last layer, or set "
            "from_logits=False in the loss (a setting: +loss.from_logits=false)."
        )
    # Independent binary outputs lie in [0, 1] without adding up to 1.
    binary = meaning(loss) == "binary"
    in_range = np.all((np.asarray(outputs) >= 0) & (np.asarray(outputs) <= 1))
    if not logits and not (in_range if binary else are_probabilities(outputs)):
        raise ValueError(
            "The network's outputs are not probabilities, but the loss expects them "
            "(from_logits=False). Set from_logits=True in the loss (a setting: "
            "+loss.from_logits=true), or end the network in softmax."
        )
