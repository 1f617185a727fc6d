"""Whether the groups and the loss name a callable, with arguments that can reach it."""

from omegaconf import DictConfig, OmegaConf

from mc.lab import sources
from mc.lab.variants import CALLABLES, GROUPS, OOD


def check(cfg: DictConfig) -> None:
    """Raise unless every group names a callable, and the loss has the arguments that are typed.

    Raises:
        ValueError: names the key, the rule, what was received, and what to type instead.
    """
    _check_groups(cfg)
    _check_loss(cfg)
    _check_ood(cfg)


def _check_groups(cfg: DictConfig) -> None:
    if "learning_rate" in cfg.optimizer:
        raise ValueError(
            "The learning rate is no setting of the optimizer here: type "
            "train.base.learning_rate=... and train.curve.learning_rate=..."
        )
    for group in GROUPS:
        _check_given(cfg, group)
    for group in CALLABLES:
        if group != "loss" or OmegaConf.select(cfg, "loss._target_") is not None:
            _check_target(cfg, group)


def _check_given(cfg: DictConfig, group: str) -> None:
    for key in cfg[group]:
        if OmegaConf.is_missing(cfg[group], key):
            raise ValueError(f"{group}.{key} must be given: type {group}.{key}=...")


def _check_target(cfg: DictConfig, group: str) -> None:
    target = OmegaConf.select(cfg, f"{group}._target_")
    if not isinstance(target, str) or "." not in target:
        raise ValueError(
            f"{group}._target_ must be the import path of a callable, such as "
            f"package.module.name; received {target!r}."
        )
    try:
        sources.check_name(target)
    except ValueError as error:
        raise ValueError(f"{group}._target_={target}: {error}") from error


def _check_ood(cfg: DictConfig) -> None:
    if cfg.ood is None:
        return
    if not OmegaConf.is_dict(cfg.ood) or "_target_" not in cfg.ood:
        raise ValueError(
            "ood must be an option of the group dataset, as +dataset@ood=cifar10 has it, or null; "
            f"received ood={cfg.ood}."
        )
    _check_given(cfg, OOD)
    _check_target(cfg, OOD)


# What acts of the arguments of the loss that goes with the data's classes, or targets.
DEFAULT_LOSS = ("from_logits", "ignore_class", "axis", "reduction", "dtype")

GAUSSIAN = "mc.likelihoods.Gaussian"
DEVIATIONS = ("bias", "network")  # where its deviations come from


def _check_loss(cfg: DictConfig) -> None:
    if cfg.loss._target_ == GAUSSIAN and cfg.loss.get("deviation", "bias") not in DEVIATIONS:
        raise ValueError(
            f"loss.deviation must be one of {', '.join(DEVIATIONS)}; received "
            f"loss.deviation={cfg.loss.deviation}. Type for example loss.deviation=bias."
        )
    unknown = [key for key in cfg.loss if key not in ("_target_", *DEFAULT_LOSS)]
    if cfg.loss._target_ is not None or not unknown:
        return
    smoothing = cfg.loss.get("label_smoothing", 0.1)
    raise ValueError(
        f"loss.{unknown[0]}: the default loss has {', '.join(DEFAULT_LOSS)}, and of a regression "
        f"only the last two; received loss.{unknown[0]}={cfg.loss[unknown[0]]}. For another loss, "
        "type for example loss._target_=keras.losses.CategoricalCrossentropy "
        f"+loss.from_logits=true +loss.label_smoothing={smoothing}."
    )
