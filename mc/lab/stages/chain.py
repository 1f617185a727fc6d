"""stage=chain: metrics along the straight segments through a list of networks."""

from dataclasses import dataclass
from typing import Any

from mc.lab.settings import setting
from mc.lab.stages.common import Segments


class Chain(Segments):
    """Metrics along the straight segments through a list of networks."""

    name = "chain"
    depends = Segments.depends_with("chain")
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
