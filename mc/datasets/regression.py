"""One input, one output: a curve with gaps in its data, where the ensemble's spread shows."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from mc.datasets.raw import read_npy

# RandomState, not default_rng: NumPy promises never to change its streams.
SEED = 0
CLUSTERS = ((-7.0, -4.8), (-1.2, 1.2), (4.8, 7.0))
NUM_POINTS = 400
NOISE = 0.05


def regression(path: str | None = None) -> dict:
    """Points of a noisy one-dimensional function, four fifths to train on and one to test on.

    Args:
        path: a `.npy` file of shape `[n, 2]` with columns x and y. None: 400 built-in points in
            three clusters of x with gaps between them.

    Returns:
        A mapping for `make_data`: `train` and `test` as `(x [n, 1], y [n, 1])` float32, and the
        `transform` from x to network inputs. The split is a fixed permutation's.

    Raises:
        FileNotFoundError: there is no file at `path`.
        ValueError: the file is no array of real numbers of shape `[n, 2]`, n >= 5.

    Source: after the synthetic problem of P. Izmailov et al., "Subspace Inference for Bayesian
    Deep Learning", UAI 2019; `path` reads their published points.
    """
    points = _synthetic() if path is None else _read(Path(path).expanduser())
    order = np.random.RandomState(SEED).permutation(len(points))
    points = points[order].astype(np.float32)
    num_train = len(points) - len(points) // 5
    train, test = points[:num_train], points[num_train:]
    return {
        "train": (train[:, :1], train[:, 1:]),
        "test": (test[:, :1], test[:, 1:]),
        "transform": features,
    }


def features(x: tf.Tensor) -> tf.Tensor:
    """Network inputs `[m, 2]`, the columns x/2 and (x/2)^2, at positions `x: [m, 1]`."""
    half = x / 2.0
    return tf.concat([half, half**2], axis=1)


def _synthetic() -> np.ndarray:
    random = np.random.RandomState(SEED)
    low, high = np.array(CLUSTERS).T
    cluster = np.arange(NUM_POINTS) % len(CLUSTERS)
    x = random.uniform(low[cluster], high[cluster])
    y = 0.4 * np.sin(1.3 * x) + 0.2 * np.cos(0.5 * x) + 0.03 * x
    return np.stack([x, y + NOISE * random.randn(NUM_POINTS)], axis=1)


def _read(path: Path) -> np.ndarray:
    if not path.is_file():
        raise FileNotFoundError(
            f"dataset.path={path}: no such file (looked at {path.absolute()}); give a .npy file "
            "with columns x and y, or leave dataset.path=null for the built-in points"
        )
    points, shape, kind = read_npy(path)
    if len(shape) != 2 or shape[1] != 2 or shape[0] < 5 or kind not in "iuf":
        raise ValueError(
            f"dataset.path={path} must hold real numbers of shape [n, 2], columns x and y, "
            f"n >= 5; received {points.dtype} of shape {shape}"
        )
    return points
