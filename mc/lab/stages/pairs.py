"""stage=pairs: the straight segments between all pairs of a list of networks."""

from dataclasses import dataclass
from typing import Any

from mc.lab.settings import setting
from mc.lab.stages.common import Segments


class Pairs(Segments):
    """Barriers on the straight segments between all pairs of a list of networks."""

    name = "pairs"
    depends = Segments.depends_with("pairs")
    numbers = ("pairs/<split>/<metric>/<barrier>/<spread>", "pairs/distance/<spread>")
    headlines = (
        *("pairs/train/loss/barrier_max/mean", "pairs/test/error/barrier_max/mean"),
        *("pairs/test/error/barrier_max/max", "pairs/test/mse/barrier_max/mean"),
    )
    draws = ("pairs.csv",)

    @dataclass
    class Settings:
        """Which networks, and how closely to look."""

        networks: list[Any] | None = setting(
            None,
            "two or more networks, in the form of endpoints, or fge:START for all members of that "
            "run; null: the endpoints",
            repeats=True,
            names="lists",
        )
        num_points: int = setting(
            11, "equidistant points of each segment, ends included", low=3, smoke=3
        )
