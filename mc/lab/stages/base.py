"""stage=base: train one network from its initial weights."""

import math
from dataclasses import dataclass
from pathlib import Path

from mc.lab import naming
from mc.lab.graph import COMMON, Run
from mc.lab.settings import setting
from mc.lab.stages.common import Training


class Base(Run):
    """Train one network from its initial weights."""

    name, section = "base", "train.base"
    depends = (*COMMON, "model", "optimizer", "seed", "devices", "train.base")
    numbers = ("<split>/<metric>", "moving/<split>/<metric>")
    headlines = ("train/loss", "test/error", "test/mse")
    makes = "model.weights.h5"  # the trained network
    makes_networks = True

    @dataclass
    class Settings(Training):
        """How a base network is trained."""

        save_every: int | None = setting(
            None,
            "keep the state after every so many epochs, for networks such as 1@160",
            low=1,
            counts=False,
        )
        order_seed: int | None = setting(
            None,
            "of the order of examples and their augmentation; null: seed",
            low=0,
            added=True,
        )

    def key(self, own: dict, ids: dict) -> dict:
        """The section lies under `train`."""
        own["train"] = own.pop("train.base")
        return own | ids

    def files_of(self, named: naming.Network) -> list[Path]:
        """Its weights, or those of a saved epoch."""
        if named.epoch is not None:
            return [saved_epoch(self.folder, named.epoch)]
        return [self.result]

    def check_has(self, named: naming.Network) -> None:
        """Raise unless the run has a saved epoch, or will keep it once it is made.

        Raises:
            ValueError: says what to type.
        """
        epoch, epochs = named.epoch, self["train.base.epochs"]
        if epoch is None or saved_epoch(self.folder, epoch).is_file():
            return
        if epoch > epochs:
            raise ValueError(
                f"Base networks are trained for {epochs} epochs (train.base.epochs), so there is "
                f"no epoch {epoch} of network {named.seed}."
            )
        if self.is_done:
            kept = [int(path.stem) for path in saved_epochs(self.folder)]
            raise ValueError(
                f"Base network {named.seed} has no saved epoch {epoch}; it has {kept or 'none'}. "
                f"Train it again with train.base.save_every={epoch} force=true to keep it."
            )

    def both(self, other: Run) -> Run:
        """The run that keeps all epochs that are wanted of it."""
        every = [run["train.base.save_every"] for run in (self, other)]
        common = math.gcd(*(n for n in every if n is not None)) or None
        return (
            self.of("base", **self.changes | {"train.base.save_every": common}) if common else self
        )


def saved_epoch(folder: Path, epoch: int) -> Path:
    """The file of a run's state after an epoch."""
    return folder / "epochs" / f"{epoch}.npz"


def saved_epochs(folder: Path) -> list[Path]:
    """The files of all states that a run has kept, in order; of stage=fge, its members."""
    return sorted((folder / "epochs").glob("[0-9]*.npz"), key=lambda path: int(path.stem))
