"""Which task it is: what the loss and the shapes say. It decides which metrics there are."""

from dataclasses import dataclass
from typing import Any

import keras

from mc.network import losses

# Of what has no metrics yet: what it is, and why its numbers would not be those of another task.
LEFT_OUT = {
    "binary": "one output that says yes or no",
    "multi-label": "several outputs that each say yes or no",
    "several outputs": "a loss for each of several outputs",
    "loss alone": "targets and outputs whose meaning is not known from the loss and their shapes",
}
SCORED = {"labels": "nll, error, accuracy and f1", "regression": "mse"}


@dataclass(frozen=True)
class Task:
    """What networks do.

    Attributes:
        name: `labels` (class numbers), `dense labels` (one-hot or probabilities), `regression`, or
            one of `LEFT_OUT`, whose only metric is the loss.
        num_classes: the number of classes, of labels and dense labels.
    """

    name: str
    num_classes: int | None = None

    @property
    def left_out(self) -> str | None:
        """What to say of metrics that are left out; None if the task has its own."""
        if self.name not in LEFT_OUT:
            return None
        others = " and ".join(SCORED.values())
        return (
            f"This is a task of kind {self.name!r} ({LEFT_OUT[self.name]}): it is evaluated by its "
            f"loss alone, without {others}."
        )


def of(loss: Any, y: Any, outputs: Any, num_classes: int | None = None) -> Task:
    """The task of a network.

    Mean squared error and its like are a regression, whatever the type of the targets; a binary
    cross-entropy never means classes. For a loss of one's own, the targets decide: integers are
    labels, floats of the outputs' shape those of a regression.

    Args:
        loss: as in `keras.Model.compile`; None if it is not known.
        y, outputs: of a batch, anything with shapes and types: targets and outputs.
        num_classes: the number of classes, where there are known to be some, whatever the loss.

    Raises:
        ValueError: outputs that do not fit the classes.
    """
    shape, targets = _shape(outputs), _shape(y)
    if num_classes is not None:
        if shape is None or shape[1:] != (num_classes,) or num_classes < 2:
            raise ValueError(
                "Classification is evaluated from one output for each class, "
                f"[batch, {num_classes}]; the network gives {shape or 'several outputs'}. For two "
                "classes use two outputs and SparseCategoricalCrossentropy(from_logits=True)."
            )
        dense = targets is not None and targets[1:] == shape[1:]
        return Task("dense labels" if dense else "labels", num_classes)
    if shape is None or targets is None:
        return Task("several outputs")
    given = keras.tree.flatten(loss)
    kind = None if len(given) != 1 or loss is None else losses.meaning(given[0])
    return _of_one(kind, shape, targets, _whole(keras.tree.flatten(y)[0]))


def _of_one(kind: str | None, shape: tuple, targets: tuple, whole: bool) -> Task:
    """The task of one output by what its loss means, and whether targets are whole numbers."""
    own, wanted = shape[1:], targets[1:]
    alike = wanted in (own, (*own, 1)) or own == (*wanted, 1)
    classes = own[0] if len(own) == 1 and own[0] > 1 else None
    if kind == "classes":
        kind = "binary" if own == (1,) else "dense labels" if wanted == own else "labels"
    if kind is None and classes and whole and wanted in ((), (1,)):
        kind = "labels"
    if kind is None and not whole:
        kind = "regression"
    fits = {
        "labels": classes and wanted in ((), (1,)),
        "dense labels": classes and wanted == own,
        "binary": alike and len(own) <= 1,
        "regression": alike,
    }
    if kind is None or not fits.get(kind):
        return Task("loss alone")
    if kind == "binary" and classes:
        return Task("multi-label")
    return Task(kind, classes if kind in ("labels", "dense labels") else None)


def training_metrics(loss: losses.Loss, num_classes: int | None) -> list[str]:
    """The metrics that Keras shows of training: accuracy of classes, mse of a regression."""
    if num_classes is not None:
        return ["accuracy"]
    return ["mse"] if losses.meaning(loss) in ("regression", None) else []


def _shape(part: Any) -> tuple | None:
    """The shape of a single tensor `[batch, ...]`, alone in a list or dict or not; else None."""
    flat = keras.tree.flatten(part)
    return tuple(flat[0].shape) if len(flat) == 1 else None


def _whole(y: Any) -> bool:
    """Whether targets have a type of whole numbers."""
    dtype = keras.backend.standardize_dtype(y.dtype)
    return dtype.startswith(("int", "uint", "bool"))
