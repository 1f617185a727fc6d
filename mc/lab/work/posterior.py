"""stage=posterior: the distribution over the networks of a subspace, given the training data."""

import logging
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from mc.curve_model import CurveModel
from mc.datasets import Data
from mc.datasets.split import Split
from mc.ensembles import predictive
from mc.ensembles.swag import Swag
from mc.evaluation import tasks
from mc.lab import files
from mc.lab.graph import Run
from mc.lab.job import Job
from mc.lab.stages.posterior import HAVING
from mc.lab.stages.swag import MOMENTS
from mc.lab.work import as_typed, curves, drawings, samples
from mc.lab.work.data import load_data, load_ood, make_loss, splits_of, task_of
from mc.lab.work.eval import grid_of, is_function
from mc.lab.work.measure import batched, beside, bn_batches
from mc.posteriors import posterior, predictions
from mc.posteriors.sampling import Posterior

log = logging.getLogger(__name__)

MIXED = 1.05  # of R-hat
OPTIONS = ("dim", "prior_std", "noise_std", "temperature", "snapshots", "sampler")
SECONDS = 10.0  # between two checkpoints: those of small networks would come in milliseconds


def run(job: Job) -> dict:
    """How well it was drawn from, and metrics of what the networks of its samples predict."""
    cfg, folder = job.cfg, job.folder
    data = load_data(cfg)
    other, splits = load_ood(cfg, data), batched(cfg, splits_of(cfg, data))
    curve = curves.load(job, data)
    with as_typed.named("posterior", *OPTIONS):
        drawn = _drawn(job, curve, data)
    drawn.run(_saving(job), files.load_checkpoint(folder))
    files.save_arrays(folder, "posterior", _arrays(drawn))
    given = {"loss": make_loss(cfg, data), **task_of(cfg, data), **beside(job, other)}
    if cfg.posterior.noise_std is not None:  # of which the loss says nothing
        given["task"] = tasks.Gaussian(noise_std=cfg.posterior.noise_std)
    if cfg.posterior.draws > (count := drawn.samples.size // drawn.dim):
        log.info(
            "All %d samples predict together, of posterior.draws=%d.", *(count, cfg.posterior.draws)
        )
    members = drawn.members(cfg.posterior.draws)
    table = predictive.join(curve.network, members, splits, **given)
    files.save_table(folder, "members", table)
    if is_function(data):
        files.save_arrays(folder, "band", _band(drawn, data, cfg.posterior.draws))
    job.tracker.members(table)
    drawings.draw(job)
    if drawn.sampler != "quadrature" and np.max(drawn.r_hat) > MIXED:
        log.warning(
            "R-hat is %.3g: above %g chains have not mixed. Type a larger posterior.samples and "
            "posterior.burn_in, or a higher posterior.temperature.",
            *(np.max(drawn.r_hat), MIXED),
        )
    told = {"evaluations": drawn.evaluations, "r_hat/max": float(np.max(drawn.r_hat))}
    told["effective_sample_size/min"] = float(np.min(drawn.effective_sample_size))
    if drawn.log_evidence is not None:
        told["log_evidence"] = drawn.log_evidence
    return told | predictive.summary(table)


def _drawn(job: Job, curve: CurveModel, data: Data) -> Posterior:
    """The posterior, from which nothing is drawn yet."""
    cfg, given = job.cfg, job.cfg.posterior
    train: Any = data.train_clean.batches(cfg.eval.batch_size)
    acting = [
        name for name in ("prior_std", "dim") if given.subspace in HAVING[f"posterior.{name}"]
    ]
    density = posterior.density(
        curve,
        train.cache() if isinstance(data.train_clean, Split) else train,  # read for every value
        given.subspace,
        noise_std=given.noise_std,
        temperature=given.temperature,
        **{name: given[name] for name in acting},
        snapshots=_snapshots(job),
        seed=cfg.seed,
        loss=make_loss(cfg, data),
        bn_data=bn_batches(cfg, data),
    )
    names = ("chains", "samples", "burn_in", "cells")
    sampler = None if given.sampler == "auto" else given.sampler
    return Posterior(density, sampler, seed=cfg.seed, **{n: given[n] for n in names})


def _snapshots(job: Job) -> Swag | None:
    """The moments that a run of stage=swag has gathered, if the subspace is theirs."""
    swag = job.run.inputs().get("snapshots")
    if not isinstance(swag, Run):
        return None
    return Swag.of_state(samples.read(swag.folder / MOMENTS))


def _saving(job: Job) -> Callable[[dict], None]:
    """What keeps a checkpoint, not more often than it is worth."""
    last = time.monotonic()

    def save(done: dict) -> None:
        nonlocal last
        if time.monotonic() - last > SECONDS:
            files.save_checkpoint(job.folder, done)
            last = time.monotonic()

    return save


def _arrays(drawn: Posterior) -> dict[str, Any]:
    """What `posterior.npz` holds.

    Arrays: `samples [chains, samples, dim]`, `log_densities [chains, samples]`, `coefficients
    [chains, samples, num_points]`, and of quadrature `axis_<k> [cells]` and `log_density`, on the
    grid of these.
    """
    flat = drawn.samples.reshape(-1, drawn.dim)
    coefficients = drawn.coefficients(flat).reshape(*drawn.samples.shape[:2], -1)
    arrays = {"samples": drawn.samples, "log_densities": drawn.log_densities}
    arrays["coefficients"] = coefficients
    if drawn.grid is not None:
        arrays |= {f"axis_{k}": axis for k, axis in enumerate(drawn.grid.axes)}
        arrays["log_density"] = drawn.grid.log_density
    return arrays


def _band(drawn: Posterior, data: Data, draws: int) -> dict[str, np.ndarray]:
    """Of a regression of one variable: `x, mean, low, high [m]`, the central 95 %, and the data.

    The quantiles are those of the mixture of what the samples predict.
    """
    x, inputs, arrays = grid_of(data)
    mixture = predictions.mixture(drawn.density, drawn.members(draws), inputs)
    of_mixture = (mixture.mean, *mixture.interval())
    named = zip(("mean", "low", "high"), of_mixture, strict=True)
    return arrays | {"x": x} | {name: values.reshape(-1) for name, values in named}
