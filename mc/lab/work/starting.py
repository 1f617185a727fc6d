"""What the training of a base network begins with: initial weights, or another network."""

import keras

from mc import curve_file
from mc.datasets import Data
from mc.lab.graph import Network, Run
from mc.lab.job import Job, acting
from mc.lab.work import fits, networks, training
from mc.network import adapters, trainable
from mc.training import Beginning


def network(job: Job, data: Data) -> keras.Model:
    """The network that is to be trained as its training begins, with adapters if it is to have any.

    Raises:
        ValueError: the start is of another architecture than the model.
    """
    made = _begun(job, data)
    if own := job.run.adapters_of():
        keras.utils.set_random_seed(job.cfg.seed)  # of the initial factors
        adapters.enable(made, **own)
    trainable.train_only(made, job.cfg.trainable)
    return made


def plain(job: Job, data: Data) -> keras.Model:
    """A network of the same layers without adapters, all of whose weights are trainable."""
    origin = job.run.origin
    return networks.layers_of(job, origin, data) if origin else networks.build(job.cfg, data)


def start_of(run: Run) -> Network | None:
    """The network that the training of a base network starts from."""
    return run.networks[0] if run.networks else None


def _begun(job: Job, data: Data) -> keras.Model:
    start = start_of(job.run)
    if start is None:
        return networks.build(job.cfg, data)
    made = networks.whole(job, start, data, left=True)
    if job.run.origin is not None:  # the layers are those of a file, and not of the model group
        return made
    told = fits.difference(networks.build(job.cfg, data), made, data)
    if told:
        raise ValueError(
            f"train.base.start={start.named.typed} is no network of model._target_="
            f"{job.cfg.model._target_} with these arguments. {told} Choose the model that it is of."
        )
    return made


def beginning(job: Job, data: Data) -> Beginning:
    """Where the training begins, of the steps and the optimizer of the one before.

    Raises:
        ValueError: the file of the start holds no optimizer.
    """
    section, start = job.cfg.train.base, start_of(job.run)
    if start is None or start.run is None:
        return Beginning()
    saved = curve_file.read(start.file) if start.named.is_kept else None
    steps, optimizer = 0, None
    if section.start_schedule == "continue":
        before = acting(start.run).train.base
        steps = saved["step"] if saved else training.steps_of(before, data)
    if section.start_optimizer == "keep" and saved:
        optimizer = saved["optimizer"]
        if not optimizer:
            raise ValueError(
                f"train.base.start_optimizer=keep: {start.file} was kept by an earlier version, "
                "without its optimizer. Make it again with force=true, or leave it out."
            )
    return Beginning(steps, optimizer)
