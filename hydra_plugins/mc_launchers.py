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
from collections import deque
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
        waiting = deque(enumerate(map(list, job_overrides), initial_job_idx))
        size, total = min(self.n_jobs, len(waiting)), len(waiting)
        at_work, results = {}, {}
        try:
            while waiting or at_work:
                while waiting and len(at_work) < size:
                    job = waiting.popleft()
                    future, pool = self._submit(size, *job)
                    at_work[future] = pool, *job
                for future in wait(at_work, return_when=FIRST_COMPLETED).done:
                    pool, number, overrides = at_work.pop(future)
                    results[number] = result = self._result(future, pool, number, overrides)
                    _tell(len(results), total, result)
        finally:
            for pool, *_ in at_work.values():  # it was interrupted
                pool.shutdown(kill_workers=True)
        return [results[number] for number in sorted(results)]

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
    """A job of a Slurm array for every job of the sweep."""

    def launch(self, job_overrides, initial_job_idx):
        """The results of the jobs, in their order, once all of them are over."""
        from submitit.helpers import as_completed

        jobs = dict(enumerate(map(list, job_overrides), initial_job_idx))
        executor, state, submitted = self._executor(), Singleton.get_state(), {}
        with executor.batch():
            for number, overrides in jobs.items():
                described = (overrides, "hydra.sweep.dir", number, str(number), state)
                submitted[executor.submit(self, *described)] = number
        watcher = _watcher()
        for job in submitted:
            job.watcher = watcher
        first = next(iter(submitted))
        array = first.job_id.partition("_")[0]
        log.info(
            "Slurm's array %s has %d jobs: see %s", array, len(jobs), first.paths.folder.parent
        )
        results = {}
        try:
            with _told_to_end():
                for job in as_completed(list(submitted), poll_frequency=SECONDS_BETWEEN_LOOKS):
                    number = submitted[job]
                    results[number] = result = _of_slurm(job, number, jobs[number])
                    _tell(len(results), len(jobs), result)
        except KeyboardInterrupt:
            log.warning("Slurm's jobs go on; to end them type scancel %s", array)
            raise
        return [results[number] for number in sorted(results)]

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
    from mc import jobs  # not above: Hydra imports this room for every program

    error = RuntimeError(jobs.note_lost(number, overrides, told))
    return JobReturn(overrides=overrides, status=JobStatus.FAILED, _return_value=error)
