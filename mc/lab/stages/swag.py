"""stage=swag: a Gaussian over the weights that training passes through, and samples of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mc.lab import naming
from mc.lab.graph import COMMON, Run
from mc.lab.settings import setting
from mc.lab.stages.fge import Fge
from mc.lab.stages.onward import Onward
from mc.schedules import SCHEDULES

MOMENTS = "swag.npz"  # of the weights, from which samples are drawn as they are read


class Swag(Onward):
    """A Gaussian over the weights that training passes through (SWAG), and samples of it."""

    name = "swag"
    depends = (*COMMON, "optimizer", "seed", "devices", "swag", "ood")
    numbers = (
        *("num_members", "num_snapshots"),
        *("start/<split>/<score>", "swa/<split>/<score>", "ensemble/<split>/<score>"),
        *("ensemble/<split>/<together>", "member/<split>/<score>/<spread>"),
        *("ensemble/ood/<apart>", "swa/ood/<apart>", "start/ood/<apart>"),
        "member/ood/<apart>/<spread>",
    )
    headlines = Fge.headlines
    draws = Fge.draws

    @dataclass
    class Settings:
        """Where it starts, how it trains on, and what is drawn of the weights on its way."""

        start: Any = setting(
            "${endpoints[0]}", "a network in the form of endpoints", repeats=True, names="network"
        )
        epochs: int = setting(20, "how often the data are passed", low=2, smoke=3)
        steps_per_epoch: int | None = setting(
            "${train.base.steps_per_epoch}", "as of base networks", low=1, smoke=2
        )
        batch_size: int = setting("${train.base.batch_size}", "examples of a step", low=1, smoke=16)
        learning_rate: float = setting(0.01, "the first, and highest", above=0)
        schedule: str = setting("constant", "how it falls", of=tuple(SCHEDULES))
        weight_decay: float = setting(
            "${train.base.weight_decay}", "of the L2 penalty, as of base networks", low=0
        )
        every: int = setting(1, "epochs between two snapshots of the weights", low=1, smoke=1)
        rank: int = setting(
            20, "how many of the last deviations from the mean are kept; 0: a diagonal alone", low=0
        )
        samples: int = setting(30, "how many networks are drawn", low=1, smoke=3)
        scale: float = setting(
            0.5, "of the covariance; 0: the average of the weights itself", low=0
        )

    @property
    def num_samples(self) -> int:
        """How many samples it has, or will have once it is made."""
        return self._counted("samples")

    @property
    def num_snapshots(self) -> int:
        """How many snapshots it takes."""
        return self._counted("epochs") // self._counted("every")

    @property
    def num_deviations(self) -> int:
        """How many independent deviations from their mean are kept of its snapshots, at most."""
        # The first snapshot does not deviate from itself.
        return min(self.num_snapshots - 1, self["swag.rank"])

    def _counted(self, key: str) -> int:
        """A number, as far as it is used in a smoke test."""
        most = Run.fields[f"swag.{key}"].metadata["smoke"]
        return min(self[f"swag.{key}"], most) if self["smoke"] else self[f"swag.{key}"]

    def files_of(self, named: naming.Network) -> list[Path]:
        """The file of the average, or that of which all samples are drawn."""
        if named.member == naming.AVERAGE:
            return [self.result]
        return [self.folder / MOMENTS]

    def check_has(self, named: naming.Network) -> None:
        """Raise unless the run has so many samples, or will have them once it is made.

        Raises:
            ValueError: says which there are.
        """
        super().check_has(named)
        most = self.num_samples
        if isinstance(named.member, int) and not 1 <= named.member <= most:
            raise ValueError(
                f"{named.typed}: {self.folder} has {most} samples (swag.samples). Type a number "
                f"from 1 to {most}, or {naming.AVERAGE} for the average of the weights."
            )

    def check_settings(self) -> None:
        """Raise unless there are snapshots enough to know how weights vary.

        Raises:
            ValueError: says which key, the rule, and what to type.
        """
        rank, epochs, every = (self[f"swag.{key}"] for key in ("rank", "epochs", "every"))
        if rank == 1:
            raise ValueError(
                "swag.rank must be at least 2 deviations, or 0 for a diagonal alone; received "
                "swag.rank=1. Type for example swag.rank=20."
            )
        if epochs < 2 * every:
            raise ValueError(
                "swag.epochs must be at least twice swag.every, or there are no two snapshots, by "
                f"which to know how weights vary; received swag.epochs={epochs} and "
                f"swag.every={every}. Type for example swag.epochs={2 * every}."
            )

    def shown(self) -> tuple[str, ...]:
        """Its headlines, and beside them those of the average and of the start."""
        return (*self.headlines, "swa/test/nll", "start/test/nll")
