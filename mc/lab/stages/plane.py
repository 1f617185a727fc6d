"""stage=plane: metrics on a grid of the plane through three points of a curve or three networks."""

from dataclasses import dataclass
from typing import Any

from mc.lab.graph import COMMON, Inputs, Run
from mc.lab.settings import setting
from mc.lab.stages.common import BATCHNORM, common, statistics
from mc.lab.stages.curve import num_points
from mc.lab.stages.joining import joined


class Plane(Run):
    """Metrics on a grid of the plane through three points of a curve or three networks."""

    name = "plane"
    depends = (*COMMON, "plane", *BATCHNORM, "train.base.weight_decay")
    numbers = ("plane/<drawn>/<metric>/<place>",)
    headlines = ("plane/train/loss/min", "plane/test/error/min", "plane/test/mse/min")
    draws = ("plane.npz",)

    @dataclass
    class Settings:
        """Which plane, and how fine a grid."""

        points: list[int] | None = setting(
            None, "three control points, such as [0,1,2]; null: the first, middle and last"
        )
        networks: list[Any] | None = setting(
            None, "or three networks, in the form of endpoints", repeats=True, names="networks"
        )
        grid_points: int = setting(21, "of the grid in each direction", low=2, smoke=3)
        margins: list[float] = setting(
            [0.2, 0.2, 0.2, 0.2], "left, right, bottom, top; fractions of the points' extent"
        )

    def inputs(self) -> Inputs:
        """Three networks, or the curve."""
        if self["plane.networks"] is None:
            return {"curve": self.of("curve")}
        return {"networks": joined(self, self["plane.networks"])}

    def key(self, own: dict, ids: dict) -> dict:
        """A plane of a curve is told by the curve, one of networks by all that they depend on."""
        looks = own["plane"] | statistics(own)
        if "curve" in ids:
            return ids | {"plane": looks}
        decay = {"weight_decay": own["train.base.weight_decay"]}
        return common(own) | {"plane": looks | ids | decay}

    def idle(self) -> tuple[str, ...]:
        """What is about networks on a plane of a curve, and the reverse."""
        of_curve = ("train.base.weight_decay", "plane.networks")
        return of_curve if self["plane.networks"] is None else ("plane.points",)

    def check_settings(self) -> None:
        """Raise unless three different points span the plane, with margins on its four sides.

        Raises:
            ValueError: says which key, the rule, and what to type.
        """
        points, networks, margins = (
            self[f"plane.{key}"] for key in ("points", "networks", "margins")
        )
        for key, chosen in (("points", points), ("networks", networks)):
            if chosen is not None and len(set(chosen)) != 3:
                raise ValueError(
                    f"plane.{key} must be three different ones; received plane.{key}={chosen}."
                )
        if points is not None and networks is not None:
            raise ValueError(
                "plane.points are of the curve and plane.networks are networks: give only one of "
                f"them. Received plane.points={points} and plane.networks={networks}."
            )
        if min(points or [0]) < 0:
            raise ValueError(f"plane.points counts from 0; received plane.points={points}.")
        if len(margins) != 4 or min(margins) < 0:
            raise ValueError(
                "plane.margins must be four numbers at least 0: left, right, bottom, top; received "
                f"plane.margins={margins}."
            )

    def check_run(self) -> None:
        """Raise unless the curve has the control points that span the plane.

        Raises:
            ValueError: it has fewer; says what to type.
        """
        points, count = self["plane.points"], num_points(self)
        if self["plane.networks"] is not None or count is None:
            return
        if points is None and count < 3:
            raise ValueError(
                "A curve with num_bends=0 has two control points, which span no plane. Type "
                "num_bends=1 or more, or 'plane.networks=[1,2,3]'."
            )
        if max(points or [0]) >= count:
            raise ValueError(
                f"plane.points must be three of the control points 0 to {count - 1}; received "
                f"plane.points={points}."
            )
