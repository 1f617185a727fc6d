"""The barrier of each layer alone: straight segments on which one layer moves.

On the segment of a layer, its weights go from those of one network to those of another, and all
others stay (Adilova et al. 2024, "Layer-wise Linear Mode Connectivity").
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
import tensorflow as tf
from numpy.typing import ArrayLike

from mc.evaluation.evaluator import Evaluator
from mc.evaluation.geometry import positions, straight_segment
from mc.evaluation.pairs import barriers_of
from mc.network.weights import FlatNetwork

POINTS = 11  # equidistant, of each segment


def layers_of(network: FlatNetwork) -> dict[str, np.ndarray]:
    """Where the weights of each layer lie in w: `{path of the layer: positions}`."""
    ends = np.cumsum([0, *network.sizes])
    found: dict[str, list] = {}
    for path, first, last in zip(network.paths, ends[:-1], ends[1:], strict=True):
        found.setdefault(path.rpartition("/")[0] or path, []).append(np.arange(first, last))
    return {layer: np.concatenate(parts) for layer, parts in found.items()}


def barriers(
    network: FlatNetwork, start: ArrayLike, end: ArrayLike, at_points: Callable[..., Evaluator]
) -> pd.DataFrame:
    """A row a layer: `layer, weights, distance`, and its barriers, `<split>/<metric>/barrier_max`.

    Args:
        network: whose layers they are.
        start, end: weight vectors `[P]`; at t=1 the layer is that of the end, all else the start's.
        at_points: makes an `Evaluator` of two control points.
    """
    start, end = np.asarray(start, np.float32), np.asarray(end, np.float32)
    t = positions(POINTS)
    rows = straight_segment(t, 2)
    moved = tf.Variable(start)  # one graph for all layers
    evaluate, found = at_points([start, moved]), []
    for layer, places in layers_of(network).items():
        target = start.copy()
        target[places] = end[places]
        moved.assign(target)
        distance = float(np.linalg.norm((end - start)[places].astype(float)))
        points = pd.DataFrame(evaluate(rows, f", {layer}"))
        length = np.diff(t, prepend=0) * distance
        points = points.assign(t=t, segment_length=length)
        row = {"layer": layer, "weights": len(places), "distance": distance}
        found.append(row | barriers_of(points))
    return pd.DataFrame(found)
