"""What a run reads of other runs, and those below them."""

from pathlib import Path

from omegaconf import DictConfig

from mc import runs
from mc.naming import Network


def below(cfg: DictConfig) -> list[DictConfig]:
    """The runs that the stage of `cfg` reads, each once."""
    if reads_a_curve(cfg):
        return [runs.variant(cfg, stage="curve")]
    made = filter(None, (runs.run_of(cfg, network) for network in _networks(cfg)))
    return list({runs.folder(run): run for run in made}.values())


def chain(cfg: DictConfig) -> list[DictConfig]:
    """All runs below that of `cfg` and itself, each once, in the order in which they are made."""
    found = {}
    for run in below(cfg):
        found |= {runs.folder(deeper): deeper for deeper in chain(run)}
    return [*found.values(), cfg]


def inputs(cfg: DictConfig) -> dict[str, Path]:
    """The files of other runs that the stage of `cfg` reads, such as `network fge:1/3` or `curve`.

    Files of one's own are not among them: they are part of the name of the run's folder.
    """
    if reads_a_curve(cfg):
        return {"curve": runs.folder(runs.variant(cfg, stage="curve")) / "curve.npz"}
    files = {}
    for network in _networks(cfg):
        if network.is_file:
            continue
        for number, file in enumerate(runs.network_files(cfg, network), 1):
            files[f"network {network.typed}{f'/{number}' * network.is_list}"] = file
    return files


def reads_a_curve(cfg: DictConfig) -> bool:
    """Whether the stage of `cfg` looks at a curve that another run has trained."""
    return cfg.stage in ("eval", "plane", "ensemble") and runs.on_curve(cfg)


def _networks(cfg: DictConfig) -> list[Network]:
    built_on = cfg.stage in ("curve", "plane", "chain", "fge", "ensemble")
    return runs.networks(cfg) if built_on else []
