"""Which run a configuration stands for: what its result depends on, and where it lies."""

import pickle
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from mc import naming, store
from mc.config import CALLABLES
from mc.naming import Network

FIGURES = ("eval", "plane", "chain", "fge", "ensemble")  # the stages that draw
# Of every report of a network, whatever `eval.bn_*` says of points of a curve. In the hash of
# stage=fge, where they once counted.
REPORT_STATISTICS = {"bn_batch_size": 500, "bn_batches": None}
INITS = ("linear", "random")  # starting points of a curve that are not another curve


def variant(cfg: DictConfig, **changes) -> DictConfig:
    """The same configuration with some values changed."""
    cfg = pickle.loads(pickle.dumps(cfg))  # as `copy` does, in a quarter of the time
    for key, value in changes.items():
        OmegaConf.update(cfg, key, value)
    return cfg


def saved_epoch(folder: Path, epoch: int) -> Path:
    """The file of a run's state after an epoch."""
    return folder / "epochs" / f"{epoch}.npz"


def saved_epochs(folder: Path) -> list[Path]:
    """The files of all states that a run has kept, in order; of stage=fge, its members."""
    return sorted((folder / "epochs").glob("[0-9]*.npz"), key=lambda path: int(path.stem))


def networks(cfg: DictConfig) -> list[Network]:
    """The networks that the stage of `cfg` is about."""
    if cfg.stage == "fge":
        return [naming.read(cfg.fge.start)]
    own = cfg[cfg.stage].networks if cfg.stage in ("plane", "chain", "ensemble") else None
    return [naming.read(typed) for typed in own or cfg.endpoints]


def run_of(cfg: DictConfig, network: Network) -> DictConfig | None:
    """The run that makes a network, all else as in `cfg`; None for a file."""
    if network.is_file:
        return None
    if network.start:
        return variant(cfg, stage="fge", **{"fge.start": network.start.typed})
    return variant(cfg, stage="base", seed=network.seed)


def network_files(cfg: DictConfig, network: Network) -> list[Path]:
    """The file of a network's weights; of a list of networks, those that are there.

    Raises:
        ValueError: the run of stage=fge has no such member.
    """
    if network.is_file:
        return [Path(network.typed)]
    made = folder(run_of(cfg, network))
    if network.epoch is not None:
        return [saved_epoch(made, network.epoch)]
    if network.is_list:
        return saved_epochs(made)
    if network.start and network.member != naming.AVERAGE:
        members = saved_epochs(made)
        if not 1 <= network.member <= len(members):
            raise ValueError(
                f"{network.typed}: {made} has {len(members)} members. Type a number from 1 to "
                f"{len(members)}, or {naming.AVERAGE} for their average."
            )
        return [members[network.member - 1]]
    return [made / "model.weights.h5"]


def network_file(cfg: DictConfig, network: Network) -> Path:
    """The file of one network's weights."""
    (file,) = network_files(cfg, network)
    return file


def curve_file(init: str) -> Path | None:
    """The curve that `train.curve.init=FOLDER` or `FOLDER@EPOCH` names; None for one of `INITS`."""
    if init in INITS:
        return None
    named = re.fullmatch(r"(.+)@(\d+)", init)
    return saved_epoch(Path(named[1]), int(named[2])) if named else Path(init) / "curve.npz"


def settings(cfg: DictConfig) -> dict:
    """All that the result of `cfg.stage` depends on; what it builds on enters by fingerprint."""
    own = pickle.loads(_plain(pickle.dumps(cfg)))
    common = {key: own[key] for key in ("dataset", "loss", "precision", "smoke")}
    statistics = {key: own["eval"][key] for key in ("bn_batch_size", "bn_batches")}
    common["dataset"] = _dataset_settings(own["dataset"])
    if cfg.stage in ("base", "curve", "fge") and own["devices"] not in (None, 1):
        common["devices"] = own["devices"]  # each takes BatchNorm statistics of its own share
    if cfg.stage == "base":
        parts = {key: own[key] for key in ("model", "optimizer", "seed")}
        return common | parts | {"train": own["train"]["base"]}
    if cfg.stage == "curve":
        parts = {key: own[key] for key in ("curve", "optimizer", "seed")}
        ends = [_network_fingerprint(cfg, network) for network in networks(cfg)]
        train = own["train"]["curve"]
        if (given := curve_file(train["init"])) is not None:
            train["init"] = store.file_fingerprint(given)
        return common | parts | {"train": train, "endpoints": ends}
    if cfg.stage == "fge":
        parts = {key: own[key] for key in ("optimizer", "seed")}
        parts["fge"] = own["fge"] | {"start": _network_fingerprint(cfg, *networks(cfg))}
        return common | parts | REPORT_STATISTICS
    if cfg.stage == "ensemble" and own["ensemble"]["networks"]:
        members = [_network_fingerprint(cfg, network) for network in networks(cfg)]
        kept = {"predictions": own["ensemble"]["predictions"] or None}
        return common | {"ensemble": members, "splits": _splits(own)} | kept
    if cfg.stage == "ensemble":
        looks = own["ensemble"] | statistics
        looks["predictions"] = looks["predictions"] or None
        return {"curve": _curve_fingerprint(cfg), "ensemble": looks, "splits": _splits(own)}
    if cfg.stage in ("plane", "chain"):
        looks = own[cfg.stage] | statistics
        if cfg.stage == "plane" and looks["networks"] is None:
            return {"curve": _curve_fingerprint(cfg), "plane": looks}
        looks["networks"] = [_network_fingerprint(cfg, network) for network in networks(cfg)]
        looks["weight_decay"] = own["train"]["curve"]["weight_decay"]
        if cfg.stage == "chain":
            looks["splits"] = _splits(own)
        return common | {cfg.stage: looks}
    # Evaluation is deterministic: it depends on its curve and on where and on what it looks.
    looks = {k: v for k, v in own["eval"].items() if k != "batch_size"}  # which only rounds
    looks["num_points"] = None if looks["t"] else looks["num_points"]
    looks["initial"] = looks["initial"] or None
    looks["splits"] = _splits(own)
    return {"curve": _curve_fingerprint(cfg), "eval": looks}


@lru_cache(maxsize=64)  # one command asks for the same configurations many times
def _plain(pickled: bytes) -> bytes:
    """The values of a pickled configuration, without those that no result depends on, pickled."""
    cfg = pickle.loads(pickled)
    own = OmegaConf.to_container(cfg, resolve=True)
    for name in CALLABLES:
        _count_typed_nulls(own[name], OmegaConf.to_container(cfg[name], resolve=False))
    for section in own["train"].values():
        section.pop("save_every")  # what is kept on the way does not change where it leads
    return pickle.dumps(own)


def _count_typed_nulls(resolved, unresolved) -> None:
    """Set the nulls that were typed for a callable's argument to `store.NULL`, in place."""
    items = unresolved.items() if isinstance(unresolved, dict) else enumerate(unresolved)
    for key, value in items:
        if value == store.NULL:
            resolved[key] = value
        elif isinstance(value, dict | list):
            _count_typed_nulls(resolved[key], value)


def _splits(own: Mapping) -> list[str] | None:
    return sorted(set(own["eval"]["splits"])) if own["eval"]["splits"] else None


def _curve_fingerprint(cfg: DictConfig) -> str:
    return store.fingerprint(settings(variant(cfg, stage="curve")))


def _dataset_settings(dataset: Mapping) -> dict:
    settings = dict(dataset)
    if settings["_target_"] == "mc.datasets.tfds_images":
        settings.pop("data_dir", None)  # where the data lie does not change them
    given = settings.get("path")
    if settings["_target_"] == "mc.datasets.regression" and given not in (None, store.NULL):
        path = Path(given).expanduser()
        if not path.is_file():
            raise FileNotFoundError(f"dataset.path: there is no file {str(path)!r}.")
        settings["path"] = store.file_fingerprint(path)
    return settings


def _network_fingerprint(cfg: DictConfig, network: Network) -> str:
    if network.is_file:
        return store.file_fingerprint(network.typed)
    made = store.fingerprint(settings(run_of(cfg, network)))
    if network.epoch is not None:
        return f"{made}@{network.epoch}"
    return made if network.member is None else f"{made}/{network.member}"


def folder(cfg: DictConfig) -> Path:
    """Where the run of `cfg` keeps its results: `<output_dir>/<stage>/<label>-<hash8>`.

    Where another run, whose hash begins alike, was first in that folder, 16 digits of the hash.
    """
    if cfg.stage == "report":  # of all that is there
        return Path(cfg.output_dir)
    if cfg.stage == "figures":  # draws again in the folder of the evaluation
        cfg = variant(cfg, stage="eval")
    return store.run_folder(Path(cfg.output_dir) / cfg.stage, label(cfg), fingerprint(cfg))


def fingerprint(cfg: DictConfig) -> str:
    """The hash of all that the result of `cfg.stage` depends on, of which names have 8 digits."""
    return store.fingerprint(settings(cfg))


def parts_of_all(cfg: DictConfig) -> list[DictConfig]:
    """The runs that stage=all consists of: the base networks, the curve, and its evaluation."""
    return [
        *(variant(cfg, stage="base", seed=seed) for seed in base_seeds(cfg)),
        *(variant(cfg, stage=stage) for stage in ("curve", "eval")),
    ]


def base_seeds(cfg: DictConfig) -> list[int]:
    """The seeds of the base networks among the endpoints, each once."""
    seeds = (naming.read(typed).seed for typed in cfg.endpoints)
    return list(dict.fromkeys(seed for seed in seeds if seed is not None))


def experiment(cfg: DictConfig) -> str:
    """What runs on the same data with the same model have in common, such as `digits-cnn`."""
    return f"{_dataset_name(cfg)}-{_name(cfg.model)}"


def label(cfg: DictConfig) -> str:
    """A readable name of the run, such as `digits-cnn-1-2-bezier-bends1-seed1`."""
    return f"smoke-{_label(cfg)}" if cfg.smoke else _label(cfg)


def _label(cfg: DictConfig) -> str:
    if cfg.stage == "base":
        return f"{experiment(cfg)}-seed{cfg.seed}"
    ends = [network.title for network in networks(cfg)]
    # With files alone, the model of the configuration is not used.
    files = all(network.root.is_file for network in networks(cfg))
    first = _dataset_name(cfg) if files else experiment(cfg)
    if cfg.stage == "fge":
        return "-".join([first, *ends, f"seed{cfg.seed}"])
    if not on_curve(cfg):
        return "-".join([first, *ends])
    bends = OmegaConf.select(cfg, "curve.num_bends", default=cfg.num_bends)
    return "-".join([first, *ends, _name(cfg.curve), f"bends{bends}", f"seed{cfg.seed}"])


def on_curve(cfg: DictConfig) -> bool:
    """Whether the stage looks at a curve, and not at networks alone."""
    own = cfg.stage in ("plane", "ensemble") and cfg[cfg.stage].networks
    return cfg.stage not in ("chain", "fge") and not own


def _dataset_name(cfg: DictConfig) -> str:
    return OmegaConf.select(cfg, "dataset.tfds_name") or _name(cfg.dataset)


def _name(group) -> str:
    return group["_target_"].rpartition(".")[2].lower()
