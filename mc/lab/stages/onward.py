"""What stages declare alike that train on from a network, and make several of it."""

from dataclasses import replace
from typing import Any

from mc.lab import naming
from mc.lab.graph import Inputs, Run
from mc.lab.settings import as_typed
from mc.lab.stages.common import BATCHNORM, REPORT_STATISTICS, check_of_others, common


class Onward(Run):
    """A stage that trains on from `<section>.start`; its networks are members and an average."""

    makes = "model.weights.h5"  # the average
    makes_networks = True

    def inputs(self) -> Inputs:
        """The network that it starts from."""
        return {"start": self.network(self[f"{self.section}.start"])}

    def key(self, own: dict, ids: dict) -> dict:
        """What networks are reported with counts, though no other value of it is allowed."""
        parts = {key: own[key] for key in ("optimizer", "seed", "devices", "ood")}
        section = {self.section: own[self.section] | ids}
        return common(own) | parts | section | REPORT_STATISTICS

    def adapters_of(self, named: naming.Network | None = None) -> dict[str, Any] | None:
        """Its members have those of their start; the average is written as Keras merges it."""
        if (named and named.member == naming.AVERAGE) or self["lora.paths"] == "merged":
            return None
        return self.networks[0].adapters

    def in_folder(self, named: naming.Network) -> naming.Network:
        """The average."""
        return replace(named, member=naming.AVERAGE)

    def check_objective(self, name: str) -> None:
        """Raise unless there are other data, for a number of these."""
        check_of_others(self, name)

    def check_run(self) -> None:
        """Raise unless BatchNorm statistics are estimated as every report of a network does.

        Raises:
            ValueError: another way is set.
        """
        looks = {key: self[f"eval.{key}"] for key in REPORT_STATISTICS}
        if looks != REPORT_STATISTICS:
            typed = " ".join(f"eval.{key}={as_typed(value)}" for key, value in looks.items())
            raise ValueError(
                f"stage={self.name} estimates BatchNorm statistics from all training data in "
                f"batches of 500, as every report of a network does; received {typed}. Leave both "
                "out."
            )

    def refuses(self) -> tuple[str, ...]:
        """Those settings."""
        return BATCHNORM
