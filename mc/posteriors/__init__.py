"""Distributions over the networks of a subspace of weight space."""
