"""What Hydra asks of us around a job: its folder, its threads, and what became of it.

Importing this module registers the resolvers of conf/config.yaml. Workers of a sweep import it with
the callback below, before they resolve anything.
"""

import logging
import os
import pickle
import re
from pathlib import Path

from hydra import compose
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.core.utils import JobStatus
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from mc import checks, config, missing, modules, runs, stale, store

modules.read_inherited()  # in a worker of a sweep, before it composes anything

log = logging.getLogger(__name__)

LINES = 8  # of an error that are listed: some name commands to type
AT_WORK = "killed, or still at work"


def checked(cfg: DictConfig, hydra: DictConfig) -> DictConfig:
    """The configuration of a job, without `hydra` and without settings of replaced callables.

    Raises:
        ValueError, OSError: a setting is wrong, or what the stage builds on is missing.
    """
    overrides = list(hydra.overrides.task)
    cfg = OmegaConf.masked_copy(cfg, [k for k in cfg if k != "hydra"])
    modules.read(cfg.get("imports", ()))
    checks.check(cfg)
    check_sweeper(cfg.objective, hydra.sweeper)
    cfg = config.typed_groups(cfg, overrides, lambda: _options(hydra))
    missing.check_made(cfg, overrides)
    if cfg.stage not in ("figures", "report") and not (cfg.stage == "all" and cfg.force):
        stale.check(cfg, overrides)
    return cfg


def _options(hydra: DictConfig) -> DictConfig:
    """The configuration by the YAML of each group's option alone, without experiments."""
    chosen = [f"{group}={hydra.runtime.choices[group]}" for group in config.GROUPS]
    return compose(hydra.job.config_name, chosen)


def _folder(*, _root_) -> str:
    """Check the configuration, then name the run's folder; nothing is made before."""
    return str(runs.folder(checked(_root_, _root_.hydra)))


def _subfolder(*, _root_) -> str:
    """The same below output_dir, for sweeps; a mistake is left for the task to report."""
    try:
        return str(Path(*Path(_folder(_root_=_root_)).parts[-2:]))
    except (ValueError, OSError):
        return f".sweeps/mistake-{os.getpid()}-{OmegaConf.select(_root_, 'hydra.job.num')}"


OmegaConf.register_new_resolver("mc.folder", _folder, replace=True)
OmegaConf.register_new_resolver("mc.subfolder", _subfolder, replace=True)


def threads() -> int | None:
    """Threads for TensorFlow where jobs share a machine's cores; None: as many as it likes."""
    hydra = HydraConfig.get()
    if hydra.mode == RunMode.MULTIRUN and hydra.launcher._target_.endswith("JoblibLauncher"):
        return int(os.environ["OMP_NUM_THREADS"])  # which the launcher sets
    given = os.environ.get("SLURM_CPUS_PER_TASK")
    return int(given) if given else None


def check_sweeper(objective: str | None, sweeper: DictConfig) -> None:
    """Nothing, unless Optuna is given no number to improve, or would make it worse.

    Raises:
        ValueError: says what to type.
    """
    if not sweeper._target_.endswith("OptunaSweeper"):
        return
    if objective is None:
        raise ValueError(
            "hydra/sweeper=optuna needs a number to improve: type for example "
            "objective=curve/test/nll/max (of stage=all or eval) or objective=test/nll (of base)."
        )
    higher = {"accuracy", "f1"} & set(objective.split("/"))
    if higher and str(sweeper.direction).rpartition(".")[2] == "minimize":
        raise ValueError(
            f"objective={objective} is better the higher it is, and hydra.sweeper.direction is "
            "minimize. Type hydra.sweeper.direction=maximize."
        )


def register_launchers() -> None:
    """Have hydra/launcher=joblib mean the launcher here that outlives killed jobs."""
    Plugins.instance()  # imports what is installed, which registers launchers of its own
    registered = ConfigStore.instance()
    if "joblib.yaml" in registered.list("hydra/launcher"):
        node = {"_target_": "hydra_plugins.mc_launchers.JoblibLauncher", "n_jobs": -1}
        registered.store("joblib", node, group="hydra/launcher", provider="mc")


def launcher_error(error: BaseException) -> str | None:
    """What to say of the error of a cluster that takes no jobs, if it is one."""
    text = str(error).strip()
    refused = type(error).__name__ == "FailedJobError"  # of submitit, where sbatch fails
    return f"Error: the launcher says: {text}" if refused or "slurm cluster" in text else None


class Failures(Callback):
    """Notes the failed jobs of a sweep, whichever process they ran in."""

    def on_multirun_start(self, config: DictConfig, **_):
        """Name the folder of this sweep's notes; it is made with the first of them."""
        name = f"failures-{store.now()}-{os.getpid()}".replace(":", "")
        os.environ[store.SWEEP] = str(Path(config.output_dir).absolute() / ".sweeps" / name)

    def on_multirun_end(self, config: DictConfig, **_):
        """Leave nothing behind where nothing failed."""
        store.forget_sweep(_sweep())

    def on_job_start(self, config: DictConfig, **_):
        """Note the job until it ends, in case it is killed."""
        if sweep := _sweep():
            note = _note(config.hydra, config.hydra.overrides.task, AT_WORK)
            store.note_failure(sweep, config.hydra.job.num, note)

    def on_job_end(self, config: DictConfig, job_return, **_):
        """Say and note a failure."""
        folder = Path(config.hydra.runtime.output_dir)
        mistaken = folder.parent.name == ".sweeps"
        if mistaken:
            folder.rmdir()  # such a job has done nothing
        if (sweep := _sweep()) is None:
            return
        if job_return.status is not JobStatus.FAILED:
            store.forget_failure(sweep, config.hydra.job.num)
            return
        note = _note(config.hydra, job_return.overrides, first_lines(job_return._return_value))
        log.error("Failed: %s: %s", note["job"], note["error"])
        job_return._return_value = _picklable(job_return._return_value)
        note["folder"] = None if mistaken else note["folder"]
        store.note_failure(sweep, config.hydra.job.num, note)


def _sweep() -> Path | None:
    """The folder of the notes of this process' sweep, if it works for one."""
    return Path(os.environ[store.SWEEP]) if store.SWEEP in os.environ else None


def _note(hydra: DictConfig, overrides, error: str) -> dict:
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
    sweep = _sweep()
    begun = store.failure(sweep, number) or {"folder": None, "error": AT_WORK}
    told = first_lines(RuntimeError(told))
    error = told if begun["error"] == AT_WORK else begun["error"]  # its own says more
    note = {"job": " ".join(overrides), "folder": begun["folder"], "error": error}
    store.note_failure(sweep, number, note)
    return error


FORCED = "Runs that force=true had not begun keep their earlier results."


def without_force(arguments: list[str]) -> list[str]:
    """The command that goes on where this one ends: force=true would begin anew."""
    return [a for a in arguments if not re.match(r"\+{0,2}force=", a)]


def failures() -> list[dict]:
    """The notes of the failed jobs of this process' sweep."""
    return store.failures(sweep) if (sweep := _sweep()) else []


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
