"""What a stage builds on that is not there yet, and the commands that make it."""

import math
import shlex
from collections.abc import Iterable, Iterator

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from mc import lineage, naming, near, runs, store
from mc.naming import Network


def check_made(cfg: DictConfig, overrides=()) -> None:
    """Raise unless everything that the stage of `cfg` builds on is finished, or it itself is.

    Raises:
        ValueError, FileNotFoundError: says what is missing and what makes it, in order.
    """
    if cfg.stage == "report":
        store.finished_runs(cfg.output_dir)
    if cfg.stage in ("base", "report"):
        return
    wanted = []
    if cfg.stage == "figures":
        drawn = [runs.variant(cfg, stage=stage) for stage in runs.FIGURES]
        if not any(map(finished, drawn)):
            wanted = [*_below(drawn[0]), drawn[0]]
    elif cfg.stage == "all":  # makes base networks itself, and keeps the epochs that it is told to
        made = not cfg.force and finished(runs.variant(cfg, stage="eval"))
        for network in () if made else runs.networks(cfg):
            _check_kept(cfg, network)
            wanted += _of_network(cfg, network) if network.start else ()
    elif cfg.force or not finished(cfg):
        wanted = _below(cfg)
    if missing := _each_once(wanted):
        commands = [f"  {command(run, overrides)}{_near(run)}" for run in missing]
        raise ValueError(
            f"stage={cfg.stage} builds on runs that are not finished. Make them first:\n"
            + "\n".join(commands)
        )


def _near(run: DictConfig) -> str:
    """A line on a finished run of the stage that is nearly the one that is missing."""
    there = near.settings_of_nearest(run)
    return f"\n    (there is one with {there})" if there else ""


def typed() -> list[str]:
    """The overrides of the command that runs, none outside of one."""
    return list(HydraConfig.get().overrides.task) if HydraConfig.initialized() else []


def command(run: DictConfig, overrides, *more: str) -> str:
    """What to type to make a run, where the command that asks for it has the overrides given.

    `more` is what it has besides.
    """
    dropped = ("stage", "seed", "force", "objective")
    words = [o for o in overrides if o.startswith("seed=")]
    if run.stage == "base":
        words = [f"seed={run.seed}"]
        if run.train.base.save_every is not None:
            words.append(f"train.base.save_every={run.train.base.save_every}")
    if run.stage == "fge":
        words.append(f"fge.start={run.fge.start}")
        dropped = (*dropped, *(f"eval.{key}" for key in runs.REPORT_STATISTICS))
    keys = (*dropped, *(word.partition("=")[0] for word in words))
    rest = [o for o in overrides if o.partition("=")[0] not in keys]
    return shlex.join(["python", "-m", "mc.run", f"stage={run.stage}", *words, *rest, *more])


def finished(run: DictConfig) -> bool:
    """Whether a run has its summary."""
    return store.summary(runs.folder(run)) is not None


def _below(cfg: DictConfig) -> Iterator[DictConfig]:
    """The runs below that of `cfg` that are not finished, in order."""
    for network in runs.networks(cfg):
        yield from _of_network(cfg, network)
    if lineage.reads_a_curve(cfg) and not finished(curve := runs.variant(cfg, stage="curve")):
        yield curve


def _of_network(cfg: DictConfig, network: Network) -> Iterator[DictConfig]:
    """The runs that make a network, of those that are not finished, in order.

    Raises:
        ValueError: a finished run does not have it; says what to type.
    """
    run = runs.run_of(cfg, network)
    if network.epoch is not None:
        yield from _of_epoch(cfg, network, run)
    elif run is not None and not finished(run):
        if network.start:
            yield from _of_network(cfg, network.start)
        yield run
    elif run is not None:
        file = runs.network_files(cfg, network)[0]
        if network.member == naming.AVERAGE and not file.is_file():
            raise ValueError(
                f"stage={cfg.stage}: {file.parent} was made when stage=fge did not keep the "
                f"average {network.typed}. Make it again with stage=fge "
                f"fge.start={network.start.typed} force=true, or type the list of its members, "
                f"fge:{network.start.typed}, where several networks are wanted."
            )


def _of_epoch(cfg: DictConfig, network: Network, run: DictConfig) -> Iterator[DictConfig]:
    """The run that keeps a base network's epoch, if it is not kept."""
    seed, epoch, made = network.seed, network.epoch, runs.folder(run)
    if runs.saved_epoch(made, epoch).is_file():
        return
    if epoch > cfg.train.base.epochs:
        raise ValueError(
            f"stage={cfg.stage}: base networks are trained for {cfg.train.base.epochs} epochs "
            f"(train.base.epochs), so there is no epoch {epoch} of network {seed}."
        )
    if finished(run):
        kept = [int(path.stem) for path in runs.saved_epochs(made)]
        raise ValueError(
            f"stage={cfg.stage}: base network {seed} has no saved epoch {epoch}; it has "
            f"{kept or 'none'}. "
            f"Train it again with train.base.save_every={epoch} force=true to keep it."
        )
    yield runs.variant(run, **{"train.base.save_every": epoch})


def _each_once(wanted: Iterable[DictConfig]) -> list[DictConfig]:
    """Runs in order, each folder once; a base network keeps all epochs that are wanted of it."""
    found = {}
    for run in wanted:
        before = found.setdefault(runs.folder(run), run)
        every = before.train.base.save_every, run.train.base.save_every
        common = math.gcd(*(n for n in every if n is not None)) or None
        found[runs.folder(run)] = runs.variant(run, **{"train.base.save_every": common})
    return list(found.values())


def _check_kept(cfg: DictConfig, network: Network) -> None:
    """Raise unless an endpoint's saved epoch is there or is going to be kept.

    Raises:
        ValueError: it is not, and how to keep it.
    """
    if network.epoch is None:
        return
    every = cfg.train.base.save_every
    for _ in _of_epoch(cfg, network, runs.run_of(cfg, network)):
        if every is None or network.epoch % every:
            raise ValueError(
                f"endpoints={list(cfg.endpoints)}: epoch {network.epoch} of network "
                f"{network.seed} would not be kept. Type "
                f"train.base.save_every={network.epoch} too."
            )
