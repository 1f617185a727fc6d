"""stage=pairs: the paths between all pairs of a list of networks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING

from mc.lab import naming
from mc.lab.graph import Inputs, Network, Run
from mc.lab.settings import default_of, setting
from mc.lab.stages.common import Segments, SeveralNetworks
from mc.lab.stages.curve import CORNERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mc.evaluation.passes import Known, Pair

OF_CURVES = ("pairs.budget",)


class Pairs(Segments):
    """Barriers between all pairs of a list of networks, and the graph of their lowest passes."""

    name = "pairs"
    depends = Segments.depends_with("pairs")
    numbers = (
        *("pairs/<split>/<metric>/<barrier>/<spread>", "pairs/distance/<spread>"),
        *("pairs/bottleneck/<spread>", "pairs/clusters", "pairs/curves"),
    )
    headlines = (
        *("pairs/train/loss/barrier_max/mean", "pairs/test/error/barrier_max/mean"),
        *("pairs/test/error/barrier_max/max", "pairs/test/mse/barrier_max/mean"),
        *("pairs/bottleneck/max", "pairs/clusters", "pairs/curves"),
    )
    draws = ("pairs.csv",)

    @dataclass
    class Settings(SeveralNetworks):
        """Which networks, by which paths, and how closely to look."""

        num_points: int = setting(
            11, "equidistant points of each segment, ends included", low=3, smoke=3
        )
        path: str = setting(
            "linear",
            "linear: straight segments alone; curve: also the curve of the settings for each pair, "
            "as stage=eval evaluates it (of train.curve.method=autoneb the chain of AutoNEB)",
            of=("linear", "curve"),
            added=True,
        )
        budget: int | None = setting(
            None,
            "of path=curve: curves at most, those first that could lower the pass between two "
            "networks; null: of all pairs",
            low=1,
            added=True,
        )
        threshold: float = setting(
            0.1,
            "of the barrier of train/loss up to which two networks are of one cluster",
            low=0,
            added=True,
        )

    @property
    def has_curves(self) -> bool:
        """Whether curves are trained between its networks."""
        return self["pairs.path"] == "curve"

    @cached_property
    def networks(self) -> list[Network]:
        """Those between which it looks."""
        return self.named_networks()

    @cached_property
    def segments(self) -> Run:
        """The run that looks at the straight segments, whatever clusters are."""
        names = ("path", "budget", "threshold")
        plain = {key: default_of(Run.fields[key]) for key in (f"pairs.{name}" for name in names)}
        return self.of("pairs", **plain)

    @cached_property
    def curves(self) -> dict[Pair, Run]:
        """The evaluations of the curves that are trained, as far as it is known which these are."""
        pairs = combinations(range(len(self._typed)), 2)
        return {pair: self._evaluation(pair) for pair in self._chosen(list(pairs))}

    @property
    def curve(self) -> Run | None:
        """The curve between the first two."""
        return self._evaluation((0, 1)).curve if self.has_curves else None

    @property
    def _typed(self) -> list:
        return self.given or self["endpoints"]

    def _evaluation(self, pair: Pair) -> Run:
        return self.of("eval", endpoints=[self._typed[k] for k in pair])

    def _chosen(self, pairs: list[Pair]) -> list[Pair]:
        """All pairs; with a budget, round after round of those that could lower a bottleneck.

        Each round is known when the curves of the one before are evaluated.
        """
        budget = self["pairs.budget"]
        if budget is None:
            return pairs
        chosen: list[Pair] = []
        if not self.segments.is_done:
            return chosen
        from mc.evaluation.modes import next_pairs  # which imports NumPy and SciPy

        while len(chosen) < budget:
            runs = {pair: self._evaluation(pair) for pair in chosen}
            if not all(run.is_done for run in runs.values()):
                break
            known = self.known(runs)
            found = next_pairs(known.heights, known.floors, set(chosen))
            if not found:
                break
            chosen += found[: budget - len(chosen)]
        return chosen

    def known(self, curves: Mapping[Pair, Run]) -> Known:
        """What is known of the paths by the segments and some evaluations, which are finished."""
        import pandas as pd

        from mc.evaluation import passes

        names = passes.names_of(pd.read_csv(self.segments.folder / "pairs.csv"))
        tables = {pair: pd.read_csv(run.folder / "points.csv") for pair, run in curves.items()}
        return passes.known(pd.read_csv(self.segments.folder / "points.csv"), tables, names)

    def inputs(self) -> Inputs:
        """The networks; the straight segments, and the curves between them, if there are any."""
        given: Inputs = {"networks": self.networks}
        if not self.has_curves:
            return given
        return {**given, "segments": self.segments, "curves": list(self.curves.values())}

    @cached_property
    def settings(self) -> dict:
        """The curves enter by that of the first two: which are trained follows from the rest."""
        ids: dict = {"networks": [network.id for network in self.networks]}
        if self.has_curves:
            ids["curve"] = self._evaluation((0, 1)).id
        return self.key(dict(self.own), ids)

    @property
    def more(self) -> str | None:
        """Of a budget: the curves that are chosen on the way."""
        budget = self["pairs.budget"]
        if budget is None or not self.has_curves:
            return None
        return f"up to {budget} curves, with an evaluation each"

    def forms(self) -> tuple[str, ...]:
        """The number of curves is of runs that have some."""
        return tuple(n for n in self.numbers if self.has_curves or n != "pairs/curves")

    def idle(self) -> tuple[str, ...]:
        """The list of networks, where the endpoints take its place; what is of curves alone."""
        return (*super().idle(), *(() if self.has_curves else OF_CURVES))

    def check_run(self) -> None:
        """Raise unless there can be a curve between two of its networks.

        Raises:
            ValueError: says what to type.
        """
        if not self.has_curves:
            if self["pairs.budget"] is not None:
                raise ValueError(
                    "pairs.budget is of curves, and pairs.path=linear trains none: leave it out, "
                    "or type pairs.path=curve."
                )
            return
        typed = self._typed
        if lists := [str(name) for name in typed if naming.read(name).is_list]:
            raise ValueError(
                f"pairs.path=curve trains curves between single networks, and {', '.join(lists)} "
                f"is a list of some: name its members, such as {lists[0]}/1."
            )
        if len(set(map(str, typed))) < len(typed):
            raise ValueError(
                f"pairs.path=curve needs different networks; received pairs.networks={list(typed)}."
            )
        if self["curve"].get("_target_") in CORNERS:
            raise ValueError(
                "pairs.path=curve joins two networks at a time, and this is a surface: type for "
                "example curve=bezier."
            )
        if self["eval.t"] is not None:
            raise ValueError(
                "pairs.path=curve needs whole curves: leave eval.t out, or type eval.num_points."
            )
        keys = [f"train.curve.{name}" for name in ("fix_start", "fix_end", "fix")]
        if free := [key for key in keys if self[key] != default_of(Run.fields[key])]:
            raise ValueError(
                f"pairs.path=curve joins networks as they are: leave {', '.join(free)} out, so "
                "that both ends of every curve stay."
            )
        self._check_decays()
        for run in (self._evaluation((0, 1)), self.curve):
            assert run is not None, "it has curves"
            run.check_run()

    def _check_decays(self) -> None:
        """Raise unless losses of networks, segments and curves have one penalty."""
        base = self.of("base")
        decays = {(network.run or base).weight_decay for network in self.networks}
        if decays != {self["train.curve.weight_decay"]}:
            raise ValueError(
                "pairs.path=curve compares the losses of curves with those of networks, which must "
                "have one penalty: train.curve.weight_decay="
                f"{self['train.curve.weight_decay']}, and the networks were trained with "
                f"{', '.join(f'{decay:g}' for decay in sorted(decays))}. Type the same for both."
            )
