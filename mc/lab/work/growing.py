"""Arrays that grow batch by batch in files, so that what is predicted never lies in memory."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np


class Growing:
    """Arrays `[n, ...]` by name, to which batches `[b, ...]` are added.

    Args:
        folder: where their files lie meanwhile.
        names: of a network's outputs, for those that come in a list; None: their numbers.
    """

    def __init__(self, folder: Path, names: Sequence[str] | None = None):
        self.folder, self.names = folder, names
        self.batches: dict[str, tuple[int, np.ndarray]] = {}

    def add(self, name: str, batch: Any) -> None:
        """Add a batch; of several inputs or outputs, each under `<name>/<its own>`."""
        for own, array in self._parts(name, batch).items():
            count, like = self.batches.get(own, (0, array[:0]))
            with open(self._file(own), "ab") as file:
                file.write(np.ascontiguousarray(array, like.dtype).tobytes())
            self.batches[own] = count + len(array), like

    def arrays(self, stacked: Mapping[str, int] | None = None) -> dict[str, np.ndarray]:
        """The arrays, read from their files as they are used.

        `stacked`: of those that hold so many arrays one after another, how many: `[k, n, ...]`.
        """
        found = dict[str, np.ndarray]()
        for name, (count, like) in self.batches.items():
            several = (stacked or {}).get(name.partition("/")[0])
            axes = (count,) if several is None else (several, count // several)
            shape = (*axes, *like.shape[1:])
            found[name] = np.memmap(self._file(name), like.dtype, "r", shape=shape)
        return found

    def _parts(self, name: str, batch: Any) -> dict[str, np.ndarray]:
        if isinstance(batch, list | tuple):
            batch = dict(zip(self.names or range(len(batch)), batch, strict=True))
        if isinstance(batch, Mapping):
            return {f"{name}/{own}": np.asarray(array) for own, array in batch.items()}
        return {name: np.asarray(batch)}

    def _file(self, name: str) -> Path:
        return self.folder / str([*self.batches, name].index(name))


@contextmanager
def growing(model: Any) -> Iterator[Growing]:
    """Arrays that grow as long as a `with` block lasts, of the outputs of a Keras model."""
    with tempfile.TemporaryDirectory() as scratch:
        yield Growing(Path(scratch), getattr(model, "output_names", None))
