"""Data sets: a callable's arrays or tf.data datasets, as in-memory train, validation, test."""

from mc.datasets.data import Data, make_data
from mc.datasets.digits import digits
from mc.datasets.regression import regression
from mc.datasets.split import Split
from mc.datasets.tfds_images import tfds_images

__all__ = ["Data", "Split", "digits", "make_data", "regression", "tfds_images"]
