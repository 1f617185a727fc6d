"""stage=instability: when in training two runs part for good."""

from dataclasses import dataclass, replace
from functools import cached_property

from mc.lab import naming
from mc.lab.graph import COMMON, Inputs, Network, Run
from mc.lab.settings import default_of, setting
from mc.lab.stages.common import BATCHNORM, common, splits, statistics

# What each child has of its own, or a parent is without.
OF_CHILDREN = ("start", "order_seed", "start_schedule", "start_order", "start_optimizer")
ORDERS = 1000  # order seeds of children are above: a parent's is its seed unless it is set


class Instability(Run):
    """Barriers between two trainings that go on from one network, by when they part from it."""

    name = "instability"
    depends = (*COMMON, "instability", *BATCHNORM, "eval.splits", "train.base.weight_decay")
    numbers = ("instability/<split>/<metric>/<barrier>/<spread>", "instability/onset")
    headlines = (
        *("instability/onset", "instability/train/error/barrier_mean/max"),
        *("instability/test/error/barrier_mean/max", "instability/test/mse/barrier_mean/max"),
    )
    draws = ("instability.csv",)

    @dataclass
    class Settings:
        """Which trainings, and when they part."""

        parents: list[int] = setting([1], "seeds of base networks that others go on from")
        steps: list[int] = setting([0, 100], "after which steps of a parent they do")
        children: int = setting(
            2, "trainings that go on from each, with orders of the data of their own", low=2
        )
        start_optimizer: str = setting(
            "reset", "reset or keep what the parent's has gathered", of=("reset", "keep")
        )
        num_points: int = setting(
            31, "equidistant points of each segment, ends included", low=3, smoke=3
        )
        threshold: float = setting(
            0.02,
            "of the barrier of the error, the larger of train and test: below it they are stable",
            above=0,
        )

    @cached_property
    def groups(self) -> dict[tuple[int, int], list[Network]]:
        """The children of every parent and step."""
        return {
            (parent, step): [self._child(parent, step, order) for order in self._orders]
            for parent in self["instability.parents"]
            for step in self._steps
        }

    @property
    def _steps(self) -> list[int]:
        """In a smoke run, whose trainings are over at once, the first of all."""
        return [0] if self["smoke"] else self["instability.steps"]

    @property
    def _orders(self) -> range:
        return range(1, self["instability.children"] + 1)

    def _child(self, parent: int, step: int, order: int) -> Network:
        """A training that goes on from a step, its schedule and its place in the data, too."""
        start = f"{parent}@step{step}"
        run = self.of(
            "base",
            **{
                "seed": parent,
                "train.base.start": start,
                "train.base.start_schedule": "continue",
                "train.base.start_optimizer": self["instability.start_optimizer"],
                "train.base.start_order": "own",
                "train.base.order_seed": ORDERS + order,
            },
        )
        return Network(replace(naming.read(parent), typed=f"{start} in order {order}"), run)

    def inputs(self) -> Inputs:
        """All children."""
        return {"children": [child for group in self.groups.values() for child in group]}

    def key(self, own: dict, ids: dict) -> dict:
        """The children, and where they are looked at."""
        names = ("parents", "steps", "num_points", "threshold")
        looks = {name: own["instability"][name] for name in names}
        looks |= statistics(own) | {"splits": splits(own)} | ids
        looks |= {"weight_decay": own["train.base.weight_decay"]}
        return common(own) | {"instability": looks}

    @property
    def label(self) -> str:
        """Such as `mnist-mlp-1-5steps`."""
        parents = "-".join(map(str, self["instability.parents"]))
        steps = f"{len(self['instability.steps'])}steps"
        return "smoke-" * bool(self["smoke"]) + f"{self.experiment}-{parents}-{steps}"

    def check_settings(self) -> None:
        """Raise unless parents and steps are such.

        Raises:
            ValueError: says which key, the rule, and what to type.
        """
        parents, steps = self["instability.parents"], self["instability.steps"]
        if not parents or min(parents) < 0 or len(set(parents)) < len(parents):
            raise ValueError(
                "instability.parents must be different seeds of base networks; received "
                f"instability.parents={parents}. Type for example 'instability.parents=[1,2]'."
            )
        if not steps or min(steps) < 0 or sorted(set(steps)) != list(steps):
            raise ValueError(
                "instability.steps must be increasing numbers of steps, at least 0 (the initial "
                f"weights); received instability.steps={steps}. Type for example "
                "'instability.steps=[0,100,1000]'."
            )
        if not self["instability.threshold"] < 1:
            raise ValueError(
                "instability.threshold is of a fraction, between 0 and 1; received "
                f"instability.threshold={self['instability.threshold']}. Type for example "
                "instability.threshold=0.02."
            )

    def check_run(self) -> None:
        """Raise where what a child has of its own is set.

        Raises:
            ValueError: says what to leave out.
        """
        keys = [f"train.base.{name}" for name in OF_CHILDREN]
        typed = [key for key in keys if self[key] != default_of(Run.fields[key])]
        if typed:
            raise ValueError(
                f"stage=instability trains its parents from initial weights, and children with "
                f"starts and orders of their own: leave out {', '.join(typed)}."
            )
