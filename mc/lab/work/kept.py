"""Networks that runs have kept, with BatchNorm statistics of one kind wherever they are reported.

Training leaves moving averages, which lag behind the weights (with momentum 0.99 by some 100
steps). A network that is reported, joined or exported has statistics estimated anew, from all clean
training data in batches of `BATCH`; training that goes on takes what training left.
"""

import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from mc import curve_file, saved_curves
from mc.datasets import Data
from mc.ensembles import predictive
from mc.ensembles.joint import Member
from mc.lab import files, folders, naming
from mc.lab.naming import Network
from mc.lab.stages.base import saved_epochs
from mc.lab.stages.common import REPORT_BATCH
from mc.lab.stages.swag import MOMENTS
from mc.lab.work import samples
from mc.network import batchnorm
from mc.network.weights import FlatNetwork, pack

log = logging.getLogger(__name__)

BATCH = REPORT_BATCH
LEFT = "moving"  # the file of what training left, beside a network with other statistics


def reestimated(network: FlatNetwork, w: Any, state: Sequence, data: Data) -> list:
    """A network's state, its BatchNorm statistics estimated anew at the weights `w: [P]`.

    `state`: that of its training, kept as it is where the network has no trainable BatchNorm.
    """
    if not network.batchnorm:
        return list(state)
    batches = data.train_clean.batches(BATCH)
    found = batchnorm.estimate(network, [w], [[1.0]], state, batches)
    return batchnorm.state_of(found, 0, state)


def settled(network: FlatNetwork, member: Member, data: Data) -> Member:
    """A member of an ensemble, its BatchNorm statistics estimated anew."""
    state = reestimated(network, member.w, member.state, data)
    return Member(member.name, member.w, state)


def save(folder: Path, network: keras.Model, left: Sequence, whole: bool) -> None:
    """A network as its files, and in `moving.npz` what training left, where that differs.

    Args:
        folder: of the run.
        network: with the statistics that are reported.
        left: the state that training left, an array a variable.
        whole: whether to write `model.keras` too; see `can_be_saved`.
    """
    if where := FlatNetwork(network).batchnorm:
        files.save_arrays(folder, LEFT, {f"state_{i}": np.asarray(left[i]) for i in where})
    files.save_network(folder, network, whole)


def fill(network: keras.Model, named: Network, path: Path) -> bool:
    """Read a run's file into a network of its architecture, as it lies there.

    Returns whether its BatchNorm statistics are those that training left.
    """
    if path.name == MOMENTS:
        sample = samples.one(path, named)
        FlatNetwork(network).assign(sample.w, sample.state)
        return True
    if path.suffix == ".npz":
        saved_curves.load_curve(path, network).network_at(0, into=network)
        return True
    network.load_weights(path)
    return named.member != naming.AVERAGE and not (path.parent / f"{LEFT}.npz").exists()


def listed(named: Network, paths: Sequence[Path]) -> Iterator[Member]:
    """The networks of a list, as their training left them, from its files."""
    if paths and paths[0].name == MOMENTS:
        return samples.drawn(paths[0], str(named.typed))
    return predictive.saved(paths, str(named.typed))


def take_left(network: keras.Model, folder: Path) -> None:
    """Set a finished network's BatchNorm statistics to those that its training left."""
    path = folder / f"{LEFT}.npz"
    if not path.exists():
        return
    flat = FlatNetwork(network)
    with np.load(path) as saved:
        state = [saved.get(f"state_{i}", value) for i, value in enumerate(flat.state())]
    flat.assign(pack(network), state)


def of_before(folder: Path) -> bool:
    """Whether a base or FGE run reports a network with the moving averages of its training.

    So did runs of earlier versions, which noted nothing of what they made, and whose summaries have
    no `moving/...`.
    """
    if "made" in folders.read_environment(folder):
        return False
    if any(name.startswith("moving/") for name in folders.summary(folder) or ()):
        return False
    for path in (folder / "model.weights.h5", *saved_epochs(folder)[:1]):
        if path.is_file():
            return _has_batchnorm(path)
    return False


def _has_batchnorm(path: Path) -> bool:
    if path.suffix == ".npz":  # which has no names of layers, but of its weights
        file = curve_file.read(path)
        shapes = [value.shape for value in file["state"] if value.dtype.kind == "f"]
        return any(shape in file["shapes"] for shape in shapes)
    names: list[str] = []
    with h5py.File(path) as file:
        file.visit(names.append)
    return any("batch_normalization" in name for name in names)


def can_be_saved(network: keras.Model) -> bool:
    """Whether Keras can write the model as a whole, found out before hours of training."""
    with tempfile.TemporaryDirectory() as scratch:
        try:
            network.save(Path(scratch) / "model.keras")
        except OSError:  # of the scratch folder's disk
            raise
        except Exception as error:  # whatever a model's get_config raises
            log.warning("model.keras will not be written, only its weights: %s", error)
            return False
    return True
