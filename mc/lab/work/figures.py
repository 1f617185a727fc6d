"""stage=figures: draw the figures of finished runs again, from their files."""

import logging

from mc.lab import stale
from mc.lab.stages.views import Figures
from mc.lab.work import drawings

log = logging.getLogger(__name__)


def show(view: Figures) -> dict:
    """The summary of the evaluation, if there is one; all figures with these settings are new.

    Raises:
        ValueError: some results are of inputs that were made again since; all others are drawn.
    """
    outdated = []
    for run in view.drawn:
        if not run.is_done:
            log.info("not made with these settings, so not drawn: %s", run.folder)
            continue
        if told := stale.changed(run):
            outdated.append(f"not drawn: {run.folder}. {told}")
            continue
        if told := stale.other_source(run):
            log.warning("%s", told)
        for path in drawings.of_run(run).values():
            log.info("drawn: %s and .pdf", path)
    if outdated:
        raise ValueError("\n".join(outdated))
    return view.first.summary or {}
