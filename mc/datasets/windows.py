"""Windows of tokens with what is to be predicted of them."""

import logging
from collections.abc import Mapping, Sequence

import numpy as np

from mc.datasets.documents import Document
from mc.datasets.tokens import Tokens

log = logging.getLogger(__name__)


def of_next(parts: Mapping[str, Sequence[Document]], tokens: Tokens, context: int) -> dict:
    """Windows `x [n, T] int32` of each part's documents, joined, and y, the same one token later.

    Args:
        parts: the documents of each split.
        tokens: what makes tokens of text.
        context: T.

    Returns:
        Each split's `(x, y)`, `num_classes`, and `token_characters` where they are known.

    Raises:
        ValueError: a split is too short for a window.
    """
    texts = {name: "\n".join(one.text for one in part) for name, part in parts.items()}
    found: dict = {"num_classes": tokens.size}
    for name, text in texts.items():
        ids = tokens.encode(text)
        count = (len(ids) - 1) // context
        if count < 1:
            raise ValueError(
                f"dataset: {name} has {len(ids)} tokens, and a window needs dataset.context + 1 of "
                f"them, which are {context + 1}; make it smaller, or give more text"
            )
        end = count * context
        found[name] = tuple(part.reshape(-1, context) for part in (ids[:end], ids[1 : end + 1]))
        _tell(name, parts[name], len(ids), count, len(ids) - end - 1)
    if (characters := tokens.characters(list(texts.values()))) is not None:
        found["token_characters"] = characters
    return found


def of_classes(
    parts: Mapping[str, Sequence[Document]],
    classes: Sequence[str],
    tokens: Tokens,
    context: int,
    random: np.random.RandomState,
) -> dict:
    """Windows `x [n, T] int32` of each document, in an order drawn from `random`, and y, classes.

    Args:
        parts: the documents of each split.
        classes: what documents are of, by number.
        tokens: what makes tokens of text.
        context: T.
        random: draws the order.

    Returns:
        Each split's `(x, y [n] int64)`, and `num_classes`.

    Raises:
        ValueError: there is no window of a class to train on, or none at all to test on.
    """
    found: dict = {"num_classes": len(classes)}
    for name, part in parts.items():
        ids = [tokens.encode(document.text) for document in part]
        rows = [one[: len(one) // context * context].reshape(-1, context) for one in ids]
        y = np.repeat([classes.index(document.kind) for document in part], list(map(len, rows)))
        total = sum(map(len, ids))
        _check_classes(name, classes, y, context)
        _tell(name, part, total, len(y), total - len(y) * context)
        order = random.permutation(len(y))
        found[name] = np.concatenate(rows)[order], y.astype(np.int64)[order]
    return found


def _check_classes(name: str, classes: Sequence[str], y: np.ndarray, context: int) -> None:
    """Raise unless there are windows of each class; to test on, unless there are windows at all.

    Raises:
        ValueError: there are not; names the classes.
    """
    missing = [kind for number, kind in enumerate(classes) if number not in y]
    if not missing:
        return
    told = f"{name} has no window of dataset.context={context} tokens of {', '.join(missing)}"
    if name == "train" or not y.size:
        raise ValueError(
            f"dataset: {told}; make the context smaller, leave them out, or change "
            "dataset.test_fraction"
        )
    log.warning("dataset: %s, whose text is too short", told)


def _tell(name: str, part: Sequence[Document], total: int, count: int, left: int) -> None:
    documents = f"{len(part)} document{'s' * (len(part) > 1)}"
    log.info(
        "dataset: %s: %d windows from %d tokens of %s; %d at ends, shorter than a window, left out",
        *(name, count, total, documents, left),
    )
