"""Results that belong to what they were made from: what has changed since, and what to type."""

import logging
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from mc import contents, lineage, missing, runs, sources, store

log = logging.getLogger(__name__)


def check(cfg: DictConfig, overrides=None) -> None:
    """Raise if what the run of `cfg` is made from, or going to be, was made again since.

    Looks at a finished or half-finished run, else at what is below it; through the whole chain.

    Args:
        cfg: of the run; of stage=all, whose chain is that of its evaluation.
        overrides: of the command; default: those that Hydra has.

    Raises:
        ValueError: says which input has changed, and the commands to type.
    """
    told = changed(_top(cfg), overrides)
    if told and cfg.stage == "all":
        everything = missing.command(cfg, _overrides(overrides), "force=true")
        told += f"\nOr all of it, the networks too:\n  {everything}"
    if told:
        raise ValueError(told)


def changed(cfg: DictConfig, overrides=None) -> str | None:
    """What to say of changed inputs of the run of `cfg` and of those below; None if all hold."""
    found = _compare(cfg)
    if not found.changed:
        return None
    lines = [
        f"{label} of {run} is another one now: {below} was made again since."
        for run, label, below in found.changed
    ]
    of_other_source = _other_sources(found.folders)
    if of_other_source:
        lines.append(_told(of_other_source))
    outdated = {run for run, _, _ in found.changed} | {*_each(of_other_source)}
    lines += ["What was made of the one before does not hold. Make it again, in this order:"]
    return "\n".join([*lines, *_commands(cfg, outdated, overrides)])


def notices(cfg: DictConfig, overrides=None) -> list[str]:
    """What is not known of a run's inputs, and what of it all was made by another source."""
    found = _compare(_top(cfg))
    lines = []
    if found.unknown:
        more = f" (and {len(found.unknown) - 1} more like it)" if found.unknown[1:] else ""
        lines.append(f"Taken as it is: {found.unknown[0]}{more}.")
    told = _other_source(cfg, found, overrides)
    return [*lines, told] if told else lines


def other_source(cfg: DictConfig, overrides=None) -> str | None:
    """What to say, and to type, of a run and those below it that another source has made.

    None where all were made by the source of today, or by nothing of one's own.
    """
    return _other_source(cfg, _compare(_top(cfg)), overrides)


def _other_source(cfg: DictConfig, found: contents.Comparison, overrides) -> str | None:
    if not (of_other_source := _other_sources(found.folders)):
        return None
    commands = _commands(_top(cfg), {*_each(of_other_source)}, overrides)
    told = f"{_told(of_other_source)} To make anew what was made with it, in this order:"
    return "\n".join([told, *commands])


def _other_sources(folders: list[Path]) -> dict[str, list[Path]]:
    """The callables of one's own whose source has changed, and which runs it made before that."""
    before = {}
    for folder in folders:
        for target in sources.changed(store.read_environment(folder).get("sources", {})):
            before.setdefault(target, []).append(folder)
    return before


def _told(before: dict[str, list[Path]]) -> str:
    made = [f"{folder.parent.name}/{folder.name}" for folder in _each(before)]
    verb = "were" if made[1:] else "was"
    return f"The source of {' and '.join(before)} has changed since {', '.join(made)} {verb} made."


def _each(before: dict[str, list[Path]]) -> list[Path]:
    return list(dict.fromkeys(folder for folders in before.values() for folder in folders))


def _commands(cfg: DictConfig, outdated: set[Path], overrides) -> list[str]:
    """What to type, in order, to make anew runs of a chain and all that is built on them."""
    outdated, commands = set(outdated), []
    for run in lineage.chain(cfg):
        folder, *below = (runs.folder(r).resolve() for r in (run, *lineage.below(run)))
        if outdated & {folder, *below}:
            outdated.add(folder)
            again = ["force=true"] if folder.exists() and any(folder.iterdir()) else []
            commands.append(f"  {missing.command(run, _overrides(overrides), *again)}")
    return commands


def notes(cfg: DictConfig, folder: Path) -> dict:
    """What the environment of a run that begins says of its inputs; of one that goes on, as before.

    `read`: see `contents.read`; `sources`: the hash of the source of each callable of one's own.
    """
    if is_begun(folder):
        earlier = store.read_environment(folder)
        return {key: earlier[key] for key in ("read", "sources") if key in earlier}
    own = [cfg.dataset, cfg.model, cfg.loss]
    own += [cfg.optimizer] if cfg.stage in ("base", "curve", "fge") else []
    own += [cfg.curve] if cfg.stage != "base" and runs.on_curve(cfg) else []
    targets = [OmegaConf.select(group, "_target_") for group in own]
    hashes = {target: sources.of(target) for target in [*targets, *cfg.imports] if target}
    return {
        "read": contents.read(folder, lineage.inputs(cfg)),
        "sources": {target: digest for target, digest in hashes.items() if digest},
    }


def is_begun(folder: Path) -> bool:
    """Whether a run has a state that it goes on from."""
    return (folder / "checkpoint.npz").exists()


def _top(cfg: DictConfig) -> DictConfig:
    return runs.variant(cfg, stage="eval") if cfg.stage == "all" else cfg


def _compare(cfg: DictConfig) -> contents.Comparison:
    folder = runs.folder(cfg)
    force = cfg.force and not store.of_this_sweep(folder)
    if not force and (store.summary(folder) is not None or is_begun(folder)):
        return contents.compare([folder])
    return contents.compare(runs.folder(run) for run in lineage.chain(cfg)[:-1])


def _overrides(given) -> list[str]:
    return missing.typed() if given is None else list(given)
