"""stage=eval: metrics along the trained curve and along the straight segment between its ends."""

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from mc.evaluation import metrics
from mc.lab.graph import Inputs, Network, Run
from mc.lab.settings import setting
from mc.lab.stages.common import splits
from mc.lab.stages.curve import CORNERS
from mc.lab.stages.neb import is_autoneb
from mc.lab.words import SPLITS

ON_CURVES = ("num_points", "t", "initial", "repair", "compare", "layers", "predictions")
ON_CURVES = tuple(f"eval.{name}" for name in ON_CURVES)
CLOSEST = 1e-6  # two t that are nearer are one in float32, or in the names of figures


class Eval(Run):
    """Metrics along the trained curve and along the straight segment between its ends."""

    name = "eval"
    depends = ("eval",)
    numbers: ClassVar[tuple[str, ...]] = (
        *("<path>/<split>/<metric>/<statistic>", "<path>/<split>/<compared>/<statistic>"),
        *("curve/length", "curve/chord", "curve/length_ratio"),
        *("surface/<split>/<metric>/<spread>", "surface/volume"),
        "layers/<split>/<metric>/<barrier>/<spread>",
    )
    headlines: ClassVar[tuple[str, ...]] = (
        *("curve/train/loss/max", "curve/test/error/max", "curve/test/mse/max"),
        *("curve/train/loss/barrier_max", "curve/test/error/barrier_max"),
        *("linear/test/error/max", "linear/test/mse/max", "curve/length_ratio"),
        *("surface/train/loss/max", "surface/test/error/max", "surface/test/mse/max"),
    )
    draws: ClassVar[tuple[str, ...]] = (
        *("points.csv", "layers.csv", "surface.csv", "functions.npz", "predictions.npz"),
    )

    @dataclass
    class Settings:
        """Where along the curve to evaluate, and on what."""

        num_points: int = setting(61, "equidistant t, ends included", low=2, smoke=3)
        t: list[float] | None = setting(None, "or these t only, such as [0.5]")
        cells: int = setting(
            10, "of a surface: cells of its grid along an edge", low=1, smoke=2, added=True
        )
        splits: list[str] | None = setting(
            None, "of train, valid, test; null: all that the dataset has"
        )
        train_examples: int | None = setting(
            None,
            "of stage=eval: so many of the training data, rounded up to hundreds, from all of them",
            low=1,
            added=True,
        )
        batch_size: int = setting(500, "examples at a time", low=1, counts=False)
        bn_batch_size: int = setting(
            500, "of the batches that BatchNorm statistics come from", low=1
        )
        bn_batches: int | None = setting(
            None, "how many of them; null: all of the training data", low=1
        )
        initial: bool = setting(
            False, "evaluate the curve before its training too, as path initial", added=True
        )
        repair: bool = setting(
            False,
            "evaluate the straight segment also with the mean and deviation of all units brought "
            "between those at its ends, as path repaired: for networks without BatchNorm",
            added=True,
        )
        compare: bool = setting(
            False,
            "compare predictions with those of the two ends too: the fraction that is of another "
            "class, and the Jensen-Shannon distance of the probabilities",
            added=True,
        )
        layers: bool = setting(
            False,
            "also the barrier of each layer alone: straight segments from the start on which one "
            "layer moves to where it is at the end",
            added=True,
        )
        predictions: list[float] | None = setting(
            None,
            "t at which to keep predictions of the test data, such as [0,0.5,1]: draws confusion "
            "matrices and the density of the probability of the true class",
        )

    def inputs(self) -> Inputs:
        """The curve; with `align` also the run that has renumbered the network at its end."""
        curve = self.of("curve")
        aligned = curve.networks[-1].run
        if self["align.method"] == "none" or aligned is None:
            return {"curve": curve}
        return {"curve": curve, "alignment": aligned}

    @property
    def networks(self) -> list[Network]:
        """Those that the curve joins."""
        return self.of("curve").networks

    def key(self, own: dict, ids: dict) -> dict:
        """It depends on its curve, and on where and on what it looks: it draws nothing."""
        looks = own["eval"]
        return ids | {"eval": looks | {"splits": splits({"eval.splits": looks["splits"]})}}

    def idle(self) -> tuple[str, ...]:
        """The number of points, where they are given; what is of splits that are left out.

        Of a surface where along a curve, of a curve where on a surface.
        """
        points = ("eval.cells", *(("eval.num_points",) if self["eval.t"] else ()))
        if self.of_surface:
            points = ON_CURVES
        chosen = self["eval.splits"]
        return points if chosen is None or "train" in chosen else (*points, "eval.train_examples")

    @property
    def of_surface(self) -> bool:
        """Whether it looks at a surface."""
        return self["curve"].get("_target_") in CORNERS

    def check_run(self) -> None:
        """Raise unless what is asked for is of curves, or the curve is one.

        Raises:
            ValueError: says what to leave out.
        """
        if is_autoneb(self) and self["eval.initial"]:
            raise ValueError(
                "eval.initial=true: AutoNEB begins on the straight segment, which is evaluated as "
                "path linear. Leave it out."
            )
        given = [key for key in ON_CURVES[1:] if self.of_surface and self[key]]
        if given:
            raise ValueError(
                f"{', '.join(given)}: these are of curves, and this is a surface, which is "
                "evaluated on a grid of eval.cells. Leave them out."
            )

    def check_settings(self) -> None:
        """Raise unless the positions increase, and the splits are known.

        Raises:
            ValueError: says which key, the rule, and what to type.
        """
        for key in ("eval.t", "eval.predictions"):
            check_positions(key, self[key])
        given = self["eval.splits"]
        if given == [] or set(given or ()) - set(SPLITS):
            raise ValueError(
                f"eval.splits must be some of {', '.join(SPLITS)}; received eval.splits={given}."
            )

    def check_objective(self, name: str) -> None:
        """Raise where the settings leave a number out, or the chosen t a statistic undefined.

        Raises:
            ValueError: says which setting makes it.
        """
        words, t = name.split("/"), self["eval.t"] or (0, 1)
        if self.of_surface != (words[0] == "surface"):
            of, other = ("surface", "a curve") if self.of_surface else ("curve", "a surface")
            raise ValueError(
                f"objective={name} is of {other}; this run makes for example "
                f"objective={of}/test/error/max."
            )
        if self.of_surface:
            return
        if words[0] == "initial" and not self["eval.initial"]:
            raise ValueError(f"objective={name} is made with eval.initial=true alone; type it too.")
        if words[0] == "repaired" and not self["eval.repair"]:
            raise ValueError(f"objective={name} is made with eval.repair=true alone; type it too.")
        found = (metrics.found(word) for word in words)
        if any(metric and metric.compared for metric in found) and not self["eval.compare"]:
            raise ValueError(f"objective={name} is made with eval.compare=true alone; type it too.")
        if words[0] == "layers" and not self["eval.layers"]:
            raise ValueError(f"objective={name} is made with eval.layers=true alone; type it too.")
        if words[0] == "unaligned" and self["align.method"] == "none":
            raise ValueError(f"objective={name} is made with align=weights or align=activations.")
        needs = {"start": t[0] == 0, "end": t[-1] == 1, "integral": len(t) > 1}
        of_ends = words[-1].startswith("barrier") or words[-1] in ("length", "length_ratio")
        whole = needs["start"] and needs["end"]
        if not needs.get(words[-1], True) or (of_ends and not whole):
            raise ValueError(
                f"objective={name} is not defined at eval.t={list(t)} alone: add the ends 0 and 1."
            )


def check_positions(key: str, t: list[float] | None) -> None:
    """Raise unless positions that are given increase, in [0, 1], far enough apart to differ."""
    if t is None:
        return
    if not t or any(not 0 <= v <= 1 for v in t) or any(a >= b for a, b in pairwise(t)):
        raise ValueError(
            f"{key} must be increasing positions in [0, 1]; received {key}={t}. Type for example "
            f"'{key}=[0,0.5,1]'."
        )
    for a, b in pairwise(t):
        if a + CLOSEST > b:
            raise ValueError(
                f"{key}={t}: {a} and {b} are one position in float32, or in the name of a figure. "
                f"Keep them at least {CLOSEST} apart."
            )
