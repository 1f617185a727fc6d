"""Landscapes: what the loss looks like around networks, in one and two directions."""
