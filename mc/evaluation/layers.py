"""The barrier of each layer alone: straight segments on which one layer moves.

On the segment of a layer, its weights go from those of one network to those of another, and all
others stay. Its barrier is over the two networks, as that of the segment between them is (Adilova
et al. 2024, "Layer-wise Linear Mode Connectivity", where both networks have their layers moved).
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
import tensorflow as tf
from numpy.typing import ArrayLike

from mc.evaluation import statistics
from mc.evaluation.evaluator import Evaluator
from mc.evaluation.geometry import positions, straight_segment
from mc.network.weights import FlatNetwork

POINTS = 11  # equidistant, of each segment


def layers_of(network: FlatNetwork) -> dict[str, np.ndarray]:
    """Where the weights of each layer lie in w: `{path of the layer: positions}`."""
    found: dict[str, list] = {}
    for path, span in zip(network.paths, network.spans, strict=True):
        found.setdefault(path.rpartition("/")[0] or path, []).append(np.arange(*span))
    return {layer: np.concatenate(parts) for layer, parts in found.items()}


def barriers(
    network: FlatNetwork, start: ArrayLike, end: ArrayLike, at_points: Callable[..., Evaluator]
) -> pd.DataFrame:
    """A row a layer: `layer, weights, distance`, and its barriers, `<split>/<metric>/barrier_max`.

    Those of `statistics.summarise`, with L(0) and L(1) the values of the two networks.

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
    moved.assign(end)
    ends = evaluate(np.eye(2), ", both networks")
    for layer, places in layers_of(network).items():
        target = start.copy()
        target[places] = end[places]
        moved.assign(target)
        distance = float(np.linalg.norm((end - start)[places].astype(float)))
        values = evaluate(rows, f", {layer}")
        row = {"layer": layer, "weights": len(places), "distance": distance}
        found.append(row | statistics.barriers_of(values, t, ends))
    return pd.DataFrame(found)
