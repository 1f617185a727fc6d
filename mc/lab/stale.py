"""Results that belong to what they were made from: what has changed since, and what to type."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mc.lab import contents, folders, inputs, missing, sources, sweeps
from mc.lab.graph import Run
from mc.lab.variants import select

CALLED = {"mc.datasets.text": ("tokenizer",)}  # arguments that name a callable


def check_command(run: Run, overrides: Iterable[str] | None = None) -> None:
    """Raise as `check` does, unless the command makes all of it anew."""
    if not (run.builds and run["force"]):
        check(run, overrides)


def check(run: Run, overrides: Iterable[str] | None = None) -> None:
    """Raise if what a run is made from, or going to be, was made again since.

    Looks at a finished or half-finished run, else at what is below it; through the whole chain.

    Args:
        run: of the command.
        overrides: of the command; default: those that Hydra has.

    Raises:
        ValueError: says which input has changed, and the commands to type.
    """
    if not (told := changed(run, overrides)):
        return
    if not run.is_part:
        everything = run.command(_overrides(overrides), "force=true")
        told += f"\nOr all of it, the networks too:\n  {everything}"
    raise ValueError(told)


def changed(run: Run, overrides: Iterable[str] | None = None) -> str | None:
    """What to say of changed inputs of a run and of those below it; None if all hold."""
    found = _compare(run)
    if not found.changed:
        return None
    lines = [
        f"{label} of {folder} is another one now: {below} was made again since."
        for folder, label, below in found.changed
    ]
    of_other_source = _other_sources(found.folders)
    if of_other_source:
        lines.append(_told(of_other_source))
    outdated = {folder for folder, _, _ in found.changed} | {*_each(of_other_source)}
    lines += ["What was made of the one before does not hold. Make it again, in this order:"]
    return "\n".join([*lines, *_commands(run, outdated, overrides)])


def notices(run: Run, overrides: Iterable[str] | None = None) -> list[str]:
    """What is not known of a run's inputs, and what of it all was made by another source."""
    found = _compare(run)
    lines = []
    if found.unknown:
        more = f" (and {len(found.unknown) - 1} more like it)" if found.unknown[1:] else ""
        lines.append(f"Taken as it is: {found.unknown[0]}{more}.")
    told = _other_source(run, found, overrides)
    return [*lines, told] if told else lines


def other_source(run: Run, overrides: Iterable[str] | None = None) -> str | None:
    """What to say, and to type, of a run and those below it that another source has made.

    None where all were made by the source of today, or by nothing of one's own.
    """
    return _other_source(run, _compare(run), overrides)


def _other_source(
    run: Run, found: contents.Comparison, overrides: Iterable[str] | None
) -> str | None:
    if not (of_other_source := _other_sources(found.folders)):
        return None
    commands = _commands(run, {*_each(of_other_source)}, overrides)
    told = f"{_told(of_other_source)} To make anew what was made with it, in this order:"
    return "\n".join([told, *commands])


def _other_sources(of: list[Path]) -> dict[str, list[Path]]:
    """The callables of one's own whose source has changed, and which runs it made before that."""
    before: dict[str, list[Path]] = {}
    for folder in of:
        for target in sources.changed(folders.read_environment(folder).get("sources", {})):
            before.setdefault(target, []).append(folder)
    return before


def _told(before: dict[str, list[Path]]) -> str:
    made = [f"{folder.parent.name}/{folder.name}" for folder in _each(before)]
    verb = "were" if made[1:] else "was"
    return f"The source of {' and '.join(before)} has changed since {', '.join(made)} {verb} made."


def _each(before: dict[str, list[Path]]) -> list[Path]:
    return list(dict.fromkeys(folder for some in before.values() for folder in some))


def _commands(run: Run, outdated: set[Path], overrides: Iterable[str] | None) -> list[str]:
    """What to type, in order, to make anew runs of a chain and all that is built on them."""
    outdated, commands = set(outdated), []
    for one in run.reader.chain():
        folder, *below = (other.folder.resolve() for other in (one, *one.below))
        if outdated & {folder, *below}:
            outdated.add(folder)
            again = ["force=true"] if folder.exists() and any(folder.iterdir()) else []
            commands.append(f"  {one.command(_overrides(overrides), *again)}")
    return commands


def notes(run: Run) -> dict:
    """What the environment of a run that begins says of its inputs; of one that goes on, as before.

    `read`: see `contents.read`; `sources`: the hash of the source of each callable of one's own.
    """
    if is_begun(run.folder):
        earlier = folders.read_environment(run.folder)
        return {key: earlier[key] for key in ("read", "sources") if key in earlier}
    groups = {"dataset", "model", "loss", *run.depends} | ({"curve"} if run.curve else set())
    called = [t for g in sorted(groups) for t in _called(select(run.values, g, None))]
    hashes = {target: sources.of(target) for target in [*called, *run["imports"]]}
    return {
        "read": contents.read(run.folder, inputs.files_read(run)),
        "sources": {target: digest for target, digest in hashes.items() if digest},
    }


def _called(value: Any) -> Iterator[str]:
    """The callables that a group names, at any depth."""
    if isinstance(value, list):
        yield from (name for one in value for name in _called(one))
    if not isinstance(value, Mapping):
        return
    naming = ("_target_", *CALLED.get(value.get("_target_", ""), ()))
    for key, one in value.items():
        yield from ([one] if key in naming and isinstance(one, str) else _called(one))


def is_begun(folder: Path) -> bool:
    """Whether a run has a state that it goes on from."""
    return (folder / "checkpoint.npz").exists()


def _compare(run: Run) -> contents.Comparison:
    run = run.reader
    force = run["force"] and not sweeps.of_this_sweep(run.folder)
    if not force and (run.is_done or is_begun(run.folder)):
        return contents.compare([run.folder])
    return contents.compare(below.folder for below in run.chain()[:-1])


def _overrides(given: Iterable[str] | None) -> list[str]:
    return missing.typed() if given is None else list(given)
