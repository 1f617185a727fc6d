"""What a stage says of itself; what follows from it is in `graph`."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import Field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, cast

from mc.lab import naming, settings
from mc.lab.words import WORDS

if TYPE_CHECKING:
    from mc.lab.graph import Network, Run

COMMON = (
    *("dataset", "loss", "loss_weights", "task"),
    *("trainable", "lora.paths", "precision", "smoke"),
)
# What a run builds on, by name.
Inputs: TypeAlias = Mapping[str, "Run | Network | list[Run] | list[Network]"]
VIEWS: dict[str, type] = {}  # the stages that only show what is there, by name; see `view.View`


def check_name(cls: type, name: str) -> None:
    """Raise unless no other class is the stage of that name; one may be made again.

    Raises:
        TypeError: names both.
    """
    other = (Stage.stages | VIEWS).get(name, cls)
    if (other.__module__, other.__qualname__) != (cls.__module__, cls.__qualname__):
        raise TypeError(
            f"{cls.__module__}.{cls.__qualname__}: there is a stage {name} already, "
            f"{other.__module__}.{other.__qualname__}. Give it another name."
        )


def _check_depends(cls: type[Any], own: Mapping[str, Field]) -> None:
    """Raise unless every setting of a stage that counts is one that it depends on.

    Raises:
        TypeError: names the class and the setting; runs that differ in it would share a folder.
    """
    for key, declared in own.items():
        if declared.metadata["counts"] and not covers(cls.depends, key):
            raise TypeError(
                f"{cls.__qualname__}: results depend on {key}, but depends = {cls.depends} has "
                f"neither it nor {cls.section}, so runs that differ in it would share a folder. "
                f"Add {cls.section!r} to depends, or write setting(..., counts=False)."
            )


def covers(depends: Iterable[str], key: str) -> bool:
    """Whether a setting is one of some keys, or lies in one of some sections."""
    return any(f"{key}.".startswith(f"{depended}.") for depended in depends)


class Stage:
    """A stage: what it is called, depends on, builds on and makes. Subclasses are of `graph.Run`.

    Attributes:
        name: of the stage, as typed.
        Settings: a dataclass of `settings.setting`, or None.
        section: where they lie; default: `name`.
        depends: the keys that its own result depends on, what it builds on aside.
        numbers: the names of its numbers, with `<word>` for one of several; see `words`.
        headlines: those that tables show.
        draws: the files that it makes and figures are drawn from, of those that `work.drawings`
            knows; of others, it has `figures` of its own.
    """

    stages: ClassVar[dict[str, type[Any]]] = {}
    fields: ClassVar[dict[str, Field]] = {}  # every declared setting, by its full key

    name: ClassVar[str]
    section: ClassVar[str] = ""
    Settings: ClassVar[type | None] = None
    depends: ClassVar[tuple[str, ...]] = COMMON
    numbers: ClassVar[tuple[str, ...]] = ()
    headlines: ClassVar[tuple[str, ...]] = ()
    draws: ClassVar[tuple[str, ...]] = ()
    makes: ClassVar[str] = "summary.json"  # what runs read which build on it as a whole
    builds: ClassVar[bool] = False  # whether it makes what is missing below it without being told
    is_curve: ClassVar[bool] = False  # whether others look at the curve that it trains
    is_part: ClassVar[bool] = True  # False: it only joins what runs below it have made
    makes_networks: ClassVar[bool] = False  # those that `Run.network` names

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        if "name" not in cls.__dict__:  # a base of stages, and none itself
            return
        check_name(cls, cls.name)
        if not cls.numbers:
            raise TypeError(
                f"{cls.__qualname__}: a stage says the names of its numbers, such as "
                f"numbers = ('{cls.name}/<split>/<metric>',)."
            )
        unknown = set(re.findall("<(.*?)>", " ".join(cls.numbers))) - set(WORDS)
        if unknown and cls.forms is Stage.forms:  # else it spells them out by itself
            raise TypeError(
                f"{cls.__qualname__}: <{'>, <'.join(sorted(unknown))}> in its numbers is none of "
                f"<{'>, <'.join(WORDS)}>. Write out what each number is called."
            )
        if not cls.section:
            cls.section = cls.name
        if cls.Settings is not None:
            settings.check_declared(cls.Settings, cls.__qualname__)
            own = dict(settings.walk(cls.Settings, f"{cls.section}."))
            _check_depends(cls, own)
            Stage.fields.update(own)
        Stage.stages[cls.name] = cls

    # Of every run; see `graph.Run`.
    changes: dict[str, Any]

    @property
    def folder(self) -> Path:
        """Where the run keeps its results."""
        raise NotImplementedError

    def __getitem__(self, key: str) -> Any:
        """The value of a setting."""
        raise NotImplementedError

    @property
    def is_building(self) -> bool:
        """Whether what is missing below it is made, and no mistake."""
        return self.builds or self["build"]

    @property
    def more(self) -> str | None:
        """What it builds on that is known only as runs below it are made; None of most runs."""
        return None

    @property
    def weight_decay(self) -> float:
        """Of the penalty that its networks are trained with."""
        return self[f"{self.section}.weight_decay"]

    def inputs(self) -> Inputs:
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

    def depends_on(self, key: str) -> bool:
        """Whether the run depends on a setting itself, and not only what it builds on."""
        return covers(self.depends, key)

    def looks_at(self, key: str) -> Any:
        """The value of a setting, if the run depends on it itself; else None."""
        return self[key] if self.depends_on(key) else None

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
        """Raise unless the run has a network, or will have it once it is made.

        Raises:
            ValueError: it is to be kept on the way, which the stage does not.
        """
        if named.is_kept:
            raise ValueError(
                f"{named.typed}: stage={self.name} keeps no network on its way. Leave "
                f"{named.kept} out."
            )

    def in_folder(self, named: naming.Network) -> naming.Network:
        """The network that the folder of the run names."""
        return named

    def files_of(self, named: naming.Network) -> list[Path]:
        """The files of a network, or of a list of networks, that the run makes."""
        raise NotImplementedError(f"stage={self.name} makes no networks")

    def adapters_of(self, named: naming.Network | None = None) -> dict[str, Any] | None:
        """Rank and alpha of the adapters that a network which the run makes has, if it has any."""
        return None

    def figures(self) -> dict[str, Any]:
        """Its figures, by name, as far as the files that it draws are there."""
        from mc.lab.work import drawings

        return drawings.of_files(cast("Run", self))

    def drawn_from(self) -> tuple[str, ...]:
        """Those files of `draws` that a run with its settings makes."""
        return self.draws

    def shown(self) -> tuple[str, ...]:
        """The numbers that the table at its end shows as they are."""
        return self.headlines

    def stands_for(self) -> list[Run]:
        """The runs that a command of it makes; the last is itself."""
        return [cast("Run", self)]

    def parts(self) -> dict[str, Run]:
        """The runs whose numbers are its own, by what is put before the names of these."""
        return {"": cast("Run", self)}

    def both(self, other: Run) -> Run:
        """The run that serves whoever needs this one or `other`, which has the same folder."""
        return cast("Run", self)

    def work(self, job: Any) -> dict:
        """What the stage does; returns its numbers. Imports TensorFlow."""
        return importlib.import_module(f"mc.lab.work.{self.name}").run(job)

    def refuses(self) -> tuple[str, ...]:
        """Keys of settings that a command of the stage may not type."""
        return ()
