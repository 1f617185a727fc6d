"""The stages that show what is there: stage=figures and stage=report."""

from pathlib import Path

from mc.lab import folders
from mc.lab.graph import Run
from mc.lab.view import View


class Figures(View):
    """Draw the figures of finished runs with these settings again, from their files."""

    name = "figures"

    @property
    def drawn(self) -> list[Run]:
        """The runs with figures, of these settings."""
        runs = (stage(self.variants) for stage in Run.stages.values() if stage.draws)
        return [run for run in runs if run.drawn_from()]

    @property
    def first(self) -> Run:
        """The evaluation."""
        return Run.stages["eval"](self.variants)

    @property
    def folder(self) -> Path:
        """That of the evaluation."""
        return self.first.folder

    def needed(self) -> list[Run]:
        """The evaluation and all below it, if nothing is there to be drawn."""
        if any(run.is_done for run in self.drawn):
            return []
        return [*self.first.needs(), self.first]


class Report(View):
    """Make a table and a page of all finished runs below output_dir."""

    name = "report"

    def needed(self) -> list[Run]:
        """None: it shows what there is.

        Raises:
            FileNotFoundError: there is nothing.
        """
        folders.finished_runs(self.output_dir, joining())
        return []


def joining() -> list[str]:
    """The stages that only join what others have made, which are runs too."""
    return [name for name, stage in Run.stages.items() if not stage.is_part]
