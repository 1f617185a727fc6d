"""Whether the values of a configuration are allowed, and what to type instead.

Nothing here imports TensorFlow, so a mistake on the command line is answered at once.
"""

import difflib
from itertools import pairwise
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from mc import callable_checks, foreseen, naming, runs
from mc.config import STAGES
from mc.keys import check_keys
from mc.model_files import check_model_file
from mc.schedules import SCHEDULES
from mc.tracking import MODES

# Smallest value allowed, and whether it may itself be taken.
LIMITS = {
    "seed": (0, True),
    "num_bends": (0, True),
    "dataset.valid_size": (0, True),
    "train.base.epochs": (1, True),
    "train.base.steps_per_epoch": (1, True),
    "train.base.batch_size": (1, True),
    "train.base.learning_rate": (0, False),
    "train.base.weight_decay": (0, True),
    "train.curve.epochs": (1, True),
    "train.curve.steps_per_epoch": (1, True),
    "train.curve.batch_size": (1, True),
    "train.curve.learning_rate": (0, False),
    "train.curve.weight_decay": (0, True),
    "train.base.save_every": (1, True),
    "train.curve.save_every": (1, True),
    "eval.num_points": (2, True),
    "eval.batch_size": (1, True),
    "chain.num_points": (2, True),
    "plane.grid_points": (2, True),
    "eval.bn_batch_size": (1, True),
    "eval.bn_batches": (1, True),
    "fge.epochs": (1, True),
    "fge.steps_per_epoch": (1, True),
    "fge.cycle": (2, True),
    "fge.lr_1": (0, False),
    "fge.lr_2": (0, False),
    "fge.batch_size": (1, True),
    "fge.weight_decay": (0, True),
    "ensemble.num_points": (2, True),
}

LARGEST_SEED = 2**31 - 1
CLOSEST = 1e-6  # two positions t

CHOICES = {
    "stage": STAGES,
    "precision": ("float32", "mixed_bfloat16", "mixed_float16"),
    "train.base.schedule": tuple(SCHEDULES),
    "train.curve.schedule": tuple(SCHEDULES),
    "ensemble.spacing": ("t", "arc_length"),
    "wandb.mode": MODES,
}


def check(cfg: DictConfig) -> None:
    """Nothing, if every key is known and every value allowed.

    Raises:
        ValueError: names the key, the rule, what was received, and what to type instead.
    """
    check_keys(cfg)
    callable_checks.check(cfg)
    _check_choices(cfg)
    _check_numbers(cfg)
    _check_eval(cfg)
    if len(cfg.endpoints) != 2 or cfg.endpoints[0] == cfg.endpoints[1]:
        raise ValueError(
            "endpoints must be two different networks, the start and the end of the curve; "
            f"received endpoints={list(cfg.endpoints)}. Type for example 'endpoints=[1,2]'."
        )
    _check_networks("endpoints", cfg.endpoints)
    _check_plane(cfg)
    _check_ensembles(cfg)
    _check_precision(cfg)
    foreseen.check(cfg)
    if cfg.chain.networks is not None and len(cfg.chain.networks) < 2:
        raise ValueError(
            f"chain.networks must be at least two; received {list(cfg.chain.networks)}."
        )
    _check_networks("chain.networks", cfg.chain.networks or [])
    given = runs.curve_file(cfg.train.curve.init)
    if given is not None and not given.is_file():
        raise FileNotFoundError(
            f"train.curve.init must be {', '.join(runs.INITS)}, or the folder of a curve, with "
            f"@EPOCH for a saved epoch; there is no file {given}."
        )


def _check_precision(cfg: DictConfig) -> None:
    default = CHOICES["precision"][0]
    if cfg.precision == default or cfg.stage in ("base", "report"):
        return
    networks = runs.networks(cfg)
    if all(network.root.is_file for network in networks):
        files = ", ".join(network.typed for network in networks)
        raise ValueError(
            f"precision={cfg.precision} has no part in what files alone are the networks of, "
            f"{files}: each works in the dtype policy that it was saved with. Leave precision "
            "out."
        )


def _check_choices(cfg: DictConfig) -> None:
    number = isinstance(cfg.devices, int) and not isinstance(cfg.devices, bool)
    if cfg.devices not in (None, "all") and not (number and cfg.devices >= 1):
        raise ValueError(
            f"devices must be all, a number of devices, or null for one; received "
            f"devices={cfg.devices}."
        )
    for key, known in CHOICES.items():
        if (value := OmegaConf.select(cfg, key)) not in known:
            near = difflib.get_close_matches(str(value), known, n=1) or known[:1]
            raise ValueError(
                f"{key} must be one of {', '.join(known)}; received {key}={value}. "
                f"Type for example {key}={near[0]}."
            )


def _check_numbers(cfg: DictConfig) -> None:
    for key, (low, included) in LIMITS.items():
        value = OmegaConf.select(cfg, key)
        if value is None or (
            isinstance(value, int | float)
            and (low < value < float("inf") or (included and value == low))
        ):
            continue
        rule = f"at least {low}" if included else f"greater than {low}"
        raise ValueError(f"{key} must be a number {rule}; received {key}={value}.")
    if not isinstance(OmegaConf.select(cfg, "dataset.valid_size") or 0, int):
        raise ValueError(
            "dataset.valid_size must be a whole number of examples; "
            f"received dataset.valid_size={cfg.dataset.valid_size}."
        )
    if cfg.seed > LARGEST_SEED:
        raise ValueError(f"seed must be at most {LARGEST_SEED}; received seed={cfg.seed}.")


def _check_eval(cfg: DictConfig) -> None:
    for key in ("t", "predictions"):
        t = cfg.eval[key]
        if t is not None and (
            not t or any(not 0 <= v <= 1 for v in t) or any(a >= b for a, b in pairwise(t))
        ):
            raise ValueError(
                f"eval.{key} must be increasing positions in [0, 1]; received "
                f"eval.{key}={list(t)}. Type for example 'eval.{key}=[0,0.5,1]'."
            )
        for a, b in pairwise(t or ()):
            if a + CLOSEST > b:
                raise ValueError(
                    f"eval.{key}={list(t)}: {a} and {b} are one position in float32, or in the "
                    f"name of a figure. Keep them at least {CLOSEST} apart."
                )
    unknown = set(cfg.eval.splits or ()) - {"train", "valid", "test"}
    if unknown or cfg.eval.splits == []:
        raise ValueError(
            "eval.splits must be some of train, valid, test; "
            f"received eval.splits={list(cfg.eval.splits)}."
        )


def _check_plane(cfg: DictConfig) -> None:
    for key in ("points", "networks"):
        chosen = cfg.plane[key]
        if chosen is not None and len(set(chosen)) != 3:
            raise ValueError(
                f"plane.{key} must be three different ones; received plane.{key}={list(chosen)}."
            )
    if cfg.plane.points is not None and cfg.plane.networks is not None:
        raise ValueError(
            "plane.points are of the curve and plane.networks are networks: give only one of them. "
            f"Received plane.points={list(cfg.plane.points)} and "
            f"plane.networks={list(cfg.plane.networks)}."
        )
    if min(cfg.plane.points or [0]) < 0:
        raise ValueError(
            f"plane.points counts from 0; received plane.points={list(cfg.plane.points)}."
        )
    bends = OmegaConf.select(cfg, "curve.num_bends")
    on_curve = cfg.stage == "plane" and cfg.plane.networks is None and isinstance(bends, int)
    if on_curve and cfg.plane.points is None and bends == 0:
        raise ValueError(
            "A curve with num_bends=0 has two control points, which span no plane. Type "
            "num_bends=1 or more, or 'plane.networks=[1,2,3]'."
        )
    if on_curve and max(cfg.plane.points or [0]) > bends + 1:
        raise ValueError(
            f"plane.points must be three of the control points 0 to {bends + 1}; received "
            f"plane.points={list(cfg.plane.points)}."
        )
    if len(cfg.plane.margins) != 4 or min(cfg.plane.margins) < 0:
        raise ValueError(
            "plane.margins must be four numbers at least 0: left, right, bottom, top; received "
            f"plane.margins={list(cfg.plane.margins)}."
        )
    _check_networks("plane.networks", cfg.plane.networks or [])


def _check_ensembles(cfg: DictConfig) -> None:
    fge = cfg.fge
    if fge.cycle % 2:
        raise ValueError(
            "fge.cycle must be even, so that the lowest rate falls on the end of an epoch; "
            f"received fge.cycle={fge.cycle}. Type for example fge.cycle={fge.cycle + 1}."
        )
    if fge.epochs < fge.cycle // 2:
        raise ValueError(
            f"fge.epochs must be at least {fge.cycle // 2}, half of fge.cycle, where the first "
            f"member is collected; received fge.epochs={fge.epochs}."
        )
    if fge.lr_1 < fge.lr_2:
        raise ValueError(
            "fge.lr_1, the highest rate, must be at least fge.lr_2, the lowest; received "
            f"fge.lr_1={fge.lr_1} and fge.lr_2={fge.lr_2}."
        )
    _check_networks("fge.start", [fge.start])
    chosen = cfg.ensemble.networks
    if chosen is not None and len(chosen) == 0:
        raise ValueError(
            "ensemble.networks must name a network, or be null for points of the curve."
        )
    _check_networks("ensemble.networks", chosen or [], lists=True)
    splits = cfg.eval.splits
    if cfg.stage == "ensemble" and cfg.ensemble.predictions and "test" not in (splits or ["test"]):
        raise ValueError(
            "ensemble.predictions=true keeps the mean prediction of the test data, so eval.splits "
            f"must have test among them, or be null; received eval.splits={list(splits)}."
        )
    looks = {key: cfg.eval[key] for key in runs.REPORT_STATISTICS}
    if cfg.stage == "fge" and looks != runs.REPORT_STATISTICS:
        typed = " ".join(f"eval.{key}={'null' if v is None else v}" for key, v in looks.items())
        raise ValueError(
            "stage=fge estimates BatchNorm statistics from all training data in batches of 500, "
            f"as every report of a network does; received {typed}. Leave both out."
        )


def _check_networks(key: str, networks, lists: bool = False) -> None:
    for network in networks:
        seed = isinstance(network, int) and not isinstance(network, bool)
        if not isinstance(network, str) and not (seed and 0 <= network <= LARGEST_SEED):
            raise ValueError(
                f"{key} must be seeds of base networks or paths of saved Keras models; "
                f"received {network!r} in {key}={list(networks)}."
            )
        _check_named(key, network, lists)


def _check_named(key: str, typed, lists: bool) -> None:
    """Raise unless a name is one network, or where `lists` one list, and its file is there."""
    names = [naming.read(typed)]
    while names[-1].start:
        names.append(names[-1].start)
    for network in names[lists:]:
        if network.is_list:
            start = network.start.typed
            raise ValueError(
                f"{key}: fge:{start} is the list of all members of a run of stage=fge, where one "
                f"network is wanted; received {typed!r}. Type fge:{start}/1 for its first member, "
                f"or fge:{start}/{naming.AVERAGE} for their average."
            )
        if network.member == 0:
            raise ValueError(f"{key}: members count from 1; received {typed!r}.")
    root = names[-1]
    if root.is_file:
        check_model_file(key, Path(root.typed))
