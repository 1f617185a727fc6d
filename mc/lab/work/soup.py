"""stage=soup: one network whose weights are an average of several networks' weights."""

import logging
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from omegaconf import DictConfig

from mc import curves
from mc.datasets import Data
from mc.ensembles import soups
from mc.evaluation.evaluator import Evaluator, in_blocks
from mc.lab import batch_notes, files
from mc.lab.job import Job
from mc.lab.work import drawings, gathered, kept, measure, networks
from mc.lab.work.data import load_data
from mc.lab.work.gathered import Gathered

log = logging.getLogger(__name__)

Made: TypeAlias = tuple[pd.DataFrame, np.ndarray]  # the steps, and the coefficients of the soup


def run(job: Job) -> dict:
    """Metrics of the soup on every split, and of its members; `steps.csv` has every candidate.

    BatchNorm statistics are those of reports: of every candidate estimated anew, from all clean
    training data in batches of 500. The soup is written as a base network is.

    Raises:
        ValueError: one network, or no validation data to choose by.
    """
    data = load_data(job.cfg)
    how = job.cfg.soup.how
    if how != "uniform" and data.valid is None:
        raise ValueError(
            f"soup.how={how} chooses by validation data, and the dataset has none. Type "
            "dataset.valid_size=100, with which the networks are trained too."
        )
    found = gathered.gather(job, data)
    if how != "tasks":
        gathered.check_several(job, found)
    whole = kept.can_be_saved(found.network.model)
    _say_decay(job)
    measured = Measured(job, data, found)
    table, row = RECIPES[how](job.cfg.soup, found.names, measured)
    _save(job, data, found, row, whole)
    files.save_table(job.folder, "steps", table)
    job.tracker.table("steps", table)
    drawings.draw(job)
    return _summary(table)


class Measured:
    """Metrics of mixtures, a row of coefficients each, which a killed run does not take again.

    Attributes:
        rows: all that have been measured.
        values: `<split>/<metric>` of each, `[len(rows)]`.
    """

    def __init__(self, job: Job, data: Data, found: Gathered):
        cfg, self.folder = job.cfg, job.folder
        own = {"bn_data": data.train_clean.batches(kept.BATCH)}
        self.evaluate = Evaluator(
            found.network,
            found.points,
            found.network.state(),
            measure.batched(cfg, data.splits),
            **measure.arguments(cfg, data) | own,
            weight_decay=job.run.weight_decay,
        )
        self.batch_size = cfg.eval.batch_size
        self.rows: list[np.ndarray] = []
        given = measure.blocks(job.folder)
        self.values: dict[str, np.ndarray] = given["snapshot"] or {}
        self.after_block = given["after_block"]

    def add(self, rows: Sequence[np.ndarray]) -> None:
        """Measure further mixtures."""
        self.rows += list(rows)
        self.values = in_blocks(
            self.evaluate, np.array(self.rows, np.float32), self.after_block, self.values
        )
        batch_notes.note(self.folder, self.batch_size, self.evaluate.dependence)

    def scores(self, start: int = 0) -> np.ndarray:
        """What decides, of all mixtures from some place on."""
        return self.values[soups.chosen_by(self.values)][start : len(self.rows)]

    def at(self, place: int) -> dict[str, float]:
        """The metrics of a mixture, by its place among the rows."""
        return {name: float(values[place]) for name, values in self.values.items()}

    def score(self, row: np.ndarray) -> float:
        """What decides, of one more mixture."""
        self.add([row])
        return float(self.scores()[-1])


def _alone(names: list[str], measured: Measured) -> list[dict[str, Any]]:
    """A line of every network alone; all are kept until it is known better."""
    measured.add(list(np.eye(len(names), dtype=np.float32)))
    return [
        {"what": "member", "name": name, "members": 1, "kept": True} | measured.at(i)
        for i, name in enumerate(names)
    ]


def _uniform(_: DictConfig, names: list[str], measured: Measured) -> Made:
    lines, n = _alone(names, measured), len(names)
    row = soups.average(range(n), n)
    measured.add([row])
    soup = {"what": "soup", "name": "uniform", "members": n, "kept": True} | measured.at(n)
    return pd.DataFrame([*lines, soup]), row


def _greedy(_: DictConfig, names: list[str], measured: Measured) -> Made:
    lines, n = _alone(names, measured), len(names)
    _say(measured)
    steps = soups.greedy(measured.scores(), measured.score)
    for number, step in enumerate(steps):
        place = n + number - 1 if number else step.member  # the first is a member alone
        count = int(np.count_nonzero(step.row))
        line = {"what": "soup", "name": names[step.member], "members": count}
        lines.append(line | {"kept": step.kept} | measured.at(place))
        lines[step.member]["kept"] = step.kept
    return pd.DataFrame(lines), [step.row for step in steps if step.kept][-1]


def _tasks(settings: DictConfig, names: list[str], measured: Measured) -> Made:
    lines, n = _alone(names, measured), len(names)
    lines[0] |= {"what": "start", "kept": True}
    scales = list(settings.scales)
    rows = soups.task_vectors(n - 1, scales)
    measured.add(list(rows))
    _say(measured)
    chosen = soups.best(measured.scores(n))
    for number, scale in enumerate(scales):
        line = {"what": "soup", "name": f"scale {scale:g}", "members": n - 1, "scale": scale}
        lines.append(line | {"kept": number == chosen} | measured.at(n + number))
    return pd.DataFrame(lines), rows[chosen]


RECIPES = {"uniform": _uniform, "greedy": _greedy, "tasks": _tasks}


def _say_decay(job: Job) -> None:
    decays = job.run.decays()  # type: ignore[attr-defined]  # of Soup
    if len(set(decays)) > 1:
        log.info(
            "The networks were trained with weight decays %s: in loss, all have their mean, %g.",
            ", ".join(f"{decay:g}" for decay in decays),
            job.run.weight_decay,
        )


def _say(measured: Measured) -> None:
    log.info("Chosen by %s, of which less is better.", soups.chosen_by(measured.values))


def _save(job: Job, data: Data, found: Gathered, row: np.ndarray, whole: bool) -> None:
    """The network at a row of coefficients, as a base run leaves its own."""
    w = curves.mix(row, found.points).numpy()
    state = kept.reestimated(found.network, w, found.network.state(), data)
    found.network.assign(w, state)
    first = job.run.networks[0]
    merged = networks.without_adapters(job, first, found.network.model, data)
    files.save_network(job.folder, merged, whole)


def _summary(table: pd.DataFrame) -> dict[str, float]:
    """The numbers of the soup, which is the last that was kept, and of all members."""
    last = table[(table["what"] == "soup") & table["kept"]].iloc[-1]
    members = table[table["what"] == "member"]
    found: dict[str, float] = {"num_members": int(last["members"])}
    if "scale" in table:
        found["scale"] = float(last["scale"])
    for name in (column for column in table.columns if "/" in column):
        found[name] = float(last[name])
        for statistic in ("mean", "min", "max"):
            value = getattr(members[name], statistic)(skipna=False)
            found[f"member/{name}/{statistic}"] = float(value)
    return found
