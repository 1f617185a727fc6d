"""What a stage builds on that is not there yet, and the commands that make it."""

import shlex

from omegaconf import DictConfig

from mc import near, runs, store


def check_made(cfg: DictConfig, overrides=()) -> None:
    """Nothing, if everything that the stage of `cfg` builds on is finished.

    Raises:
        ValueError, FileNotFoundError: says what is missing and what makes it, in order.
    """
    if cfg.stage == "report":
        store.finished_runs(cfg.output_dir)
    own_keys = ("stage", "seed", "force", "objective")
    same = [o for o in overrides if o.partition("=")[0] not in own_keys]
    own_seed = [o for o in overrides if o.startswith("seed=")]
    missing = []
    if cfg.stage not in ("base", "all", "report", "figures"):
        for endpoint in runs.networks(cfg):
            missing += [("base", words) for words in _missing_base(cfg, runs.start_of(endpoint))]
            if runs.is_fge(endpoint) and store.summary(runs.fge_folder(cfg, endpoint)) is None:
                missing.append(("fge", [*own_seed, f"fge.start={runs.start_of(endpoint)}"]))
    draws = cfg.stage == "figures" and not any(
        store.summary(runs.folder(runs.variant(cfg, stage=stage))) for stage in runs.FIGURES
    )
    if cfg.stage == "all":  # keeps only the epochs that it is told to
        for endpoint in cfg.endpoints:
            _check_kept(cfg, endpoint)
    curve_first = (cfg.stage in ("eval", "plane", "ensemble") and runs.on_curve(cfg)) or draws
    for stage, needed in (("curve", curve_first), ("eval", draws)):
        if needed and store.summary(runs.folder(runs.variant(cfg, stage=stage))) is None:
            missing.append((stage, own_seed))
    if missing:
        commands = [
            f"  {_command(stage, words, same)}{_near(cfg, stage, words)}"
            for stage, words in missing
        ]
        raise ValueError(
            f"stage={cfg.stage} builds on runs that are not finished. Make them first:\n"
            + "\n".join(commands)
        )


def _near(cfg: DictConfig, stage: str, words: list[str]) -> str:
    """A line on a finished run of the stage that is nearly the one that is missing."""
    typed = (word.split("=", 1) for word in words)
    changes = {key: int(value) if value.isdecimal() else value for key, value in typed}
    there = near.settings_of_nearest(runs.variant(cfg, stage=stage, **changes))
    return f"\n    (there is one with {there})" if there else ""


def _check_kept(cfg: DictConfig, endpoint) -> None:
    """Nothing, if an endpoint's saved epoch is there or is going to be kept.

    Raises:
        ValueError: it is not, and how to keep it.
    """
    base, every = runs.base_network(endpoint), cfg.train.base.save_every
    if base is None or base[1] is None or not _missing_base(cfg, endpoint):
        return
    if every is None or base[1] % every:
        raise ValueError(
            f"endpoints={list(cfg.endpoints)}: epoch {base[1]} of network {base[0]} would not be "
            f"kept. Type train.base.save_every={base[1]} too."
        )


def _command(stage: str, words: list[str], same: list[str]) -> str:
    """What to type to make a stage: its own settings, and those of `same` that do not clash."""
    keys = [word.partition("=")[0] for word in words]
    rest = [o for o in same if o.partition("=")[0] not in keys]
    return shlex.join(["python", "-m", "mc.run", f"stage={stage}", *words, *rest])


def _missing_base(cfg: DictConfig, endpoint) -> list[list[str]]:
    """What to add to the command that makes a base network that is not there, if it is not."""
    base = runs.base_network(endpoint)
    if base is None:
        return []
    seed, epoch = base
    made = runs.base_folder(cfg, seed)
    if epoch is None:
        return [] if store.summary(made) is not None else [[f"seed={seed}"]]
    if runs.saved_epoch(made, epoch).is_file():
        return []
    if epoch > cfg.train.base.epochs:
        raise ValueError(
            f"stage={cfg.stage}: base networks are trained for {cfg.train.base.epochs} epochs "
            f"(train.base.epochs), so there is no epoch {epoch} of network {seed}."
        )
    if store.summary(made) is None:
        return [[f"seed={seed}", f"train.base.save_every={epoch}"]]
    kept = sorted(int(p.stem) for p in (made / "epochs").glob("[0-9]*.npz"))
    raise ValueError(
        f"stage={cfg.stage}: base network {seed} has no saved epoch {epoch}; it has "
        f"{kept or 'none'}. "
        f"Train it again with train.base.save_every={epoch} force=true to keep it."
    )
