"""Text in windows of tokens: what comes next, or which document it is from."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mc.datasets import documents as sources
from mc.datasets import windows
from mc.datasets.documents import Document, Files
from mc.datasets.tokens import Characters, Tokenizer, Tokens

log = logging.getLogger(__name__)

PREDICTS = ("next", "document")


def text(
    files: Files | Mapping[str, Files] | None = None,
    topics: str | Sequence[str] | None = None,
    predict: str = "next",
    context: int = 64,
    tokenizer: Any = None,
    vocabulary_size: int | None = None,
    vocabulary_of: Files | None = None,
    test_fraction: float = 0.1,
    split_seed: int = 0,
) -> dict:
    """Windows of text, as tokens, and the next token at each position, or the text's class.

    Where there are several documents, some of them are for testing; of a single one its end. Of
    `predict=document` that holds for each class, and windows come in an order drawn from the seed.
    Between documents stands a newline. What is left at an end, shorter than a window, is left out.

    Args:
        files: a path of a text in UTF-8, or several, or a mapping from a class to paths; a path may
            be a pattern, such as `poems/*.txt`. Each file is a document, and without a mapping a
            class. None: the topics of Python's `help()`, which differ a little between versions.
        topics: those of them to take, by name; each is a document and a class. None: all that no
            longer one contains.
        predict: `next`: y is x moved on by one token. `document`: y is the class, numbered as files
            are named, or of mappings and topics sorted by name; `gpt` takes it with
            `model.predict=document` and the `model.vocabulary` that is told here.
        context: T, tokens of a window.
        tokenizer: see `Tokenizer`; None: each character is a token.
        vocabulary_size: how many different tokens the tokenizer has.
        vocabulary_of: files whose characters are the vocabulary; None: those of all `files`, or
            of all topics, chosen or not. Networks of different texts need the same.
        test_fraction: part of the documents, or of the single one, that is for testing.
        split_seed: draws the documents for testing; it depends on no seed of a run.

    Returns:
        A mapping for `make_data`: `train` and `test` as `(x [n, T] int32, y [n, T] int32)`, or
        `y [n] int64` classes; `num_classes`; and of `next` `token_characters [num_classes]
        float32`, how many characters each token stands for, where that is known.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: an unknown topic, a character or token outside the vocabulary, a split too short
            for a window, fewer than two classes, or an argument of another form.
    """
    _check(files, topics, predict, context, tokenizer, vocabulary_size, vocabulary_of)
    if isinstance(test_fraction, bool) or not 0 < test_fraction < 1:
        raise ValueError(
            f"dataset.test_fraction must be between 0 and 1, received {test_fraction!r}"
        )
    read = sources.chosen_topics(topics) if files is None else sources.from_files(files)
    tokens = _tokens(read, files, tokenizer, vocabulary_size, vocabulary_of)
    random = np.random.RandomState(split_seed)
    log.info("dataset: the vocabulary is %s", tokens.what)
    if predict == "next":
        return windows.of_next(_split([read], test_fraction, random), tokens, context)
    classes = list(dict.fromkeys(document.kind for document in read))
    if len(classes) < 2:
        raise ValueError(
            f"dataset.predict=document needs two classes or more, received {', '.join(classes)}; "
            "name several topics or files, or type 'dataset.files={CLASS: PATHS, CLASS: PATHS}'"
        )
    log.info("dataset: classes are %s", ", ".join(f"{n} {c}" for n, c in enumerate(classes)))
    groups = [[document for document in read if document.kind == kind] for kind in classes]
    parts = _split(groups, test_fraction, random)
    return windows.of_classes(parts, classes, tokens, context, random)


def _check(
    files: Any,
    topics: Any,
    predict: str,
    context: int,
    tokenizer: Any,
    vocabulary_size: Any,
    vocabulary_of: Any,
) -> None:
    """Raise unless the settings fit one another.

    Raises:
        ValueError: they do not; names them.
    """
    if predict not in PREDICTS:
        raise ValueError(f"dataset.predict must be {' or '.join(PREDICTS)}, received {predict!r}")
    if isinstance(context, bool) or not isinstance(context, int) or context < 1:
        raise ValueError(f"dataset.context must be a whole number >= 1, received {context!r}")
    if files is not None and topics is not None:
        raise ValueError(
            "dataset.topics are those of Python's help(): leave it null with dataset.files"
        )
    if tokenizer is None and vocabulary_size is not None:
        raise ValueError(
            "dataset.vocabulary_size is a tokenizer's: leave it null, or set dataset.tokenizer; "
            "the characters of the text tell their number"
        )
    if tokenizer is not None and vocabulary_of is not None:
        raise ValueError(
            "dataset.vocabulary_of is for characters: leave it null with dataset.tokenizer"
        )


def _tokens(
    read: list[Document],
    files: Any,
    tokenizer: Any,
    vocabulary_size: int | None,
    vocabulary_of: Files | None,
) -> Tokens:
    if tokenizer is not None:
        return Tokenizer(tokenizer, vocabulary_size)
    whose = read if files is not None else sources.all_topics()
    if vocabulary_of is not None:
        whose = sources.from_files(vocabulary_of, "vocabulary_of")
    characters = Characters(whose)
    characters.check(read)
    return characters


def _split(
    groups: list[list[Document]], test_fraction: float, random: np.random.RandomState
) -> dict[str, list[Document]]:
    """The documents of each split, each group split for itself."""
    parts = [sources.split(group, test_fraction, random) for group in groups]
    return {
        name: [document for part in parts for document in part[number]]
        for number, name in enumerate(("train", "test"))
    }
