"""stage=all: the base networks, the curve and its evaluation in turn; what is done is skipped."""

from pathlib import Path

from omegaconf import DictConfig

from mc import runs
from mc.stages import execute


def run(cfg: DictConfig, folder: Path, tracker) -> dict:
    """The summaries joined: `base_<seed>/...`, `training/...` of the curve, and eval's names."""
    summary = {}
    bases = [runs.base_network(e) for e in cfg.endpoints]
    for seed in dict.fromkeys(base[0] for base in bases if base):
        base = execute(runs.variant(cfg, stage="base", seed=seed))
        summary |= {f"base_{seed}/{key}": value for key, value in base.items()}
    trained = execute(runs.variant(cfg, stage="curve"))
    summary |= {f"training/{key}": value for key, value in trained.items()}
    return summary | execute(runs.variant(cfg, stage="eval"))
