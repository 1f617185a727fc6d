"""Data sets: whatever a callable returns, as train, validation and test splits."""

from mc.datasets.data import Data, make_data
from mc.datasets.digits import digits
from mc.datasets.examples import Examples
from mc.datasets.regression import regression
from mc.datasets.split import Split
from mc.datasets.stream import Stream
from mc.datasets.table import table
from mc.datasets.text import text
from mc.datasets.tfds_images import tfds_images

__all__ = [
    "Data",
    "Examples",
    "Split",
    "Stream",
    "digits",
    "make_data",
    "regression",
    "table",
    "text",
    "tfds_images",
]
