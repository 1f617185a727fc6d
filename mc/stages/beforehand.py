"""What may be wrong with later parts of `stage=all`, found before its networks are trained."""

from omegaconf import DictConfig

from mc import connecting, curve_file, curves, families, runs
from mc.stages import parts, resumable


def check(cfg: DictConfig) -> None:
    """Raise unless the curve can be made, gone on with, and evaluated as the settings say.

    Raises:
        ValueError, FileNotFoundError: the curve's callable or the curve to go on with does not
            fit, or the data have no split or no batches such as the settings need.
    """
    family = parts.call(cfg.curve, "curve")
    try:
        families.describe(curves.check_family(curves.resolve(family)))
    except TypeError as error:
        raise ValueError(f"curve._target_={cfg.curve._target_}: {error}") from error
    if (given := runs.curve_file(cfg.train.curve.init)) is not None:
        connecting.check_family(curve_file.read(given), family, given)
    if cfg.devices not in (None, 1) or "valid" in (cfg.eval.splits or ()):
        _check_data(cfg)


def _check_data(cfg: DictConfig) -> None:
    data = parts.load_data(cfg)
    parts.splits_of(cfg, data)
    with resumable.on_devices(cfg.devices):
        for section in (cfg.train.base, cfg.train.curve):
            batch_size = parts.shortened(cfg, section.batch_size, parts.SMOKE_BATCH)
            resumable.check_shares(data, batch_size)
