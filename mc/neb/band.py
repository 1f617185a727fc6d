"""Band: a chain of networks between two others, each of which descends across the chain."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from mc.curve_model import CurveModel
from mc.curves import PolyChain
from mc.neb import geometry
from mc.network import unpromised
from mc.network.weights import State


class Band(CurveModel):
    """A nudged elastic band, as a `CurveModel` whose training steps are those of all its pivots.

    A step spreads the pivots along the band, each link with its share of the length, and then gives
    every pivot w_i the gradient of its own loss without the part along the band,

        g - (g . tau_i) tau_i,    g = dL/dw at w_i,

    with tau_i of `geometry.tangents`: N - 2 gradients, and the losses of the two ends, which stay
    as they are. Spreading in place of springs is what all published runs do (springs of infinite
    strength: the string method). Of these, one thing differs: there every pivot draws a batch of
    its own, here all see the same one, so that the losses that tell a pivot its direction can be
    compared.

    With BatchNorm, a pivot is normalised by the statistics of the batch, as in training; moving
    averages stay those of the start.

    Args:
        network: a built Keras model, called statelessly.
        points: `[N, P]`, the start, the pivots, and the end.
        shares: of the length of the band, one a link; `[N - 1]`.
        end_states: of the start and the end.
        weight_decay: of the penalty 0.5 * weight_decay * ||w||^2, a part of the loss.
        seed: of dropout.

    Source: Henkelman and Jonsson 2000; Draxler et al. 2018, Section 3.1.
    """

    def __init__(
        self,
        network: keras.Model,
        points: ArrayLike,
        shares: ArrayLike,
        *,
        end_states: Sequence[State] | None = None,
        weight_decay: float = 0.0,
        seed: int = 0,
    ):
        points = np.asarray(points, np.float32)
        super().__init__(
            network,
            PolyChain(len(points) - 2),
            points,
            end_states=end_states,
            weight_decay=weight_decay,
            seed=seed,
        )
        self.shares = np.asarray(shares, np.float32)

    def train_step(self, data: Any) -> dict:
        """One step of all pivots; its loss is their mean before it."""
        x = keras.utils.unpack_x_y_sample_weight(data)[0]
        step = tf.convert_to_tensor(self.step)
        state = [tf.convert_to_tensor(s) for s in self.state]
        seed = tf.stack([self.seed, step])
        points = geometry.spread(
            tf.stack([tf.convert_to_tensor(p) for p in self.points]), self.shares
        )

        def of_pivot(w: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            gradient, loss, _, _ = self.slope(w, state, data, seed)
            return gradient, loss

        kinds = (tf.TensorSpec([self.network.size]), tf.TensorSpec([]))
        gradients, losses = tf.map_fn(
            of_pivot, points[1:-1], fn_output_signature=kinds, parallel_iterations=1
        )
        ends = [
            self._training_loss(points[k], state, data, seed)[0] + self._penalty(points[k])
            for k in (0, -1)
        ]
        values = tf.concat([ends[:1], losses, ends[1:]], 0)
        forces = geometry.across(gradients, geometry.tangents(points, values))
        pivots = self.points[1:-1]
        for k, pivot in enumerate(pivots):
            pivot.assign(points[k + 1])
        self.optimizer.apply_gradients([(forces[k], pivot) for k, pivot in enumerate(pivots)])
        self.step.assign(step + 1)
        size = tf.shape(tf.nest.flatten(x)[0])[0]
        unpromised.loss_tracker(self).update_state(tf.reduce_mean(losses), sample_weight=size)
        return self.get_metrics_result()
