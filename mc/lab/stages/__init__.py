"""The stages: all that anyone knows of each, as declarations; what they do is in `mc.lab.work`.

Importing this room registers them. Nothing here imports TensorFlow.
"""

# In the order of the command line.
# isort: off
from mc.lab.stages import base, align, curve, along, plane, chain, pairs, fge, swag
from mc.lab.stages import ensemble, posterior, soup, landscape, hessian, instability, whole, views

# isort: on
__all__ = [
    "align",
    "along",
    "base",
    "chain",
    "curve",
    "ensemble",
    "fge",
    "hessian",
    "instability",
    "landscape",
    "pairs",
    "plane",
    "posterior",
    "soup",
    "swag",
    "views",
    "whole",
]
