"""`plan=true`: the runs that a command, or a whole sweep, stands for, and what is there of them."""

from __future__ import annotations

import re
from argparse import Namespace
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from mc.lab import door, hydra_inside, stale
from mc.lab.graph import Run, each_once
from mc.lab.view import View

PLAN = re.compile(r"\+{0,2}plan=(.*)", re.IGNORECASE)


@dataclass(frozen=True)
class Planned:
    """A run that a command stands for.

    Attributes:
        run: the run.
        overrides: of the command.
        is_made: whether the command makes it; it is done otherwise.
    """

    run: Run
    overrides: Sequence[str]
    is_made: bool

    def both(self, other: Planned) -> Planned:
        """What serves two commands that stand for the same folder."""
        both = self.run.both(other.run)
        return Planned(both, self.overrides, self.is_made or other.is_made)

    def line(self) -> str:
        """State, folder and command."""
        if not self.is_made:
            return f"done        {self.run.folder}"
        begun = "unfinished" if (self.run.folder / "config.yaml").exists() else "missing"
        state = "again" if self.run.is_done else begun
        anew = ["force=true"] if self.run.is_done else []
        command = self.run.command(self.overrides, *anew)
        more = f"\n              first {self.run.more}, chosen as it goes" * bool(self.run.more)
        return f"{state:<11} {self.run.folder}\n              {command}{more}"


def is_asked(typed: Sequence[str]) -> bool:
    """Whether a command line asks for its plan."""
    given = [found[1] for word in typed if (found := PLAN.fullmatch(word))]
    return bool(given) and given[-1].lower() in ("true", "1", "yes", "on")


def text(typed: Sequence[str], conf: Path) -> tuple[str, bool]:
    """The plan of a command line, and whether all of it may be made; makes no file and no folder.

    Args:
        typed: as typed.
        conf: the folder of the configuration.

    Raises:
        ValueError, HydraException: a sweeper that chooses its jobs as it goes; or, where nothing is
            swept, a mistake.
    """
    given = hydra_inside.arguments(typed)
    found: dict[Path, Planned] = {}
    mistakes = []
    with hydra_inside.Composer(conf, given.config_dir) as compose:
        jobs = _jobs(compose, given) if given.multirun else [given.overrides]
        for overrides in jobs:
            try:
                for planned in _runs(door.of_command(compose, overrides), overrides):
                    before = found.get(planned.run.folder)
                    found[planned.run.folder] = before.both(planned) if before else planned
            except (ValueError, OSError, HydraException, OmegaConfBaseException) as error:
                if not given.multirun:
                    raise
                mistakes.append(f"  {' '.join(overrides)}\n    {str(error).splitlines()[0]}")
    lines = [planned.line() for planned in found.values()]
    made = sum(planned.is_made for planned in found.values())
    lines.append(f"{len(found)} runs: {len(found) - made} done, {made} to be made.")
    if mistakes:
        lines += [f"{len(mistakes)} of {len(jobs)} jobs cannot be run:", *mistakes]
    return "\n".join(lines), not mistakes


def _jobs(compose: hydra_inside.Composer, given: Namespace) -> list[list[str]]:
    sweeper = compose(hydra_inside.not_swept(given.overrides)).hydra.sweeper
    if not sweeper._target_.endswith("BasicSweeper"):
        raise ValueError(
            "plan=true lists the jobs of a sweep before it begins, and this sweeper chooses them "
            f"as it goes: {sweeper._target_}. Leave plan or hydra/sweeper out."
        )
    params = [f"{key}={value}" for key, value in (sweeper.params or {}).items()]
    return hydra_inside.jobs_of_sweep([*params, *given.overrides])


def _runs(run: Run | View, overrides: Sequence[str]) -> Iterable[Planned]:
    """The runs that a command stands for, each once, in order; what is done among them."""
    if isinstance(run, View):
        return [Planned(one, overrides, True) for one in run.needed()]
    return [planned for one in run.stands_for() for planned in _runs_of(one, overrides)]


def _runs_of(run: Run, overrides: Sequence[str]) -> Iterable[Planned]:
    stale.check_command(run, overrides)
    needed = run.needed()
    made = {one.folder for one in needed}
    if run["force"] or not run.is_done:
        made.add(run.folder)
    all_of_it = each_once([*run.chain()[:-1], *needed, *run.parts().values(), run])
    planned = [Planned(one, overrides, one.folder in made) for one in all_of_it]
    return [one for one in planned if one.is_made or one.run.is_done]
