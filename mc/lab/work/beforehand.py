"""What may be wrong with later runs, found before those that they build on are trained."""

from omegaconf import DictConfig

from mc import connecting, curve_file, domains, families, saved_curves
from mc.lab import stages
from mc.lab.graph import Run
from mc.lab.job import acting
from mc.lab.work import as_typed, curves, networks, training
from mc.lab.work.data import load_data, splits_of
from mc.network import repair


def check(run: Run) -> None:
    """Raise unless the curve can be made, gone on with, and evaluated as the settings say.

    Raises:
        ValueError, FileNotFoundError: the curve's callable or the curve to go on with does not
            fit, the data have no split or no batches such as the settings need, or the networks
            cannot be repaired, as they are to be.
    """
    cfg = acting(run)
    family = curves.family_of(cfg, len(run.networks))
    try:
        families.describe(domains.check_family(connecting.resolve(family)))
        settings = cfg.train.curve
        ends = (settings.fix_start, settings.fix_end)
        with as_typed.named("train.curve", *curves.OPTIONS):
            curves.terms_of(cfg).check(family)
            fixed = domains.check_fixed(family, settings.fix, *ends)
        if len(fixed) == family.num_points:
            raise ValueError(
                "Nothing to train: all control points are fixed. Leave one out of train.curve.fix, "
                "or type num_bends=1 or more."
            )
    except TypeError as error:
        raise ValueError(f"curve._target_={cfg.curve._target_}: {error}") from error
    if (given := stages.curve.curve_file(cfg.train.curve.init)) is not None:
        saved = curve_file.read(given)
        if not saved_curves.is_smaller(saved, family):
            saved_curves.check_family(saved, family, given)
    first = run.networks[0]
    if run.looks_at("eval.repair") and not (first.is_of_files or first.named.folder):
        repair.check(networks.build(cfg, load_data(cfg)))
    if cfg.devices not in (None, 1) or "valid" in (cfg.eval.splits or ()):
        _check_data(cfg)


def _check_data(cfg: DictConfig) -> None:
    data = load_data(cfg)
    splits_of(cfg, data)
    with training.on_devices(cfg.devices):
        for section in (cfg.train.base, cfg.train.curve):
            training.check_shares(data, section.batch_size)
