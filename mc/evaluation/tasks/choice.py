"""Which task it is: what the loss and the shapes say, or what the user does."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike

from mc import likelihoods
from mc.evaluation.tasks.decisions import Decisions
from mc.evaluation.tasks.gaussian import Gaussian
from mc.evaluation.tasks.labels import Labels
from mc.evaluation.tasks.regression import Regression
from mc.evaluation.tasks.several import Several, part_of
from mc.evaluation.tasks.task import Task
from mc.network import losses

NAMES = ("labels", "binary", "multi-label", "regression", "loss")  # that may be typed


def of(
    loss: Any,
    y: Any,
    outputs: Any,
    *,
    num_classes: int | None = None,
    named: Task | str | None = None,
    output_names: Sequence[str] | None = None,
    token_characters: ArrayLike | None = None,
) -> Task:
    """The task of a network.

    Mean squared error and its like are a regression, whatever the type of the targets; a binary
    cross-entropy never means classes. For a loss of one's own only the targets can tell, and only
    of one axis: integers are labels, floats of the outputs' shape those of a regression. Where it
    is not known, the loss is all that is reported.

    Args:
        loss: as in `keras.Model.compile`; None if it is not known.
        y, outputs: of a batch: targets, and what the network gives for them.
        num_classes: the number of classes, where there are known to be some, whatever the loss.
        named: a task, or one of `NAMES`, in place of what the loss says.
        output_names: of a network with several outputs in a list.
        token_characters: `[C]`, how many characters each class stands for, if it is a token.

    Raises:
        ValueError: outputs or targets that do not fit the classes, or the task that is named.
    """
    if isinstance(named, Task):
        return named
    if named is not None and named not in NAMES:
        raise ValueError(f"task must be one of {', '.join(NAMES)}; received {named!r}.")
    if len(keras.tree.flatten(outputs)) > 1:
        return _of_several(loss, y, outputs, named, output_names)
    (out,), targets = keras.tree.flatten(outputs), keras.tree.flatten(y)
    if len(targets) != 1:
        return Task(why=f"there are {len(targets)} targets for one output")
    given = keras.tree.flatten(loss)
    own = given[0] if len(given) == 1 else None
    kind = named or _kind(own, targets[0], out, num_classes)
    task = _made(kind, own, targets[0], out, named is not None, num_classes)
    if token_characters is None or type(task) is not Labels:
        return task
    return replace(task, characters=tuple(np.asarray(token_characters, float).tolist()))


def _of_several(
    loss: Any, y: Any, outputs: Any, named: str | None, names: Sequence[str] | None
) -> Task:
    """The task of each output; an output without a loss, or without targets, has none."""
    if named is not None:
        raise ValueError(
            f"task={named} is one for all, and the network has several outputs: leave it out, "
            "since the loss of each output says what it is."
        )
    if isinstance(outputs, Mapping):
        places = list(outputs)
        titles = [str(place) for place in places]
    else:
        places = list(range(len(outputs)))
        known = list(names or ())
        titles = known if len(known) == len(places) else [f"output_{place}" for place in places]
    tasks = {}
    for title, place in zip(titles, places, strict=True):
        own, target = part_of(loss, title, place), part_of(y, title, place)
        known = own is not None and target is not None
        without = "no loss" if own is None else "no targets"
        tasks[title] = of(own, target, outputs[place]) if known else Task(why=f"it has {without}")
    return Several(tasks=tasks, places=tuple(places))


def _kind(loss: Any, y: Any, outputs: Any, num_classes: int | None) -> str:
    """What the loss means, or else the targets."""
    shape, targets = tuple(outputs.shape), tuple(y.shape)
    if num_classes is not None:
        return "labels"
    meaning = None if loss is None else losses.meaning(loss)
    if meaning == "classes":
        alike = targets == shape or (*targets, 1) == shape
        return "binary" if shape[-1] == 1 and alike else "labels"
    if meaning is not None:
        return {"one-hot labels": "labels", "other": "loss"}.get(meaning, meaning)
    if _is_whole(y):
        of_examples = len(shape) == 2 and shape[-1] > 1 and targets[1:] in ((), (1,))
        return "labels" if of_examples else "loss"
    return "regression"


def _made(
    kind: str, loss: Any, y: Any, outputs: Any, is_named: bool, num_classes: int | None
) -> Task:
    """The task of a kind, if outputs and targets fit it; else that of the loss alone."""
    shape, targets = tuple(outputs.shape), tuple(y.shape)
    of_density = kind == "regression" and isinstance(loss, likelihoods.Gaussian)
    given = (*shape[:-1], shape[-1] // 2) if of_density else shape
    alike = targets in (given, (*given, 1)) or (*targets, 1) == given
    fits = {
        "labels": shape[-1] > 1 and (alike or targets == shape[:-1] or targets == (*shape[:-1], 1)),
        "binary": alike,
        "multi-label": alike,
        "regression": alike,
    }.get(kind, True)
    placed = loss is None or not losses.is_without_places(loss)
    if kind == "labels" and placed and num_classes not in (None, shape[-1]):
        raise ValueError(
            "Classification is evaluated from one output for each class, "
            f"[batch, ..., {num_classes}]; the network gives {shape}. For two classes use two "
            "outputs and SparseCategoricalCrossentropy(from_logits=True)."
        )
    if is_named and not fits:
        raise ValueError(f"task={kind} does not fit targets {targets} and outputs {shape}.")
    if not (fits and placed) or kind == "loss":
        what = getattr(loss, "name", None) or getattr(loss, "__name__", loss)
        return Task(
            why=f"what the loss {what} compares targets {targets} and outputs {shape} by is not "
            f"known. If it is one of them, say so by task={', '.join(NAMES[:-1])}"
        )
    if kind == "regression":
        return Gaussian() if of_density else Regression()
    logits = _logits(loss, outputs, kind)
    if logits is None:  # as of a hinge loss
        if is_named:
            raise ValueError(
                f"task={kind} needs logits or probabilities, and the network's outputs are the "
                "margins of a hinge loss, which have no nll, and no perplexity."
            )
        return Task(why="its outputs are margins, and no probabilities")
    if kind in ("binary", "multi-label"):
        single = len(shape) == 1 or shape[-1] == 1
        axes = max(len(shape) - 2, 0)
        return Decisions(logits=logits, axes=axes, num_labels=1 if single else shape[-1])
    ignored = losses.argument(loss, "ignore_class")
    return Labels(num_classes=shape[-1], logits=logits, axes=len(shape) - 2, ignored=ignored)


def _logits(loss: Any, outputs: Any, kind: str) -> bool | None:
    """Whether outputs are logits; None if they are neither these nor probabilities."""
    meaning = None if loss is None else losses.meaning(loss)
    decisions = kind != "labels"
    if meaning is not None and (meaning == "binary") == decisions:
        known = losses.expects_logits(loss)
        if known is not None or decisions:
            return known
    if decisions:
        values = np.asarray(outputs)
        return not bool(np.all((values >= 0) & (values <= 1)))
    return not losses.are_probabilities(outputs)


def _is_whole(y: Any) -> bool:
    """Whether targets have a type of whole numbers."""
    dtype = keras.backend.standardize_dtype(y.dtype)
    return dtype.startswith(("int", "uint", "bool"))


def training_metrics(loss: Any, num_classes: int | None) -> list:
    """The metrics that Keras shows of training: accuracy of classes, mse of a regression.

    None of several outputs, whose losses Keras shows one by one, nor where a class is ignored.
    """
    if isinstance(loss, dict | list | tuple) or losses.argument(loss, "ignore_class") is not None:
        return []
    if losses.is_without_places(loss):
        return []
    if num_classes is not None:
        return ["accuracy"]
    if losses.meaning(loss) == "binary":
        logits = losses.expects_logits(loss)  # None of a hinge, whose margins are as logits are
        threshold = 0.5 if logits is False else 0.0
        return [keras.metrics.BinaryAccuracy(name="accuracy", threshold=threshold)]
    if isinstance(loss, likelihoods.Gaussian):
        return [keras.metrics.MeanMetricWrapper(likelihoods.squared_error, name="mse")]
    return ["mse"] if losses.meaning(loss) in ("regression", None) else []
