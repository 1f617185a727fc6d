"""The jobs of a sweep and what is missing below them, as jobs that begin when they can.

With `build=true`, what several jobs build on becomes jobs of its own, each run once, and none
begins before all that it needs is there: no job waits for another while it holds a GPU.
"""

import itertools
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import cast

from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from mc.lab import door, folders
from mc.lab.graph import Run, each_once

log = logging.getLogger(__name__)

# Of jobs that are not the sweep's own, which Hydra numbers from 0, batch after batch.
NUMBERS = itertools.count(1_000_000)


@dataclass(eq=False)
class SweepJob:
    """A job of the sweep's own, or one that makes what these need.

    Attributes:
        number: Hydra's, of the sweep's own first.
        overrides: of its command.
        title: what it is called where it fails others.
        needs: the numbers of the jobs that must have ended well.
        folder: where its run lies; None of a job that may make no other run.
        more: of a run that builds on what is made on the way, the jobs that it needs beside those
            that it knew of; it waits for them.
    """

    number: int
    overrides: list[str]
    title: str
    needs: set[int] = field(default_factory=set)
    folder: Path | None = None
    more: Callable[[], list["SweepJob"]] | None = None

    @property
    def is_at_work(self) -> bool:
        """Whether another process works on the run, such as a job of a sweep that was killed."""
        return self.folder is not None and folders.is_at_work(self.folder)


class Waves:
    """What may begin, as others end.

    Args:
        jobs: all of them.

    Attributes:
        total: how many there are.
        are_several: whether some must wait for others.
    """

    def __init__(self, jobs: Iterable[SweepJob]):
        self.waiting = {job.number: job for job in jobs}
        self.total = len(self.waiting)
        self.are_several = any(job.needs for job in self.waiting.values())
        self.grows = any(job.more for job in self.waiting.values())
        self.asked = -1  # how many had ended when growing jobs were asked last
        self.well: set[int] = set()
        self.failed: set[int] = set()

    def ready(self, most: int | None = None) -> list[SweepJob]:
        """Jobs that may begin now, at most so many; they wait no longer.

        A job whose run another process works on begins when that has ended.
        """
        self._grow()
        free = (job for job in self.waiting.values() if job.needs <= self.well)
        chosen = list(itertools.islice((job for job in free if not job.is_at_work), most))
        for job in chosen:
            del self.waiting[job.number]
        return chosen

    def _grow(self) -> None:
        """Add what growing jobs are found to need, once all is there that they knew of."""
        ended = len(self.well) + len(self.failed)
        if ended == self.asked:
            return
        self.asked = ended
        for job in [job for job in self.waiting.values() if job.needs <= self.well]:
            new = job.more() if job.more else []
            self.waiting |= {other.number: other for other in new}
            self.total += len(new)
            # What has failed for another one: this one tries it again, and says why it cannot.
            job.needs -= self.failed

    def ended(self, job: SweepJob, failed: bool) -> list[tuple[SweepJob, str]]:
        """The jobs that fail with one that has ended, each with why; they wait no longer."""
        if not failed:
            self.well.add(job.number)
            return []
        lost = []
        self.failed.add(job.number)
        for other in [other for other in self.waiting.values() if job.number in other.needs]:
            if other.number in self.waiting:  # not lost by another way already
                del self.waiting[other.number]
                lost.append((other, f"{job.title} has failed, on which this builds."))
                lost += self.ended(other, failed=True)
        return lost


def planned(
    load: Callable[[list[str]], DictConfig], overrides: Sequence[Sequence[str]], first: int
) -> list[SweepJob]:
    """The jobs of a sweep, and before them those that make what is missing below them.

    Args:
        load: the configuration of a job's overrides, `hydra` included.
        overrides: of each job.
        first: the number of the first.
    """
    jobs = [SweepJob(n, list(own), " ".join(own)) for n, own in enumerate(overrides, first)]
    runs = {job.number: run for job in jobs if (run := _building(load, job.overrides))}
    owners: dict[Path, SweepJob] = {}  # of what is going to be made, by whom
    for job in jobs:
        if run := runs.get(job.number):
            job.folder = run.folder
            if other := owners.get(run.folder):
                job.needs.add(other.number)  # it finds it finished
            owners.setdefault(run.folder, job)
    extra: dict[Path, tuple[Run, SweepJob]] = {}
    for job in jobs:
        for run in _needed(runs.get(job.number)):
            folder = run.folder
            if folder not in owners:
                number = next(NUMBERS)
                owners[folder] = SweepJob(number, [], f"{run.name}/{folder.name}", folder=folder)
                extra[folder] = run, owners[folder]
            if folder in extra:
                run = extra[folder][0].both(run)
                extra[folder] = run, owners[folder]
                # What is there is needed only by a whole that is made anew.
                again = ["force=true"] if run.is_done else []
                owners[folder].overrides = run.words(job.overrides, *again)
            if owners[folder] is not job:
                job.needs.add(owners[folder].number)
    for number, run in runs.items():
        if run.more:
            job = next(job for job in jobs if job.number == number)
            job.more = partial(_more, load, job, owners)
    own = [(runs[job.number], job) for job in jobs if job.number in runs]
    made = [(run, job) for run, job in own if not run.is_done or run["force"]]
    for run, job in [*extra.values(), *made]:
        below = (owners.get(one.folder) for one in run.chain()[:-1])
        job.needs |= {other.number for other in below if other is not None}
    if extra:
        log.info("%d runs are missing below the jobs of this sweep, and made first.", len(extra))
    return [*(job for _, job in extra.values()), *jobs]


def _more(load: Callable, job: SweepJob, owners: dict[Path, SweepJob]) -> list[SweepJob]:
    """The jobs of what a run is found to need, once all is there that it knew of before."""
    found: dict[Path, tuple[Run, SweepJob]] = {}
    for run in _needed(_building(load, job.overrides)):
        if run.folder not in owners:
            title = f"{run.name}/{run.folder.name}"
            words = run.words(job.overrides)
            owners[run.folder] = SweepJob(next(NUMBERS), words, title, folder=run.folder)
            found[run.folder] = run, owners[run.folder]
        job.needs.add(owners[run.folder].number)
    for run, other in found.values():
        below = (one.folder for one in run.chain()[:-1] if not one.is_done)
        other.needs |= {owners[folder].number for folder in below if folder in owners}
    if found:
        log.info("%s needs %d runs more, which are made first.", job.title, len(found))
    return [other for _, other in found.values()]


def _building(load: Callable, overrides: list[str]) -> Run | None:
    """The run of a job, if it makes what is missing below it; a mistake is left for the job."""
    try:
        cfg = load(overrides)
        stage = Run.stages.get(cfg.get("stage"))
        if stage is None or not (stage.builds or cfg.get("build")):
            return None
        return cast(Run, door.read(cfg, cfg.hydra, overrides))
    except (ValueError, OSError, OmegaConfBaseException):
        return None


def _needed(run: Run | None) -> list[Run]:
    """What is missing below the runs that a job makes, without its own."""
    try:
        runs = run.stands_for() if run else []
        found = [one for part in runs for one in (*part.needed(), *_unmade(part))]
        return each_once(one for one in found if run is None or one.folder != run.folder)
    except ValueError:  # which the job says
        return []


def _unmade(part: Run) -> list[Run]:
    return [] if part.is_done and not part["force"] else [part]
