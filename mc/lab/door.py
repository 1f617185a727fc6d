"""What Hydra asks of us around a job: its configuration checked, its folder, its threads.

Importing this room registers the resolvers of conf/config.yaml, and the schema. Workers of a sweep
import it before they resolve anything.
"""

import os
from collections.abc import Callable
from pathlib import Path

from hydra import compose
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from mc.lab import check, help, missing, modules, objective, schema, stale, typed
from mc.lab.graph import Run
from mc.lab.variants import GROUPS, OOD
from mc.lab.view import View

modules.read_inherited()  # in a worker of a sweep, before it composes anything


def register() -> None:
    """Have Hydra know the schema of all stages, and the launcher here that outlives killed jobs."""
    registered = ConfigStore.instance()
    registered.store("schema", schema.make())
    Plugins.instance()  # imports what is installed, which registers launchers of its own
    if "joblib.yaml" in registered.list("hydra/launcher"):
        node = {"_target_": "hydra_plugins.mc_launchers.JoblibLauncher", "n_jobs": -1}
        registered.store("joblib", node, group="hydra/launcher", provider="mc")


def checked(cfg: DictConfig, hydra: DictConfig) -> Run | View:
    """The run of a job, of its configuration without `hydra` and settings of replaced callables.

    Raises:
        ValueError, OSError: a setting is wrong, or what the stage builds on is missing.
    """
    overrides = list(hydra.overrides.task)
    if cfg.plan:  # which is answered before Hydra begins, from what is typed
        raise ValueError("A plan is asked for on the command line alone. Type plan=true there.")
    run = read(cfg, hydra, overrides)
    for one in run.stands_for() if isinstance(run, Run) else [run]:
        missing.check_made(one, overrides)
        if isinstance(one, Run):
            stale.check_command(one, overrides)
    return run


def read(cfg: DictConfig, hydra: DictConfig, overrides: list[str]) -> Run | View:
    """The run of a configuration whose settings are allowed.

    Raises:
        ValueError, OSError: a setting is wrong.
    """
    cfg = OmegaConf.masked_copy(cfg, [str(k) for k in cfg if k != "hydra"])
    modules.read(cfg.get("imports", ()))
    check.check(cfg)
    check_sweeper(cfg.objective, hydra.sweeper)
    cfg = typed.typed_groups(cfg, overrides, lambda: _options(hydra))
    return (Run.stages | View.views)[cfg.stage](cfg)


def of_command(compose: Callable, overrides: list[str]) -> Run | View:
    """The run of a command that is composed and not run.

    Raises:
        ValueError, OSError, HydraException: a mistake in it.
    """
    cfg = compose(overrides)
    return read(cfg, cfg.hydra, overrides)


def _options(hydra: DictConfig) -> DictConfig:
    """The configuration by the YAML of each group's option alone, without experiments."""
    choices = hydra.runtime.choices
    chosen = [f"{group}={choices[group]}" for group in GROUPS]
    chosen += [f"+{name}={choice}" for name, choice in choices.items() if name == f"dataset@{OOD}"]
    return compose("config", chosen)


def _folder(*, _root_: DictConfig) -> str:
    """Check the configuration, then name the run's folder; nothing is made before."""
    return str(checked(_root_, _root_.hydra).folder)


def _subfolder(*, _root_: DictConfig) -> str:
    """The same below output_dir, for sweeps; a mistake is left for the task to report."""
    try:
        return str(Path(*Path(_folder(_root_=_root_)).parts[-2:]))
    except (ValueError, OSError):
        return f".sweeps/mistake-{os.getpid()}-{OmegaConf.select(_root_, 'hydra.job.num')}"


OmegaConf.register_new_resolver("mc.help", help.text, replace=True)
OmegaConf.register_new_resolver("mc.folder", _folder, replace=True)
OmegaConf.register_new_resolver("mc.subfolder", _subfolder, replace=True)


def threads() -> int | None:
    """Threads for TensorFlow where jobs share a machine's cores; None: as many as it likes."""
    hydra = HydraConfig.get()
    if hydra.mode == RunMode.MULTIRUN and hydra.launcher._target_.endswith("JoblibLauncher"):
        return int(os.environ["OMP_NUM_THREADS"])  # which the launcher sets
    given = os.environ.get("SLURM_CPUS_PER_TASK")
    return int(given) if given else None


def check_sweeper(name: str | None, sweeper: DictConfig) -> None:
    """Raise if Optuna is given no number to improve, or would make it worse.

    Raises:
        ValueError: says what to type.
    """
    if not sweeper._target_.endswith("OptunaSweeper"):
        return
    if name is None:
        raise ValueError(
            "hydra/sweeper=optuna needs a number to improve: type for example "
            "objective=curve/test/nll/max (of stage=all or eval) or objective=test/nll (of base)."
        )
    minimizes = str(sweeper.direction).rpartition(".")[2] == "minimize"
    if objective.is_higher_better(name) and minimizes:
        raise ValueError(
            f"objective={name} is better the higher it is, and hydra.sweeper.direction is "
            "minimize. Type hydra.sweeper.direction=maximize."
        )


def launcher_error(error: BaseException) -> str | None:
    """What to say of the error of a cluster that takes no jobs, if it is one."""
    text = str(error).strip()
    refused = type(error).__name__ == "FailedJobError"  # of submitit, where sbatch fails
    return f"Error: the launcher says: {text}" if refused or "slurm cluster" in text else None
