"""stage=curve: train the curve between two endpoint networks."""

import re
from dataclasses import dataclass
from pathlib import Path

from mc.lab import fingerprints
from mc.lab.graph import COMMON, Inputs, Run
from mc.lab.settings import setting
from mc.lab.stages import neb
from mc.lab.stages.base import saved_epoch
from mc.lab.stages.common import Training, check_best
from mc.lab.stages.joining import joined

LAWS = ("uniform", "arc_length")
SIMPLEX = ("mc.surfaces.Simplex", "mc.Simplex")
SQUARE = ("mc.surfaces.BezierSurface", "mc.BezierSurface")
# Of families that are no curves: the least and the largest number of networks that they join.
CORNERS = dict.fromkeys(SIMPLEX, (1, float("inf"))) | dict.fromkeys(SQUARE, (4, 4))
METHODS = ("sampled", "autoneb")
NEB_NUMBERS = ("neb/gradients", "neb/cycle", "neb/pivots", "neb/length_ratio")
INITS = ("linear", "random")  # starting points of a curve that are not another curve


class Curve(Run):
    """Train the curve between two endpoint networks."""

    name, section = "curve", "train.curve"
    depends = (*COMMON, "curve", "optimizer", "seed", "devices", "train.curve", "neb")
    numbers = ("<watched>/<measure>", "neb/train/<metric>/max", *NEB_NUMBERS)
    headlines = NEB_NUMBERS
    draws = ("band.csv",)
    makes = "curve.npz"
    is_curve = True

    @dataclass
    class Settings(Training):
        """How a curve is trained."""

        epochs: int = setting(40, "how often the data are passed", low=1, smoke=2)
        method: str = setting(
            "sampled",
            "sampled: at random t, which lowers the mean loss; or autoneb, of curve=polychain: "
            "pivots descend across the path, and more are put where it rises most (see neb)",
            of=METHODS,
            added=True,
        )
        save_every: int | None = setting(
            None,
            "keep the curve after every so many epochs, for init=FOLDER@EPOCH",
            low=1,
            counts=False,
        )
        init: str = setting(
            "linear", "linear, random (fresh initial weights), or a curve's FOLDER or FOLDER@EPOCH"
        )
        fix_start: bool = setting(True, "the start network stays as it is")
        fix_end: bool = setting(True, "the end network stays as it is")
        fix: list[int] | None = setting(
            None,
            "the control points, numbered from 0, that stay as they are, in place of fix_start and "
            "fix_end; null: of a surface its corners",
            added=True,
        )
        draws: int = setting(
            1, "t of a step, whose gradients are averaged", low=1, smoke=2, added=True
        )
        law: str = setting(
            "uniform", "of t: uniform, or by arc_length of the curve", of=LAWS, added=True
        )
        volume: float = setting(
            0.0, "of -log(volume) of a simplex, added to the loss", low=0, added=True
        )
        cosine: float = setting(
            0.0,
            "of cos^2 of the angle between the kernels of two control points, added to the loss",
            low=0,
            added=True,
        )

    def inputs(self) -> Inputs:
        """The networks that it joins."""
        return {"endpoints": joined(self, self["endpoints"])}

    def named_by(self) -> tuple[str, ...]:
        """They are named at the top."""
        return ("endpoints",)

    def key(self, own: dict, ids: dict) -> dict:
        """The section lies under `train`; a curve to go on from enters by its file."""
        train, cycles = own.pop("train.curve"), own.pop("neb")
        if neb.is_autoneb(self):
            train = train | {"neb": cycles}
        if (given := curve_file(train["init"])) is not None:
            train = train | {"init": fingerprints.of_file(given)}
        return own | ids | {"train": train}

    def idle(self) -> tuple[str, ...]:
        """How a curve is trained at random t, where it is found by AutoNEB."""
        return tuple(f"train.curve.{n}" for n in neb.SCHEDULED) if neb.is_autoneb(self) else ()

    def drawn_from(self) -> tuple[str, ...]:
        """The bands of AutoNEB; of another curve there is nothing to draw."""
        return self.draws if neb.is_autoneb(self) else ()

    def forms(self) -> tuple[str, ...]:
        """Those of the method."""
        of_neb = neb.is_autoneb(self)
        return tuple(form for form in self.numbers if form.startswith("neb/") == of_neb)

    def check_settings(self) -> None:
        """Raise unless there are two networks to join, and a curve to go on from is there.

        Raises:
            ValueError, FileNotFoundError: says what to type.
        """
        ends, corners = self["endpoints"], CORNERS.get(self["curve"].get("_target_"), (2, 2))
        if not corners[0] <= len(ends) <= corners[1] or len(set(map(str, ends))) < len(ends):
            raise ValueError(_told(corners, ends))
        given = curve_file(self["train.curve.init"])
        if given is not None and not given.is_file():
            raise FileNotFoundError(
                f"train.curve.init must be {', '.join(INITS)}, or the folder of a curve, with "
                f"@EPOCH for a saved epoch; there is no file {given}."
            )

    def check_run(self) -> None:
        """Raise unless there is something to train.

        Raises:
            ValueError: says which setting gives it.
        """
        neb.check(self)
        check_best(self)
        self._check_terms()
        self._check_fix()
        fixed = self["train.curve.fix_start"] and self["train.curve.fix_end"]
        if self["curve"].get("num_bends") != 0 or self["train.curve.fix"] is not None:
            return
        if self["curve"].get("_target_") in CORNERS:
            if self["curve"].get("_target_") in SIMPLEX:
                raise ValueError(
                    "Nothing to train: a simplex with num_bends=0 has fixed corners alone. Type "
                    "num_bends=1 or more, or free corners with train.curve.fix=[]."
                )
            return
        if self["train.curve.init"] == "random":
            raise ValueError(
                "train.curve.init=random draws the bends, and num_bends=0 has none. Type "
                "train.curve.init=linear, or num_bends=1 or more."
            )
        if fixed:
            raise ValueError(
                "Nothing to train: num_bends=0 with both ends fixed. Type num_bends=1 or more, or "
                "free an end with train.curve.fix_start=false or train.curve.fix_end=false."
            )

    def _check_terms(self) -> None:
        """Raise where the family of the curve has no such term."""
        target = str(self["curve"].get("_target_"))
        if self["train.curve.law"] == "arc_length" and target in CORNERS:
            raise ValueError(
                "train.curve.law=arc_length is of curves, and this is a surface: type "
                "train.curve.law=uniform."
            )
        volume = self["train.curve.volume"]
        if volume and target.startswith("mc.") and target not in SIMPLEX:
            raise ValueError(
                f"train.curve.volume={volume:g} rewards the volume of a simplex: type "
                "curve=simplex, or train.curve.volume=0."
            )

    def _check_fix(self) -> None:
        """Raise unless those that stay are control points."""
        fix, count = self["train.curve.fix"], num_points(self)
        others = set(fix or ()) - set(range(count or 0))
        if count and others:
            raise ValueError(
                "train.curve.fix lists control points to be left as they are, numbered from 0 to "
                f"{count - 1} here; received {', '.join(map(str, sorted(others)))}."
            )


def _told(corners: tuple[int, float], ends: list) -> str:
    if corners == (2, 2):
        return (
            "endpoints must be two different networks, the start and the end of the curve; "
            f"received endpoints={ends}. Type for example 'endpoints=[1,2]'."
        )
    least, most = corners
    many = f"{least}" if least == most else f"{least} or more"
    example = list(range(1, max(3, int(least)) + 1))
    return (
        f"endpoints must be {many} different networks, the corners of the surface; received "
        f"endpoints={ends}. Type for example 'endpoints={str(example).replace(' ', '')}'."
    )


def num_points(run: Run) -> int | None:
    """How many control points the curve of a run has; None if its settings do not say it."""
    bends, target = run["curve"].get("num_bends"), run["curve"].get("_target_")
    if not isinstance(bends, int) or neb.is_autoneb(run):
        return None
    if target in SIMPLEX:
        return len(run["endpoints"]) + bends
    return (bends + 2) ** (2 if target in SQUARE else 1)


def curve_file(init: str) -> Path | None:
    """The curve that `train.curve.init=FOLDER` or `FOLDER@EPOCH` names; None for one of `INITS`."""
    if init in INITS:
        return None
    named = re.fullmatch(r"(.+)@(\d+)", init)
    return saved_epoch(Path(named[1]), int(named[2])) if named else Path(init) / "curve.npz"
