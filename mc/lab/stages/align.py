"""stage=align: renumber the units of a network so that they are where another's are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mc.lab import naming
from mc.lab.graph import COMMON, Inputs, Run
from mc.lab.settings import as_typed, setting
from mc.lab.stages.base import ADAPTED
from mc.lab.stages.joining import check_no_lists

METHODS = ("none", "weights", "activations")


class Align(Run):
    """Renumber the units of networks so that they are where those of the first are.

    A command of several networks stands for a run of each after the first.
    """

    name = "align"
    depends = (*COMMON, "align")
    numbers = (
        *("cosine/before", "cosine/after", "distance/before", "distance/after"),
        *("num_groups", "num_units", "moved"),
    )
    headlines = ("cosine/before", "cosine/after")
    makes = "model.weights.h5"  # the renumbered network
    makes_networks = True

    @dataclass
    class Settings:
        """How the networks that are joined are renumbered first."""

        method: str = setting(
            "none", "by what units are matched; align=weights types as well", of=METHODS, added=True
        )
        networks: list[Any] | None = setting(
            None,
            "of stage=align, two or more networks in the form of endpoints, each after the first "
            "to be renumbered; null: the endpoints",
            repeats=True,
            names="networks",
            added=True,
        )
        examples: int = setting(
            5000, "of the training data, for align=activations", low=1, smoke=100, added=True
        )
        restarts: int = setting(
            0,
            "of matching by weights, from random renumberings; the best counts",
            low=0,
            added=True,
        )
        seed: int = setting(0, "of the order of steps, and of restarts", low=0, added=True)

    @property
    def named(self) -> list[Any]:
        """The networks, as they are typed."""
        return list(self["align.networks"] or self["endpoints"])

    def inputs(self) -> Inputs:
        """The first network, and the last, which is renumbered."""
        first, *_, last = self.named
        return {"networks": [self.network(first), self.network(last)]}

    def stands_for(self) -> list[Run]:
        """A run of each network after the first."""
        first, *others = self.named
        if len(others) == 1:
            return [self]
        changed = ({"align.networks": [first, other]} for other in others)
        return [type(self)(self.variants, **self.changes | pair) for pair in changed]

    @property
    def label(self) -> str:
        """A readable name, which says how."""
        return f"{super().label}-{self['align.method']}"

    def key(self, own: dict, ids: dict) -> dict:
        """The networks enter by what they are."""
        return own | ids

    def idle(self) -> tuple[str, ...]:
        """The list of networks, and what is of the other method."""
        unused = {"weights": ("align.examples",), "activations": ()}
        return ("align.networks", *unused.get(self["align.method"], ()))

    def named_by(self) -> tuple[str, ...]:
        """The networks may be named at the top."""
        return ("align.networks",) if self["align.networks"] else ("endpoints",)

    @property
    def weight_decay(self) -> float:
        """That which the renumbered network was trained with."""
        last = self.networks[-1]
        return (last.run or self.of("base")).weight_decay

    def files_of(self, named: naming.Network) -> list[Path]:
        """The renumbered network."""
        return [self.folder / ADAPTED if self.adapters_of() else self.result]

    def adapters_of(self, named: naming.Network | None = None) -> dict | None:
        """Those of the network that is renumbered, unless they are merged before."""
        return None if self["lora.paths"] == "merged" else self.networks[-1].adapters

    def check_settings(self) -> None:
        """Raise unless there are two networks or more.

        Raises:
            ValueError: says what to type.
        """
        given = self["align.networks"]
        if given is not None and len(given) < 2:
            raise ValueError(
                "align.networks must be two networks or more, of which each after the first is "
                f"renumbered; received align.networks={as_typed(given)}. Type for example "
                "'align.networks=[1,2]'."
            )

    def check_run(self) -> None:
        """Raise unless there is a method, and each name is one network.

        Raises:
            ValueError: says what to type.
        """
        if self["align.method"] == "none":
            raise ValueError(
                "stage=align needs what units are to be matched by: type align=weights, or "
                "align=activations."
            )
        check_no_lists(self, self.named)
