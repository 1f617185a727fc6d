"""stage=chain: metrics along the straight segments through a list of networks."""

from dataclasses import dataclass
from typing import Any

from mc.lab.graph import COMMON, Inputs, Run
from mc.lab.settings import setting
from mc.lab.stages.common import BATCHNORM, common, splits, statistics


class Chain(Run):
    """Metrics along the straight segments through a list of networks."""

    name = "chain"
    depends = (*COMMON, "chain", *BATCHNORM, "eval.splits", "train.base.weight_decay")
    numbers = ("chain/<split>/<metric>/<statistic>",)
    headlines = ("chain/train/loss/max", "chain/test/error/max", "chain/test/mse/max")
    draws = ("points.csv",)

    @dataclass
    class Settings:
        """Which networks the straight segments join."""

        networks: list[Any] | None = setting(
            None,
            "two or more networks, in the form of endpoints; null: the endpoints",
            repeats=True,
            names="networks",
        )
        num_points: int = setting(
            31, "equidistant points of each segment, ends included", low=2, smoke=3
        )

    def inputs(self) -> Inputs:
        """The networks, in their order."""
        given = self["chain.networks"] or self["endpoints"]
        return {"networks": [self.network(typed) for typed in given]}

    def named_by(self) -> tuple[str, ...]:
        """The networks may be named at the top."""
        return () if self["chain.networks"] else ("endpoints",)

    def idle(self) -> tuple[str, ...]:
        """The list of networks, where the endpoints take its place."""
        return () if self["chain.networks"] else ("chain.networks",)

    def key(self, own: dict, ids: dict) -> dict:
        """Where and on what it looks is one."""
        looks = own["chain"] | statistics(own) | {"splits": splits(own)} | ids
        return common(own) | {"chain": looks | {"weight_decay": own["train.base.weight_decay"]}}

    def check_settings(self) -> None:
        """Raise unless there are networks to join.

        Raises:
            ValueError: there are fewer than two.
        """
        given = self["chain.networks"]
        if given is not None and len(given) < 2:
            raise ValueError(f"chain.networks must be at least two; received {given}.")
