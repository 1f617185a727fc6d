"""stage=report: everything under output_dir in `results.csv`, tables, and one page."""

import logging
import shlex
from pathlib import Path

from mc.lab import files, folders, report, sources
from mc.lab.stages.views import Report, joining

log = logging.getLogger(__name__)


def show(view: Report) -> dict:
    """How many runs there are of each stage; tables and page lie in output_dir itself."""
    output_dir = view.output_dir
    runs = report.gather(output_dir)
    files.save_table(output_dir, "results", runs)
    for stage, table in report.grouped(runs).items():
        files.save_table(output_dir, f"results_{stage}", table)
        log.info("stage=%s\n%s\n", stage, table.to_string(index=False, float_format="%.4g"))
    _warn_of_sources([output_dir / folder for folder in runs["folder"]])
    unfinished: list[Path] = []
    empty: list[Path] = []
    for folder in folders.unfinished_runs(output_dir, leave_out=joining()):
        (empty if folders.made_nothing(folder) else unfinished).append(folder)
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
    files.write_atomically(page, report.page(runs, output_dir, unfinished))
    log.info("report: %s, and %s", page, output_dir / "results.csv")
    return {f"num_{stage}": int(n) for stage, n in runs["stage"].value_counts().items()}


def _warn_of_sources(made_in: list[Path]) -> None:
    """Say which runs callables of one's own have made whose source is another one today."""
    made: dict[tuple[str, str], list[str]] = {}
    for folder in made_in:
        for noted in folders.environment(folder).get("sources", {}).items():
            made.setdefault(noted, []).append(f"{folder.parent.name}/{folder.name}")
    for (target, digest), names in made.items():
        if sources.changed({target: digest}):
            log.warning("The source of %s has changed since: %s", target, ", ".join(names))
