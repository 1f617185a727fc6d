"""stage=report: everything under output_dir in `results.csv`, tables, and one page."""

import logging
import shlex
from pathlib import Path

from omegaconf import DictConfig

from mc import report, sources, store

log = logging.getLogger(__name__)


def run(cfg: DictConfig, output_dir: Path) -> dict:
    """How many runs there are of each stage; tables and page lie in output_dir itself."""
    runs = report.gather(output_dir)
    store.save_table(output_dir, "results", runs)
    for stage, table in report.grouped(runs).items():
        store.save_table(output_dir, f"results_{stage}", table)
        log.info("stage=%s\n%s\n", stage, table.to_string(index=False, float_format="%.4g"))
    _warn_of_sources([output_dir / folder for folder in runs["folder"]])
    unfinished, empty = [], []
    for folder in store.unfinished_runs(output_dir):
        (empty if store.made_nothing(folder) else unfinished).append(folder)
    for folder in unfinished:
        log.warning("not finished, so left out: %s", folder)
    if empty:
        log.warning(
            "%d that have made nothing are left out: at work since a moment, or stopped by a "
            "mistake. The latter may go: %s",
            len(empty),
            shlex.join(["rm", "-r", *map(str, empty)]),
        )
    page = output_dir / "report.html"
    store.write_atomically(page, report.page(runs, output_dir, unfinished))
    log.info("report: %s, and %s", page, output_dir / "results.csv")
    return {f"num_{stage}": int(n) for stage, n in runs["stage"].value_counts().items()}


def _warn_of_sources(folders: list[Path]) -> None:
    """Say which runs callables of one's own have made whose source is another one today."""
    made = {}
    for folder in folders:
        for noted in store.environment(folder).get("sources", {}).items():
            made.setdefault(noted, []).append(f"{folder.parent.name}/{folder.name}")
    for (target, digest), names in made.items():
        if sources.changed({target: digest}):
            log.warning("The source of %s has changed since: %s", target, ", ".join(names))
