"""The command line: `python -m mc.run stage=... key=value ...`, composed by Hydra from conf/."""

import errno
import os
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

import mc
from mc import backend
from mc.lab import door, keys, modules, objective, plan, quoting, start_tensorflow, sweeps

HERE = Path(__file__).parent
# A wheel has the configuration inside the package, a checkout beside it.
CONF = next(p for p in (HERE / "conf", HERE.parent / "conf") if (p / "config.yaml").exists())


door.register()


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
def _run(cfg: DictConfig) -> float | None:
    from mc.lab import execute

    job: Any = HydraConfig.get()  # a DictConfig, whatever Hydra's annotation says
    os.chdir(job.runtime.cwd)  # hydra.job.chdir=true left it; paths count from where one typed
    run = door.checked(cfg, job)
    start_tensorflow.set_up(door.threads())
    summary = execute.execute(run)
    return None if cfg.objective is None else objective.of(summary, cfg.objective)


def main() -> None:
    """Run the command line; a mistake gives one message and exit status 1, and no traceback."""
    if "--version" in sys.argv[1:]:
        print(f"mc {mc.__version__}")
        return
    if told := backend.refusal():
        sys.exit(f"Error: {told}")
    wants_traceback = os.environ.get("HYDRA_FULL_ERROR") == "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then hands its errors to us
    os.environ.pop(sweeps.SWEEP, None)
    again = sweeps.without_force(sys.argv[1:])
    forced = again != sys.argv[1:]
    try:
        modules.read_typed(sys.argv[1:])
        door.register()  # those modules may have declared stages
        if plan.is_asked(sys.argv[1:]):
            told, whole = plan.text(sys.argv[1:], CONF)
            print(told)
            sys.exit(0 if whole else 1)
        _run()
        if failed := sweeps.failures():  # of a sweeper that goes on, such as Optuna's
            sys.exit(sweeps.listed(failed, forced))
    except KeyboardInterrupt:
        told = f"Interrupted. To go on: {shlex.join(['python', '-m', 'mc.run', *again])}"
        sys.exit(f"{told}\n{sweeps.FORCED}" if forced else told)
    except Exception as error:
        failed, died = sweeps.failures(), door.launcher_error(error)
        noted = sweeps.first_lines(error) in [note["error"] for note in failed]
        told = [sweeps.listed(failed, forced)] if failed else []
        if wants_traceback or not (noted or died or isinstance(error, EXPECTED)):
            print(*told, file=sys.stderr)
            raise
        sys.exit("\n".join(told if noted else [*told, died or f"Error: {_message(error)}"]))
    finally:
        modules.forget()


UNWRITABLE = (errno.EACCES, errno.EROFS, errno.EPERM, errno.ENOSPC, errno.ENOTDIR, errno.EEXIST)
OTHER_FOLDER = " If results cannot be written there, set output_dir to another folder."
EXPECTED = (HydraException, OmegaConfBaseException, ValueError, TypeError, OSError, ArithmeticError)


def _message(error: BaseException) -> str:
    """What is wrong, in the words of whoever found it, and which key it is about."""
    if isinstance(error, OverrideParseException) and (told := quoting.remedy(error.override)):
        return told
    wrapped = HydraException | OmegaConfBaseException
    inner = error
    while isinstance(inner, wrapped) and (inner.__cause__ or inner.__context__):
        inner = inner.__cause__ or inner.__context__
    if isinstance(inner, ValueError | OSError) and "resolving interpolation" in str(error):
        return str(inner)  # a check of ours, which OmegaConf only passed on
    while isinstance(error, HydraException) and isinstance(error.__cause__, OmegaConfBaseException):
        error = error.__cause__
    key = getattr(error, "full_key", None)
    if isinstance(error, ConfigKeyError | ConfigAttributeError) and key:
        beside = error.parent_node if OmegaConf.is_dict(error.parent_node) else ()
        value = next((v for k, _, v in _typed() if k == key), "VALUE")
        return keys.unknown_key(key, value, beside)
    plugin = r"hydra/(?:launcher/(?:submitit_slurm|joblib)|sweeper/optuna)\b"
    if missing := re.search(plugin, str(error)):
        extra = "optuna" if missing[0].endswith("optuna") else "cluster"
        return (
            f"{missing[0]} is not installed: type pip install 'mc[{extra}]', or from a checkout "
            f"pip install -e '.[{extra}]'."
        )
    if isinstance(inner, OSError) and inner.strerror and inner.filename:
        return f"{inner.filename}: {inner.strerror}.{OTHER_FOLDER * (inner.errno in UNWRITABLE)}"
    text = re.split(r"\n    full_key:|\n+Config search path", str(error))[0]
    if isinstance(error.__cause__, OSError) and error.__cause__.errno in UNWRITABLE:
        text += OTHER_FOLDER
    return f"{key}: {text}" if key else text or type(error).__name__


def _typed() -> Iterator[tuple[str, str, str]]:
    """Key, `=` and value of every argument that has them."""
    return (a.lstrip("+~").partition("=") for a in sys.argv[1:])


if __name__ == "__main__":
    main()
