"""Figures for print: arrays in, a matplotlib figure out. No other room imports matplotlib."""

from mc.plots.along import PATHS, along_t, panels_of
from mc.plots.bands import band
from mc.plots.classes import confusion, true_class_density
from mc.plots.curvature import curvature, spectra
from mc.plots.functions import function_fan
from mc.plots.instabilities import instability
from mc.plots.joining import as_members_join
from mc.plots.landscapes import landscape, profile
from mc.plots.layers import layers
from mc.plots.matrices import pairs
from mc.plots.modes import dendrogram, tree
from mc.plots.planes import plane
from mc.plots.posteriors import posterior
from mc.plots.soups import soup
from mc.plots.surfaces import simplex, square
from mc.plots.uncertainty import entropies, predictive_band, reliability

__all__ = [
    "PATHS",
    "along_t",
    "as_members_join",
    "band",
    "confusion",
    "curvature",
    "dendrogram",
    "entropies",
    "function_fan",
    "instability",
    "landscape",
    "layers",
    "pairs",
    "panels_of",
    "plane",
    "posterior",
    "predictive_band",
    "profile",
    "reliability",
    "simplex",
    "soup",
    "spectra",
    "square",
    "tree",
    "true_class_density",
]
