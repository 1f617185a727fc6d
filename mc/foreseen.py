"""What a configuration alone shows of its results, so that a mistake need not wait for training."""

from omegaconf import DictConfig, OmegaConf

from mc import objective, runs

# Data sets of ours: these have a training and a test set, and validation where some is held out.
BUILT_IN = ("mc.datasets.digits", "mc.datasets.regression", "mc.datasets.tfds_images")


def check(cfg: DictConfig) -> None:
    """Raise unless the training, the splits and the number that are asked for may be made.

    Raises:
        ValueError: says which setting would make them.
    """
    if "valid" in (cfg.eval.splits or ()) and "valid" not in splits(cfg):
        raise ValueError(
            f"eval.splits={list(cfg.eval.splits)} names valid, but nothing is held out for "
            "validation. Type dataset.valid_size=100, or leave valid out."
        )
    _check_bends(cfg)
    if cfg.objective is not None and cfg.stage != "report":
        _check_objective(cfg)


def _check_bends(cfg: DictConfig) -> None:
    bends = OmegaConf.select(cfg, "curve.num_bends")
    fixed = cfg.train.curve.fix_start and cfg.train.curve.fix_end
    trains = cfg.stage in ("curve", "eval", "all")
    if trains and bends == 0 and cfg.train.curve.init == "random":
        raise ValueError(
            "train.curve.init=random draws the bends, and num_bends=0 has none. Type "
            "train.curve.init=linear, or num_bends=1 or more."
        )
    if trains and bends == 0 and fixed:
        raise ValueError(
            "Nothing to train: num_bends=0 with both ends fixed. Type num_bends=1 or more, or free "
            "an end with train.curve.fix_start=false or train.curve.fix_end=false."
        )


def splits(cfg: DictConfig) -> tuple[str, ...]:
    """The splits that the data may have: of a data set of one's own, validation too."""
    held_out = OmegaConf.select(cfg, "dataset.valid_size")
    certain = cfg.dataset._target_ in BUILT_IN and not held_out
    return ("train", "test") if certain else ("train", "valid", "test")


def _check_objective(cfg: DictConfig) -> None:
    """Raise unless the run may make the number that `objective` names.

    Raises:
        ValueError: it does not; says the nearest name, or the setting that would make it.
    """
    name, stage = cfg.objective, "eval" if cfg.stage == "figures" else cfg.stage
    objective.check(name, stage, runs.base_seeds(cfg))
    words = name.split("/")
    named = [word for word in words if word in ("train", "valid", "test")]
    there = splits(cfg)
    if stage in ("eval", "chain", "ensemble") or (
        stage == "all" and not words[0].startswith("base_")
    ):
        there = [split for split in there if split in (cfg.eval.splits or there)]
    if set(named) - set(there):
        raise ValueError(
            f"objective={name}: this run looks at {', '.join(there)}. Set dataset.valid_size, "
            "eval.splits, or another objective."
        )
    if words[0] == "initial" and not cfg.eval.initial:
        raise ValueError(f"objective={name} is made with eval.initial=true alone; type it too.")
    if stage in ("eval", "all"):
        _check_statistic(cfg, words)


def _check_statistic(cfg: DictConfig, words: list[str]) -> None:
    """Raise where the chosen t leave a statistic of a path undefined."""
    t = list(cfg.eval.t or (0, 1))
    needs = {"start": t[0] == 0, "end": t[-1] == 1, "integral": len(t) > 1}
    whole = needs["start"] and needs["end"]
    lengths = ("curve/length", "curve/length_ratio")
    if not needs.get(words[-1], True) or (
        not whole and (words[-1].startswith("barrier") or cfg.objective in lengths)
    ):
        raise ValueError(
            f"objective={cfg.objective} is not defined at eval.t={t} alone: add the ends 0 and 1."
        )
