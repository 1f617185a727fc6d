"""All that is used of Hydra without its promise that it stays.

One test holds each of these; where a new release breaks one, this is the room to look into.
"""

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

import hydra
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.utils import get_args_parser
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig


def arguments(typed: Sequence[str]) -> Namespace:
    """A command line as Hydra reads it: `overrides`, `multirun`, `config_dir`, ..."""
    return get_args_parser().parse_args(list(typed))


def jobs_of_sweep(overrides: Sequence[str]) -> list[list[str]]:
    """The overrides of every job that Hydra's own sweeper makes of those of a sweep."""
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    (jobs,) = BasicSweeper.split_arguments(parsed, None)
    return jobs


def not_swept(overrides: Sequence[str]) -> list[str]:
    """The overrides that are the same for all jobs of a sweep."""
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    pairs = zip(overrides, parsed, strict=True)
    return [typed for typed, override in pairs if not override.is_sweep_override()]


class Composer:
    """Composes configurations as commands would, without running any; used with `with`.

    Args:
        folder: of the project's configuration.
        beside: a folder of the user's own, of `--config-dir`.
    """

    def __init__(self, folder: Path, beside: str | None = None):
        self.folder = folder
        self.more = [f"hydra.searchpath=[file://{Path(beside).absolute()}]"] if beside else []

    def __enter__(self) -> "Composer":
        GlobalHydra.instance().clear()
        self.scope = hydra.initialize_config_dir(str(self.folder), version_base="1.3")
        self.scope.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.scope.__exit__(*error)

    def __call__(self, overrides: Sequence[str]) -> DictConfig:
        """The configuration of one command, `hydra` included."""
        return hydra.compose("config", [*overrides, *self.more], return_hydra_config=True)
