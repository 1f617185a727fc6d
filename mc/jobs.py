"""What Hydra asks of us around a job: its folder, its threads, and what became of it.

Importing this module registers the resolvers of conf/config.yaml. Workers of a sweep import it with
the callback below, before they resolve anything.
"""

import logging
import os
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobStatus
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from mc import checks, config, missing, runs, store

log = logging.getLogger(__name__)


def checked(cfg: DictConfig, overrides: list[str]) -> DictConfig:
    """The configuration of a job, without `hydra` and without settings of replaced callables.

    Raises:
        ValueError, OSError: a setting is wrong, or what the stage builds on is missing.
    """
    cfg = OmegaConf.masked_copy(cfg, [k for k in cfg if k != "hydra"])
    checks.check(cfg)
    cfg = config.typed_groups(cfg, overrides)
    missing.check_made(cfg, overrides)
    return cfg


def _folder(*, _root_) -> str:
    """Check the configuration, then name the run's folder; nothing is made before."""
    return str(runs.folder(checked(_root_, list(_root_.hydra.overrides.task))))


def _subfolder(*, _root_) -> str:
    """The same below output_dir, for sweeps; a mistake is left for the task to report."""
    try:
        return str(Path(*Path(_folder(_root_=_root_)).parts[-2:]))
    except (ValueError, OSError):
        return f".sweeps/mistake-{os.getpid()}-{OmegaConf.select(_root_, 'hydra.job.num')}"


OmegaConf.register_new_resolver("mc.folder", _folder, replace=True)
OmegaConf.register_new_resolver("mc.subfolder", _subfolder, replace=True)


def threads() -> int | None:
    """Threads for TensorFlow where jobs share this machine's cores; None: as many as it likes."""
    if given := os.environ.get("SLURM_CPUS_PER_TASK"):
        return int(given)
    hydra = HydraConfig.get()
    if hydra.mode != RunMode.MULTIRUN or not hydra.launcher._target_.endswith("JoblibLauncher"):
        return None
    affine = hasattr(os, "sched_getaffinity")  # not on macOS
    cores = len(os.sched_getaffinity(0)) if affine else os.cpu_count() or 1
    jobs = hydra.launcher.n_jobs
    return max(1, cores // jobs) if jobs > 0 else 1


class Failures(Callback):
    """Notes the failed jobs of a sweep, whichever process they ran in."""

    def on_multirun_start(self, config: DictConfig, **_):
        """Name the folder of this sweep's notes; it is made with the first of them."""
        name = f"failures-{store.now()}-{os.getpid()}".replace(":", "")
        os.environ[store.SWEEP] = str(Path(config.output_dir).absolute() / ".sweeps" / name)

    def on_job_end(self, config: DictConfig, job_return, **_):
        """Say and note a failure."""
        folder = Path(config.hydra.runtime.output_dir)
        mistaken = folder.parent.name == ".sweeps"
        if mistaken:
            folder.rmdir()  # such a job has done nothing
        if job_return.status is not JobStatus.FAILED or store.SWEEP not in os.environ:
            return
        error = job_return._return_value
        first = (str(error).splitlines() or [""])[0] or type(error).__name__
        job = " ".join(job_return.overrides)
        log.error("Failed: %s: %s", job, first)
        note = {"job": job, "folder": None if mistaken else str(folder), "error": first}
        store.note_failure(Path(os.environ[store.SWEEP]), config.hydra.job.num, note)


def failures() -> str | None:
    """The failed jobs of this process' sweep: what was asked, the folder, the first error line."""
    notes = store.failures(Path(os.environ[store.SWEEP])) if store.SWEEP in os.environ else []
    if not notes:
        return None
    lines = [
        f"{len(notes)} of the jobs failed; the same command, without force=true, "
        "runs only these again:"
    ]
    for note in notes:
        told = (note["job"], note["folder"], note["error"])
        lines += [f"  {told[0]}", *(f"    {line}" for line in told[1:] if line)]
    return "\n".join(lines)
