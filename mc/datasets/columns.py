"""Columns of a file: read as they are, chosen by name or number, and as numbers."""

import difflib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mc.datasets.raw import read_npy

Column = int | str


def read(path: str | Path, delimiter: str | None = None) -> pd.DataFrame:
    """The columns of a file: floats of a `.npy` file `[n, columns]`, else text as it stands there.

    They are labelled by the first row where none of its fields is a number, else from 0. Empty
    fields, `?`, `NA` and the like are missing.

    Args:
        path: of the file. Between columns stand commas if it is a `.csv`, tabs if a `.tsv`, else
            spaces.
        delimiter: what stands there instead.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no table of at least two columns and two rows.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(
            f"dataset.path={path}: there is no such file (looked at {path.absolute()})"
        )
    if path.suffix == ".npy":
        if delimiter is not None:
            raise ValueError(
                f"dataset.delimiter is for text: leave it null for {path.name}, received "
                f"{delimiter!r}"
            )
        frame = _array(path)
    else:
        frame = _text(path, delimiter)
    if frame.shape[1] < 2 or len(frame) < 2:
        raise ValueError(
            f"dataset.path={path} must have two rows and two columns or more, received "
            f"{len(frame)} x {frame.shape[1]}; if something else stands between its columns, type "
            "for instance dataset.delimiter=';'"
        )
    return frame


def chosen(frame: pd.DataFrame, columns: Column | Sequence[Column], setting: str) -> list[int]:
    """The places of columns that are named by their labels or numbers.

    Raises:
        ValueError: there is none of a name or number, or one is named twice; says which there are.
    """
    columns = [columns] if isinstance(columns, int | str) else list(columns)
    places = [_place(frame, column, setting) for column in columns]
    if not places or len(set(places)) < len(places):
        raise ValueError(f"dataset.{setting} must name columns, each once; received {columns}")
    return places


def is_text(column: pd.Series) -> bool:
    """Whether a column has a value that is no number."""
    return bool((_as_numbers(column).isna() & column.notna()).any())


def numbers(frame: pd.DataFrame, places: Sequence[int]) -> np.ndarray:
    """Some columns as `[n, len(places)] float64`, missing values as nan.

    Raises:
        ValueError: one has text; names it, and the first value that is no number.
    """
    found = []
    for place in places:
        column = frame.iloc[:, place]
        values = _as_numbers(column)
        if (wrong := values.isna() & column.notna()).any():
            row = int(np.flatnonzero(wrong)[0])
            raise ValueError(
                f"dataset: the column {frame.columns[place]} has text, {column.iloc[row]!r} in row "
                f"{row + 1}; leave it out of dataset.features, or write it as numbers"
            )
        found.append(values.to_numpy(np.float64))
    return np.stack(found, axis=1)


def check_complete(frame: pd.DataFrame, places: Sequence[int]) -> None:
    """Raise if values of some columns are missing or infinite.

    Raises:
        ValueError: they are; counts the rows, and names the columns.
    """
    columns = frame.iloc[:, list(places)]
    gaps = columns.isna().to_numpy() | np.isinf(columns.apply(_as_numbers).to_numpy(np.float64))
    if gaps.any():
        told = [
            f"{name} ({count})"
            for name, count in zip(columns.columns, gaps.sum(axis=0), strict=True)
            if count
        ]
        raise ValueError(
            f"dataset: {gaps.any(axis=1).sum()} of {len(frame)} rows have missing or infinite "
            f"values, in {', '.join(told)}; remove these rows, or leave the columns out of "
            "dataset.features"
        )


def _as_numbers(column: pd.Series) -> pd.Series:
    return pd.to_numeric(column, errors="coerce").astype(np.float64)


def _array(path: Path) -> pd.DataFrame:
    array, shape, kind = read_npy(path)
    if len(shape) != 2 or kind not in "biuf":
        raise ValueError(
            f"dataset.path={path} must hold real numbers of shape [n, columns], received "
            f"{array.dtype} of shape {shape}"
        )
    return pd.DataFrame(array.astype(np.float64))


def _text(path: Path, delimiter: str | None) -> pd.DataFrame:
    usual = {".csv": ",", ".tsv": "\t"}.get(path.suffix, r"\s+")
    try:
        frame = pd.read_csv(
            path,
            sep=usual if delimiter is None else delimiter,
            header=None,
            dtype=str,
            skipinitialspace=True,
            na_values=["?"],
        )
    except ValueError as error:  # of pandas, and of the encoding
        raise ValueError(
            f"dataset.path={path} cannot be read as a table ({str(error).strip()}); if something "
            "else stands between its columns, type for instance dataset.delimiter=';'"
        ) from error
    first = frame.iloc[0]
    if not np.isfinite(_as_numbers(first)).any():
        frame = frame.iloc[1:].reset_index(drop=True)
        frame.columns = pd.Index(first.fillna("").str.strip())
    return frame


def _place(frame: pd.DataFrame, column: Column, setting: str) -> int:
    count, labels = frame.shape[1], list(frame.columns)
    named = isinstance(labels[0], str)
    if isinstance(column, str) and labels.count(column) == 1:
        return labels.index(column)
    if isinstance(column, int) and not isinstance(column, bool) and -count <= column < count:
        return column % count
    known = f"columns have numbers from 0 to {count - 1}, or from -{count} to -1"
    if named:
        near = difflib.get_close_matches(str(column), labels, n=3, cutoff=0.4) or labels[:10]
        known = f"there are {', '.join(near)}; {known}"
    twice = " alone" if labels.count(column) > 1 else ""
    raise ValueError(f"dataset.{setting}: there is no column {column!r}{twice}; {known}")
