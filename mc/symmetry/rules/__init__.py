"""What each operation of Keras says of axes; importing this registers all of it."""

from mc.symmetry.rules import attention, dense, elementwise, operations, recurrent, shape

__all__ = ["attention", "dense", "elementwise", "operations", "recurrent", "shape"]
