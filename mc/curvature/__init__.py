"""Curvature: second derivatives of the loss at a weight vector, and their spectrum."""
