"""stage=fge: fast geometric ensembling from a trained, or partly trained, network."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mc.lab import naming
from mc.lab.graph import COMMON
from mc.lab.settings import setting
from mc.lab.stages.base import saved_epochs
from mc.lab.stages.onward import Onward


class Fge(Onward):
    """Fast geometric ensembling from a trained, or partly trained, network."""

    name = "fge"
    depends = (*COMMON, "optimizer", "seed", "devices", "fge", "ood")
    numbers = (
        *("num_members", "distance/max", "swa/<split>/<score>"),
        *("moving/<split>/<score>/<spread>", "ensemble/<split>/<score>"),
        *("ensemble/<split>/<together>", "member/<split>/<score>/<spread>"),
        *("ensemble/ood/<apart>", "swa/ood/<apart>"),
        *("member/ood/<apart>/<spread>", "moving/ood/<apart>/<spread>"),
    )
    headlines = (
        *("ensemble/test/error", "ensemble/test/nll", "member/test/error/mean"),
        *("ensemble/test/mse", "member/test/mse/mean", "ensemble/test/coverage"),
        "ensemble/ood/auroc",
    )
    draws = ("members.csv", "uncertainty.npz")

    @dataclass
    class Settings:
        """Where it starts, and its cyclical learning rate."""

        start: Any = setting(
            "${endpoints[0]}", "a network in the form of endpoints", repeats=True, names="network"
        )
        epochs: int = setting(10, "how often the data are passed", low=1, smoke=3)
        steps_per_epoch: int | None = setting(
            "${train.base.steps_per_epoch}", "as of base networks", low=1, smoke=2
        )
        cycle: int = setting(
            2,
            "epochs in a cycle, even; in the middle of each a member is collected",
            low=2,
            smoke=2,
        )
        lr_1: float = setting(0.05, "highest rate of a cycle, at its beginning", above=0)
        lr_2: float = setting(0.01, "lowest, in its middle", above=0)
        batch_size: int = setting("${train.base.batch_size}", "examples of a step", low=1, smoke=16)
        weight_decay: float = setting(
            "${train.base.weight_decay}", "of the L2 penalty, as of base networks", low=0
        )

    def files_of(self, named: naming.Network) -> list[Path]:
        """Its members, one of them, or the file of their average."""
        if named.member == naming.AVERAGE:
            return [self.result]
        members = saved_epochs(self.folder)
        if named.is_list:
            return members
        if not isinstance(named.member, int) or not 1 <= named.member <= len(members):
            raise ValueError(
                f"{named.typed}: {self.folder} has {len(members)} members. Type a number from 1 to "
                f"{len(members)}, or {naming.AVERAGE} for their average."
            )
        return [members[named.member - 1]]

    def check_has(self, named: naming.Network) -> None:
        """Raise unless a finished run has kept the average, or has so many members.

        Raises:
            ValueError: says what to type.
        """
        super().check_has(named)
        if not self.is_done:
            return
        self.files_of(named)  # which raises where there are fewer members
        if named.member == naming.AVERAGE and named.start and not self.result.is_file():
            start = named.start.typed
            raise ValueError(
                f"{self.folder} was made when stage=fge did not keep the average {named.typed}. "
                f"Make it again with stage=fge fge.start={start} force=true, or type the list of "
                f"its members, fge:{start}, where several networks are wanted."
            )

    def check_settings(self) -> None:
        """Raise unless cycles end where members are collected, and rates fall.

        Raises:
            ValueError: says which key, the rule, and what to type.
        """
        cycle, epochs, lr_1, lr_2 = (
            self[f"fge.{key}"] for key in ("cycle", "epochs", "lr_1", "lr_2")
        )
        if cycle % 2:
            raise ValueError(
                "fge.cycle must be even, so that the lowest rate falls on the end of an epoch; "
                f"received fge.cycle={cycle}. Type for example fge.cycle={cycle + 1}."
            )
        if epochs < cycle // 2:
            raise ValueError(
                f"fge.epochs must be at least {cycle // 2}, half of fge.cycle, where the first "
                f"member is collected; received fge.epochs={epochs}."
            )
        if lr_1 < lr_2:
            raise ValueError(
                "fge.lr_1, the highest rate, must be at least fge.lr_2, the lowest; received "
                f"fge.lr_1={lr_1} and fge.lr_2={lr_2}."
            )
