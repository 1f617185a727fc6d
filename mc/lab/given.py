"""Runs that are named by their folders, as `config.yaml` there says what they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from mc.lab.declared import Stage
from mc.lab.quoting import typed
from mc.lab.settings import default_of
from mc.lab.variants import CALLED, GROUPS, flat, select


def settings_of(folder: Path) -> dict:
    """All settings of a run, as its `config.yaml` has them.

    Raises:
        ValueError: it is gone or damaged.
    """
    try:
        values: Any = OmegaConf.to_container(OmegaConf.load(folder / "config.yaml"))
        if "stage" not in values:
            raise ValueError("it names no stage")
    except Exception as error:  # yaml and OmegaConf have kinds of their own
        raise ValueError(f"{folder / 'config.yaml'} is damaged ({error}).") from error
    return values


def of_folder(folder: Path) -> Any:
    """The run of a folder: an instance of `graph.Run`.

    Raises:
        ValueError: it is of a stage that is not known, or makes no network; or it is damaged.
    """
    values = settings_of(folder)
    stage = values["stage"]
    if stage not in Stage.stages or not Stage.stages[stage].makes_networks:
        makers = [name for name, made in Stage.stages.items() if made.makes_networks]
        raise ValueError(
            f"{folder} is a run of stage={stage}, which makes no network. Name one of stage="
            f"{', '.join(makers)}, or of your own where imports=[...] names its module."
        )
    place = {"output_dir": str(folder.parent.parent), "force": False, "build": False}
    run = Stage.stages[stage](values | place)
    run.named_folder = folder
    return run


def overrides(run: Any) -> list[str]:
    """What to type for a run of a folder, or one below it: its settings that are not the defaults.

    Of the groups every argument, since which option they were is not noted.
    """
    values, found = run.values, [f"stage={run.name}"]
    for group in CALLED:
        # An option of a group is left whole, or arguments of the default one would stay.
        found += [f"~{group}"] * (group in GROUPS)
        plus = "+" if group in GROUPS else "++"
        for key, value in flat({group: values.get(group) or {}}).items():
            found.append(f"{plus}{key}={typed(value)}")
    for key, declared in Stage.fields.items():
        value = select(values, key, default_of(declared))
        if key not in ("stage", *CALLED) and value != default_of(declared):
            found.append(f"{key}={typed(value)}")
    return found
