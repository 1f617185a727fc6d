"""The `.npz` file of a curve: plain arrays that NumPy alone can read."""

import importlib
import json
import zipfile
from dataclasses import asdict, is_dataclass
from pathlib import Path

import numpy as np

from mc.atomic import replacing


def write(
    filepath,
    *,
    overwrite,
    control_points,
    curve,
    fix_start,
    fix_end,
    weight_decay,
    network,
    state,
    end_states,
    endpoints,
) -> None:
    """Write a curve to a `.npz` file, atomically.

    Arrays in the file: `control_points [num_points, P]`; `family`, its import path, and `settings`,
    its arguments as JSON; `fix_start`, `fix_end`, `weight_decay`; `paths` and `shapes` (JSON) of
    the trainable weights in the order that they have in a control point; `state_*`,
    `start_state_*`, `end_state_*`, the untrained variables left by training and of both ends;
    `endpoints`, strings that say where the end networks are.

    Raises:
        ValueError: the name does not end in `.npz`, or the family cannot be found again by name.
        FileExistsError: the file is there and `overwrite` is false.
    """
    filepath = Path(filepath)
    if filepath.suffix != ".npz":
        raise ValueError(f"A curve is saved as a .npz file; received {str(filepath)!r}.")
    if filepath.exists() and not overwrite:
        raise FileExistsError(f"{filepath} exists; pass overwrite=True to replace it.")
    kind = type(curve)
    if "<locals>" in kind.__qualname__:
        raise ValueError(f"{kind.__qualname__} cannot be found by name: define it in a module.")
    arrays = {
        "control_points": control_points,
        "family": f"{kind.__module__}.{kind.__qualname__}",
        "settings": json.dumps(asdict(curve) if is_dataclass(curve) else vars(curve)),
        "fix_start": fix_start,
        "fix_end": fix_end,
        "weight_decay": weight_decay,
        "paths": np.array(network.paths),
        "shapes": json.dumps(network.shapes),
        "endpoints": np.array([str(e) for e in endpoints], dtype=np.str_),
    }
    named = {"state": state, "start_state": end_states[0], "end_state": end_states[1]}
    for name, values in named.items():
        arrays |= {f"{name}_{i}": value for i, value in enumerate(values)}
    with replacing(filepath) as unfinished, open(unfinished, "wb") as file:
        np.savez(file, **arrays)


def read(filepath) -> dict:
    """What `write` was given, from a `.npz` file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, or is not a curve's.
    """
    try:
        # np.load leaves a damaged file open if it opens it itself.
        with open(filepath, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = dict(file)
        module, _, name = str(arrays["family"]).rpartition(".")
        family = getattr(importlib.import_module(module), name)
        saved = {
            "control_points": arrays["control_points"],
            "curve": family(**json.loads(str(arrays["settings"]))),
            "fix_start": bool(arrays["fix_start"]),
            "fix_end": bool(arrays["fix_end"]),
            "weight_decay": float(arrays["weight_decay"]),
            "paths": arrays["paths"].tolist(),
            "shapes": [tuple(shape) for shape in json.loads(str(arrays["shapes"]))],
            "endpoints": arrays["endpoints"].tolist(),
        }
    except FileNotFoundError:
        raise
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{filepath} is damaged or not a curve file ({error}).") from error
    saved["state"] = _numbered(arrays, "state_")
    saved["end_states"] = [_numbered(arrays, "start_state_"), _numbered(arrays, "end_state_")]
    return saved


def check_network(saved: dict, network) -> None:
    """Nothing, if a network has the weights that a saved curve is made of.

    Raises:
        ValueError: names the first weight that differs, and both shapes.
    """
    if saved["shapes"] == network.shapes:
        return
    pairs = zip(saved["paths"], saved["shapes"], network.paths, network.shapes, strict=False)
    for path, shape, own_path, own_shape in pairs:
        if shape != own_shape:
            raise ValueError(
                f"The curve's weight {path} has shape {shape}, but the network's {own_path} has "
                f"shape {own_shape}: build the network as the curve's endpoints were."
            )
    raise ValueError(
        f"The curve has {len(saved['shapes'])} trainable weights, but the network has "
        f"{len(network.shapes)}: build the network as the curve's endpoints were."
    )


def _numbered(arrays: dict, prefix: str) -> list[np.ndarray]:
    count = sum(name.startswith(prefix) for name in arrays)
    return [arrays[f"{prefix}{i}"] for i in range(count)]
