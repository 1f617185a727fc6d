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
    return _hold_and_fall(epoch / epochs, last=0.01)


def drbayes(epoch: int, epochs: int) -> float:
    """Factor 1 while e/E <= 0.5, then linear to 0.05 at e/E = 0.9, then 0.05.

    The schedule of Izmailov et al. 2019, "Subspace Inference for Bayesian Deep Learning", for
    networks that end at 5% of their first rate.
    """
    return _hold_and_fall(epoch / epochs, last=0.05)


def _hold_and_fall(progress: float, last: float) -> float:
    if progress <= 0.5:
        return 1.0
    return max(1.0 - (1.0 - last) * (progress - 0.5) / 0.4, last)


def cyclical(iteration: int, cycle: int, lr_1: float, lr_2: float) -> float:
    """Learning rate of fast geometric ensembling: from lr_1 down to lr_2 and up again, each cycle.

        u     = (i mod c) / c
        alpha = (1 - 2u) lr_1 + 2u lr_2          for u <= 1/2
                (2 - 2u) lr_2 + (2u - 1) lr_1    after

    Args:
        iteration: i, training steps counted from 0.
        cycle: c, training steps in a cycle.
        lr_1, lr_2: the highest and the lowest rate.

    Source: Garipov et al. 2018, Section 4.
    """
    u = (iteration % cycle) / cycle
    if u <= 0.5:
        return (1 - 2 * u) * lr_1 + 2 * u * lr_2
    return (2 - 2 * u) * lr_2 + (2 * u - 1) * lr_1


SCHEDULES = {"constant": constant, "cosine": cosine, "drbayes": drbayes, "garipov": garipov}


def factor(name: str, epoch: int, epochs: int) -> float:
    """Factor on the learning rate in epoch e = 1, ..., E of the schedule with that name.

    Raises:
        ValueError: no schedule has that name; the message lists the known ones.
    """
    if name not in SCHEDULES:
        raise ValueError(f"Unknown schedule {name!r}. Known: {', '.join(SCHEDULES)}.")
    return SCHEDULES[name](epoch, epochs)
