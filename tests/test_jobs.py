"""Jobs of a sweep: failures, objectives, launchers."""

import gc
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from types import SimpleNamespace

import filelock
import pytest
import yaml
from conftest import PATIENCE, QUICK, until
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import OmegaConf

from mc import run
from mc.lab import door, sweeps


def command(tmp_path, *arguments, **environment):
    """The command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "mc.run", *arguments, f"output_dir={tmp_path}"],
        capture_output=True,
        text=True,
        env=os.environ | {"WANDB_MODE": "disabled"} | environment,
        timeout=PATIENCE,
    )


@pytest.mark.slow
def test_one_failed_job_does_not_take_the_others_with_it(cli, tmp_path):
    status, output = cli("-m", *QUICK, "stage=base", "seed=1,2", "optimizer.momentum=0.9,5")
    assert status == 1
    assert "2 of the jobs failed" in output
    listed = output.split("of the jobs failed")[1]
    assert "momentum=5" in listed
    assert str(tmp_path / "base") in listed  # the folders, where run.log says more
    assert "momentum" in listed.splitlines()[-1]  # the first line of the error
    assert len(list(tmp_path.glob("base/*/summary.json"))) == 2


@pytest.mark.slow
def test_a_mistake_in_one_job_leaves_no_folder_and_the_others_run(cli, tmp_path):
    status, output = cli("-m", *QUICK, "stage=base", "seed=1,-5,2")
    assert status == 1
    assert "1 of the jobs failed" in output
    assert "seed must be a number at least 0" in output
    assert len(list(tmp_path.glob("base/*"))) == 2
    assert [p.name for p in (tmp_path / ".sweeps").iterdir() if "mistake" in p.name] == []
    status, output = cli("-m", *QUICK, "stage=base", "seed=1,2")
    assert (status, output.count("Finished before")) == (0, 2)


OWN = """
import json, os, pathlib, signal, time
import tensorflow as tf
from mc.datasets import digits

class Unpicklable(Exception):
    def __init__(self, what, code):
        super().__init__(what)

class Changing(Exception):
    def __init__(self, what):
        super().__init__("there is no " + what)

def data(mode):
    if mode == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if mode == "unpicklable":
        raise Unpicklable("label file 7 is empty", 7)
    if mode == "changing":
        raise Changing("label file 7 is empty")
    if mode == "endless":
        pathlib.Path(os.environ["OUT"], f"{os.getpid()}.begun").touch()
        time.sleep(10**6)
    threads = tf.config.threading.get_intra_op_parallelism_threads()
    found = [threads, int(os.environ["OMP_NUM_THREADS"])]
    pathlib.Path(os.environ["OUT"], f"{os.getpid()}.json").write_text(json.dumps(found))
    return digits()
"""


def here(folder) -> dict:
    """The environment in which a folder's modules are found, and those that were before."""
    paths = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"PYTHONPATH": os.pathsep.join(paths)}


def own_sweep(tmp_path, *arguments):
    """A sweep through joblib, of jobs whose data set comes from `OWN`."""
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="needs mc[cluster]")
    (tmp_path / "own.py").write_text(OWN)
    launcher = ["-m", "hydra/launcher=joblib", *QUICK, "stage=base", "dataset._target_=own.data"]
    return command(tmp_path, *launcher, *arguments, **here(tmp_path), OUT=str(tmp_path))


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """The folder and the result of a sweep on two processes, most of whose jobs fail."""
    folder = tmp_path_factory.mktemp("mixed")
    modes = "+dataset.mode=killed,unpicklable,changing,good"
    result = own_sweep(folder, "hydra.launcher.n_jobs=2", modes, "seed=1,-1")
    assert result.returncode == 1, result.stderr
    return folder, result, result.stderr.split("7 of the jobs failed")[1]


@pytest.mark.slow
def test_jobs_of_joblib_tell_their_failures_and_the_others_run(mixed):
    folder, result, listed = mixed
    assert "Traceback" not in result.stderr
    assert "leaked" not in result.stderr
    assert listed.count("seed must be a number at least 0") == 4
    kept = [yaml.safe_load(p.read_text()) for p in folder.glob("base/*/config.yaml")]
    assert len(kept) == 4  # but for those that are a mistake
    made = [p.parent / "config.yaml" for p in folder.glob("base/*/summary.json")]
    made = [yaml.safe_load(path.read_text()) for path in made]
    assert [(c["dataset"]["mode"], c["seed"]) for c in made] == [("good", 1)]


@pytest.mark.slow
def test_a_job_that_is_killed_does_not_take_the_others_with_it(mixed):
    folder, _, listed = mixed
    assert listed.count("+dataset.mode=killed seed=1") == 1
    assert listed.count("SIGKILL") == 1
    assert str(folder / "base") in listed


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["unpicklable", "changing"])
def test_an_error_that_cannot_be_sent_keeps_its_words(mixed, mode):
    told = [text for text in mixed[2].split("+dataset.mode=") if text.startswith(mode)]
    assert [text.count("label file 7 is empty") for text in told if "seed=-1" not in text] == [1]


@pytest.mark.slow
def test_jobs_of_joblib_share_the_cores(mixed, monkeypatch):
    loky = pytest.importorskip("loky", reason="needs mc[cluster]")
    folder = mixed[0]
    threads = max(1, loky.cpu_count() // 2)
    found = [json.loads(path.read_text()) for path in folder.glob("[0-9]*.json")]
    assert found
    assert all(one == [threads, threads] for one in found)
    # The same jobs again, and one more, on the one core that they are given now.
    before = set(folder.glob("[0-9]*.json"))
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "1")
    again = own_sweep(folder, "hydra.launcher.n_jobs=-1", "+dataset.mode=good", "seed=1,2")
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("Finished before") == 1
    (new,) = set(folder.glob("[0-9]*.json")) - before
    assert json.loads(new.read_text()) == [1, 1]
    assert len(list(folder.glob(".sweeps/*"))) == 1  # that of the failures


@pytest.mark.parametrize(
    ("n_jobs", "allocated", "processes", "threads"),
    [
        (1, None, 1, 4),
        (2, None, 2, 2),
        (3, None, 3, 1),
        (-1, None, 4, 1),
        (-1, 2, 2, 1),
        (1, 2, 1, 2),
    ],
)
def test_processes_and_their_threads_are_as_many_as_there_are_cores(
    monkeypatch, n_jobs, allocated, processes, threads
):
    loky = pytest.importorskip("loky", reason="needs mc[cluster]")
    from hydra_plugins.mc_launchers import JoblibLauncher

    monkeypatch.setattr(loky, "cpu_count", lambda: 4)
    if allocated:
        monkeypatch.setenv("SLURM_CPUS_PER_TASK", str(allocated))
    launcher = JoblibLauncher(n_jobs=n_jobs)
    launcher.setup(hydra_context=None, task_function=None, config=None)
    assert launcher.n_jobs == processes
    given = {}
    monkeypatch.setattr(loky, "ProcessPoolExecutor", lambda _, **options: given.update(options))
    launcher._pool(processes)
    assert set(given["env"].values()) == {str(threads)}


@pytest.mark.slow
def test_the_jobs_of_one_process_leave_nothing_behind(cli):
    def graphs(seed):
        assert cli(*QUICK, "stage=base", f"seed={seed}")[0] == 0
        gc.collect()
        return sum(type(thing).__name__ == "FuncGraph" for thing in gc.get_objects())

    first = graphs(1)
    assert first > 0  # of the last run alone
    assert [graphs(seed) for seed in (2, 3)] == [first, first]


def test_what_is_missing_in_a_sweep_is_listed_with_its_commands(cli, tmp_path):
    status, output = cli("-m", *QUICK, "stage=eval", "endpoints=[1,2],[5,6]")
    assert status == 1
    listed = output.split("of the jobs failed")[1]
    assert "    python -m mc.run stage=base seed=5" in listed.replace("      ", "    ")


OPTUNA = ["hydra/sweeper=optuna", "hydra.sweeper.n_trials=3", "hydra.sweeper.n_jobs=1"]
RATES = "train.base.learning_rate=interval(0.001,0.1)"
# Of a release of 2022, which libraries of today warn of.
optuna_warns = pytest.mark.filterwarnings("ignore")


@optuna_warns
def test_optuna_needs_an_objective(cli, tmp_path):
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper", reason="needs mc[optuna]")
    status, output = cli("-m", *OPTUNA, *QUICK, "stage=base", RATES)
    assert status == 1
    assert "type for example objective=" in output
    assert not list(tmp_path.glob("base/*"))


def test_optuna_does_not_minimise_what_is_better_higher():
    sweeper = OmegaConf.create({"_target_": "x.OptunaSweeper", "direction": "minimize"})
    with pytest.raises(ValueError, match=r"Type hydra\.sweeper\.direction=maximize"):
        door.check_sweeper("curve/test/accuracy/min", sweeper)
    door.check_sweeper("curve/test/error/max", sweeper)
    sweeper.direction = "maximize"
    door.check_sweeper("curve/test/accuracy/min", sweeper)


def test_a_cluster_that_takes_no_job_is_said_in_its_words():
    utils = pytest.importorskip("submitit.core.utils", reason="needs mc[cluster]")
    error = utils.FailedJobError("sbatch: error: invalid partition specified: gpus")
    assert door.launcher_error(error) == f"Error: the launcher says: {error}"
    assert door.launcher_error(RuntimeError("something else")) is None


def test_a_process_that_is_killed_between_two_batches_is_made_anew(monkeypatch):
    core = pytest.importorskip("hydra_plugins.hydra_joblib_launcher._core")
    from hydra_plugins.mc_launchers import JoblibLauncher

    def identity(number, overrides, *_):
        return JobReturn(overrides=overrides, status=JobStatus.COMPLETED, _return_value=os.getpid())

    monkeypatch.setattr(core, "execute_job", identity)
    launcher = JoblibLauncher(n_jobs=1)

    def no_configuration(*_):
        raise ValueError("there is none")

    context = SimpleNamespace(config_loader=SimpleNamespace(load_sweep_config=no_configuration))
    launcher.setup(hydra_context=context, task_function=None, config=None)
    first, second = ([r.return_value for r in launcher.launch([["x"]], i)] for i in (0, 1))
    assert first == second  # it is kept
    os.kill(first[0], signal.SIGKILL)
    until(lambda: launcher.idle[0]._flags.broken)  # its pool knows
    assert first[0] not in [r.return_value for r in launcher.launch([["x"], ["y"]], 2)]
    launcher.idle.pop().shutdown(kill_workers=True)


def of_group(group: int) -> list[int]:
    """The processes of a group that are not over."""
    listed = subprocess.check_output(["ps", "-eo", "pid=,pgid=,stat="], text=True).splitlines()
    rows = (line.split() for line in listed)
    return [int(pid) for pid, own, state in rows if int(own) == group and state[0] != "Z"]


@pytest.fixture
def sweep_at_work(tmp_path):
    """A sweep in a group of processes of its own, two of which work and hold their locks."""
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="needs mc[cluster]")
    (tmp_path / "own.py").write_text(OWN)
    sweep = ["-m", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "force=true", *QUICK]
    data = ["stage=base", "dataset._target_=own.data", "+dataset.mode=endless", "seed=1,2"]
    said = tmp_path / "said"
    with open(said, "w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "mc.run", *sweep, *data, f"output_dir={tmp_path}"],
            env=os.environ | {"WANDB_MODE": "disabled", "OUT": str(tmp_path)} | here(tmp_path),
            stderr=file,
            start_new_session=True,
            # Where the tests run in the background, they ignore it, and so would the command.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
    try:
        until(lambda: process.poll() or len(list(tmp_path.glob("*.begun"))) == 2)
        assert process.poll() is None, said.read_text()
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


# The command alone, as `kill` does; or all of its processes, as a terminal does.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("kill", "number"),
    [(os.kill, "SIGTERM"), (os.killpg, "SIGINT")],
)
def test_an_interrupted_sweep_ends_its_processes(sweep_at_work, tmp_path, kill, number):
    kill(sweep_at_work.pid, getattr(signal, number))
    assert sweep_at_work.wait() == 1
    until(lambda: not of_group(sweep_at_work.pid))
    said = (tmp_path / "said").read_text()
    assert "To go on: python -m mc.run -m hydra/launcher=joblib hydra.launcher.n_jobs=2 " in said
    assert "force=true had not begun" in said
    assert "force=true smoke" not in said
    for lock in tmp_path.glob(".locks/*"):  # nobody holds it
        with filelock.FileLock(lock, timeout=0):
            pass


def test_a_terminal_that_closes_interrupts_but_for_nohup():
    from hydra_plugins import mc_launchers

    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        with pytest.raises(KeyboardInterrupt), mc_launchers._told_to_end():
            signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        with mc_launchers._told_to_end():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.slow
def test_processes_do_not_outlive_a_sweep_that_is_killed(sweep_at_work):
    os.kill(sweep_at_work.pid, signal.SIGKILL)
    until(lambda: not of_group(sweep_at_work.pid))


@pytest.mark.parametrize(
    ("state", "over"),
    [
        *[(state, False) for state in ("SUSPENDED", "RESIZING", "REQUEUE_HOLD", "CONFIGURING")],
        *[(state, False) for state in ("PENDING", "RUNNING", "COMPLETING", "REQUEUED", "")],
        *[(state, True) for state in ("COMPLETED", "FAILED", "CANCELLED by 0", "CANCELLED+")],
        *[(state, True) for state in ("TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "DEADLINE")],
    ],
)
def test_a_job_of_slurm_is_over_only_in_states_that_none_leaves(monkeypatch, state, over):
    submitit = pytest.importorskip("submitit.core.core", reason="needs mc[cluster]")
    from hydra_plugins import mc_launchers

    told = f"JobID|State|NodeList\n12_0|{state}|node1\n"
    monkeypatch.setattr(submitit.subprocess, "check_output", lambda *_, **__: told.encode())
    assert mc_launchers._watcher().is_done("12_0", mode="force") is over


@pytest.mark.parametrize("number", ["0", "-2", "true", "two"])
def test_processes_are_a_number_or_as_many_as_cores(cli, tmp_path, number):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="needs mc[cluster]")
    launcher = ["hydra/launcher=joblib", f"hydra.launcher.n_jobs={number}"]
    status, output = cli("-m", *launcher, "stage=base", "seed=1,2")
    assert status == 1
    assert "hydra.launcher.n_jobs must be a number at least 1, or -1" in output
    assert output.strip().lower().endswith(f"got {number}.")
    assert not tmp_path.joinpath("base").exists()


def test_a_lost_job_is_noted_beside_jobs_that_end(tmp_path, monkeypatch):
    monkeypatch.setenv(sweeps.SWEEP, str(tmp_path / "sweep"))
    sweep = tmp_path / "sweep"
    note = {"job": "seed=1", "folder": "somewhere", "error": sweeps.AT_WORK}
    sweeps.note_failure(sweep, 1, note)
    sweeps.note_failure(sweep, 2, note | {"error": "no file"})
    assert sweeps.note_lost(1, ["seed=1"], "killed: SIGKILL") == "killed: SIGKILL"
    assert sweeps.note_lost(2, ["seed=2"], "not picklable") == "no file"  # its own words say more
    assert sweeps.note_lost(3, ["seed=3"], "cancelled") == "cancelled"  # before it began
    found = sweeps.failures()
    assert [note["error"] for note in found] == ["killed: SIGKILL", "no file", "cancelled"]
    assert [note["folder"] for note in found] == ["somewhere", "somewhere", None]
    listing = sweep.glob
    monkeypatch.setattr(type(sweep), "glob", lambda *_: [*listing("*"), sweep / "4.json"])
    assert len(sweeps.failures()) == 3  # one more has ended in between


def test_an_error_of_the_launcher_itself_is_told_beside_the_failures(tmp_path, monkeypatch):
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")  # main sets it

    def sweep():
        monkeypatch.setenv(sweeps.SWEEP, str(tmp_path))
        note = {"job": "seed=1", "folder": None, "error": sweeps.AT_WORK}
        sweeps.note_failure(tmp_path, 1, note)
        raise ValueError("the launcher has a mistake")

    monkeypatch.setattr(run, "_run", sweep)
    with pytest.raises(SystemExit, match=r"(?s)1 of the jobs failed.*Error: the launcher has a m"):
        run.main()


def test_slurm_gives_a_job_its_cpus(monkeypatch):
    hydra = OmegaConf.create({"mode": None, "launcher": {"_target_": "x.BasicLauncher"}})
    monkeypatch.setattr(door.HydraConfig, "get", lambda: hydra)
    assert door.threads() is None
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "3")
    assert door.threads() == 3


@pytest.mark.parametrize(
    ("plugin", "extra"),
    [("launcher=slurm", "cluster"), ("launcher=joblib", "cluster"), ("sweeper=optuna", "optuna")],
)
def test_a_plugin_that_is_not_installed_names_the_extra(cli, monkeypatch, plugin, extra):
    Plugins.instance()  # which are found only once
    for group, name in (
        ("launcher", "submitit_slurm"),
        ("launcher", "joblib"),
        ("sweeper", "optuna"),
    ):
        options = ConfigStore.instance().repo["hydra"][group]
        monkeypatch.delitem(options, f"{name}.yaml", raising=False)
    status, output = cli("-m", f"hydra/{plugin}", "stage=base", "seed=1,2")
    assert status == 1
    assert f"pip install 'mc[{extra}]'" in output


@pytest.mark.slow
@optuna_warns
def test_optuna_gets_the_objective_of_each_run(cli, tmp_path):
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper", reason="needs mc[optuna]")
    status, output = cli("-m", *OPTUNA, *QUICK, "stage=base", RATES, "objective=test/nll")
    assert status == 0, output
    best = yaml.safe_load((tmp_path / "optimization_results.yaml").read_text())
    found = [json.loads(p.read_text())["test/nll"] for p in tmp_path.glob("base/*/summary.json")]
    assert len(found) == 3
    assert best["best_value"] == min(found)


@pytest.mark.slow
@optuna_warns
def test_optuna_goes_on_after_a_trial_whose_number_is_not_finite(cli, tmp_path):
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper", reason="needs mc[optuna]")
    networks = "model._target_=choice(test_batch_notes.overflowing,conftest.small_bn)"
    goes_on = [
        *OPTUNA,
        "hydra.sweeper.n_trials=6",
        "hydra.sweeper.max_failure_rate=1",
        "hydra.sweeper.sampler.seed=1",
    ]
    settings = ["stage=base", "train.base.epochs=1", "objective=test/error"]
    status, output = cli("-m", *goes_on, *settings, networks)
    assert (status, "objective=test/error is not finite in this run" in output) == (1, True), output
    best = yaml.safe_load((tmp_path / "optimization_results.yaml").read_text())
    assert best["best_params"] == {"model._target_": "conftest.small_bn"}


def test_slurm_where_there_is_none_is_said(cli, monkeypatch):
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher", reason="needs mc[cluster]")
    monkeypatch.setenv("PATH", "")
    status, output = cli("-m", "hydra/launcher=slurm", "stage=base", "seed=1,2")
    assert status == 1
    assert "srun" in output
