"""Which files hold a whole Keras model; nothing here imports TensorFlow."""

import difflib
from pathlib import Path

H5 = (".h5", ".hdf5")
ACCEPTED = "Needed is the file of a whole Keras model, by model.save('NAME.keras') (or NAME.h5)"


def check_model_file(key: str, path: Path) -> None:
    """Raise unless there is a whole Keras model at `path`, by its kind and its ending.

    Whether Keras can read it, with the classes of its user, only reading tells.

    Raises:
        FileNotFoundError: there is nothing.
        ValueError: a SavedModel or another folder, weights alone, or a file that is no model; says
            what it is, and what to do. `key` is the setting that names it.
    """
    if not path.exists():
        beside = list(path.parent.glob("*"))
        there = [file.name for file in beside if file.suffix in (".keras", *H5)]
        there += [folder.name for folder in beside if (folder / "config.yaml").is_file()]
        near = difflib.get_close_matches(path.name, there, n=1)
        meant = f" Did you mean {path.with_name(near[0])}?" if near else ""
        raise FileNotFoundError(
            f"{key}: there is no saved Keras model at {str(path)!r}.{meant} {ACCEPTED}; "
            "networks of this project are named by their seeds, 1, or by the folders of their runs."
        )
    if told := _what_it_is(path):
        raise ValueError(f"{key}: {path} {told}. {ACCEPTED}.")


def _what_it_is(path: Path) -> str | None:
    """What is at a path in place of a model; None where it may be one."""
    if path.is_dir() and (path / "saved_model.pb").is_file():
        return (
            "is a SavedModel folder of TensorFlow, which holds a graph and no layers: load the "
            "model where it was made, and save it again"
        )
    if path.is_dir():
        return "is a folder"
    if path.name.endswith(".weights.h5") or (path.suffix in H5 and _holds_no_model(path)):
        whole = path.with_name("model.keras")
        beside = f"; {whole} beside it is whole" if whole.is_file() else ""
        return (
            f"holds weights and no layers: load them into a model of yours, and save that{beside}"
        )
    if path.suffix not in (".keras", *H5):
        return "does not end in .keras, without which Keras does not read it"
    return None


def _holds_no_model(path: Path) -> bool:
    """Whether a file of HDF5 lacks what describes a model."""
    import h5py

    try:
        with h5py.File(path) as file:
            return "model_config" not in file.attrs
    except OSError:  # damaged, or no HDF5: whoever reads it says so
        return False
