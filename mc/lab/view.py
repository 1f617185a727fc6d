"""Stages that show what is there: what they say of themselves."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, ClassVar

from omegaconf import DictConfig

from mc.lab import declared
from mc.lab.graph import Run
from mc.lab.variants import Variants


class View:
    """A stage that shows what is there, and keeps no folder of its own."""

    views: ClassVar[dict[str, type]] = declared.VIEWS
    name: ClassVar[str]
    is_building: ClassVar[bool] = False  # it makes nothing

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        declared.check_name(cls, cls.name)
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

    def needed(self) -> list[Run]:
        """The runs to be made first, if nothing can be shown without them."""
        return []

    def show(self) -> dict:
        """Show it; returns some numbers."""
        return importlib.import_module(f"mc.lab.work.{self.name}").show(self)
