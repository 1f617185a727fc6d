"""The curve of a configuration: as its training starts, and as it was trained."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from omegaconf import DictConfig, OmegaConf

from mc import connecting, curve_file, domains, families, saved_curves
from mc.curve_model import CurveModel
from mc.curves import Points, mix
from mc.datasets import Data
from mc.lab.job import Job
from mc.lab.stages.curve import CORNERS
from mc.lab.stages.curve import curve_file as file_of
from mc.lab.work import as_typed, networks
from mc.lab.work.data import instantiate
from mc.lab.work.measure import bn_batches
from mc.network import batchnorm
from mc.network.weights import FlatNetwork
from mc.terms import Terms

# Of mc.connect, which are settings of train.curve.
OPTIONS = ("fix", "fix_start", "fix_end", "init", "draws", "volume", "cosine", "law")


def untrained(job: Job, data: Data) -> CurveModel:
    """The curve of the configuration as its training starts, its ends checked on training data."""
    cfg = job.cfg
    family = family_of(cfg, len(job.run.networks))
    families.describe(family)  # refuses one that could not be saved, before hours of training
    ends = [networks.load(job, network, data) for network in job.run.networks]
    settings = cfg.train.curve
    given = file_of(settings.init)
    options: dict[str, Any] = {
        "fix_start": settings.fix_start,
        "fix_end": settings.fix_end,
        "weight_decay": settings.weight_decay,
        "seed": cfg.seed,
        "terms": terms_of(cfg),
    }
    if settings.fix is not None:
        options["fix"] = list(settings.fix)
    with as_typed.named("train.curve", *OPTIONS):
        if given and saved_curves.is_smaller(curve_file.read(given), family):
            curve = saved_curves.grow(given, *ends, num_bends=family.num_bends, **options)
        else:
            init = "linear" if given else settings.init
            curve = connecting.connect(*ends, curve=family, init=init, **options)
            if given:
                saved_curves.start_from(curve, given)
    curve.check_on(next(iter(data.train.batches(32)))[0])
    return curve


def family_of(cfg: DictConfig, num_networks: int) -> Any:
    """The family of a configuration, between so many networks."""
    settings: Any = cfg.curve
    if "num_corners" in settings and settings.num_corners is None:
        settings = OmegaConf.merge(settings, {"num_corners": num_networks})
    family = instantiate(settings, "curve")
    if not domains.is_curve(family) and settings.get("_target_") not in CORNERS:
        raise ValueError(
            f"curve._target_={settings.get('_target_')} is a surface of your own, which the stages "
            "do not know: type curve=simplex or curve=bezier_surface, or use it in Python, by "
            "mc.connect and mc.evaluate_surface."
        )
    return family


def terms_of(cfg: DictConfig) -> Terms:
    """The terms of training that a configuration sets."""
    settings = cfg.train.curve
    return Terms(settings.draws, settings.volume, settings.cosine, settings.law)


def load(job: Job, data: Data) -> CurveModel:
    """The trained curve that the run looks at."""
    run = job.run.curve
    assert run is not None, "a stage that looks at no curve"
    network = networks.architecture(job, run.networks[0], data)
    return networks.read(
        run.result,
        lambda: saved_curves.load_curve(run.result, network),
        lambda: networks.how_to_mend(job.run, f"stage={run.name}"),
    )


def networks_along(job: Job, curve: CurveModel, data: Data, rows: np.ndarray) -> Iterator[tuple]:
    """`(w [P], state)` at w = rows[i] @ control_points; see `networks_at`."""
    return networks_at(job, data, curve.network, curve.points, curve.state_values, rows)


def networks_at(
    job: Job, data: Data, network: FlatNetwork, points: Points, state: list, rows: np.ndarray
) -> Iterator[tuple]:
    """`(w [P], state)` at w = rows[i] @ points, BatchNorm statistics estimated anew."""
    found = batchnorm.estimate(network, points, rows, state, bn_batches(job.cfg, data))
    for n, row in enumerate(rows):
        yield mix(row, points).numpy(), batchnorm.state_of(found, n, state)
