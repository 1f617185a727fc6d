"""stage=hessian: the curvature of the loss at networks, or at points of a curve or segment."""

from dataclasses import dataclass
from typing import Any

from mc.lab.graph import COMMON, Inputs, Run
from mc.lab.settings import setting
from mc.lab.stages.along import check_positions
from mc.lab.stages.common import BATCHNORM, common, statistics
from mc.lab.stages.curve import CORNERS
from mc.lab.stages.joining import joined

OPERATORS = ("hessian", "gauss_newton")  # as mc.curvature.products, which imports TensorFlow
ON_PATH = ("hessian.path", "hessian.t")


class Hessian(Run):
    """The curvature of the loss at networks, or at points of a curve or segment."""

    name = "hessian"
    depends = (*COMMON, "seed", "hessian", *BATCHNORM, "train.base.weight_decay")
    numbers = ("hessian/<curvature>/<spread>", "hessian/examples")
    headlines = (
        *("hessian/largest/mean", "hessian/largest/max", "hessian/smallest/min"),
        *("hessian/trace/mean", "hessian/trace/max"),
    )
    draws = ("curvature.csv", "spectrum.npz")

    @dataclass
    class Settings:
        """Where, of what matrix, and how closely to look."""

        networks: list[Any] | None = setting(
            None,
            "in the form of endpoints (1@3: after epoch 3), or fge:START, swag:START for all "
            "members of that run; null: points of the curve",
            repeats=True,
            names="lists",
        )
        path: str = setting(
            "curve", "of points: the curve, or the segment between its ends", of=("curve", "linear")
        )
        t: list[float] = setting([0.0, 0.25, 0.5, 0.75, 1.0], "of points")
        operator: str = setting(
            "hessian",
            "of the loss without the penalty of a weight decay, which shifts all by itself; or "
            "gauss_newton, what is left where networks are linear in w",
            of=OPERATORS,
        )
        layers: str | None = setting(
            None, "a regular expression of paths of weights: the block of these alone; null: all"
        )
        examples: int = setting(
            4096, "of the training data, rounded up to hundreds, from all of them", low=1, smoke=100
        )
        top: int = setting(3, "eigenvalues at each end", low=1, smoke=1)
        probes: int = setting(3, "random vectors for the density; the trace has 30", low=1, smoke=2)
        steps: int = setting(80, "of Lanczos' method for each, at most", low=2, smoke=4)

    def inputs(self) -> Inputs:
        """The networks, or the curve."""
        if self["hessian.networks"] is None:
            return {"curve": self.of("curve")}
        return {"networks": joined(self, self["hessian.networks"])}

    def key(self, own: dict, ids: dict) -> dict:
        """Where it looks, and at what."""
        looks = own["hessian"] | statistics(own)
        if self._has_files:
            looks |= {"weight_decay": own["train.base.weight_decay"]}
        return common(own) | ids | {"hessian": looks, "seed": own["seed"]}

    def idle(self) -> tuple[str, ...]:
        """What is of points, where there are networks, and the reverse."""
        of_files = () if self._has_files else ("train.base.weight_decay",)
        ids = ("hessian.networks",) if self["hessian.networks"] is None else ON_PATH
        return (*ids, *of_files)

    @property
    def _has_files(self) -> bool:
        """Whether a network is a saved Keras model, whose weight decay is that of base networks."""
        return bool(self["hessian.networks"]) and any(n.run is None for n in self.networks)

    def check_settings(self) -> None:
        """Raise unless there is a network, and the positions increase.

        Raises:
            ValueError: says which key, the rule, and what to type.
        """
        if self["hessian.networks"] == []:
            raise ValueError(
                "hessian.networks must name a network, or be null for points of the curve."
            )
        if self["hessian.steps"] < 2 * self["hessian.top"]:
            raise ValueError(
                f"hessian.top={self['hessian.top']} eigenvalues at each end take hessian.steps="
                f"{2 * self['hessian.top']} or more; received hessian.steps="
                f"{self['hessian.steps']}."
            )
        check_positions("hessian.t", self["hessian.t"])

    def check_run(self) -> None:
        """Raise unless the points are on a curve.

        Raises:
            ValueError: it is a surface.
        """
        if self["hessian.networks"] is None and self["curve"].get("_target_") in CORNERS:
            raise ValueError(
                "stage=hessian looks at points of a curve, and this is a surface: type networks, "
                "as in 'hessian.networks=[1,2,3]'."
            )
