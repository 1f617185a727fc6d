"""stage=base: train one network, from its initial weights or from another network."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mc.lab import missing, naming
from mc.lab.graph import COMMON, Inputs, Network, Run
from mc.lab.settings import setting
from mc.lab.stages.common import Training, check_best

# Of a network that others start from, where it is named by its seed: it itself started afresh.
AFRESH = {
    "train.base.start": None,
    "train.base.start_schedule": "restart",
    "train.base.start_order": "same",
    "train.base.start_optimizer": "reset",
    "trainable": None,
    "lora.rank": None,
    "lora.alpha": None,
}


ADAPTED = "network.npz"  # of a run with adapters: w and state, since Keras' files merge them


class Base(Run):
    """Train one network, from its initial weights or from another network."""

    name, section = "base", "train.base"
    depends = (
        *(*COMMON, "model", "optimizer", "seed", "devices", "train.base"),
        *("lora.rank", "lora.alpha"),
    )
    numbers = ("<split>/<metric>", "moving/<split>/<metric>")
    headlines = ("train/loss", "test/error", "test/mse")
    makes = "model.weights.h5"  # the trained network
    makes_networks = True

    @dataclass
    class Settings(Training):
        """How a base network is trained."""

        save_every: int | None = setting(
            None,
            "keep the state after every so many epochs, for networks such as 1@160",
            low=1,
            counts=False,
        )
        save_steps: list[int] | None = setting(
            None,
            "keep the state after these steps too, for networks such as 1@step100",
            counts=False,
        )
        order_seed: int | None = setting(
            None,
            "of the order of examples and their augmentation; null: seed",
            low=0,
            added=True,
        )
        start: Any = setting(
            None, "begin at another network, in the form of endpoints", added=True, names="network"
        )
        start_schedule: str = setting(
            "restart",
            "of a start: begin its schedule and data anew, or continue, epochs counting from its "
            "own first",
            of=("restart", "continue"),
            added=True,
        )
        start_order: str = setting(
            "same",
            "of start_schedule=continue: whether the network that it starts from was trained in "
            "the same order, or in that of its own seed, from which this one parts",
            of=("same", "own"),
            added=True,
        )
        start_optimizer: str = setting(
            "reset",
            "of a start that was kept after an epoch or a step: reset or keep what its optimizer "
            "has gathered",
            of=("reset", "keep"),
            added=True,
        )

    def inputs(self) -> Inputs:
        """The network that it starts from, if there is one."""
        typed = self["train.base.start"]
        if typed is None:
            return {}
        afresh: dict[str, Any] = dict(AFRESH)
        how = self["train.base.start_schedule"], self["train.base.start_order"]
        if how != ("continue", "same"):  # else its order is gone on with
            afresh["train.base.order_seed"] = None
        return {"start": type(self)(self.variants, **self.changes | afresh).network(typed)}

    @property
    def origin(self) -> Network | None:
        """Of a start that goes back to a file, that file's layers, not those of the model group."""
        return next((start for start in self.networks if start.is_of_files), None)

    def idle(self) -> tuple[str, ...]:
        """The start enters by what it is; without one, how it is gone on with."""
        how = ("train.base.start_schedule", "train.base.start_optimizer")
        unused = () if self["train.base.start"] is not None else how
        # What order the start was trained in, its own fingerprint says.
        return ("train.base.start", "train.base.start_order", "lora.paths", *unused)

    def named_by(self) -> tuple[str, ...]:
        """The start may be named."""
        return () if self["train.base.start"] is None else ("train.base.start",)

    def key(self, own: dict, ids: dict) -> dict:
        """The section lies under `train`."""
        own["train"] = own.pop("train.base")
        return own | ids

    def files_of(self, named: naming.Network) -> list[Path]:
        """Its weights, or those of a saved epoch or step."""
        if named.step is not None:
            return [saved_step(self.folder, named.step)]
        if named.epoch is not None:
            return [saved_epoch(self.folder, named.epoch)]
        return [self.folder / ADAPTED if self["lora.rank"] else self.result]

    def adapters_of(self, named: naming.Network | None = None) -> dict[str, Any] | None:
        """Those of all of its networks."""
        rank, alpha = self["lora.rank"], self["lora.alpha"]
        return {"rank": rank, "alpha": alpha} if rank else None

    def check_has(self, named: naming.Network) -> None:
        """Raise unless the run has a saved epoch or step, or will keep it once it is made.

        Raises:
            ValueError: says what to type.
        """
        epoch, epochs = named.epoch, self["train.base.epochs"]
        if not named.is_kept or self.files_of(named)[0].is_file():
            return
        if epoch is not None and epoch > epochs:
            raise ValueError(
                f"Base networks are trained for {epochs} epochs (train.base.epochs), so there is "
                f"no epoch {epoch} of network {named.seed}."
            )
        if self.is_done:
            name = str(named.typed).partition("@")[0]
            if named.step is not None:
                self.check_keeps(name, "step", [named.step])
            else:
                self.check_keeps(name, "epoch", [named.epoch])

    def check_keeps(self, name: str, what: str, wanted: list) -> None:
        """Raise unless the finished run has kept the networks after some epochs or steps.

        Args:
            name: of the network.
            what: `epoch` or `step`.
            wanted: their numbers.

        Raises:
            ValueError: gives the command that trains it again and keeps these too.
        """
        kept = {
            kind: {int(path.stem) for path in self.folder.glob(f"{kind}s/[0-9]*.npz")}
            for kind in ("epoch", "step")
        }
        there = sorted(kept[what])
        if not (gone := [number for number in wanted if number not in there]):
            return
        kept[what] |= set(wanted)
        keep: dict[str, Any] = {}
        if kept["epoch"]:
            keep["train.base.save_every"] = math.gcd(*kept["epoch"])
        if kept["step"]:
            keep["train.base.save_steps"] = f"[{','.join(map(str, sorted(kept['step'])))}]"
        words = [f"{key}={value}" for key, value in keep.items()]
        typed = [o for o in missing.typed() if o.partition("=")[0] not in keep]
        own = Base(self.variants, **{k: v for k, v in self.changes.items() if k not in keep})
        raise ValueError(
            f"Base network {name} has no saved {what} {', '.join(map(str, gone))}; it has "
            f"{there or 'none'}. Train it again, so that it keeps "
            f"{'it' if len(gone) == 1 else 'them'}:\n  {own.command(typed, *words, 'force=true')}"
        )

    def check_settings(self) -> None:
        """Raise unless steps to keep are numbers of steps.

        Raises:
            ValueError: says what to type.
        """
        steps = self["train.base.save_steps"]
        if steps is not None and (not steps or min(steps) < 0):
            raise ValueError(
                "train.base.save_steps must be numbers of steps, at least 0 (the initial weights); "
                f"received train.base.save_steps={steps}. Type for example "
                "'train.base.save_steps=[0,100]'."
            )

    def check_run(self) -> None:
        """Raise unless a start can be gone on with as is asked.

        Raises:
            ValueError: says what to type.
        """
        check_best(self)
        if self["lora.alpha"] is not None and self["lora.rank"] is None:
            raise ValueError(
                f"lora.alpha={self['lora.alpha']} acts with adapters alone: type lora.rank=4 too."
            )
        start = self.networks[0] if self.networks else None
        continues = self["train.base.start_schedule"] == "continue"
        keeps = self["train.base.start_optimizer"] == "keep"
        if self["train.base.start_order"] == "own" and not continues:
            raise ValueError(
                "train.base.start_order=own acts where a schedule is gone on with: type train.base."
                "start=1@step100 train.base.start_schedule=continue too, or leave it out."
            )
        if start is None:
            if continues or keeps:
                which = "start_schedule=continue" if continues else "start_optimizer=keep"
                raise ValueError(
                    f"train.base.{which} is of a network that the training starts from: type "
                    "train.base.start=NETWORK too, such as train.base.start=1@step100."
                )
            return
        if continues:
            self._check_continues(start)
        if keeps:
            self._check_keeps(start)

    def _check_continues(self, start: Network) -> None:
        typed = start.named.typed
        if start.run is None or start.run.name != self.name:
            raise ValueError(
                "train.base.start_schedule=continue needs a base network, whose steps are known; "
                f"received train.base.start={typed}. Leave it out to begin its schedule anew."
            )
        if not start.named.is_kept and start.run["train.base.best"]:
            raise ValueError(
                f"train.base.start_schedule=continue: {typed} is the best epoch of its training, "
                "and not the last. Name an epoch or a step that it has kept, such as "
                f"{typed}@{start.run['train.base.epochs']}."
            )
        if not start.named.is_kept and start.run.own["dataset"] != self.own["dataset"]:
            raise ValueError(
                f"train.base.start_schedule=continue: {typed} was trained on other data, whose "
                "steps in an epoch are not known here. Name it as it was kept after an epoch, "
                f"{typed}@{start.run['train.base.epochs']}, or begin its schedule anew."
            )

    def _check_keeps(self, start: Network) -> None:
        typed = start.named.typed
        if not start.named.is_kept:
            raise ValueError(
                "train.base.start_optimizer=keep needs a network that was kept after an epoch or a "
                f"step, with its optimizer; received train.base.start={typed}. Type for example "
                f"train.base.start={typed}@{self['train.base.epochs']}."
            )
        others = start.run is None or start.run["trainable"] != self["trainable"]
        if others or self["lora.rank"] or start.adapters:
            raise ValueError(
                f"train.base.start_optimizer=keep: what the optimizer of {typed} has gathered is "
                "of other weights than those that are trained here (trainable, lora.rank). Leave "
                "it out."
            )

    def both(self, other: Run) -> Run:
        """The run that keeps all epochs and steps that are wanted of it."""
        if self.named_folder:  # which is made
            return self
        every = [run["train.base.save_every"] for run in (self, other)]
        steps = [*(self["train.base.save_steps"] or ()), *(other["train.base.save_steps"] or ())]
        kept: dict[str, Any] = {}
        if common := math.gcd(*(n for n in every if n is not None)):
            kept["train.base.save_every"] = common
        if steps:
            kept["train.base.save_steps"] = sorted(set(steps))
        return self.of("base", **self.changes | kept) if kept else self


def saved_epoch(folder: Path, epoch: int) -> Path:
    """The file of a run's state after an epoch."""
    return folder / "epochs" / f"{epoch}.npz"


def saved_step(folder: Path, step: int) -> Path:
    """The file of a base run's state after a step."""
    return folder / "steps" / f"{step}.npz"


def saved_epochs(folder: Path) -> list[Path]:
    """The files of all states that a run has kept, in order; of stage=fge, its members."""
    return sorted((folder / "epochs").glob("[0-9]*.npz"), key=lambda path: int(path.stem))
