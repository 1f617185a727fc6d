"""stage=soup: one network whose weights are an average of several networks' weights."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mc.lab import naming, objective
from mc.lab.graph import COMMON, Inputs
from mc.lab.settings import as_typed, setting
from mc.lab.stages.common import OfNetworks, SeveralNetworks, common
from mc.lab.stages.joining import joined

HOW = ("uniform", "greedy", "tasks")


class Soup(OfNetworks):
    """Average the weights of several networks: all, greedily, or as task vectors."""

    name = "soup"
    depends = (*COMMON, "soup", "train.base.weight_decay")
    numbers = (
        *("<split>/<metric>", "member/<split>/<metric>/<spread>"),
        *("num_members", "scale"),
    )
    headlines = (
        *("test/error", "test/mse", "member/test/error/min", "member/test/mse/min"),
        *("num_members", "scale"),
    )
    draws = ("steps.csv",)
    makes = "model.weights.h5"  # the soup
    makes_networks = True

    @dataclass
    class Settings(SeveralNetworks):
        """Which networks, and how they are mixed."""

        how: str = setting(
            "uniform",
            "the mean of all; of those that do not make the validation worse, best first; or start "
            "and the sum of what each differs from it, times one of scales",
            of=HOW,
        )
        start: Any = setting(
            None,
            "of how=tasks: the network that all were trained on from, in the form of endpoints",
            repeats=True,
            names="network",
        )
        scales: list[float] = setting(
            [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0],
            "of how=tasks: of which the validation takes the best",
        )

    @property
    def of_tasks(self) -> bool:
        """Whether it adds task vectors to a start network."""
        return self["soup.how"] == "tasks"

    @property
    def least(self) -> int:
        """One task vector is enough, but one network is no soup."""
        return 1 if self.of_tasks else 2

    @property
    def weight_decay(self) -> float:
        """The mean of those that its members were trained with, for it was trained with none.

        A list counts once, whatever is in it.
        """
        decays = self.decays()
        return sum(decays) / len(decays) if len(set(decays)) > 1 else decays[0]

    def decays(self) -> list[float]:
        """The weight decay that each member was trained with; of a file, that of base networks."""
        base = self.of("base")
        return [(network.run or base).weight_decay for network in self.named_networks()]

    def inputs(self) -> Inputs:
        """The start network of task vectors, and the members, in their order."""
        networks = self.named_networks()
        typed = self["soup.start"] if self.of_tasks else None
        if typed is None:
            return {"networks": networks}
        # Task vectors are differences from the start, so it is what all are aligned to.
        start, *networks = joined(self, [typed, *(network.named.typed for network in networks)])
        return {"start": start, "networks": networks}

    def key(self, own: dict, ids: dict) -> dict:
        """What is mixed, and how; the decay is of networks from files."""
        decay = {"weight_decay": own["train.base.weight_decay"]}
        return common(own) | {"soup": own["soup"] | ids | decay}

    def idle(self) -> tuple[str, ...]:
        """The list of networks, where the endpoints take its place, and what is of task vectors."""
        names = super().idle()
        return names if self.of_tasks else (*names, "soup.start", "soup.scales")

    def files_of(self, named: naming.Network) -> list[Path]:
        """The soup."""
        return [self.result]

    def forms(self) -> tuple[str, ...]:
        """The names of its numbers; a scale is of task vectors."""
        return self.numbers if self.of_tasks else tuple(n for n in self.numbers if n != "scale")

    def check_settings(self) -> None:
        """Raise unless there are networks to mix, and scales.

        Raises:
            ValueError: says which key, the rule, and what to type.
        """
        super().check_settings()
        scales = self["soup.scales"]
        if not scales or not all(math.isfinite(scale) for scale in scales):
            raise ValueError(
                f"soup.scales must be one finite number or more; received {as_typed(scales)}. Type "
                "for example soup.scales=[0.5,1]."
            )

    def check_run(self) -> None:
        """Raise unless task vectors have their start, and what is chosen has validation data.

        Raises:
            ValueError: says what to type.
        """
        how = self["soup.how"]
        if self.of_tasks and self["soup.start"] is None:
            raise ValueError(
                "soup.how=tasks adds to a network what others differ from it, so soup.start must "
                "name the one that all were trained on from. Type for example soup.start=1."
            )
        if how != "uniform" and "valid" not in objective.splits_of_data(self):
            what = "members" if how == "greedy" else "one of soup.scales"
            raise ValueError(
                f"soup.how={how} chooses {what} by validation data, and none are held out. Type "
                "dataset.valid_size=100, with which the networks are trained too."
            )
