"""Runs that are nearly the one that is missing, so that a setting left out is noticed."""

from pathlib import Path

import yaml

from mc.lab.graph import TYPED_ONCE, Run
from mc.lab.settings import as_typed
from mc.lab.variants import CALLABLES, flat, plain

LOOKED_AT = 100  # of the runs of a stage, the newest
MOST = 3  # settings that differ; more is another experiment
# Where and how a run was made: runs that differ in these alone are one.
ASIDE = (*TYPED_ONCE, "output_dir", "imports", "wandb")


def settings_of_nearest(run: Run) -> str | None:
    """What to type for the finished run that differs least from one that is missing.

    Such as `train.curve.epochs=10`; None if none is near. Networks are not exchanged: not
    `endpoints`, nor the seed of a base network.
    """
    made = Path(run["output_dir"]) / run.name
    there = [path for path in made.glob("*/summary.json") if ".old-" not in path.parent.name]
    there = sorted(there, key=lambda path: -path.stat().st_mtime)[:LOOKED_AT]
    search = _Search(run)
    differing = (search.differing(path.parent) for path in there)
    found: list[list[str]] = [near for near in differing if near]
    return " ".join(sorted(found, key=len)[0]) if found else None


class _Search:
    """What makes other runs of a stage another than one."""

    def __init__(self, run: Run):
        self.run = run
        self.digits: dict[str, str] = {}
        self.own = _flat(plain(run.cfg))
        raw = _flat(plain(run.cfg, resolve=False))
        self.follows = {key for key, value in raw.items() if str(value).startswith("${")}
        self.asked = {"endpoints", *run.changes}  # networks are not exchanged

    def differing(self, folder: Path) -> list[str] | None:
        """What to type for a folder's run, if few settings make it another."""
        try:
            text = (folder / "config.yaml").read_text()
            other = _flat(yaml.load(text, Loader=yaml.CSafeLoader))
        except (OSError, yaml.YAMLError, AttributeError):  # gone or damaged
            return None
        if any(key.partition(".")[0] in CALLABLES for key in self.own.keys() ^ other.keys()):
            return None  # of another callable
        both = self.own.keys() & other.keys()
        changed = {key: other[key] for key in sorted(both) if self.own[key] != other[key]}
        acting = {k: v for k, v in changed.items() if self._name({k: v}) != self._name({})}
        leading = {k: v for k, v in acting.items() if k not in self.follows}
        if self._name(leading) == self._name(acting):  # the rest follows by itself
            acting = leading
        if not 1 <= len(acting) <= MOST or self.asked & acting.keys():
            return None
        if self._name(acting) != folder.name.rpartition("-")[2][:8]:
            return None
        return [f"{key}={as_typed(value)}" for key, value in acting.items()]

    def _name(self, changes: dict) -> str:
        """The digits in the name of the run with some settings changed."""
        if (key := repr(changes)) not in self.digits:
            try:
                variants = self.run.variants.changed(changes)
                other = type(self.run)(variants, **self.run.changes)
                self.digits[key] = other.fingerprint[:8]
            except (OSError, ValueError):  # such as a file that is gone
                self.digits[key] = ""
        return self.digits[key]


def _flat(settings: dict) -> dict:
    return flat({name: value for name, value in settings.items() if name not in ASIDE})
