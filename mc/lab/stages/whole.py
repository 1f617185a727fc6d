"""stage=all: the base networks, the curve and its evaluation in turn; what is done is skipped."""

from collections.abc import Iterable
from typing import Any

from mc.lab.graph import Run, each_once
from mc.lab.stages.align import Align
from mc.lab.stages.along import Eval
from mc.lab.stages.base import Base
from mc.lab.stages.curve import Curve

OF_PARTS = ("base_", "alignment/", "training/")  # what the names of their numbers begin with


class All(Eval):
    """The base networks, the curve and its evaluation in turn; what is done is skipped."""

    name = "all"
    Settings = None  # type: ignore[assignment]  # those of the evaluation are declared there
    section = "eval"
    numbers = (
        *(f"base_<seed>/{form}" for form in Base.numbers),
        *(f"alignment/{form}" for form in Align.numbers),
        *(f"training/{form}" for form in Curve.numbers),
        *Eval.numbers,
    )
    headlines = ()
    draws = ()
    builds = True
    is_part = False

    def parts(self) -> dict[str, Run]:
        """The runs whose numbers it joins, by what is put before the names of these."""
        curve = self.of(Curve.name)
        parts: dict[str, Run] = {}
        for network in curve.networks:
            # One that its folder names is what is given, and no part of this.
            is_aligned = network.named.aligned is not None
            plain = network.run.networks[-1] if is_aligned and network.run else network
            if plain.run is not None and plain.run.name == Base.name:
                seed = plain.title if plain.named.folder else plain.run["seed"]
                parts[f"base_{seed}/"] = plain.run
            if is_aligned and network.run:
                parts["alignment/"] = network.run
        return parts | {"training/": curve, "": self.of(Eval.name)}

    def shown(self) -> tuple[str, ...]:
        """The headlines of its parts, with what says whose they are."""
        parts = self.parts().items()
        return tuple(f"{prefix}{name}" for prefix, run in parts for name in run.headlines)

    @property
    def reader(self) -> Run:
        """The evaluation."""
        return self.of(Eval.name)

    def forms(self) -> tuple[str, ...]:
        """The names of its parts' numbers, with what says whose they are."""
        return tuple(
            f"{prefix}{form}" for prefix, run in self.parts().items() for form in run.forms()
        )

    def work(self, job: Any) -> dict:
        """Make its parts, in order, and join their numbers; those that are done are shown."""
        from mc.lab import execute
        from mc.lab.work import beforehand

        beforehand.check(job.run)
        *_, evaluation = parts = list(self.parts().values())
        wanted = {run.folder for run in [*self.needs(), *(p for p in parts if p.is_done)]}
        for run in [*self.chain()[:-1], evaluation]:
            if run.folder in wanted:
                execute.make(run, is_part=True)
        return self.joined()

    def joined(self) -> dict:
        """The numbers of the parts in one; of parts that were deleted there are none."""
        summaries = ((prefix, run.summary or {}) for prefix, run in self.parts().items())
        return {prefix + key: value for prefix, own in summaries for key, value in own.items()}

    @property
    def summary(self) -> dict | None:
        """Its numbers, if they are those that the parts have now."""
        found = super().summary
        if found is None or not self.of(Eval.name).is_done:
            return None
        return found if self.joined().items() <= found.items() else None

    def needs(self) -> list[Run]:
        """All of its parts that are not there; none, if the evaluation is: it needs no others.

        With `force=true` all of its parts.
        """
        *parts, evaluation = self.parts().values()
        force = self["force"]
        if evaluation.is_done and not force:
            return []
        # A run that its folder names is what is given, and not made again.
        anew = (p for p in parts if not p.is_done or (force and p.named_folder is None))
        wanted = each_once([*super().needs(), *anew])
        order = [run.folder for run in self.chain()]
        return [*sorted(wanted, key=lambda run: order.index(run.folder)), evaluation]

    def splits_of(self, name: str, there: Iterable[str]) -> list[str]:
        """Those of the part that makes the number."""
        of_part = name.startswith(OF_PARTS)
        return list(there) if of_part else super().splits_of(name, there)

    def check_objective(self, name: str) -> None:
        """Raise as its parts do."""
        if not name.startswith(OF_PARTS):
            super().check_objective(name)
