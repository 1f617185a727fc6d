"""Fast geometric ensembling: a cyclical learning rate that visits network after network."""

import keras

from mc import schedules


class CyclicalRate(keras.callbacks.Callback):
    """Sets the learning rate of every training step by `schedules.cyclical`.

    A plain callback, for `fit` of a curve or of any Keras model with `steps_per_epoch` known.

    Args:
        cycle: epochs in a cycle, even.
        lr_1, lr_2: the rate at the beginning and in the middle of a cycle.

    Raises:
        ValueError: `cycle` is odd or below 2, or a rate is not positive.
    """

    def __init__(self, cycle: int, lr_1: float, lr_2: float):
        super().__init__()
        check_cycle(cycle)
        if min(lr_1, lr_2) <= 0:
            raise ValueError(f"lr_1 and lr_2 must be greater than 0; received {lr_1} and {lr_2}.")
        self.cycle, self.lr_1, self.lr_2 = cycle, lr_1, lr_2

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Raise unless the callback hears of every step, and knows how many an epoch has."""
        if self.model.steps_per_execution > 1:
            raise ValueError(
                "CyclicalRate sets the rate before every step, so Keras must call it before every "
                "step: compile with steps_per_execution=1; received "
                f"steps_per_execution={self.model.steps_per_execution}."
            )
        if self.params["steps"] is None:
            raise ValueError(
                "CyclicalRate must know how many steps an epoch has, and these data do not say so: "
                "pass steps_per_epoch to fit."
            )

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """The rates of the epoch, which counts from 0."""
        self.rates = self.of_steps(epoch, self.params["steps"])

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        """The step's own rate."""
        self.model.optimizer.learning_rate = self.rates[batch]

    def of_steps(self, epoch: int, steps: int) -> list[float]:
        """The rate of every step of an epoch, which counts from 0; `[steps]`."""
        iterations = range(epoch * steps, (epoch + 1) * steps)
        cycle = self.cycle * steps
        return [schedules.cyclical(i, cycle, self.lr_1, self.lr_2) for i in iterations]


def check_cycle(cycle: int) -> None:
    """Raise unless a cycle of so many epochs has its middle at the end of an epoch.

    Raises:
        ValueError: it does not.
    """
    if cycle < 2 or cycle % 2:
        raise ValueError(
            "The cycle of fast geometric ensembling must be an even number of epochs, at least 2, "
            f"so that its lowest rate falls on the end of an epoch; received {cycle}. "
            f"Take {max(2, cycle + cycle % 2)}."
        )


def low_points(epochs: int, cycle: int) -> range:
    """The epochs, counted from 1, after which the rate is lowest and a member is collected."""
    check_cycle(cycle)
    return range(cycle // 2, epochs + 1, cycle)
