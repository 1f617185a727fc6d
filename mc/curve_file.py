"""The `.npz` file of a curve: plain arrays that NumPy alone can read."""

import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from mc import domains, families
from mc.atomic import replacing
from mc.curves import Curve

if TYPE_CHECKING:
    from mc.network.weights import FlatNetwork


def write(
    filepath: str | Path,
    *,
    overwrite: bool,
    control_points: np.ndarray,
    curve: Curve,
    fix_start: bool,
    fix_end: bool,
    fixed: Sequence[int],
    terms: Mapping[str, Any],
    weight_decay: float,
    seed: int,
    step: int,
    network: "FlatNetwork",
    state: Sequence[np.ndarray],
    end_states: Sequence[Sequence[np.ndarray]],
    endpoints: Iterable[str],
    probe: Mapping[str, Any],
    optimizer: Sequence[np.ndarray] = (),
) -> None:
    """Write a curve to a `.npz` file, atomically.

    Arrays in the file: `control_points [num_points, P]`; `family`, its import path, and `settings`
    or `attributes`, what it is made of as JSON (see `families.describe`); `fix_start`, `fix_end`,
    and `fixed`, the numbers of control points that stay; `terms` (JSON), of `terms.Terms`;
    `weight_decay`; `seed` and `step`, from which the next t is drawn; `paths` and `shapes` (JSON)
    of the trainable weights in the order that they have in a control point; `state_*`,
    `start_state_*`, `end_state_*`, the untrained variables left by training and of both ends, and
    `corner2_state_*` and so on of further corners of a surface;
    `endpoints`, strings that say where the end networks are; `probe_*`, see `probe.of`;
    `optimizer_*`, the optimizer's variables, if they are kept. Types that NumPy alone does not know
    (bfloat16) are written as float32.

    Raises:
        ValueError: the name does not end in `.npz`, or the family cannot be found again by name.
        FileExistsError: the file is there and `overwrite` is false.
    """
    filepath = Path(filepath)
    if filepath.suffix != ".npz":
        raise ValueError(f"A curve is saved as a .npz file; received {str(filepath)!r}.")
    if filepath.exists() and not overwrite:
        raise FileExistsError(f"{filepath} exists; pass overwrite=True to replace it.")
    arrays: dict[str, Any] = {
        "control_points": control_points,
        **families.describe(curve),
        "fix_start": fix_start,
        "fix_end": fix_end,
        "fixed": np.array(fixed, np.int64),
        "terms": json.dumps(dict(terms)),
        "weight_decay": weight_decay,
        "seed": seed,
        "step": step,
        "paths": np.array(network.paths),
        "shapes": json.dumps(network.shapes),
        "endpoints": np.array([str(e) for e in endpoints], dtype=np.str_),
    }
    arrays |= {f"probe_{name}": value for name, value in probe.items()}
    named = {"state": state, "optimizer": optimizer}
    named |= {_end(k): own for k, own in enumerate(end_states)}
    for name, values in named.items():
        arrays |= {f"{name}_{i}": plain(value) for i, value in enumerate(values)}
    with replacing(filepath) as unfinished, open(unfinished, "wb") as file:
        np.savez(file, **arrays)


def plain(value: ArrayLike) -> np.ndarray:
    """An array as NumPy alone can read it back: types of others (bfloat16, float8) as float32."""
    value = np.asarray(value)
    return value.astype(np.float32) if value.dtype.kind == "V" else value


def typed(value: ArrayLike, like: np.ndarray) -> np.ndarray:
    """An array that was written, in the type of another."""
    value = np.asarray(value)
    # Files of before hold the bytes of a type that NumPy alone does not know.
    if value.dtype != like.dtype and value.dtype.kind == "V":
        return value.view(like.dtype)
    return value.astype(like.dtype)


def read(filepath: str | Path, curve: Curve | None = None) -> dict:
    """What `write` was given, from a `.npz` file; of one of before, without what is new.

    `curve`: the family, where its class is not found by name any more.

    Raises:
        FileNotFoundError: there is no such file; says what writes one.
        ValueError: the file is damaged, or is not a curve's; or its family is not found.
    """
    try:
        # np.load leaves a damaged file open if it opens it itself.
        with open(filepath, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = dict(file)
        family = {name: str(arrays[name]) for name in families.KEYS if name in arrays}
        saved: dict[str, Any] = {
            "control_points": arrays["control_points"],
            "fix_start": bool(arrays["fix_start"]),
            "fix_end": bool(arrays["fix_end"]),
            "fix": arrays["fixed"].tolist() if "fixed" in arrays else None,
            "terms": json.loads(str(arrays.get("terms", "{}"))),
            "weight_decay": float(arrays["weight_decay"]),
            "paths": arrays["paths"].tolist(),
            "shapes": [tuple(shape) for shape in json.loads(str(arrays["shapes"]))],
            "endpoints": arrays["endpoints"].tolist(),
            "seed": int(arrays.get("seed", 0)),
            "step": int(arrays.get("step", 0)),
        }
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"There is no curve at {str(filepath)!r}: curve.save(...) writes one, and a run of "
            "stage=curve keeps its own as curve.npz in its folder."
        ) from error
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{filepath} is damaged or not a curve file ({error}).") from error
    saved["curve"] = families.restore(family) if curve is None else curve
    if len(saved["control_points"]) != saved["curve"].num_points:
        raise ValueError(
            f"The curve in {filepath} has {len(saved['control_points'])} control points, but the "
            f"family {saved['curve']!r} has num_points={saved['curve'].num_points}."
        )
    saved["probe"] = {k.removeprefix("probe_"): arrays[k] for k in arrays if k.startswith("probe_")}
    saved["state"] = _numbered(arrays, "state_")
    saved["optimizer"] = _numbered(arrays, "optimizer_")
    count = max(2, domains.num_networks(saved["curve"]))
    saved["end_states"] = [_numbered(arrays, f"{_end(k)}_") for k in range(count)]
    return saved


def _end(number: int) -> str:
    """What the state of an end, or of a corner, is named by."""
    return ("start_state", "end_state")[number] if number < 2 else f"corner{number}_state"


def check_network(saved: dict, network: "FlatNetwork") -> None:
    """Raise unless a network has the weights that a saved curve is made of.

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
