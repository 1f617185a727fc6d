"""What became of the jobs of a sweep, noted by whoever ran them, for who started them."""

import json
import logging
import os
import pickle
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from mc.lab import folders
from mc.lab.files import as_json, write_atomically

log = logging.getLogger(__name__)

LINES = 8  # of an error that are listed: some name commands to type
AT_WORK = "killed, or still at work"

# Names the sweep that a process works for; inherited by every process that does.
SWEEP = "MC_SWEEP"


def of_this_sweep(folder: Path) -> bool:
    """Whether a run was begun by the sweep that this process works for."""
    sweep = os.environ.get(SWEEP)
    return sweep is not None and folders.environment(folder).get("sweep") == sweep


def name() -> str | None:
    """The sweep that this process works for, as runs note it."""
    return os.environ.get(SWEEP)


def note_failure(sweep: Path, number: int, note: dict) -> None:
    """Note a failed job in the folder of its sweep."""
    sweep.mkdir(parents=True, exist_ok=True)
    write_atomically(sweep / f"{number}.json", as_json(note))


def forget_failure(sweep: Path, number: int) -> None:
    """Take a job's note away: it has not failed."""
    (sweep / f"{number}.json").unlink(missing_ok=True)


def failure(sweep: Path, number: int) -> dict | None:
    """The note of a job; None if there is none, or no longer."""
    try:
        return json.loads((sweep / f"{number}.json").read_text())
    except FileNotFoundError:
        return None


def notes(sweep: Path) -> list[dict]:
    """The notes of a sweep's failed jobs, by the number of the job."""
    numbers = sorted(int(path.stem) for path in sweep.glob("[0-9]*.json"))
    return [note for number in numbers if (note := failure(sweep, number))]


def forget_sweep(sweep: Path) -> None:
    """Remove the folder of a sweep's notes, if none is left."""
    with suppress(OSError):
        sweep.rmdir()


class Failures(Callback):
    """Notes the failed jobs of a sweep, whichever process they ran in."""

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Name the folder of this sweep's notes; it is made with the first of them."""
        name = f"failures-{folders.now()}-{os.getpid()}".replace(":", "")
        os.environ[SWEEP] = str(Path(config.output_dir).absolute() / ".sweeps" / name)

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """Leave nothing behind where nothing failed."""
        if sweep := here():
            forget_sweep(sweep)

    def on_job_start(self, config: DictConfig, **_: Any) -> None:
        """Note the job until it ends, in case it is killed."""
        if sweep := here():
            note = _note(config.hydra, config.hydra.overrides.task, AT_WORK)
            note_failure(sweep, config.hydra.job.num, note)

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_: Any) -> None:
        """Say and note a failure."""
        folder = Path(config.hydra.runtime.output_dir)
        mistaken = folder.parent.name == ".sweeps"
        if mistaken:
            folder.rmdir()  # such a job has done nothing
        if (sweep := here()) is None:
            return
        if job_return.status is not JobStatus.FAILED:
            forget_failure(sweep, config.hydra.job.num)
            return
        told = first_lines(job_return._return_value)
        note = _note(config.hydra, job_return.overrides or [], told)
        log.error("Failed: %s: %s", note["job"], note["error"])
        job_return._return_value = _picklable(job_return._return_value)
        note["folder"] = None if mistaken else note["folder"]
        note_failure(sweep, config.hydra.job.num, note)


def here() -> Path | None:
    """The folder of the notes of this process' sweep, if it works for one."""
    return Path(os.environ[SWEEP]) if SWEEP in os.environ else None


def _note(hydra: DictConfig, overrides: Iterable[str], error: str) -> dict:
    return {"job": " ".join(overrides), "folder": hydra.runtime.output_dir, "error": error}


def _picklable(error: BaseException) -> BaseException:
    """An error that can be sent to the process of the sweep: the same, where that is possible."""
    try:
        same = str(pickle.loads(pickle.dumps(error))) == str(error)
    except Exception:  # whatever its class does when it is made anew
        same = False
    return error if same else RuntimeError(first_lines(error))


def first_lines(error: BaseException) -> str:
    """What the list of failures says of an error."""
    return "\n".join(str(error).splitlines()[:LINES]) or type(error).__name__


def note_lost(number: int, overrides: list[str], told: str) -> str:
    """Note a job that left no result, killed perhaps before it began; returns what is noted."""
    sweep = here()
    assert sweep is not None, "only sweeps lose jobs"
    begun = failure(sweep, number) or {"folder": None, "error": AT_WORK}
    told = first_lines(RuntimeError(told))
    error = told if begun["error"] == AT_WORK else begun["error"]  # its own says more
    note = {"job": " ".join(overrides), "folder": begun["folder"], "error": error}
    note_failure(sweep, number, note)
    return error


FORCED = "Runs that force=true had not begun keep their earlier results."


def without_force(arguments: list[str]) -> list[str]:
    """The command that goes on where this one ends: force=true would begin anew."""
    return [a for a in arguments if not re.match(r"\+{0,2}force=", a)]


def failures() -> list[dict]:
    """The notes of the failed jobs of this process' sweep."""
    return notes(sweep) if (sweep := here()) else []


def listed(notes: list[dict], forced: bool) -> str:
    """What to say of failed jobs: what was asked, the folder, the first error lines."""
    again = "the same command, without force=true," if forced else "the same command"
    lines = [
        f"{len(notes)} of the jobs failed; once the cause is gone, {again} runs what is missing:",
        *([FORCED] if forced else []),
    ]
    for note in notes:
        told = (note["job"], note["folder"], note["error"])
        inner = (line for text in told[1:] if text for line in text.splitlines())
        lines += [f"  {told[0]}", *(f"    {line}" for line in inner)]
    return "\n".join(lines)
