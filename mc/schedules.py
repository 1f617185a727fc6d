"""Learning-rate schedules: the factor on the learning rate as a function of progress."""

import math


def constant(epoch: int, epochs: int) -> float:
    """Factor 1 in every epoch."""
    return 1.0


def cosine(epoch: int, epochs: int) -> float:
    """Half a cosine from 1 in the first epoch towards 0: (1 + cos(pi (e-1)/E)) / 2."""
    return 0.5 * (1.0 + math.cos(math.pi * (epoch - 1) / epochs))


def garipov(epoch: int, epochs: int) -> float:
    """Factor 1 while e/E <= 0.5, then linear to 0.01 at e/E = 0.9, then 0.01.

    The schedule of Garipov et al. 2018 for base networks and curves.
    """
    progress = epoch / epochs
    if progress <= 0.5:
        return 1.0
    return max(1.0 - 0.99 * (progress - 0.5) / 0.4, 0.01)


SCHEDULES = {"constant": constant, "cosine": cosine, "garipov": garipov}


def factor(name: str, epoch: int, epochs: int) -> float:
    """Factor on the learning rate in epoch e = 1, ..., E of the schedule with that name.

    Raises:
        ValueError: no schedule has that name; the message lists the known ones.
    """
    if name not in SCHEDULES:
        raise ValueError(f"Unknown schedule {name!r}. Known: {', '.join(SCHEDULES)}.")
    return SCHEDULES[name](epoch, epochs)
