"""Launchers of sweeps that go on when a job is killed: on this machine, and on Slurm.

Those that they build on (hydra-joblib-launcher, hydra-submitit-launcher) describe and start a job.
But where one is killed, the first stops all others and the second waits for none of them; here a
killed job is a failed job like any other. Hydra looks for launchers in this namespace alone.
"""

import logging
import os
import re
import signal
import threading
import time
import warnings
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, wait
from contextlib import contextmanager

from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, filter_overrides
from hydra.plugins.launcher import Launcher

# Without the extra `cluster` nothing asks for the launchers below.
try:
    from hydra_plugins.hydra_joblib_launcher.joblib_launcher import JoblibLauncher as Joblib
except ImportError:
    Joblib = Launcher
try:
    from hydra_plugins.hydra_submitit_launcher.submitit_launcher import SlurmLauncher as Slurm
except ImportError:
    Slurm = Launcher

log = logging.getLogger(__name__)

SECONDS_IDLE = 60  # after which a process ends: its sweep may be gone
SECONDS_BETWEEN_LOOKS = 2  # at what became of Slurm's jobs
MOST_SECONDS_BETWEEN_ANSWERS = 600  # of Slurm, on a job that takes long
SECONDS_ALONE = 1  # that a process of joblib may outlive the command that began it
# The states of a job that is over, as sacct has them. All others are those of a job that waits,
# works, or will: suspended, resizing, held, to be queued again.
OVER = (
    *("BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "LAUNCH_FAILED", "NODE_FAIL"),
    *("OUT_OF_MEMORY", "RECONFIG_FAIL", "REVOKED", "TIMEOUT"),
)


class JoblibLauncher(Joblib):
    """At most `n_jobs` processes (-1: one a core), each a pool of its own.

    Raises:
        ValueError: `n_jobs` is neither -1 nor a number at least 1.
    """

    def setup(self, **described):
        """Take what describes the jobs."""
        from loky import cpu_count

        super().setup(**described)
        n_jobs = self.joblib["n_jobs"]
        if type(n_jobs) is not int or (n_jobs < 1 and n_jobs != -1):
            raise ValueError(
                "hydra.launcher.n_jobs must be a number at least 1, or -1 for one job a core, "
                f"got {n_jobs}."
            )
        self.cores = min(cpu_count(), int(os.environ.get("SLURM_CPUS_PER_TASK", cpu_count())))
        self.n_jobs = self.cores if n_jobs == -1 else n_jobs
        self.idle = []
        # TensorFlow grows with its graphs, and a process that grew much is made anew.
        warnings.filterwarnings("ignore", "A worker stopped while some jobs", UserWarning)

    def launch(self, job_overrides, initial_job_idx):
        """The results of the jobs, in their order, once all of them are over.

        Raises:
            KeyboardInterrupt: the command was interrupted or told to end; so are its processes.
        """
        with _told_to_end():
            return self._launch(job_overrides, initial_job_idx)

    def _launch(self, job_overrides, initial_job_idx):
        waves = _waves(self, job_overrides, initial_job_idx)
        size = self.n_jobs if waves.grows else min(self.n_jobs, waves.total)
        results, at_work = _Results(waves), {}
        try:
            while waves.waiting or at_work:
                for job in waves.ready(size - len(at_work)):
                    future, pool = self._submit(size, job.number, job.overrides)
                    at_work[future] = pool, job
                if not at_work:  # another sweep works on all that is left
                    time.sleep(SECONDS_BETWEEN_LOOKS)
                for future in wait(at_work, return_when=FIRST_COMPLETED).done:
                    pool, job = at_work.pop(future)
                    results.add(job, self._result(future, pool, job.number, job.overrides))
        finally:
            for pool, _ in at_work.values():  # it was interrupted
                pool.shutdown(kill_workers=True)
        return results.of(len(job_overrides), initial_job_idx)

    def _pool(self, size: int):
        """A pool of one process that begins with its first job; `size` of them share the cores."""
        from loky import ProcessPoolExecutor

        libraries = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        threads = dict.fromkeys(libraries, str(max(1, self.cores // size)))
        here = {"initializer": _end_without, "initargs": (os.getpid(),)}
        return ProcessPoolExecutor(1, timeout=SECONDS_IDLE, env=threads, **here)

    def _submit(self, size: int, number: int, overrides: list[str]):
        """The future of a job, and the pool that it is given to."""
        from hydra_plugins.hydra_joblib_launcher._core import execute_job

        described = (self.hydra_context, self.config, self.task_function, Singleton.get_state())
        pool = self.idle.pop() if self.idle else self._pool(size)
        try:
            return pool.submit(execute_job, number, overrides, *described), pool
        except BrokenExecutor:  # its process was killed while it was idle
            return self._submit(size, number, overrides)

    def _result(self, future, pool, number, overrides):
        """The result of a job; its pool is idle again, unless it is broken."""
        if not (error := future.exception()):
            self.idle.append(pool)
            return future.result()
        pool.shutdown()
        code = re.search(r"exit codes of the workers are \{(.*)\}", str(error))
        told = f"Its process was killed: {code[1]}." if code else str(error)
        return _lost(number, overrides, told)


@contextmanager
def _told_to_end():
    """SIGTERM, and the SIGHUP of a terminal that closes, interrupt as Ctrl-C does; once."""

    def interrupt(*_):
        for number, handler in before.items():
            signal.signal(number, handler)
        raise KeyboardInterrupt

    names = ("SIGTERM", "SIGHUP")
    numbers = [number for name in names if (number := getattr(signal, name, None)) is not None]
    if threading.current_thread() is not threading.main_thread():
        numbers = []  # only the main thread may be told
    # What is ignored stays ignored: nohup means that a sweep outlives its terminal.
    numbers = [n for n in numbers if signal.getsignal(n) is signal.SIG_DFL]
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end_without(parent: int) -> None:
    """End this process once that of its sweep is gone: killed, it could not end the others."""

    def watch():
        while os.getppid() == parent:
            time.sleep(SECONDS_ALONE)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


class SlurmLauncher(Slurm):
    """A job of a Slurm array for every job of the sweep; an array for all that can begin."""

    def launch(self, job_overrides, initial_job_idx):
        """The results of the jobs, in their order, once all of them are over."""
        waves = _waves(self, job_overrides, initial_job_idx)
        executor, watcher = self._executor(), _watcher()
        results, at_work, arrays = _Results(waves), {}, []
        try:
            with _told_to_end():
                while waves.waiting or at_work:
                    # Of one array Slurm runs no more at once than it was told; of several, we do.
                    free = self.params["array_parallelism"] - len(at_work)
                    if ready := waves.ready(max(free, 0) if waves.are_several else None):
                        submitted = self._submit(executor, watcher, ready)
                        at_work |= submitted
                        arrays.append(next(iter(submitted)).job_id.partition("_")[0])
                    over = [submitted for submitted in at_work if submitted.done()]
                    for submitted in over:
                        job = at_work.pop(submitted)
                        results.add(job, _of_slurm(submitted, job.number, job.overrides))
                    if not over:
                        time.sleep(SECONDS_BETWEEN_LOOKS)
        except KeyboardInterrupt:
            log.warning("Slurm's jobs go on; to end them type scancel %s", " ".join(arrays))
            raise
        return results.of(len(job_overrides), initial_job_idx)

    def _submit(self, executor, watcher, jobs) -> dict:
        """Jobs as one array of Slurm; returns them by what submitit knows of each."""
        state, submitted = Singleton.get_state(), {}
        with executor.batch():
            for job in jobs:
                described = (job.overrides, "hydra.sweep.dir", job.number, str(job.number), state)
                submitted[executor.submit(self, *described)] = job
        for one in submitted:
            one.watcher = watcher
        first = next(iter(submitted))
        array, folder = first.job_id.partition("_")[0], first.paths.folder.parent
        log.info("Slurm's array %s has %d jobs: see %s", array, len(jobs), folder)
        return submitted

    def _executor(self):
        import submitit
        from hydra_plugins.hydra_submitit_launcher.config import BaseQueueConf

        settings = dict(self.params)
        executor = submitit.AutoExecutor(
            cluster="slurm",
            folder=settings.pop("submitit_folder"),
            slurm_max_num_timeout=settings.pop("max_num_timeout"),
        )
        common = BaseQueueConf.__dataclass_fields__
        prefixed = ((k if k in common else f"slurm_{k}", v) for k, v in settings.items())
        executor.update_parameters(**dict(prefixed))
        return executor


def _watcher():
    """What asks Slurm for the states of jobs; that of submitit takes a suspended job for over."""
    from submitit.slurm.slurm import SlurmInfoWatcher

    class Watcher(SlurmInfoWatcher):
        def is_done(self, job_id: str, mode: str = "standard") -> bool:
            """Whether the job is over: `CANCELLED by 0` and `FAILED` are, `RESIZING` is not."""
            return self.get_state(job_id, mode=mode).upper().split(" ")[0].rstrip("+") in OVER

    return Watcher(delay_s=MOST_SECONDS_BETWEEN_ANSWERS)


def _waves(launcher, job_overrides, first: int):
    """The jobs of a sweep, and those that make what they build on: see `mc.lab.waves`."""
    from mc.lab import waves  # not above: Hydra imports this room for every program

    loader = launcher.hydra_context.config_loader

    def load(overrides):
        return loader.load_sweep_config(launcher.config, overrides)

    return waves.Waves(waves.planned(load, job_overrides, first))


class _Results:
    """The results of jobs, and of those that fail with them."""

    def __init__(self, waves):
        self.waves, self.found = waves, {}

    def add(self, job, result: JobReturn) -> None:
        """Take the result of a job that is over."""
        self.found[job.number] = result
        _tell(len(self.found), self.waves.total, result)
        for other, why in self.waves.ended(job, result.status is JobStatus.FAILED):
            lost = _lost(other.number, other.overrides, why)
            self.found[other.number] = lost
            _tell(len(self.found), self.waves.total, lost)

    def of(self, count: int, first: int) -> list[JobReturn]:
        """Those of the sweep's own jobs, in their order."""
        return [self.found[number] for number in range(first, first + count)]


def _tell(count: int, total: int, result: JobReturn) -> None:
    job = " ".join(filter_overrides(result.overrides))
    log.info("%d of %d jobs are over: %s %s", count, total, job, result.status.name.lower())


def _of_slurm(job, number: int, overrides: list[str]) -> JobReturn:
    """The result of a job that is over."""
    try:
        if job.exception() is None:
            return job.results()[0]
    except Exception:  # whatever it is that cannot be unpickled
        log.debug("The result of job %s cannot be read", job.job_id, exc_info=True)
    state = job.watcher.get_state(job.job_id, mode="force")
    told = f"Slurm's job {job.job_id} ended as {state}; see {job.paths.stderr}."
    return _lost(number, overrides, told)


def _lost(number: int, overrides: list[str], told: str) -> JobReturn:
    """The result of a job that did not live to give one; it is noted for the list of failures."""
    from mc.lab import sweeps

    error = RuntimeError(sweeps.note_lost(number, overrides, told))
    return JobReturn(overrides=overrides, status=JobStatus.FAILED, _return_value=error)
