"""The folders of runs: where they are, what they have noted, and who works on them."""

import errno
import json
import logging
import re
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import filelock

from mc.atomic import leftovers
from mc.lab.files import as_json, without_nan, write_atomically

log = logging.getLogger(__name__)

LONGEST_LABEL = 230  # a name has at most 255 bytes: hash, `.old-1` and the lock's ending join it


def of_run(parent: Path, label: str, fingerprint: str) -> Path:
    """`<parent>/<label>-<hash8>`, or `-<hash16>` where the former is of another run.

    The label is reduced to letters, digits, dots, dashes and underscores; of one that is too long
    for the name of a file, the middle is left out.
    """
    label = re.sub(r"[^A-Za-z0-9._-]+", "_", label)
    if len(label) > LONGEST_LABEL:
        label = f"{label[:110]}...{label[-110:]}"
    short, longer = (Path(parent) / f"{label}-{fingerprint[:digits]}" for digits in (8, 16))
    inside = environment(short).get("fingerprint")  # runs of before have none
    return longer if longer.exists() or inside not in (None, fingerprint) else short


def environment(folder: Path) -> dict:
    """What a run noted in `environment.json`; empty if there is none that can be read."""
    try:
        return read_environment(folder)
    except (OSError, ValueError):  # that it is damaged is told by who goes on with the run
        return {}


def read_environment(folder: Path) -> dict:
    """What a run has noted of how it was made; empty if it has not.

    Raises:
        ValueError: `environment.json` cannot be read.
    """
    path = Path(folder) / "environment.json"
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error}); remove it to go on.") from error


def summary(folder: Path) -> dict | None:
    """The summary of a finished run, or None: it is written last and marks the run as done.

    A number in it that is not finite is None.

    Raises:
        ValueError: `summary.json` cannot be read.
    """
    path = Path(folder) / "summary.json"
    try:
        # Earlier versions wrote NaN and Infinity.
        return without_nan(json.loads(path.read_text()))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error}); remove it to run again.") from error


def finished_runs(output_dir: Path, leave_out: Collection[str] = ()) -> list[Path]:
    """The folders of all finished runs, without those that were set aside.

    `leave_out`: names of stages.

    Raises:
        FileNotFoundError: there is none.
    """
    made = _runs_with(output_dir, "summary.json", leave_out)
    if not made:
        raise FileNotFoundError(
            f"There is no finished run in output_dir={output_dir}: make some first, for example "
            "with python -m mc.run, or name another folder."
        )
    return made


def unfinished_runs(output_dir: Path, leave_out: Collection[str] = ()) -> list[Path]:
    """The folders of runs that were begun and not finished: at work, killed, or failed."""
    begun = _runs_with(output_dir, "config.yaml", leave_out)
    return [folder for folder in begun if not (folder / "summary.json").exists()]


def made_nothing(folder: Path) -> bool:
    """Whether a run that is not finished has nothing to go on from, or to look at."""
    return not any(folder.glob("*.npz")) and not any(folder.glob("*/*.npz"))


def _runs_with(output_dir: Path, name: str, leave_out: Collection[str]) -> list[Path]:
    there = sorted(path.parent for path in Path(output_dir).glob(f"*/*/{name}"))
    aside = re.compile(r"\.old-\d+$")
    return [f for f in there if not aside.search(f.name) and f.parent.name not in leave_out]


# What `eval.bn_batches=n` takes, as environment.json says it since it is so.
SPREAD = "of all examples, evenly spread"


def took_first(folder: Path) -> bool:
    """Whether `eval.bn_batches=n` of a run means the first n batches: it was made before."""
    there = (Path(folder) / "environment.json").exists()
    return there and read_environment(folder).get("bn_batches") != SPREAD


def set_aside(folder: Path) -> Path | None:
    """Rename a run's folder to the first free `<folder>.old-<n>`; None if there is no result."""
    folder = Path(folder)
    if not folder.exists() or not any(folder.iterdir()):
        return None
    n = 1
    while (target := folder.with_name(f"{folder.name}.old-{n}")).exists():
        n += 1
    folder.rename(target)
    return target


def is_at_work(folder: Path) -> bool:
    """Whether a process works on a run that is begun and not finished."""
    held = _lock_of(folder)
    begun = (folder / "config.yaml").exists() and Path(held.lock_file).exists()
    if not begun or (folder / "summary.json").exists():
        return False
    try:
        held.acquire(timeout=0)
    except filelock.Timeout:
        return True
    held.release()
    return False


def _lock_of(folder: Path) -> filelock.BaseFileLock:
    path = folder.parent.parent / ".locks" / f"{folder.parent.name}-{folder.name}.lock"
    # Not filelock's makeshift for file systems without locks: it outlives a process that is killed.
    return filelock.FileLock(path, fallback_to_soft=False)


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """One process at a time works on a run; others wait, and say so.

    The lock lies beside the folders, so that a folder can be set aside, and ends with its process.

    Raises:
        OSError: the file system has no locks.
    """
    held = _lock_of(Path(folder))
    beside = Path(held.lock_file).parent
    beside.mkdir(parents=True, exist_ok=True)
    try:
        held.acquire(timeout=0)
    except filelock.Timeout:
        log.info("Another process works on %s: waiting for it.", folder)
        held.acquire()
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP):
            raise
        raise OSError(
            f"output_dir must be on a file system with locks (flock), which keep two processes "
            f"from one run; that of {beside} has none. Set output_dir to another folder."
        ) from error
    try:
        yield
    finally:
        held.release()


@contextmanager
def logging_to(folder: Path) -> Iterator[None]:
    """Everything logged meanwhile also goes to `run.log`."""
    handler = _RunLog(Path(folder) / "run.log", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.getLogger().addHandler(handler)
    try:
        yield
    except BaseException as error:  # into the file alone: the command line says it in one message
        handler.handle(
            logging.makeLogRecord(
                {"msg": "Stopped: %r", "args": (error,), "levelname": "ERROR", "levelno": 40}
                | {"exc_info": sys.exc_info()}
            )
        )
        raise
    finally:
        logging.getLogger().removeHandler(handler)
        with suppress(OSError):
            handler.close()


class _RunLog(logging.FileHandler):
    def handleError(self, record: logging.LogRecord) -> None:
        """Nothing: where a log cannot be written, results cannot either, and that is said once."""


def begin(folder: Path, config_yaml: str, environment: dict) -> dict:
    """Make a run's folder; returns its environment, that of an earlier attempt continued.

    Writes `config.yaml` and `environment.json`; an earlier attempt's `wandb_id` and `started` stay.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for unfinished in leftovers(folder):  # of processes that were killed
        unfinished.unlink(missing_ok=True)
    write_atomically(folder / "config.yaml", config_yaml)
    earlier = read_environment(folder)
    environment |= {k: earlier[k] for k in ("wandb_id", "started") if k in earlier}
    environment.setdefault("started", now())
    write_atomically(folder / "environment.json", as_json(environment))
    return environment


def finish(folder: Path, summary: dict, environment: dict) -> None:
    """Mark a run as done by its `summary.json`; only then is its state removed."""
    folder = Path(folder)
    write_atomically(folder / "environment.json", as_json(environment | {"finished": now()}))
    write_atomically(folder / "summary.json", as_json(summary))
    (folder / "checkpoint.npz").unlink(missing_ok=True)


def now() -> str:
    """The time, UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")
