"""The output folders: the only room that writes results, and knows where they are."""

import errno
import hashlib
import json
import logging
import math
import os
import re
import sys
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import filelock

from mc.atomic import leftovers, replacing

log = logging.getLogger(__name__)

NULL = "${mc.null:}"  # a null that was typed for a callable's argument


def fingerprint(settings) -> str:
    """SHA-256 of the canonical JSON of settings, null left out unless it is `NULL`."""
    canonical = json.dumps(_without_null(settings), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def file_fingerprint(path) -> str:
    """SHA-256 of a file's bytes.

    Raises:
        FileNotFoundError: there is no such file.
    """
    status = os.stat(path)
    return _digest(os.path.abspath(path), status.st_size, status.st_mtime_ns)


@lru_cache  # one command names a file many times, and it may be large
def _digest(path: str, size: int, modified: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


LONGEST_LABEL = 230  # a name has at most 255 bytes: hash, `.old-1` and the lock's ending join it


def run_folder(parent, label: str, fingerprint: str) -> Path:
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


def environment(folder) -> dict:
    """What a run noted in `environment.json`; empty if there is none that can be read."""
    try:
        return read_environment(folder)
    except (OSError, ValueError):  # that it is damaged is told by who goes on with the run
        return {}


def summary(folder) -> dict | None:
    """The summary of a finished run, or None: it is written last and marks the run as done.

    A number in it that is not finite is None.

    Raises:
        ValueError: `summary.json` cannot be read.
    """
    path = Path(folder) / "summary.json"
    try:
        # Earlier versions wrote NaN and Infinity.
        return _without_nan(json.loads(path.read_text()))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error}); remove it to run again.") from error


def finished_runs(output_dir) -> list[Path]:
    """The folders of all finished runs, without those that were set aside and of `stage=all`.

    Raises:
        FileNotFoundError: there is none.
    """
    made = _runs_with(output_dir, "summary.json")
    if not made:
        raise FileNotFoundError(
            f"There is no finished run in output_dir={output_dir}: make some first, for example "
            "with python -m mc.run, or name another folder."
        )
    return made


def unfinished_runs(output_dir) -> list[Path]:
    """The folders of runs that were begun and not finished: at work, killed, or failed."""
    begun = _runs_with(output_dir, "config.yaml")
    return [folder for folder in begun if not (folder / "summary.json").exists()]


def made_nothing(folder: Path) -> bool:
    """Whether a run that is not finished has nothing to go on from, or to look at."""
    return not any(folder.glob("*.npz")) and not any(folder.glob("*/*.npz"))


def _runs_with(output_dir, name: str) -> list[Path]:
    """The folders with a file of that name, but of `stage=all`, whose parts are runs too."""
    folders = sorted(path.parent for path in Path(output_dir).glob(f"*/*/{name}"))
    aside = re.compile(r"\.old-\d+$")
    return [f for f in folders if not aside.search(f.name) and f.parent.name != "all"]


# Names the sweep that a process works for; inherited by every process that does.
SWEEP = "MC_SWEEP"


def of_this_sweep(folder) -> bool:
    """Whether a run was begun by the sweep that this process works for."""
    sweep = os.environ.get(SWEEP)
    return sweep is not None and environment(folder).get("sweep") == sweep


def read_environment(folder) -> dict:
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


# What `eval.bn_batches=n` takes, as environment.json says it since it is so.
SPREAD = "of all examples, evenly spread"


def took_first(folder) -> bool:
    """Whether `eval.bn_batches=n` of a run means the first n batches: it was made before."""
    there = (Path(folder) / "environment.json").exists()
    return there and read_environment(folder).get("bn_batches") != SPREAD


def set_aside(folder) -> Path | None:
    """Rename a run's folder to the first free `<folder>.old-<n>`; None if there is no result."""
    folder = Path(folder)
    if not folder.exists() or not any(folder.iterdir()):
        return None
    n = 1
    while (target := folder.with_name(f"{folder.name}.old-{n}")).exists():
        n += 1
    folder.rename(target)
    return target


@contextmanager
def lock(folder):
    """One process at a time works on a run; others wait, and say so.

    The lock lies beside the folders, so that a folder can be set aside, and ends with its process.

    Raises:
        OSError: the file system has no locks.
    """
    folder = Path(folder)
    path = folder.parent.parent / ".locks" / f"{folder.parent.name}-{folder.name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not filelock's makeshift for such file systems: it outlives a process that is killed.
    held = filelock.FileLock(path, fallback_to_soft=False)
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
            f"from one run; that of {path.parent} has none. Set output_dir to another folder."
        ) from error
    try:
        yield
    finally:
        held.release()


@contextmanager
def logging_to(folder):
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
    def handleError(self, record):
        """Nothing: where a log cannot be written, results cannot either, and that is said once."""


def begin(folder, config_yaml: str, environment: dict) -> dict:
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
    environment["sweep"] = os.environ.get(SWEEP)
    write_atomically(folder / "environment.json", _json(environment))
    return environment


def finish(folder, summary: dict, environment: dict) -> None:
    """Mark a run as done by its `summary.json`; only then is its state removed."""
    folder = Path(folder)
    write_atomically(folder / "environment.json", _json(environment | {"finished": now()}))
    write_atomically(folder / "summary.json", _json(summary))
    (folder / "checkpoint.npz").unlink(missing_ok=True)


def note_failure(sweep: Path, number: int, note: dict) -> None:
    """Note a failed job in the folder of its sweep."""
    sweep.mkdir(parents=True, exist_ok=True)
    write_atomically(sweep / f"{number}.json", _json(note))


def forget_failure(sweep: Path, number: int) -> None:
    """Take a job's note away: it has not failed."""
    (sweep / f"{number}.json").unlink(missing_ok=True)


def failure(sweep: Path, number: int) -> dict | None:
    """The note of a job; None if there is none, or no longer."""
    try:
        return json.loads((sweep / f"{number}.json").read_text())
    except FileNotFoundError:
        return None


def failures(sweep: Path) -> list[dict]:
    """The notes of a sweep's failed jobs, by the number of the job."""
    numbers = sorted(int(path.stem) for path in sweep.glob("[0-9]*.json"))
    return [note for number in numbers if (note := failure(sweep, number))]


def forget_sweep(sweep: Path) -> None:
    """Remove the folder of a sweep's notes, if none is left."""
    with suppress(OSError):
        sweep.rmdir()


def save_checkpoint(folder, arrays: dict) -> None:
    """A run's state, as `checkpoint.npz`; the one before stays until this one is whole."""
    save_arrays(folder, "checkpoint", arrays | {"run": Path(folder).name})


def load_checkpoint(folder) -> dict | None:
    """The state that `save_checkpoint` wrote for this run, or None if there is none.

    Raises:
        ValueError: the file cannot be read, or is of another run.
    """
    import numpy as np

    path = Path(folder) / "checkpoint.npz"
    if not path.exists():
        return None
    try:
        with open(path, "rb") as opened, np.load(opened) as file:
            arrays = dict(file)
    except (OSError, MemoryError):  # of the disk, not of the file
        raise
    except Exception as error:  # zipfile, zlib and NumPy have errors of their own
        raise ValueError(
            f"{path} is damaged, or no checkpoint; remove it to begin anew."
        ) from error
    run = str(arrays.pop("run", "no run of mc"))
    if run != Path(folder).name:
        raise ValueError(f"{path} is of another run ({run}); remove it to begin anew.")
    return arrays


def save_table(folder, name: str, table) -> None:
    """A pandas table as `<name>.csv`, every float with all its digits."""
    write_atomically(Path(folder) / f"{name}.csv", table.to_csv(index=False))


def save_arrays(folder, name: str, arrays: dict) -> None:
    """Named arrays as `<name>.npz`."""
    import numpy as np

    with replacing(Path(folder) / f"{name}.npz") as unfinished, open(unfinished, "wb") as file:
        np.savez(file, **arrays)


def save_figures(folder, figures: dict) -> dict[str, Path]:
    """Figures as `figures/<name>.png` and `.pdf`; returns the path of each PNG."""
    (Path(folder) / "figures").mkdir(exist_ok=True)
    paths = {}
    for name, figure in figures.items():
        paths[name] = Path(folder) / "figures" / f"{name}.png"
        # No dates inside, so that the same data gives the same file.
        for path, undated in (
            (paths[name], "Software"),
            (paths[name].with_suffix(".pdf"), "CreationDate"),
        ):
            with replacing(path) as unfinished:
                figure.savefig(unfinished, metadata={undated: None})
    return paths


def save_network(folder, network, whole: bool) -> None:
    """A Keras model as `model.weights.h5`, and as `model.keras` too if `whole`."""
    for name, save in (("model.weights.h5", network.save_weights), ("model.keras", network.save)):
        if name == "model.keras" and not whole:
            continue
        # Keras looks at the ending of the name.
        with replacing(Path(folder) / name, prefix=".unfinished-") as unfinished:
            save(unfinished)


def write_atomically(path, text: str) -> None:
    """Write a text file that is at every moment either the old one or the new one."""
    with replacing(Path(path)) as unfinished, open(unfinished, "w") as file:
        file.write(text)


def now() -> str:
    """The time, UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _without_null(value):
    if isinstance(value, dict):
        return {k: _without_null(v) for k, v in value.items() if v is not None}
    if isinstance(value, list | tuple):
        return [_without_null(v) for v in value]
    return None if value == NULL else value


def _json(value: dict) -> str:
    """Strict JSON: numbers that are not finite, which it does not have, are null."""
    return json.dumps(_without_nan(value), indent=2, allow_nan=False) + "\n"


def _without_nan(value):
    if isinstance(value, dict):
        return {k: _without_nan(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
