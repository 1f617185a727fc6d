"""stage=all: the base networks, the curve and its evaluation in turn; what is done is skipped."""

from pathlib import Path

from omegaconf import DictConfig

from mc import runs
from mc.stages import beforehand, execute


def run(cfg: DictConfig, folder: Path, tracker) -> dict:
    """The summaries joined: `base_<seed>/...`, `training/...` of the curve, and eval's names."""
    beforehand.check(cfg)
    parts = runs.parts_of_all(cfg)
    return joined(parts, [execute(part, part_of_all=True) for part in parts])


def joined(parts: list[DictConfig], summaries: list[dict]) -> dict:
    """The summaries of the parts in one, each name with what says whose it is."""
    summary = {}
    for part, own in zip(parts, summaries, strict=True):
        prefix = {"base": f"base_{part.seed}/", "curve": "training/", "eval": ""}[part.stage]
        summary |= {prefix + key: value for key, value in own.items()}
    return summary
