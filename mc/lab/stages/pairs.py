"""stage=pairs: the straight segments between all pairs of a list of networks."""

from dataclasses import dataclass

from mc.lab.settings import setting
from mc.lab.stages.common import Segments, SeveralNetworks


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
    class Settings(SeveralNetworks):
        """Which networks, and how closely to look."""

        num_points: int = setting(
            11, "equidistant points of each segment, ends included", low=3, smoke=3
        )
