"""The stages: one file each, with `run(cfg, folder, tracker) -> flat dict of metrics`.

`execute` gives a stage what all of them need: its folder and lock, `run.log`, the seed, and the
tracker; and marks the run as done.
"""

import importlib
import logging
import platform
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from mc import conditions, contents, runs, stale, store, tracking
from mc.stages import batch_notes

log = logging.getLogger(__name__)


def execute(cfg: DictConfig, part_of_all: bool = False) -> dict:
    """The summary of the run of `cfg`: of a finished one as it is, else after running its stage.

    A part of `stage=all` leaves to the whole what is said of all of them together.
    """
    if cfg.stage == "report":
        return _stage("report").run(cfg, Path(cfg.output_dir))
    folder = runs.folder(cfg)
    if cfg.stage == "figures":
        with store.lock(folder):
            return _stage("figures").run(cfg, folder)
    # A job that is queued again, or that needs what another has just made, does not start anew.
    force = cfg.force and not store.of_this_sweep(folder)
    summary = None if force else _finished(cfg, folder)
    if summary is None:
        with store.lock(folder):
            if runs.folder(cfg) != folder:  # a run whose hash begins alike took it meanwhile
                return execute(cfg, part_of_all)
            force = force and not store.of_this_sweep(folder)
            if force and (aside := store.set_aside(folder)):
                log.info("force=true: the earlier run is now %s", aside)
            # Another process may have finished it while this one waited.
            summary = _finished(cfg, folder)
            if summary is None:
                try:
                    summary = _run(cfg, folder, part_of_all)
                finally:
                    if not part_of_all:
                        _say_how_to_upload(cfg, folder)
            else:
                _look_again(cfg, part_of_all)
        if cfg.stage == "all":  # its parts have shown their tables
            log.info("all: %s", folder)
            return summary
    else:
        _look_again(cfg, part_of_all)
        log.info("Finished before (force=true runs it again):")
        if told := conditions.difference(folder):
            log.warning("%s.", told)
    for line in batch_notes.notices(cfg):
        log.info(line)
    show(summary, cfg.stage, folder)
    return summary


def _finished(cfg: DictConfig, folder: Path) -> dict | None:
    """The summary of a finished run; of stage=all, if it joins those that its parts have now.

    Parts below a finished evaluation may have been deleted.
    """
    summary = store.summary(folder)
    if cfg.stage != "all" or summary is None:
        return summary
    parts = runs.parts_of_all(cfg)
    summaries = [store.summary(runs.folder(part)) for part in parts]
    joined = _stage("all").joined(parts, [own or {} for own in summaries])
    holds = summaries[-1] is not None and joined.items() <= summary.items()
    return summary if holds else None


def _look_again(cfg: DictConfig, part_of_all: bool) -> None:
    """Say what has to be said of a finished run before it is shown.

    Raises:
        ValueError: what it was made from has changed since; see `stale.check`.
    """
    stale.check(cfg)
    if not part_of_all:
        _say_of_inputs(cfg)
    from mc.stages import kept  # which imports TensorFlow

    for part in runs.parts_of_all(cfg) if cfg.stage == "all" else [cfg]:
        folder = runs.folder(part)
        if part.stage in ("base", "fge") and kept.of_before(folder):
            log.info(
                "%s was made by an earlier version, and of a network with BatchNorm it reports the "
                "moving averages that training left; networks are now reported with statistics of "
                "all training data, as force=true does.",
                folder,
            )


def _say_of_inputs(cfg: DictConfig) -> None:
    for line in stale.notices(cfg):
        log.info(line)


def _run(cfg: DictConfig, folder: Path, part_of_all: bool) -> dict:
    conditions.check(folder)
    noted = {"fingerprint": runs.fingerprint(cfg), "wandb_id": tracking.new_id()}
    if cfg.stage != "all":  # its parts are looked at as they are met or made
        stale.check(cfg)
        noted |= stale.notes(cfg, folder)
    if not (part_of_all or (cfg.stage == "all" and cfg.force)):
        _say_of_inputs(cfg)
    environment = store.begin(folder, OmegaConf.to_yaml(cfg, resolve=True), _environment() | noted)
    with store.logging_to(folder):
        log.info("stage=%s works in %s", cfg.stage, folder)
        tracker = tracking.start(
            mode=cfg.wandb.mode,
            folder=folder,
            run_id=environment["wandb_id"],
            project=cfg.wandb.project,
            entity=cfg.wandb.entity,
            tags=list(cfg.wandb.tags),
            group=cfg.wandb.group or runs.experiment(cfg),
            job_type=cfg.stage,
            name=folder.name,
            config=OmegaConf.to_container(cfg, resolve=True),
        )
        exit_code = 1
        try:
            _prepare_keras(cfg)
            from mc.datasets import labels  # which imports TensorFlow

            with labels.met_on_the_way():
                summary = _stage(cfg.stage).run(cfg, folder, tracker)
            tracker.summary(summary)
            store.finish(folder, summary, environment | {"made": contents.made(folder)})
            exit_code = 0
        finally:
            tracker.finish(exit_code)
    return summary


def _say_how_to_upload(cfg: DictConfig, folder: Path) -> None:
    """Log one command for the offline W&B run of a folder; of stage=all, for all of its runs."""
    if cfg.wandb.mode != "offline":
        return
    parts = runs.parts_of_all(cfg) if cfg.stage == "all" else []
    folders = [*map(runs.folder, parts), folder]
    noted = {store.environment(made).get("wandb_id"): made for made in folders}
    if command := tracking.sync_command({i: made for i, made in noted.items() if i}):
        log.info("To upload to Weights & Biases: %s", command)


def _stage(name: str):
    return importlib.import_module(f"mc.stages.{name}")


def _prepare_keras(cfg: DictConfig) -> None:
    import keras
    from tensorflow.python.framework import ops

    # Earlier runs of this process leave nothing behind. TensorFlow keeps the gradient of every
    # optimizer step that it ever traced, and with it the step's graph and all variables.
    registered = getattr(ops.gradient_registry, "_registry", {})
    for name in [n for n in registered if n.startswith("CustomGradient-")]:
        del registered[name]
    keras.backend.clear_session()
    keras.config.set_dtype_policy(cfg.precision)
    keras.utils.set_random_seed(cfg.seed)


def _environment() -> dict:
    """What a result may depend on and the configuration does not say."""
    import tensorflow as tf

    packages = ("mc", "tensorflow", "keras", "numpy", "hydra-core", "wandb", "tensorflow-datasets")
    return {
        "command": sys.argv,
        "versions": {"python": platform.python_version()} | {p: version(p) for p in packages},
        "keras": conditions.here(),
        "devices": [d.name for d in tf.config.list_physical_devices()],
        "host": platform.node(),
        "git_commit": _commit(),
        # Runs of before say nothing here: they took the first batches.
        "bn_batches": store.SPREAD,
    }


def _commit() -> str | None:
    """The commit of the checkout that runs, `-dirty` if files were changed since."""
    checkout = Path(__file__).parents[2]
    if not (checkout / ".git").exists() or not shutil.which("git"):
        return None
    command = ["git", "-C", str(checkout), "describe", "--always", "--dirty", "--abbrev=40"]
    command += ["--exclude", "*"]  # tags
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return found.stdout.strip() or None


# What the table at the end of a stage shows of its summary, which holds much more.
METRICS = ("loss", "error", "mse", "length_ratio")
STATISTICS = ("start", "end", "min", "max", "integral", "barrier_max")


def show(summary: dict, stage: str, folder: Path) -> None:
    """Log a short table of a summary, and where it lies."""
    single, along = [], {}
    for key, value in summary.items():
        value = float("nan") if value is None else value  # it was not finite
        name, _, last = key.rpartition("/")
        if last in METRICS:
            single.append(f"  {key:<24} {value:.4g}")
        elif name.rpartition("/")[2] in METRICS and last in STATISTICS:
            along.setdefault(name, {})[last] = value
    lines = [f"{stage}: {folder}", *single]
    there = [s for s in STATISTICS if any(s in row for row in along.values())]
    if along:
        lines.append(f"  {'':<24}" + "".join(f"{name:>12}" for name in there))
    for name, row in along.items():
        cells = (f"{row[s]:12.4g}" if s in row else f"{'-':>12}" for s in there)
        lines.append(f"  {name:<24}" + "".join(cells))
    figures = sorted((folder / "figures").glob("*.png"))
    if figures:
        beside = f", and {len(figures) - 1} beside it" * (len(figures) > 1)
        lines.append(f"  figure: {figures[0]}{beside}")
    log.info("\n".join(lines))
