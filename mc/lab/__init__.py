"""The laboratory: all that knows Hydra, output folders, and Weights & Biases."""
