"""stage=report: everything under output_dir in `results.csv`, tables, and one page."""

import logging
from pathlib import Path

from omegaconf import DictConfig

from mc import report, store

log = logging.getLogger(__name__)


def run(cfg: DictConfig, output_dir: Path) -> dict:
    """How many runs there are of each stage; tables and page lie in output_dir itself."""
    runs = report.gather(output_dir)
    store.save_table(output_dir, "results", runs)
    for stage, table in report.grouped(runs).items():
        store.save_table(output_dir, f"results_{stage}", table)
        log.info("stage=%s\n%s\n", stage, table.to_string(index=False, float_format="%.4g"))
    unfinished = store.unfinished_runs(output_dir)
    for folder in unfinished:
        log.warning("not finished, so left out: %s", folder)
    page = output_dir / "report.html"
    store.write_atomically(page, report.page(runs, output_dir, unfinished))
    log.info("report: %s, and %s", page, output_dir / "results.csv")
    return {f"num_{stage}": int(n) for stage, n in runs["stage"].value_counts().items()}
