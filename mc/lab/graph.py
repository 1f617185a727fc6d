"""Runs as a graph: a stage is a class that says what it is, a run is an instance of it.

A run is known by its settings and by what it builds on; its fingerprint, label, folder, what is
missing below it and the commands that make that follow, and no stage's name is in here.
"""

from __future__ import annotations

import importlib
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import Field, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from omegaconf import DictConfig

from mc.lab import fingerprints, folders, naming, settings
from mc.lab.variants import CALLABLES, Variants, select

COMMON = ("dataset", "loss", "precision", "smoke")
TYPED_ONCE = ("stage", "force", "objective", "build", "plan")  # of the command, not of a run
NOT_COUNTED = {"mc.datasets.tfds_images": ("data_dir",)}  # where data lie does not change them
FILES = {"mc.datasets.regression": ("path",)}  # arguments that enter by the file's content


@dataclass(frozen=True)
class Network:
    """A network that a setting names, or a list of them, and the run that makes it.

    Attributes:
        named: what its name says.
        run: None for a file of the user's own.
    """

    named: naming.Network
    run: Run | None

    @property
    def title(self) -> str:
        """What it is called in the names of folders."""
        return self.named.title

    @property
    def is_of_files(self) -> bool:
        """Whether it goes back to a file of the user's own."""
        return self.named.root.is_file

    @cached_property
    def id(self) -> str:
        """What it enters a fingerprint with."""
        if self.run is None:
            return fingerprints.of_file(self.named.typed)
        made = self.run.fingerprint
        if self.named.epoch is not None:
            return f"{made}@{self.named.epoch}"
        return made if self.named.member is None else f"{made}/{self.named.member}"

    @property
    def files(self) -> list[Path]:
        """The file of its weights; of a list of networks, those that are there.

        Raises:
            ValueError: the run has no such network.
        """
        return [Path(self.named.typed)] if self.run is None else self.run.files_of(self.named)

    @property
    def file(self) -> Path:
        """The file of the weights of one network."""
        (file,) = self.files
        return file


class Run:
    """A stage with its settings, as a node of the graph; a stage is a subclass.

    Attributes:
        name: of the stage, as typed.
        Settings: a dataclass of `settings.setting`, or None.
        section: where they lie; default: `name`.
        depends: the keys that its own result depends on, what it builds on aside.
        numbers: the names of its numbers, with `<word>` for one of several; see `objective.WORDS`.
        headlines: those that tables show.
        draws: the files that it makes and figures are drawn from.
        changes: what a command must type to make this run, of one that another builds on.
    """

    stages: ClassVar[dict[str, type[Run]]] = {}
    fields: ClassVar[dict[str, Field]] = {}  # every declared setting, by its full key

    name: ClassVar[str]
    section: ClassVar[str] = ""
    Settings: ClassVar[type | None] = None
    depends: ClassVar[tuple[str, ...]] = COMMON
    numbers: ClassVar[tuple[str, ...]] = ()
    headlines: ClassVar[tuple[str, ...]] = ()
    draws: ClassVar[tuple[str, ...]] = ()
    builds: ClassVar[bool] = False  # whether it makes what is missing below it without being told
    is_curve: ClassVar[bool] = False  # whether others look at the curve that it trains
    is_part: ClassVar[bool] = True  # False: it only joins what runs below it have made
    makes_networks: ClassVar[bool] = False  # which settings may name

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        for other in Run.stages.values():
            if other.name == cls.name and other.__qualname__ != cls.__qualname__:
                raise TypeError(
                    f"{cls.__qualname__}: there is a stage {cls.name} already, "
                    f"{other.__module__}.{other.__qualname__}. Give it another name."
                )
        if not cls.numbers:
            raise TypeError(
                f"{cls.__qualname__}: a stage says the names of its numbers, such as "
                f"numbers = ('{cls.name}/<split>/<metric>',)."
            )
        if not cls.section:
            cls.section = cls.name
        if cls.Settings is not None:
            settings.check_declared(cls.Settings, cls.__qualname__)
            Run.fields |= dict(settings.walk(cls.Settings, f"{cls.section}."))
        Run.stages[cls.name] = cls

    def __init__(self, cfg: DictConfig | dict | Variants, **changes: Any):
        self.variants = cfg if isinstance(cfg, Variants) else Variants(cfg)
        self.changes = changes

    # What a stage says.

    def inputs(self) -> dict[str, Run | Network | list[Network]]:
        """What the run builds on, by name."""
        return {}

    def key(self, own: dict, ids: dict) -> dict:
        """What is hashed, of `own`, the values of `depends`, and `ids`, of the inputs."""
        return own | ids

    def idle(self) -> tuple[str, ...]:
        """Keys among `depends` that do not act in this run."""
        return ()

    def named_by(self) -> tuple[str, ...]:
        """Keys, outside `depends`, of the settings that name what it builds on."""
        return ()

    def check_settings(self) -> None:
        """Raise unless the settings of the section fit one another, whichever stage is run."""

    def check_run(self) -> None:
        """Raise unless a run may be made with all of the settings."""

    def looks_at(self, key: str) -> Any:
        """The value of a setting, if the run depends on it itself; else None."""
        own = any(f"{key}.".startswith(f"{depended}.") for depended in self.depends)
        return self[key] if own else None

    def splits_of(self, name: str, there: Iterable[str]) -> list[str]:
        """Of the splits that the data have, those that the number of a name may be of."""
        given = self.looks_at("eval.splits") or list(there)
        return [split for split in there if split in given]

    def check_objective(self, name: str) -> None:
        """Raise unless the run, as it is set, makes the number of a name of `numbers`."""

    def forms(self) -> tuple[str, ...]:
        """The names of the numbers of this run."""
        return self.numbers

    def check_has(self, named: naming.Network) -> None:
        """Raise unless the run has a network, or will have it once it is made."""

    def files_of(self, named: naming.Network) -> list[Path]:
        """The files of a network, or of a list of networks, that the run makes."""
        raise NotImplementedError(f"stage={self.name} makes no networks")

    def figures(self) -> dict[str, Any]:
        """Its figures, by name, as far as the files that it draws are there."""
        from mc.lab.work import drawings

        return drawings.of_files(self.folder, self.draws)

    def parts(self) -> dict[str, Run]:
        """The runs whose numbers are its own, by what is put before the names of these."""
        return {"": self}

    def both(self, other: Run) -> Run:
        """The run that serves whoever needs this one or `other`, which has the same folder."""
        return self

    def work(self, job: Any) -> dict:
        """What the stage does; returns its numbers. Imports TensorFlow."""
        return importlib.import_module(f"mc.lab.work.{self.name}").run(job)

    # What follows.

    def __getitem__(self, key: str) -> Any:
        """The value of a setting."""
        value = select(self.values, key)
        return None if isinstance(value, str) and value == fingerprints.NULL else value

    @cached_property
    def values(self) -> dict:
        """All settings, plain and resolved."""
        return self.variants.values(self.changes)

    @property
    def cfg(self) -> DictConfig:
        """The configuration of the run alone, as a command of its own would have it."""
        return self.variants.cfg({"stage": self.name, **self.changes})

    def of(self, stage: str, **changes: Any) -> Run:
        """A run of another stage, all else as here."""
        return Run.stages[stage](self.variants, **changes)

    def network(self, typed: int | str) -> Network:
        """The network that a setting names."""
        return self._network(naming.read(typed))

    def _network(self, named: naming.Network) -> Network:
        if named.is_file:
            return Network(named, None)
        if named.start:
            return Network(named, self.of("fge", **{"fge.start": named.start.typed}))
        kept = {} if named.epoch is None else {"train.base.save_every": named.epoch}
        return Network(named, self.of("base", seed=named.seed, **kept))

    @cached_property
    def built_on(self) -> list[Run | Network]:
        """What it builds on, lists spelt out."""
        lists = (v if isinstance(v, list) else [v] for v in self.inputs().values())
        return [one for some in lists for one in some]

    @cached_property
    def below(self) -> list[Run]:
        """The runs that it reads, each once."""
        runs = (one.run if isinstance(one, Network) else one for one in self.built_on)
        return each_once(run for run in runs if run is not None)

    def chain(self) -> list[Run]:
        """All runs below it and itself, each once, in the order in which they are made."""
        return each_once([*(deeper for run in self.below for deeper in run.chain()), self])

    @property
    def files_read(self) -> dict[str, Path]:
        """The files of other runs that it reads, such as `network fge:1/3` or `curve`."""
        files = {}
        for name, value in self.inputs().items():
            if isinstance(value, Run):
                files[name] = value.result
                continue
            for network in value if isinstance(value, list) else [value]:
                paths = network.files if network.run else ()
                for number, path in enumerate(paths, 1):
                    count = f"/{number}" * network.named.is_list
                    files[f"network {network.named.typed}{count}"] = path
        return files

    @property
    def weight_decay(self) -> float:
        """Of the penalty that its networks are trained with."""
        return self[f"{self.section}.weight_decay"]

    @property
    def result(self) -> Path:
        """The file that runs read that build on this one as a whole."""
        return self.folder / "curve.npz"

    @cached_property
    def networks(self) -> list[Network]:
        """The networks that it is about: those that it builds on, or what it builds on does."""
        found = {}
        for one in self.built_on:
            for network in [one] if isinstance(one, Network) else one.networks:
                found.setdefault(network.named.typed, network)
        return list(found.values())

    @property
    def curve(self) -> Run | None:
        """The run that trains the curve that it is about; None if it is about networks alone."""
        if self.is_curve:
            return self
        runs = (one for one in self.built_on if isinstance(one, Run))
        return next((run.curve for run in runs if run.curve), None)

    @cached_property
    def own(self) -> dict:
        """The values of `depends` as they count in the fingerprint."""
        return {key: self._counted(key, select(self.values, key)) for key in self.depends}

    def _counted(self, key: str, value: Any) -> Any:
        if key in CALLABLES:
            return _of_callable(value)
        if isinstance(value, dict):
            inner = ((name, f"{key}.{name}", v) for name, v in value.items())
            return {name: self._counted(full, v) for name, full, v in inner if counts(full)}
        declared = Run.fields.get(key)
        if key in self.idle() or (declared and settings.is_silent(declared, value)):
            return None  # which a fingerprint leaves out
        return value

    @cached_property
    def settings(self) -> dict:
        """All that the result depends on; what it builds on enters by fingerprint."""
        ids = {}
        for name, value in self.inputs().items():
            ids[name] = [one.id for one in value] if isinstance(value, list) else value.id
        return self.key(dict(self.own), ids)

    @cached_property
    def fingerprint(self) -> str:
        """The hash of all that the result depends on, of which names have 8 digits."""
        return fingerprints.of_settings(self.settings)

    @property
    def id(self) -> str:
        """What it enters the fingerprint of a run above it with."""
        return self.fingerprint

    def lineage(self) -> dict[str, Any]:
        """The settings that the result depends on, and those of the runs below, by full key.

        Of a configuration that was written by an earlier version, those that it has.
        """
        found = {}
        for one in self.built_on:
            run = one.run if isinstance(one, Network) else one
            found |= run.lineage() if run else {}
        left_out = {*self.idle(), *self.changes}
        for key in (*self.depends, *self.named_by()):
            values = _flat(select(self.values, key, {}), key)
            found |= {k: v for k, v in values if counts(k) and k not in left_out}
        aside = NOT_COUNTED.get(select(self.values, "dataset._target_", None), ())
        return {k: v for k, v in found.items() if k.removeprefix("dataset.") not in aside}

    @property
    def experiment(self) -> str:
        """What runs on the same data with the same model have in common, such as `digits-cnn`."""
        return f"{self._data_name}-{_name(self['model'])}"

    @property
    def _data_name(self) -> str:
        return select(self.values, "dataset.tfds_name", None) or _name(self["dataset"])

    @property
    def label(self) -> str:
        """A readable name of the run, such as `digits-cnn-1-2-bezier-bends1-seed1`."""
        # With files alone, the model of the configuration is not used.
        files = self.networks and all(network.is_of_files for network in self.networks)
        words = [self._data_name if files else self.experiment]
        words += [network.title for network in self.networks]
        if self.curve:
            bends = select(self.values, "curve.num_bends", self["num_bends"])
            words += [_name(self["curve"]), f"bends{bends}"]
        if self.curve or "seed" in self.depends:
            words.append(f"seed{self['seed']}")
        return "-".join(["smoke"] * bool(self["smoke"]) + words)

    @property
    def folder(self) -> Path:
        """Where the run keeps its results: `<output_dir>/<stage>/<label>-<hash8>`.

        Where another run, whose hash begins alike, was first there, 16 digits of the hash.
        """
        return folders.of_run(Path(self["output_dir"]) / self.name, self.label, self.fingerprint)

    @property
    def summary(self) -> dict | None:
        """The numbers of the finished run; None if it is not finished."""
        return folders.summary(self.folder)

    @property
    def is_done(self) -> bool:
        """Whether it is finished."""
        return self.summary is not None

    @property
    def reader(self) -> Run:
        """The run that reads what those below have made: itself, unless it only joins its parts."""
        return self

    def needs(self) -> list[Run]:
        """The runs below that are to be made first, each once, in the order to make them.

        Raises:
            ValueError: a finished run does not have what this one wants of it.
        """
        wanted = []
        for one in self.built_on:
            run = one.run if isinstance(one, Network) else one
            if run is None:
                continue
            if isinstance(one, Network):
                run.check_has(one.named)
            if not _is_there(run, one):
                wanted += [*run.needs(), run]
        return each_once(wanted)

    def command(self, overrides: Iterable[str] = (), *more: str) -> str:
        """What to type to make the run, for who typed `overrides`; `more` is added to it."""
        return shlex.join(["python", "-m", "mc.run", *self.words(overrides, *more)])

    def words(self, overrides: Iterable[str] = (), *more: str) -> list[str]:
        """The overrides of that command."""
        gone = {*TYPED_ONCE, *self.changes, *self.refuses()}
        typed = [o for o in overrides if o.partition("=")[0] not in gone]
        changed = ((k, v) for k, v in self.changes.items() if k not in TYPED_ONCE)
        changes = [f"{key}={value}" for key, value in changed]
        return [f"stage={self.name}", *changes, *typed, *more]

    def refuses(self) -> tuple[str, ...]:
        """Keys of settings that a command of the stage may not type."""
        return ()


class View:
    """A stage that shows what is there, and keeps no folder of its own."""

    views: ClassVar[dict[str, type[View]]] = {}
    name: ClassVar[str]

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        View.views[cls.name] = cls

    def __init__(self, cfg: DictConfig | dict | Variants):
        self.variants = cfg if isinstance(cfg, Variants) else Variants(cfg)

    @property
    def output_dir(self) -> Path:
        """Where runs lie."""
        return Path(self.variants.values({})["output_dir"])

    @property
    def folder(self) -> Path:
        """Where Hydra lets it work."""
        return self.output_dir

    @property
    def first(self) -> Run | None:
        """The run whose settings it has, if it is about those of one."""
        return None

    def needs(self) -> list[Run]:
        """The runs to be made first, if nothing can be shown without them."""
        return []

    def show(self) -> dict:
        """Show it; returns some numbers."""
        return importlib.import_module(f"mc.lab.work.{self.name}").show(self)


def _is_there(run: Run, one: Run | Network) -> bool:
    """Whether what is wanted of a run is made; a saved epoch is before the run is finished."""
    if isinstance(one, Network) and one.named.epoch is not None:
        return one.file.is_file()
    return run.is_done


def each_once(runs: Iterable[Run]) -> list[Run]:
    """The runs of different folders, in their order."""
    found: dict[Path, Run] = {}
    for run in runs:
        folder = run.folder
        found[folder] = found[folder].both(run) if folder in found else run
    return list(found.values())


def _of_callable(group: Mapping) -> dict:
    """A group as it counts: without what does not change a result, and files by their content."""
    target = group["_target_"]
    counted = {k: v for k, v in group.items() if k not in NOT_COUNTED.get(target, ())}
    for key in FILES.get(target, ()):
        if counted.get(key) not in (None, fingerprints.NULL):
            path = Path(counted[key]).expanduser()
            if not path.is_file():
                raise FileNotFoundError(f"dataset.{key}: there is no file {str(path)!r}.")
            counted[key] = fingerprints.of_file(path)
    return counted


def counts(key: str) -> bool:
    """Whether results depend on a setting, where they depend on its section."""
    return key not in Run.fields or Run.fields[key].metadata["counts"]


def _flat(value: Any, key: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _flat(inner, f"{key}.{name}")
    else:
        yield key, value


def _name(group: Mapping) -> str:
    return group["_target_"].rpartition(".")[2].lower()
