"""What several stages declare alike."""

from dataclasses import dataclass
from typing import Any

from mc.lab import naming
from mc.lab.graph import COMMON, Inputs, Network, Run
from mc.lab.objective import splits_of_data
from mc.lab.settings import setting
from mc.lab.stages.joining import joined
from mc.schedules import SCHEDULES

BATCHNORM = ("eval.bn_batch_size", "eval.bn_batches")  # of points of curves, planes and chains
# Of every report of a network, whatever `eval.bn_*` says of points of a curve.
REPORT_BATCH = 500
REPORT_STATISTICS = {"bn_batch_size": REPORT_BATCH, "bn_batches": None}


@dataclass
class Training:
    """How networks are trained."""

    epochs: int = setting(20, "how often the data are passed", low=1, smoke=2)
    steps_per_epoch: int | None = setting(
        None, "steps between two saved states; null: a pass over the data", low=1, smoke=2
    )
    batch_size: int = setting(64, "examples of a step", low=1, smoke=16)
    learning_rate: float = setting(0.05, "the first, and highest", above=0)
    schedule: str = setting("garipov", "how it falls: drbayes to 5 %, not 1 %", of=tuple(SCHEDULES))
    weight_decay: float = setting(5e-4, "of the L2 penalty 0.5 * weight_decay * ||w||^2", low=0)
    best: bool = setting(
        False, "take the epoch of the least validation loss, not the last", added=True
    )


NEEDS_VALID = (
    "takes the epoch of the least validation loss, and nothing is held out for validation: type "
    "dataset.valid_size=500, or leave it out"
)


def check_best(run: Run) -> None:
    """Raise unless some data are held out by which the best epoch is found.

    Raises:
        ValueError: says what to type.
    """
    key = f"{run.section}.best"
    if run[key] and "valid" not in splits_of_data(run):
        raise ValueError(f"{key}=true {NEEDS_VALID}.")


def statistics(own: dict) -> dict:
    """The settings of BatchNorm statistics, as they lie in fingerprints."""
    return {key.removeprefix("eval."): own[key] for key in BATCHNORM}


def splits(own: dict) -> list[str] | None:
    """The splits that are looked at, in one order."""
    return sorted(set(own["eval.splits"])) if own["eval.splits"] else None


def common(own: dict) -> dict:
    """Of the values that count, those that every stage depends on."""
    return {key: own[key] for key in Run.depends}


def check_of_others(run: Run, objective: str) -> None:
    """Raise unless there are other data, for an objective that is of these.

    Raises:
        ValueError: there are none; says what to type.
    """
    if "/ood/" in objective and not run["ood"]:
        raise ValueError(
            f"objective={objective} is of other data than those of the networks, of which there "
            "are none. Type for example +dataset@ood=cifar10."
        )


@dataclass
class SeveralNetworks:
    """Which networks, some of which may be lists."""

    networks: list[Any] | None = setting(
        None,
        "two or more networks, in the form of endpoints, or fge:START, swag:START for all "
        "members of that run; null: the endpoints",
        repeats=True,
        names="lists",
    )


class OfNetworks(Run):
    """A stage of the networks that `<section>.networks` names, or else the endpoints."""

    @property
    def given(self) -> list | None:
        """The networks as they are typed; None: the endpoints."""
        return self[f"{self.section}.networks"]

    def named_networks(self) -> list[Network]:
        """The networks, in their order."""
        return joined(self, self.given or self["endpoints"])

    def inputs(self) -> Inputs:
        """The networks."""
        return {"networks": self.named_networks()}

    def named_by(self) -> tuple[str, ...]:
        """The networks may be named at the top."""
        return () if self.given else ("endpoints",)

    @property
    def least(self) -> int:
        """How many networks it needs."""
        return 2

    def check_settings(self) -> None:
        """Raise unless there are networks enough; lists are counted when they are read.

        Raises:
            ValueError: there are fewer.
        """
        given = self.given
        if given is None or len(given) >= self.least or any(naming.read(n).is_list for n in given):
            return
        least = {1: "one", 2: "two"}[self.least]
        raise ValueError(f"{self.section}.networks must be at least {least}; received {given}.")

    def idle(self) -> tuple[str, ...]:
        """The list of networks, where the endpoints take its place."""
        return () if self.given else (f"{self.section}.networks",)


class Segments(OfNetworks):
    """A stage that looks at straight segments between networks."""

    @staticmethod
    def depends_with(section: str) -> tuple[str, ...]:
        """What such a stage depends on, with the settings of its own section."""
        return (*COMMON, section, *BATCHNORM, "eval.splits", "train.base.weight_decay")

    def key(self, own: dict, ids: dict) -> dict:
        """Where and on what it looks is one."""
        looks = own[self.section] | statistics(own) | {"splits": splits(own)} | ids
        looks |= {"weight_decay": own["train.base.weight_decay"]}
        return common(own) | {self.section: looks}
