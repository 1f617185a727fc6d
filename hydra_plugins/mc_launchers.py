"""Launchers of sweeps that go on when a job is killed: on this machine, and on Slurm.

Those that they build on (hydra-joblib-launcher, hydra-submitit-launcher) describe and start a job.
But where one is killed, the first stops all others and the second waits for none of them; here a
killed job is a failed job like any other. Hydra looks for launchers in this namespace alone.
"""

import logging
import re
from collections import deque
from concurrent.futures import FIRST_COMPLETED, wait

from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher

try:
    from hydra_plugins.hydra_joblib_launcher._core import execute_job
    from hydra_plugins.hydra_joblib_launcher.joblib_launcher import JoblibLauncher as Joblib
    from hydra_plugins.hydra_submitit_launcher.config import BaseQueueConf
    from hydra_plugins.hydra_submitit_launcher.submitit_launcher import SlurmLauncher as Slurm
except ImportError:  # without the extra `cluster` nothing asks for those below
    Joblib = Slurm = Launcher


log = logging.getLogger(__name__)


class JoblibLauncher(Joblib):
    """As many processes as `n_jobs` says (-1: one a core), each a pool of its own.

    Raises:
        ValueError: `n_jobs` is neither -1 nor a number at least 1.
    """

    def setup(self, **described):
        """Take what describes the jobs; processes begin with their first job, and are kept."""
        from loky import cpu_count

        super().setup(**described)
        self.size = self.joblib["n_jobs"]
        if not isinstance(self.size, int) or (self.size < 1 and self.size != -1):
            raise ValueError(
                "hydra.launcher.n_jobs must be a number at least 1, or -1 for one job a core, "
                f"got {self.size}."
            )
        self.size = cpu_count() if self.size == -1 else self.size
        threads = str(max(1, cpu_count() // self.size))
        libraries = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        self.environment = dict.fromkeys(libraries, threads)
        self.idle = [self._pool() for _ in range(self.size)]

    def launch(self, job_overrides, initial_job_idx):
        """The results of the jobs, in their order, once all of them are over."""
        waiting = deque(enumerate(map(list, job_overrides), initial_job_idx))
        at_work, results = {}, {}
        try:
            while waiting or at_work:
                while waiting and self.idle:
                    pool, job = self.idle.pop(), waiting.popleft()
                    at_work[self._submit(pool, *job)] = pool, *job
                for future in wait(at_work, return_when=FIRST_COMPLETED).done:
                    pool, number, overrides = at_work.pop(future)
                    results[number] = self._result(future, pool, number, overrides)
        finally:
            for pool, *_ in at_work.values():  # it was interrupted
                pool.shutdown(kill_workers=True)
        return [results[number] for number in sorted(results)]

    def _pool(self):
        from loky import ProcessPoolExecutor

        return ProcessPoolExecutor(1, env=self.environment)

    def _submit(self, pool, number, overrides):
        described = (self.hydra_context, self.config, self.task_function, Singleton.get_state())
        return pool.submit(execute_job, number, overrides, *described)

    def _result(self, future, pool, number, overrides):
        """The result of a job; its pool is idle again, or a new one takes its place."""
        if not (error := future.exception()):
            self.idle.append(pool)
            return future.result()
        pool.shutdown()
        self.idle.append(self._pool())
        code = re.search(r"exit codes of the workers are \{(.*)\}", str(error))
        told = f"Its process was killed: {code[1]}." if code else str(error)
        return _lost(number, overrides, told)


class SlurmLauncher(Slurm):
    """A job of a Slurm array for every job of the sweep."""

    def launch(self, job_overrides, initial_job_idx):
        """The results of the jobs, in their order, once all of them are over."""
        import submitit

        settings = dict(self.params)
        executor = submitit.AutoExecutor(
            cluster="slurm",
            folder=settings.pop("submitit_folder"),
            slurm_max_num_timeout=settings.pop("max_num_timeout"),
        )
        common = BaseQueueConf.__dataclass_fields__
        prefixed = ((k if k in common else f"slurm_{k}", v) for k, v in settings.items())
        executor.update_parameters(**dict(prefixed))
        jobs = list(enumerate(map(list, job_overrides), initial_job_idx))
        with executor.batch():
            state = Singleton.get_state()
            submitted = [
                executor.submit(self, overrides, "hydra.sweep.dir", number, str(number), state)
                for number, overrides in jobs
            ]
        log.info("Slurm has %d jobs; they print to %s", len(jobs), submitted[0].paths.folder.parent)
        results = []
        for job, (number, overrides) in zip(submitted, jobs, strict=True):
            if job.exception():  # once it is over
                told = f"Slurm's job {job.job_id} ended as {job.state}; see {job.paths.stderr}."
                results.append(_lost(number, overrides, told))
            else:
                results.append(job.results()[0])
            log.info("%s %s: %s", job.job_id, results[-1].status.name, " ".join(overrides))
        return results


def _lost(number: int, overrides: list[str], told: str) -> JobReturn:
    """The result of a job that did not live to give one; it is noted for the list of failures."""
    from mc import jobs

    jobs.note_lost(number, overrides, told)
    return JobReturn(overrides=overrides, status=JobStatus.FAILED, _return_value=RuntimeError(told))
