"""stage=landscape: metrics in one or two directions from a network."""

from dataclasses import dataclass
from typing import Any

from mc.lab import naming
from mc.lab.graph import COMMON, Inputs, Network, Run
from mc.lab.settings import default_of, setting
from mc.lab.stages.base import Base
from mc.lab.stages.common import BATCHNORM, common, splits, statistics
from mc.lab.stages.curve import CORNERS

DIRECTIONS = ("random", "principal", "hessian", "networks")
NORMS = ("filter", "layer", "weight", "none")  # as mc.landscape.directions
EPOCHS = 3  # that a training needs, which is drawn in a plane
OF_RANDOM = ("landscape.norm", "landscape.biases", "landscape.repeats")


class Landscape(Run):
    """Metrics in one or two directions from a network."""

    name = "landscape"
    depends = (*COMMON, "seed", "landscape", *BATCHNORM, "eval.splits", "train.base.weight_decay")
    numbers = ("landscape/<split>/<metric>/<seen>", "landscape/explained")
    headlines = (
        *("landscape/train/loss/centre", "landscape/train/loss/max", "landscape/explained"),
        *("landscape/test/error/centre", "landscape/test/error/max", "landscape/test/mse/max"),
    )
    draws = ("landscape.npz",)

    @dataclass
    class Settings:
        """Around which network, in which directions, and how far."""

        network: Any = setting(
            "${endpoints[0]}",
            "the one in the middle, in the form of endpoints",
            repeats=True,
            names="network",
        )
        t: float | None = setting(None, "or the network of the curve at this t")
        directions: str = setting(
            "random",
            "random; principal, of the epochs that its run has kept, with its training; hessian, "
            "of its largest eigenvalues; or networks",
            of=DIRECTIONS,
        )
        networks: list[Any] | None = setting(
            None,
            "of directions=networks: one for each direction, in the form of endpoints",
            names="networks",
        )
        norm: str = setting(
            "filter", "what of a random direction is as long as in the network", of=NORMS
        )
        biases: bool = setting(False, "of random ones: biases and normalisations are moved, too")
        dims: int = setting(2, "directions of a view", low=1)
        repeats: int = setting(1, "views of random directions", low=1, smoke=1)
        x: list[float] | None = setting(
            None,
            "from where to where along the first; null: [-1,1], or all that is to be seen",
        )
        y: list[float] | None = setting(None, "along the second")
        grid_points: int = setting(21, "of the grid in each direction", low=2, smoke=3)
        examples: int | None = setting(
            None,
            "of each split, rounded up to hundreds, from all of it; null: all",
            low=1,
            smoke=100,
        )
        batchnorm: str = setting(
            "estimated",
            "statistics of BatchNorm: estimated at every point, or fixed, those of the middle",
            of=("estimated", "fixed"),
        )

    def inputs(self) -> Inputs:
        """The network in the middle, or the curve; and those that directions go to."""
        middle = self.middle
        found: dict[str, Any] = (
            {"curve": self.of("curve")} if middle is None else {"middle": middle}
        )
        if self["landscape.directions"] == "networks":
            found["networks"] = [self.network(n) for n in self["landscape.networks"] or ()]
        return found

    @property
    def middle(self) -> Network | None:
        """The network in the middle; None: it is one of the curve."""
        if self["landscape.t"] is not None:
            return None
        return self.network(self["landscape.network"])

    def key(self, own: dict, ids: dict) -> dict:
        """What is in the middle, and where it looks."""
        looks = own["landscape"] | statistics(own) | {"splits": splits(own)}
        looks |= {"weight_decay": own["train.base.weight_decay"]}
        if self["landscape.directions"] == "principal":
            looks |= {"save_every": self["train.base.save_every"]}
        return common(own) | ids | {"landscape": looks, "seed": own["seed"]}

    def idle(self) -> tuple[str, ...]:
        """The network enters by what it is; what is of other directions."""
        idle = ["landscape.network", "landscape.networks"]
        if self["landscape.directions"] != "random":
            idle += OF_RANDOM
        if self["landscape.directions"] in ("principal", "networks"):
            idle.append("seed")
        if self["landscape.dims"] == 1:
            idle.append("landscape.y")
        if self["landscape.t"] is not None:
            idle.append("train.base.weight_decay")
        return tuple(idle)

    def named_by(self) -> tuple[str, ...]:
        """The middle may be named."""
        return () if self["landscape.t"] is not None else ("landscape.network",)

    def check_settings(self) -> None:
        """Raise unless there are one or two directions, each over a range.

        Raises:
            ValueError: says which key, the rule, and what to type.
        """
        dims = self["landscape.dims"]
        if dims > 2:
            raise ValueError(
                "landscape.dims must be 1, a profile, or 2, a map; received "
                f"landscape.dims={dims}. Type landscape.dims=2, or leave it out."
            )
        for key in ("x", "y"):
            given = self[f"landscape.{key}"]
            if given is not None and (len(given) != 2 or not given[0] < given[1]):
                raise ValueError(
                    f"landscape.{key} must be two increasing numbers, from where to where; "
                    f"received landscape.{key}={given}. Type for example 'landscape.{key}=[-1,1]'."
                )
        t = self["landscape.t"]
        if t is not None and not 0 <= t <= 1:
            raise ValueError(f"landscape.t must be a position in [0, 1]; received landscape.t={t}.")

    def check_run(self) -> None:
        """Raise unless there is what directions are made of.

        Raises:
            ValueError: says what to type.
        """
        directions, dims = self["landscape.directions"], self["landscape.dims"]
        networks = self["landscape.networks"]
        self._check_acting()
        middle = self["landscape.network"] if self["landscape.t"] is None else None
        named = [*(networks or ()), *([] if middle is None else [middle])]
        if directions == "networks" and len(set(map(str, named))) < len(named):
            raise ValueError(
                "landscape.networks must be different ones, and none of them the one in the "
                f"middle; received landscape.networks={networks} around {middle}."
            )
        if directions == "networks" and len(networks or ()) != dims:
            raise ValueError(
                "landscape.directions=networks needs a network for each direction, and "
                f"landscape.dims={dims}: type for example 'landscape.networks="
                f"{'[2]' if dims == 1 else '[2,3]'}'; received landscape.networks={networks}."
            )
        if self["landscape.t"] is not None and self["curve"].get("_target_") in CORNERS:
            raise ValueError(
                "landscape.t is a position on a curve, and this is a surface: leave it out, and "
                "type a network as landscape.network=1."
            )
        if directions == "principal":
            self._check_trajectory()

    def _check_acting(self) -> None:
        """Raise where a setting of other views is set, which would not act."""
        idle = [key for key in self.idle() if key not in ("landscape.network", "seed")]
        if self["landscape.directions"] == "networks":
            idle.remove("landscape.networks")
        idle = [key for key in idle if key.startswith("landscape.")]
        typed = [key for key in idle if self[key] != default_of(Run.fields[key])]
        if typed:
            raise ValueError(
                f"{', '.join(typed)}: of other views than this one, landscape.directions="
                f"{self['landscape.directions']} landscape.dims={self['landscape.dims']}. Leave "
                f"{'it' if len(typed) == 1 else 'them'} out."
            )
        if self["align.method"] != "none":
            raise ValueError(
                f"stage=landscape looks at networks as they are; received align="
                f"{self['align.method']}. Type align=none, or look at one that was renumbered by "
                "stage=plane."
            )

    def _check_trajectory(self) -> None:
        middle = self.middle
        named = None if middle is None else naming.read(self["landscape.network"])
        if middle is None or named is None or named.seed is None:
            raise ValueError(
                "landscape.directions=principal are those of the epochs that a base network's run "
                "has kept: type landscape.network=1, and leave landscape.t out; received "
                f"landscape.network={self['landscape.network']} and landscape.t="
                f"{self['landscape.t']}."
            )
        if self["landscape.dims"] == 1:
            raise ValueError("landscape.directions=principal is a map: leave landscape.dims out.")
        if self["smoke"]:
            raise ValueError(
                f"landscape.directions=principal needs {EPOCHS} epochs, and those of smoke=true "
                "are two: leave one of them out."
            )
        every, last = self["train.base.save_every"], self.last_epoch
        if every is None or last // every < EPOCHS:
            raise ValueError(
                f"landscape.directions=principal needs {EPOCHS} epochs that a training has kept: "
                f"type train.base.save_every=1; received train.base.save_every={every} of {last} "
                "epochs."
            )
        if isinstance(run := middle.run, Base) and run.is_done:
            run.check_keeps(str(named.seed), "epoch", list(range(every, last + 1, every)))

    @property
    def last_epoch(self) -> int:
        """Of the training that is drawn."""
        return naming.read(self["landscape.network"]).epoch or self["train.base.epochs"]

    def check_objective(self, name: str) -> None:
        """Raise where the settings leave a number out.

        Raises:
            ValueError: says which setting makes it.
        """
        if name == "landscape/explained" and self["landscape.directions"] != "principal":
            raise ValueError(
                "objective=landscape/explained is made by landscape.directions=principal alone; "
                "type it too."
            )
