"""`plan=true`: the runs that a command, or a whole sweep, stands for, and what is there of them."""

import re
from argparse import Namespace
from collections.abc import Iterable, Sequence
from pathlib import Path

from omegaconf.errors import OmegaConfBaseException

from mc.lab import door, hydra_inside, stale
from mc.lab.graph import Run, each_once
from mc.lab.view import View

PLAN = re.compile(r"\+{0,2}plan=(.*)", re.IGNORECASE)


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
    found: dict[Path, tuple[Run, str]] = {}
    mistakes = []
    with hydra_inside.Composer(conf, given.config_dir) as compose:
        jobs = _jobs(compose, given) if given.multirun else [given.overrides]
        for overrides in jobs:
            try:
                for run in _runs(door.of_command(compose, overrides)):
                    _add(found, run, overrides)
            except (ValueError, OSError, OmegaConfBaseException) as error:
                if not given.multirun:
                    raise
                mistakes.append(f"  {' '.join(overrides)}\n    {str(error).splitlines()[0]}")
    lines = [_line(run, command) for run, command in found.values()]
    done = sum(line.startswith("done") for line in lines)
    lines.append(f"{len(found)} runs: {done} done, {len(found) - done} to be made.")
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


def _runs(run: Run | View) -> Iterable[Run]:
    """The runs that a command stands for, each once, in order; what is done among them."""
    if isinstance(run, View):
        return run.needed()
    stale.check(run)
    needed = run.needed()
    all_of_it = each_once([*run.chain()[:-1], *needed, *run.parts().values(), run])
    wanted = {one.folder for one in [*needed, run]}
    return [one for one in all_of_it if one.is_done or one.folder in wanted]


def _add(found: dict[Path, tuple[Run, str]], run: Run, overrides: Sequence[str]) -> None:
    if run.folder in found:
        before, command = found[run.folder]
        both = before.both(run)
        found[run.folder] = (before, command) if both is before else (both, both.command(overrides))
    else:
        found[run.folder] = run, run.command(overrides)


def _line(run: Run, command: str) -> str:
    """State, folder and command."""
    again = run["force"] and not run.changes
    if run.is_done and not again:
        return f"done        {run.folder}"
    state = "unfinished" if (run.folder / "config.yaml").exists() else "missing"
    return f"{'again' if run.is_done else state:<11} {run.folder}\n              {command}"
