"""What a stage's work is handed: its run, the settings as they act, its folder, the tracker."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from mc.lab import tracking
from mc.lab.graph import Run
from mc.lab.variants import plain


@dataclass(frozen=True)
class Job:
    """One run at work.

    Attributes:
        run: what is to be done.
        folder: where its files go.
        tracker: what it tells W&B.
    """

    run: Run
    folder: Path
    tracker: tracking.Tracker

    @cached_property
    def cfg(self) -> DictConfig:
        """The settings as they act: with `smoke=true` as little of each as is left of it."""
        return acting(self.run)


def acting(run: Run) -> DictConfig:
    """The settings of a run as they act; see `Job.cfg`."""
    cfg = run.cfg
    if not run["smoke"]:
        return cfg
    short = OmegaConf.create(plain(cfg))
    for key, declared in Run.fields.items():
        most, value = declared.metadata["smoke"], OmegaConf.select(cfg, key)
        if most is not None and value is not None:
            OmegaConf.update(short, key, min(value, most))
    return short
