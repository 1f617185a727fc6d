"""The files of results: tables, arrays, figures, networks, and the state of a run that goes on."""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mc.atomic import replacing

if TYPE_CHECKING:
    from pandas import DataFrame


def save_checkpoint(folder: Path, arrays: dict) -> None:
    """A run's state, as `checkpoint.npz`; the one before stays until this one is whole."""
    save_arrays(folder, "checkpoint", arrays | {"run": Path(folder).name})


def load_checkpoint(folder: Path) -> dict | None:
    """The state that `save_checkpoint` wrote for this run, or None if there is none.

    Raises:
        ValueError: the file cannot be read, or is of another run.
    """
    import numpy as np

    path = Path(folder) / "checkpoint.npz"
    if not path.exists():
        return None
    try:
        with open(path, "rb") as opened, np.load(opened) as file:
            arrays = dict(file)
    except (OSError, MemoryError):  # of the disk, not of the file
        raise
    except Exception as error:  # zipfile, zlib and NumPy have errors of their own
        raise ValueError(
            f"{path} is damaged, or no checkpoint; remove it to begin anew."
        ) from error
    run = str(arrays.pop("run", "no run of mc"))
    if run != Path(folder).name:
        raise ValueError(f"{path} is of another run ({run}); remove it to begin anew.")
    return arrays


def save_table(folder: Path, name: str, table: "DataFrame") -> None:
    """A pandas table as `<name>.csv`, every float with all its digits."""
    write_atomically(Path(folder) / f"{name}.csv", table.to_csv(index=False))


def save_arrays(folder: Path, name: str, arrays: dict) -> None:
    """Named arrays as `<name>.npz`."""
    import numpy as np

    with replacing(Path(folder) / f"{name}.npz") as unfinished, open(unfinished, "wb") as file:
        np.savez(file, **arrays)


def save_figures(folder: Path, figures: dict) -> dict[str, Path]:
    """Figures as `figures/<name>.png` and `.pdf`; returns the path of each PNG."""
    (Path(folder) / "figures").mkdir(exist_ok=True)
    paths = {}
    for name, figure in figures.items():
        paths[name] = Path(folder) / "figures" / f"{name}.png"
        # No dates inside, so that the same data gives the same file.
        for path, undated in (
            (paths[name], "Software"),
            (paths[name].with_suffix(".pdf"), "CreationDate"),
        ):
            with replacing(path) as unfinished:
                figure.savefig(unfinished, metadata={undated: None})
    return paths


def save_network(folder: Path, network: Any, whole: bool) -> None:
    """A Keras model as `model.weights.h5`, and as `model.keras` too if `whole`."""
    for name, save in (("model.weights.h5", network.save_weights), ("model.keras", network.save)):
        if name == "model.keras" and not whole:
            continue
        # Keras looks at the ending of the name.
        with replacing(Path(folder) / name, prefix=".unfinished-") as unfinished:
            save(unfinished)


def write_atomically(path: Path, text: str) -> None:
    """Write a text file that is at every moment either the old one or the new one."""
    with replacing(Path(path)) as unfinished, open(unfinished, "w") as file:
        file.write(text)


def as_json(value: dict) -> str:
    """Strict JSON: numbers that are not finite, which it does not have, are null."""
    return json.dumps(without_nan(value), indent=2, allow_nan=False) + "\n"


def without_nan(value: Any) -> Any:
    """Nested values in which numbers that are not finite are None."""
    if isinstance(value, dict):
        return {k: without_nan(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
