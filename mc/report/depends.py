"""What the result of a finished run depends on, told by its settings."""

import re

from mc import naming

COMMON = ("dataset.", "loss.", "precision", "smoke", "devices")
TRAINED = ("model.", "optimizer.", "train.base.")  # networks that base runs made
FGE = ("fge.", "optimizer.", "seed")  # networks that runs of stage=fge made
CURVE = ("endpoints", "curve.", "optimizer.", "seed", "train.curve.")
STATISTICS = ("eval.bn_",)
ALONG = (*STATISTICS, "eval.splits")
OF_NETWORKS = ("train.curve.weight_decay",)  # of the loss of networks that no curve joins
ASIDE = (
    *("stage", "dataset.data_dir", "eval.batch_size"),
    *("train.base.save_every", "train.curve.save_every"),
)
# The settings that name networks; of one run, those that it does not depend on are left out.
NAMES = ("endpoints", "plane.networks", "chain.networks", "ensemble.networks", "fge.start")
BY_SEED = re.compile(r"((?:\w+:)*)\d+((?:@\w+)?(?:/\w+)*)")  # 1, 1@160, fge:1/3


def depends(stage: str, settings: dict) -> dict:
    """Those settings, by their full keys, that the result of a run depends on.

    They follow from the run itself: a chain depends on the endpoints unless `chain.networks` names
    its own; between saved networks, no setting of base networks counts. A stage that is not known
    here depends on all.

    Args:
        stage: of the run.
        settings: all of them, flat: `train.curve.epochs`.
    """
    rule = RULES.get(stage)
    wanted, not_wanted = rule(settings) if rule else ("", ())
    not_wanted = (*ASIDE, *not_wanted, *(("fge.start",) if rule and stage != "fge" else ()))
    return {k: v for k, v in settings.items() if k.startswith(wanted) and k not in not_wanted}


def _base(settings: dict) -> tuple:
    return (*COMMON, *TRAINED, "seed"), ()


def _curve(settings: dict) -> tuple:
    return (*COMMON, *CURVE, *_trained(settings.get("endpoints"))), ()


def _eval(settings: dict) -> tuple:
    own = (*_curve(settings)[0], "eval.")
    return own, ("eval.num_points",) if settings.get("eval.t") else ()


def _plane(settings: dict) -> tuple:
    if names := settings.get("plane.networks"):
        own = ("plane.", *OF_NETWORKS, *_trained(names))
        return (*COMMON, *own, *STATISTICS), ("plane.points",)
    return (*_curve(settings)[0], "plane.", *STATISTICS), ("plane.networks",)


def _chain(settings: dict) -> tuple:
    given = settings.get("chain.networks")
    names = given or settings.get("endpoints")
    own = ("chain.", *OF_NETWORKS, *ALONG, *_trained(names))
    return (*COMMON, *own, *(() if given else ("endpoints",))), () if given else ("chain.networks",)


def _fge(settings: dict) -> tuple:
    own = (*FGE, *STATISTICS, *_trained([settings.get("fge.start")]))
    return (*COMMON, *own), ()


def _ensemble(settings: dict) -> tuple:
    names = settings.get("ensemble.networks")
    if not names:
        return (*_curve(settings)[0], "ensemble.", *ALONG), ("ensemble.networks",)
    own = ("ensemble.networks", "eval.splits", *_trained(names))
    return (*COMMON, *own), ()


RULES = {
    "base": _base,
    "curve": _curve,
    "eval": _eval,
    "plane": _plane,
    "chain": _chain,
    "fge": _fge,
    "ensemble": _ensemble,
}


def _trained(networks) -> tuple[str, ...]:
    """What the networks among these that runs have made with the run's own settings depend on."""
    named = [naming.read(network) for network in networks or ()]
    own = TRAINED if any(not network.root.is_file for network in named) else ()
    return (*own, *FGE) if any(network.start for network in named) else own


def without_seeds(networks) -> str:
    """What lists of networks have in common that differ in seeds alone; `[1, 2@9]`: seed seed@9.

    Files, which are no repetitions of one another, keep their paths.
    """
    matches = ((BY_SEED.fullmatch(name), name) for name in map(str, networks))
    return " ".join(f"{match[1]}seed{match[2]}" if match else name for match, name in matches)
