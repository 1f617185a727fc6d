"""The settings of AutoNEB, by which a curve may be found in place of being trained at random t."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mc.lab.settings import default_of, setting

if TYPE_CHECKING:
    from mc.lab.graph import Run

CHAINS = ("mc.curves.PolyChain", "mc.PolyChain")
# Of train.curve: what AutoNEB has of its own, or is without.
SAMPLED = ("init", "fix_start", "fix_end", "fix", "draws", "law", "volume", "cosine")
SAMPLED = (*SAMPLED, "best", "save_every")
SCHEDULED = ("epochs", "steps_per_epoch", "learning_rate", "schedule")  # the cycles have theirs


@dataclass
class Neb:
    """The cycles of train.curve.method=autoneb, whose first has num_bends pivots."""

    steps: list[int] = setting([500, 500, 500, 500], "training steps of each cycle", added=True)
    learning_rates: list[float] = setting(
        [0.05, 0.05, 0.01, 0.001],
        "of each cycle, in place of train.curve.learning_rate",
        added=True,
    )
    insert: int = setting(
        2, "links at most that get a pivot before a cycle, from the second on", low=0, added=True
    )
    threshold: float = setting(
        0.1,
        "of a link's excess of train/loss over that of its ends, as a fraction of the range over "
        "the pivots, above which it gets one",
        low=0,
        added=True,
    )
    subsample: int = setting(
        9, "points within each link that are looked at after a cycle", low=1, smoke=1, added=True
    )


def is_autoneb(run: "Run") -> bool:
    """Whether the curve of a run is found by AutoNEB."""
    return run["train.curve.method"] == "autoneb"


def check(run: "Run") -> None:
    """Raise unless the cycles are such, and settings that only the other method has are left alone.

    A recipe may set the cycles for both.

    Raises:
        ValueError: says what to type.
    """
    if not is_autoneb(run):
        return
    if run["curve"].get("_target_") not in CHAINS or run["curve"].get("num_bends") == 0:
        raise ValueError(
            "train.curve.method=autoneb finds polygonal chains, and begins with num_bends pivots, "
            "at least one: type curve=polychain num_bends=3; received curve._target_="
            f"{run['curve'].get('_target_')}, num_bends={run['curve'].get('num_bends')}."
        )
    keys = [f"train.curve.{name}" for name in SAMPLED]
    typed = [key for key in keys if run[key] != default_of(type(run).fields[key])]
    if typed:
        raise ValueError(
            f"{', '.join(typed)}: of train.curve.method=sampled, and this is train.curve.method="
            f"autoneb. Leave {'it' if len(typed) == 1 else 'them'} out."
        )
    if run["devices"] not in (None, 1):
        raise ValueError(
            "train.curve.method=autoneb trains on one device: leave devices out; received "
            f"devices={run['devices']}."
        )
    steps, rates = run["neb.steps"], run["neb.learning_rates"]
    if not steps or len(steps) != len(rates) or min(steps) < 1 or not min(rates) > 0:
        raise ValueError(
            "neb.steps and neb.learning_rates must have a number for each cycle, at least 1 and "
            f"greater than 0; received neb.steps={steps} neb.learning_rates={rates}. Type for "
            "example 'neb.steps=[500,500]' 'neb.learning_rates=[0.05,0.01]'."
        )
