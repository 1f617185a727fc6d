"""Plain Keras models that output logits, without regularisers."""

from mc.models.cnn import cnn, cnn_bn
from mc.models.mlp import mlp

__all__ = ["cnn", "cnn_bn", "mlp"]
