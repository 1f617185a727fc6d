"""One command's run: what it builds on is made if it is to be, then itself, if it is not done.

What all stages have alike: folder and lock, `run.log`, the seed, the tracker, and the mark that a
run is done.
"""

import logging
from pathlib import Path

from omegaconf import OmegaConf

from mc.lab import (
    batch_notes,
    conditions,
    contents,
    environment,
    folders,
    stale,
    summaries,
    sweeps,
    tracking,
)
from mc.lab.graph import Run
from mc.lab.job import Job
from mc.lab.variants import plain
from mc.lab.view import View

log = logging.getLogger(__name__)


def execute(run: Run | View) -> dict:
    """The summary of a run: of a finished one as it is, else after making what it needs and it.

    Of a command that stands for several runs the summary of the last.
    """
    if isinstance(run, View):
        if run.folder == run.output_dir:
            return run.show()
        with folders.lock(run.folder):
            return run.show()
    return [_execute(one) for one in run.stands_for()][-1]


def _execute(run: Run) -> dict:
    if run.is_building and not run.builds:  # which does so at work
        made: set[Path] = set()
        while needed := [below for below in run.needed() if below.folder not in made]:
            if run.curve and not made:
                _check_beforehand(run)
            made |= {below.folder for below in needed}
            for below in needed:
                # What is missing is not made anew: half-trained, it goes on.
                make(type(below)(below.variants, **below.changes | {"force": False}), is_part=True)
            run = type(run)(run.variants, **run.changes)  # which may build on more by now
    return make(run)


def _check_beforehand(run: Run) -> None:
    from mc.lab.work import beforehand  # which imports TensorFlow

    beforehand.check(run)


def make(run: Run, is_part: bool = False) -> dict:
    """The summary of a run, which is made if it is not done; what it needs is there.

    A part leaves to the whole what is said of all of them together.
    """
    # A job that is queued again, or that needs what another has just made, does not start anew.
    folder, force = run.folder, run["force"] and not sweeps.of_this_sweep(run.folder)
    summary = None if force else run.summary
    if summary is None:
        with folders.lock(folder):
            if run.folder != folder:  # a run whose hash begins alike took it meanwhile
                return make(run, is_part)
            force = force and not sweeps.of_this_sweep(folder)
            if force and (aside := folders.set_aside(folder)):
                log.info("force=true: the earlier run is now %s", aside)
            # Another process may have finished it while this one waited.
            if (summary := run.summary) is None:
                try:
                    summary = _work(run, is_part)
                finally:
                    if not is_part:
                        _say_how_to_upload(run)
            else:
                _look_again(run, is_part)
        if not run.is_part:  # its parts have shown their tables
            log.info("%s: %s", run.name, folder)
            return summary
    else:
        _look_again(run, is_part)
        log.info("Finished before (force=true runs it again):")
        if told := conditions.difference(folder, run.looks_at("devices")):
            log.warning("%s.", told)
    for line in batch_notes.notices(run):
        log.info(line)
    log.info(summaries.table(summary, run.name, folder, run.shown()))
    return summary


def _look_again(run: Run, is_part: bool) -> None:
    """Say what has to be said of a finished run before it is shown.

    Raises:
        ValueError: what it was made from has changed since; see `stale.check`.
    """
    stale.check(run)
    if not is_part:
        _say_of_inputs(run)
    from mc.lab.work import kept  # which imports TensorFlow

    for part in run.parts().values():
        if part.makes_networks and kept.of_before(part.folder):
            log.info(
                "%s was made by an earlier version, and of a network with BatchNorm it reports the "
                "moving averages that training left; networks are now reported with statistics of "
                "all training data, as force=true does.",
                part.folder,
            )


def _say_of_inputs(run: Run) -> None:
    for line in stale.notices(run):
        log.info(line)


def _work(run: Run, is_part: bool) -> dict:
    folder = run.folder
    devices = run.looks_at("devices")
    conditions.check(folder, devices)
    noted = {
        "fingerprint": run.fingerprint,
        "wandb_id": tracking.new_id(),
        "sweep": sweeps.name(),
        "num_devices": conditions.num_devices(devices),
    }
    if run.is_part:  # parts are looked at as they are met or made
        stale.check(run)
        noted |= stale.notes(run)
    if not (is_part or (not run.is_part and run["force"])):
        _say_of_inputs(run)
    settings = OmegaConf.to_yaml(run.cfg, resolve=True)
    noted = folders.begin(folder, settings, environment.of_process() | noted)
    with folders.logging_to(folder):
        log.info("stage=%s works in %s", run.name, folder)
        tracker = _tracker(run, str(noted["wandb_id"]))
        exit_code = 1
        try:
            _prepare(run)
            from mc.datasets import labels  # which imports TensorFlow

            with labels.met_on_the_way():
                summary = run.work(Job(run, folder, tracker))
            tracker.summary(summary)
            folders.finish(folder, summary, noted | {"made": contents.made(folder)})
            exit_code = 0
        finally:
            tracker.finish(exit_code)
    return summary


def _tracker(run: Run, run_id: str) -> tracking.Tracker:
    wandb = run.cfg.wandb
    return tracking.start(
        mode=wandb.mode,
        folder=run.folder,
        run_id=run_id,
        project=wandb.project,
        entity=wandb.entity,
        tags=list(wandb.tags),
        group=wandb.group or run.experiment,
        job_type=run.name,
        name=run.folder.name,
        config=plain(run.cfg),
    )


def _prepare(run: Run) -> None:
    """A process as if nothing had been run in it, with the run's dtype policy and seed."""
    import keras

    from mc.network import unpromised

    unpromised.forget_gradients()
    keras.backend.clear_session()
    keras.config.set_dtype_policy(run["precision"])
    keras.utils.set_random_seed(run["seed"])


def _say_how_to_upload(run: Run) -> None:
    """Log one command for the offline W&B run of a folder, and for those made with it."""
    if run["wandb.mode"] != "offline":
        return
    made = [*run.chain(), *run.parts().values()] if run.is_building else [run]
    made = [*made, run]
    noted = {folders.environment(one.folder).get("wandb_id"): one.folder for one in made}
    if command := tracking.sync_command({i: folder for i, folder in noted.items() if i}):
        log.info("To upload to Weights & Biases: %s", command)
