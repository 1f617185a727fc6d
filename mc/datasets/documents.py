"""Documents of text: where they are read from, and which of them are for testing."""

import difflib
import glob
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

log = logging.getLogger(__name__)

Files = str | Path | Sequence[str | Path]


@dataclass(frozen=True)
class Document:
    """A text, what it is called in messages, and the class that it belongs to."""

    name: str
    text: str
    kind: str


def all_topics() -> list[Document]:
    """The topics of Python's `help()`, which every Python has, sorted by name; each a class."""
    from pydoc_data.topics import topics

    return [Document(f"topic {name}", topics[name], name) for name in sorted(topics)]


def chosen_topics(names: str | Sequence[str] | None) -> list[Document]:
    """Those of `all_topics` with some names, in their order; None: all that no longer one contains.

    Some are chapters, which other topics repeat section by section: a network that was trained on
    the one would be tested on the other.

    Raises:
        ValueError: there is none of a name, or one is named twice; says which are near.
    """
    documents = all_topics()
    if names is None:
        inside = contained(documents)
        log.info("dataset: %d topics are left out, since longer ones contain them", len(inside))
        return [document for document in documents if document.kind not in inside]
    names = [names] if isinstance(names, str) else list(names)
    known = [document.kind for document in documents]
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=5, cutoff=0.4) or known[:5]
            raise ValueError(
                f"dataset.topics: there is no topic {name!r} among the {len(known)} of this "
                f"Python; for instance {', '.join(near)}"
            )
    if not names or len(set(names)) < len(names):
        raise ValueError(f"dataset.topics must name topics, each once; received {names}")
    chosen = [document for document in documents if document.kind in names]
    for inner, outer in contained(chosen).items():
        log.warning(
            "dataset.topics: %s contains %s, so that text to test on may be text trained on",
            *(outer, inner),
        )
    return chosen


def contained(documents: Sequence[Document]) -> dict[str, str]:
    """The kinds of documents of which half the lines stand in a longer one: kind -> its kind."""
    lines: dict[str, set[str]] = {}
    found: dict[str, str] = {}
    for document in sorted(documents, key=lambda document: -len(document.text)):
        own = {line.strip() for line in document.text.splitlines()} - {""}
        shared = {kind: len(own & others) for kind, others in lines.items()}
        outer = max(shared, key=shared.__getitem__, default="")
        if outer and 2 * shared[outer] >= len(own):
            found[document.kind] = outer
        else:
            lines[document.kind] = own
    return found


def from_files(files: Files | Mapping[str, Files], setting: str = "files") -> list[Document]:
    """The documents that files hold: as they are named, or sorted by class where there are classes.

    Args:
        files: a path, or several, or a mapping from a class to paths; a path may be a pattern
            with `*`, whose files are sorted by name. Without a mapping each file is a class.
        setting: what messages call it.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a file is named twice, is no text in UTF-8, or a folder.
    """
    named: list[tuple[Any, Files]] = [(None, files)]  # type: ignore[list-item]  # no mapping
    if isinstance(files, Mapping):
        # Mappings that differ in their order alone are one setting, so they are one data set.
        named = sorted(files.items(), key=lambda item: str(item[0]))
    documents, seen = [], set()
    for kind, paths in named:
        for path in _expanded(paths, setting):
            if (place := path.resolve()) in seen:
                raise ValueError(f"dataset.{setting}: {path} is named twice")
            seen.add(place)
            own = str(path) if kind is None else str(kind)
            documents.append(Document(str(path), _read(path, setting), own))
    if not documents:
        raise ValueError(f"dataset.{setting} names no file, received {files!r}")
    return documents


def split(
    documents: Sequence[Document], test_fraction: float, random: np.random.RandomState
) -> tuple[list[Document], list[Document]]:
    """Documents to train on and to test on, in their order.

    Of several a part of them, drawn from `random`, is for testing, at least one and not all; of a
    single one its end.
    """
    if len(documents) > 1:
        size = min(max(1, round(test_fraction * len(documents))), len(documents) - 1)
        chosen = set(random.permutation(len(documents))[:size])
        train = [document for i, document in enumerate(documents) if i not in chosen]
        return train, [documents[i] for i in sorted(chosen)]
    (whole,) = documents
    end = len(whole.text) - round(test_fraction * len(whole.text))
    return [replace(whole, text=whole.text[:end])], [replace(whole, text=whole.text[end:])]


def _expanded(paths: Files, setting: str) -> Iterable[Path]:
    for path in [paths] if isinstance(paths, str | Path) else paths:
        path = Path(path).expanduser()
        found = [path] if path.is_file() else sorted(glob.glob(str(path), recursive=True))
        files = [Path(one) for one in found if Path(one).is_file()]
        if path.is_dir():
            raise ValueError(
                f"dataset.{setting}: {path} is a folder; name its files, such as '{path}/*.txt'"
            )
        if not files:
            raise FileNotFoundError(
                f"dataset.{setting}: there is no file {path} (looked at {path.absolute()})"
            )
        yield from files


def _read(path: Path, setting: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"dataset.{setting}: {path} is no text in UTF-8 (at byte {error.start}); convert it, "
            "for instance with iconv -t UTF-8"
        ) from error
