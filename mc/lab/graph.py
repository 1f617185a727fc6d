"""Runs as a graph: a stage is a class that says what it is, a run is an instance of it.

A run is known by its settings and by what it builds on; its fingerprint, label, folder, what is
missing below it and the commands that make that follow. Which stages make the networks that
settings name is said in `Run.network` alone.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from mc.lab import counting, fingerprints, folders, given, naming
from mc.lab.declared import COMMON, Inputs
from mc.lab.inputs import Network, each_once, is_there
from mc.lab.labels import Labelled
from mc.lab.settings import as_typed, default_of
from mc.lab.variants import OOD, Variants, select

__all__ = ["COMMON", "Inputs", "Network", "Run", "each_once"]  # what a declaration needs

MISSING: Any = object()  # where there is no value, which may be None
TYPED_ONCE = ("stage", "force", "objective", "build", "plan")  # of the command, not of a run


class Run(Labelled):
    """A stage with its settings, as a node of the graph; a stage is a subclass.

    Attributes:
        changes: the settings that make it another run than the command's own of that stage: its
            own, and those of the run that builds on it.
        named_folder: its folder, where that is what names it; see `given.of_folder`.
    """

    named_folder: Path | None = None

    def __init__(self, cfg: DictConfig | dict | Variants, **changes: Any):
        self.variants = cfg if isinstance(cfg, Variants) else Variants(cfg)
        self.changes = changes

    def __getitem__(self, key: str) -> Any:
        """The value of a setting."""
        value = self._value(key)
        return None if isinstance(value, str) and value == fingerprints.NULL else value

    def _value(self, key: str) -> Any:
        value = select(self.values, key, MISSING)
        if value is not MISSING:
            return value
        if key not in Run.fields:
            raise KeyError(key)
        return default_of(Run.fields[key])  # of a run that was made before there was the setting

    @cached_property
    def values(self) -> dict:
        """All settings, plain and resolved."""
        return self.variants.values(self.changes)

    @property
    def cfg(self) -> DictConfig:
        """The configuration of the run alone, as a command of its own would have it."""
        return self.variants.cfg({"stage": self.name, **self.changes})

    def of(self, stage: str, **changes: Any) -> Run:
        """A run of another stage, all else as here.

        Raises:
            ValueError: there is no stage of that name.
        """
        if stage not in Run.stages:
            raise ValueError(
                f"stage={self.name} builds on {stage!r}, which is no stage. Known: "
                f"{', '.join(Run.stages)}; your own where imports=[...] names their module."
            )
        # Other data are looked at by the run of the command alone: those below hold without them.
        alone = {OOD: None} if self[OOD] else {}
        return Run.stages[stage](self.variants, **alone | self.changes | changes)

    def network(self, typed: int | str) -> Network:
        """The network that a setting names."""
        named = naming.read(typed)
        if named.is_file:
            return Network(named, None)
        if named.folder:
            run = given.of_folder(named.folder)
            return Network(run.in_folder(named), run)
        if named.start and named.stage:
            started = {f"{named.stage}.start": named.start.typed}
            return Network(named, self.of(named.stage, **started))
        kept: dict[str, Any] = {}
        if named.epoch is not None:
            kept = {"train.base.save_every": named.epoch}
        elif named.step is not None:
            kept = {"train.base.save_steps": [named.step]}
        return Network(named, self.of("base", seed=named.seed, **kept))

    @cached_property
    def built_on(self) -> list[Run | Network]:
        """What it builds on, lists spelt out."""
        lists = (v if isinstance(v, list) else [v] for v in self.inputs().values())
        return [one for some in lists for one in some]

    @cached_property
    def below(self) -> list[Run]:
        """The runs that it reads, each once."""
        return each_once(one.run for one in self.built_on if one.run is not None)

    def chain(self) -> list[Run]:
        """All runs below it and itself, each once, in the order in which they are made."""
        return each_once([*(deeper for run in self.below for deeper in run.chain()), self])

    @property
    def result(self) -> Path:
        """The file that runs read that build on this one as a whole."""
        return self.folder / self.makes

    @cached_property
    def networks(self) -> list[Network]:
        """The networks that it is about: those that it builds on, or what it builds on does."""
        lists = ([one] if isinstance(one, Network) else one.networks for one in self.built_on)
        return [network for some in lists for network in some]

    @property
    def origin(self) -> Network | None:
        """The network whose layers those of its networks are; None: those of the model group."""
        return self.networks[0] if self.networks else None

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
        idle = self.idle()
        return {key: counting.counted(key, self._value(key), idle) for key in self.depends}

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
        if self.named_folder and (
            noted := folders.environment(self.named_folder).get("fingerprint")
        ):
            return noted
        return fingerprints.of_settings(self.settings)

    @property
    def id(self) -> str:
        """What it enters the fingerprint of a run above it with."""
        return self.fingerprint

    @property
    def folder(self) -> Path:
        """Where the run keeps its results: `<output_dir>/<stage>/<label>-<hash8>`.

        Where another run, whose hash begins alike, was first there, 16 digits of the hash.
        """
        beside = Path(self["output_dir"]) / self.name
        return self.named_folder or folders.of_run(beside, self.label, self.fingerprint)

    @property
    def summary(self) -> dict | None:
        """The numbers of the finished run; None if it is not finished."""
        return folders.summary(self.folder)

    @property
    def is_done(self) -> bool:
        """Whether it is finished."""
        return self.summary is not None

    @property
    def run(self) -> Run:
        """Itself, as what a `Network` has that others build on."""
        return self

    @property
    def first(self) -> Run | None:
        """Itself: what it has of settings is its own. See `View.first`."""
        return self

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
            if one.run is None:
                continue
            if isinstance(one, Network):
                one.run.check_has(one.named)
            if not is_there(one):
                wanted += [*one.run.needs(), one.run]
        return each_once(wanted)

    def needed(self) -> list[Run]:
        """What it needs, unless it is done and is not to be made anew.

        Raises:
            ValueError: as `needs`.
        """
        return [] if self.is_done and not self["force"] else self.needs()

    def command(self, overrides: Iterable[str] = (), *more: str) -> str:
        """What to type to make the run, for who typed `overrides`; `more` is added to it."""
        return shlex.join(["python", "-m", "mc.run", *self.words(overrides, *more)])

    def words(self, overrides: Iterable[str] = (), *more: str) -> list[str]:
        """The overrides of that command."""
        if not self.variants.is_composed:
            return [*given.overrides(self), *more]
        gone = {*TYPED_ONCE, *self.changes, *self.refuses()}
        typed = [o for o in overrides if not gone & set(_keys_of(o))]
        acting = (key for key in self.changes if key not in (*TYPED_ONCE, OOD) and self._acts(key))
        changes = [f"{key}={as_typed(self.changes[key])}" for key in acting]
        chosen = any(o.startswith("+") and _keys_of(o)[1] == OOD for o in overrides)
        if OOD in self.changes and not chosen:
            changes.append(f"{OOD}=null")  # a recipe has other data, which is not typed again
        return [f"stage={self.name}", *changes, *typed, *more]

    def _acts(self, key: str) -> bool:
        """Whether a change is one of this run, and not only of the run that builds on it."""
        if self.depends_on(key):
            return True
        others = {k: v for k, v in self.changes.items() if k != key}
        return type(self)(self.variants, **others).fingerprint != self.fingerprint


def _keys_of(override: str) -> tuple[str, str]:
    """The key that an override sets, and where an option of a group is put: `dataset@ood`."""
    key = override.partition("=")[0].lstrip("+~")
    package = key.rpartition("@")[2] if "@" in key else key
    return key, OOD if package.partition(".")[0] == OOD else key
