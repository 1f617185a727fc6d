"""stage=ensemble: the predictive mean of several networks, or of points of a curve."""

from dataclasses import dataclass
from typing import Any

from mc.lab.graph import COMMON, Inputs, Run
from mc.lab.settings import setting
from mc.lab.stages.common import BATCHNORM, check_of_others, common, splits, statistics
from mc.lab.stages.curve import CORNERS
from mc.lab.stages.fge import Fge


class Ensemble(Run):
    """The predictive mean of several networks, or of points of a curve."""

    name = "ensemble"
    depends = (*COMMON, "ensemble", *BATCHNORM, "eval.splits", "ood")
    numbers = (
        *("num_members", "ensemble/<split>/<score>", "ensemble/<split>/<together>"),
        *("member/<split>/<score>/<spread>", "ensemble/ood/<apart>"),
        "member/ood/<apart>/<spread>",
    )
    headlines = Fge.headlines
    draws = Fge.draws

    @dataclass
    class Settings:
        """Which networks predict together."""

        networks: list[Any] | None = setting(
            None,
            "in the form of endpoints, or fge:START, swag:START for all members of that run; null: "
            "points of the curve",
            repeats=True,
            names="lists",
        )
        num_points: int = setting(
            11, "of the curve, ends included; of a surface so many draws", low=2, smoke=3
        )
        spacing: str = setting("t", "equidistant in t, or in arc_length", of=("t", "arc_length"))
        predictions: bool = setting(
            False, "keep the mean prediction of the test data as predictions.npz", added=True
        )

    def inputs(self) -> Inputs:
        """The networks, or the curve."""
        if self["ensemble.networks"]:
            return {"networks": [self.network(typed) for typed in self["ensemble.networks"]]}
        return {"curve": self.of("curve")}

    def key(self, own: dict, ids: dict) -> dict:
        """Of networks, which they are; of a curve, where it looks."""
        if "networks" in ids:
            kept = {"predictions": own["ensemble"]["predictions"], "ood": own["ood"]}
            return common(own) | {"ensemble": ids["networks"], "splits": splits(own)} | kept
        looks = {"ensemble": own["ensemble"] | statistics(own), "splits": splits(own)}
        return ids | looks | {"ood": own["ood"]}

    def idle(self) -> tuple[str, ...]:
        """What says where on a curve the networks are."""
        points = ("ensemble.num_points", "ensemble.spacing", *BATCHNORM)
        return points if self["ensemble.networks"] else ("ensemble.networks",)

    def check_settings(self) -> None:
        """Raise unless there are networks.

        Raises:
            ValueError: the list has none.
        """
        if self["ensemble.networks"] == []:
            raise ValueError(
                "ensemble.networks must name a network, or be null for points of the curve."
            )

    def check_objective(self, name: str) -> None:
        """Raise unless there are other data, for a number of these."""
        check_of_others(self, name)

    def check_run(self) -> None:
        """Raise unless predictions that are kept, or compared, are of a split that is looked at.

        Raises:
            ValueError: says what to type.
        """
        surface = self["curve"].get("_target_") in CORNERS and not self["ensemble.networks"]
        if surface and self["ensemble.spacing"] != "t":
            raise ValueError(
                "ensemble.spacing=arc_length is of curves; networks of a surface are drawn from "
                "it. Leave ensemble.spacing out."
            )
        given = self["eval.splits"]
        if self["ensemble.predictions"] and given and "test" not in given:
            raise ValueError(
                "ensemble.predictions=true keeps the mean prediction of the test data, so "
                "eval.splits must have test among them, or be null; received "
                f"eval.splits={given}."
            )
        if self["ood"] and given and "test" not in given:
            raise ValueError(
                "Other data (ood) are told from the test data, so eval.splits must have test among "
                f"them, or be null; received eval.splits={given}."
            )
