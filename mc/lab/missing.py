"""What a run builds on that is not there yet, and the commands that make it."""

from collections.abc import Iterable

from hydra.core.hydra_config import HydraConfig

from mc.lab import near
from mc.lab.graph import Run
from mc.lab.view import View


def check_made(run: Run | View, overrides: Iterable[str] = ()) -> None:
    """Raise unless everything that a run builds on is finished, or it itself is.

    Raises:
        ValueError: says what is missing and what makes it, in order.
    """
    overrides = list(overrides)
    missing = run.needed()
    if missing and not run.is_building:
        commands = [f"  {one.command(overrides)}{_near(one)}" for one in missing]
        raise ValueError(
            f"stage={run.name} builds on runs that are not finished. Make them first, or type "
            "build=true to have them made:\n" + "\n".join(commands)
        )


def typed() -> list[str]:
    """The overrides of the command that runs, none outside of one."""
    return list(HydraConfig.get().overrides.task) if HydraConfig.initialized() else []


def _near(run: Run) -> str:
    """A line on a finished run of the stage that is nearly the one that is missing."""
    there = near.settings_of_nearest(run)
    return f"\n    (there is one with {there})" if there else ""
