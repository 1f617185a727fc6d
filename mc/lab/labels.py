"""What runs are called, for people: in the names of folders, and of experiments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mc.lab import counting
from mc.lab.declared import Stage
from mc.lab.variants import OOD, select

if TYPE_CHECKING:
    from mc.lab.graph import Network, Run


class Labelled(Stage):
    """A stage whose runs have readable names."""

    # Of every run; see `graph.Run`.
    @property
    def values(self) -> dict:
        """All settings, plain and resolved."""
        raise NotImplementedError

    @property
    def networks(self) -> list[Network]:
        """The networks that it is about."""
        raise NotImplementedError

    @property
    def curve(self) -> Run | None:
        """The run that trains the curve that it is about."""
        raise NotImplementedError

    @property
    def experiment(self) -> str:
        """What runs on the same data with the same model have in common, such as `digits-cnn`."""
        return f"{self._data_name}-{counting.name_of(self['model'])}"

    @property
    def _data_name(self) -> str:
        return name_of_data(self["dataset"])

    @property
    def label(self) -> str:
        """A readable name of the run, such as `digits-cnn-1-2-bezier-bends1-seed1`."""
        # With files and folders alone, the model of the configuration is not used.
        own = (network.is_of_files or network.named.folder for network in self.networks)
        files = self.networks and all(own) and "model" not in self.depends
        words = [self._data_name if files else self.experiment]
        words += [network.title for network in self.networks]
        if self.curve:
            bends = select(self.values, "curve.num_bends", self["num_bends"])
            found = self["train.curve.method"] == "autoneb"
            words += ["autoneb" if found else counting.name_of(self["curve"]), f"bends{bends}"]
        if self.curve or "seed" in self.depends:
            words.append(f"seed{self['seed']}")
        if other := self.looks_at(OOD):
            words.append(f"ood-{name_of_data(other)}")
        return "-".join(["smoke"] * bool(self["smoke"]) + words)


def name_of_data(group: Mapping) -> str:
    """What a data set is called: by its function, or by TFDS."""
    return group.get("tfds_name") or counting.name_of(group)
