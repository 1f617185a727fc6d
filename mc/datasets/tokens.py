"""Text as tokens: one a character, or those of a tokenizer."""

import importlib
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from mc.datasets.documents import Document

log = logging.getLogger(__name__)


class Tokens(Protocol):
    """What turns text into tokens in `[0, size)`."""

    size: int
    what: str  # as "103 characters"

    def encode(self, text: str) -> np.ndarray:
        """The tokens of a text, `[n] int32`."""

    def characters(self, texts: Sequence[str]) -> np.ndarray | None:
        """How many characters of the texts each token stands for, `[size] float32`, if known."""


class Characters:
    """A token a character: its place in the sorted characters of some documents.

    A newline, which is put between documents, is always among them.
    """

    def __init__(self, documents: Sequence[Document]):
        self.known = sorted({"\n"}.union(*(document.text for document in documents)))
        self.size = len(self.known)
        self.what = f"{self.size} characters"
        self._codes = np.array([ord(character) for character in self.known], np.uint32)

    def encode(self, text: str) -> np.ndarray:
        """The tokens of a text, `[n] int32`."""
        codes = np.frombuffer(text.encode("utf-32-le"), np.uint32)
        return np.searchsorted(self._codes, codes).astype(np.int32)

    def characters(self, texts: Sequence[str]) -> np.ndarray:
        """One, of each token; `[size] float32`."""
        return np.ones(self.size, np.float32)

    def check(self, documents: Sequence[Document]) -> None:
        """Raise unless documents have no other characters.

        Raises:
            ValueError: names a character and its document.
        """
        for document in documents:
            if other := sorted(set(document.text).difference(self.known)):
                raise ValueError(
                    f"dataset: {document.name} has {len(other)} characters that are not in the "
                    f"vocabulary of {self.size}, such as {other[0]!r} at position "
                    f"{document.text.index(other[0])}. Name it in dataset.vocabulary_of too, or "
                    "leave that null."
                )


class Tokenizer:
    """The tokens of anybody's tokenizer.

    Args:
        given: a callable from a text to a list of tokens, or an object with `encode`, and `decode`
            if it has one; or the dotted name of such a one; or a mapping with `_target_`, which is
            called with the other keys and returns one.
        size: the number of different tokens; None: what its `vocabulary_size` says.

    Raises:
        ValueError: it cannot be imported, or is none; or nothing says the number of tokens.
    """

    def __init__(self, given: Any, size: int | None):
        made = _made(given)
        self._encode: Callable = getattr(made, "encode", made)
        self._decode: Callable | None = getattr(made, "decode", None)
        if not callable(self._encode):
            raise ValueError(
                "dataset.tokenizer must be a function from a text to a list of tokens, or an "
                f"object with encode, received {made!r}"
            )
        own = getattr(made, "vocabulary_size", None)
        size = size or (own() if callable(own) else own)
        if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 2:
            raise ValueError(
                "dataset.vocabulary_size, the number of different tokens, must be a whole number "
                f">= 2 with dataset.tokenizer, received {size!r}"
            )
        self.size = int(size)
        self.what = f"{self.size} tokens of {given if isinstance(given, str) else 'a tokenizer'}"

    def encode(self, text: str) -> np.ndarray:
        """The tokens of a text, `[n] int32`.

        Raises:
            ValueError: they are no whole numbers in `[0, size)`.
        """
        ids = np.asarray(self._encode(text))
        if ids.ndim != 1 or (ids.size and ids.dtype.kind not in "iu"):
            raise ValueError(
                "dataset.tokenizer must give a list of whole numbers for a text, received "
                f"{ids.dtype} of shape {ids.shape}"
            )
        if (wrong := ids[(ids < 0) | (ids >= self.size)]).size:
            raise ValueError(
                f"dataset.tokenizer: tokens must lie in [0, {self.size}), received {wrong[0]}; set "
                "dataset.vocabulary_size to the number of different tokens"
            )
        return ids.astype(np.int32)

    def characters(self, texts: Sequence[str]) -> np.ndarray | None:
        """The length of each token decoded alone, 0 of those that the texts do not have.

        None, and a line that says so, where the tokenizer has no `decode`, or lengths of single
        tokens do not add up to a text's.
        """
        if self._decode is None:
            return None
        lengths = np.zeros(self.size, np.float32)
        for text in texts:
            ids = self.encode(text)
            for token in np.unique(ids):
                lengths[token] = len(self._decode([int(token)]))
            if lengths[ids].sum(dtype=np.float64) != len(text):
                log.info(
                    "dataset: %d tokens, each decoded alone, have %d characters, their text has "
                    "%d: there are no bits a character",
                    *(len(ids), lengths[ids].sum(dtype=np.float64), len(text)),
                )
                return None
        return lengths


def _made(given: Any) -> Any:
    """The tokenizer that a name, or a mapping with `_target_`, stands for; else what was given."""
    if isinstance(given, Mapping):
        arguments = dict(given)
        if not isinstance(target := arguments.pop("_target_", None), str):
            raise ValueError(
                f"dataset.tokenizer, a mapping, must have _target_, received {dict(given)}"
            )
        return _imported(target)(**arguments)
    return _imported(given) if isinstance(given, str) else given


def _imported(name: str) -> Any:
    module, _, attribute = name.rpartition(".")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(
            f"dataset.tokenizer={name} cannot be imported: {error}; it is package.module.name"
        ) from error
