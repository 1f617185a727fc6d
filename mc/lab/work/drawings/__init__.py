"""Figures of the files of runs; which files a stage draws, it says itself."""

from pathlib import Path
from typing import Any

from mc.lab import files
from mc.lab.graph import Run
from mc.lab.job import Job
from mc.lab.work.drawings import (
    along,
    bands,
    curvatures,
    instabilities,
    landscapes,
    maps,
    members,
    networks,
)


def draw(job: Job) -> None:
    """Draw the figures of a run at work, and show them the tracker."""
    job.tracker.figures(of_run(job.run))


def of_run(run: Run) -> dict[str, Path]:
    """Draw the figures of a run into its folder; returns the path of each PNG."""
    return files.save_figures(run.folder, run.figures())


def of_files(run: Run) -> dict[str, Any]:
    """The figures of those files that a run draws and that are there."""
    made: dict[str, Any] = {}
    for name in run.drawn_from():
        if name not in DRAWN:
            raise TypeError(
                f"draws: no figure of {name} is known, only of {', '.join(DRAWN)}. A stage that "
                "makes another file has a method figures() -> {name: matplotlib figure} of its own."
            )
        if (run.folder / name).exists():
            made |= DRAWN[name](run, run.folder / name)
    return made


DRAWN = {
    "points.csv": along.points,
    "layers.csv": along.layers,
    "predictions.npz": along.predictions,
    "functions.npz": along.functions,
    "surface.csv": maps.surface,
    "plane.npz": maps.planes,
    "members.csv": members.as_they_join,
    "uncertainty.npz": members.reliability,
    "posterior.npz": members.posterior,
    "band.npz": members.predictive_band,
    "pairs.csv": networks.pairs,
    "steps.csv": networks.soup,
    "spectrum.npz": curvatures.densities,
    "curvature.csv": curvatures.at_places,
    "landscape.npz": landscapes.figures,
    "instability.csv": instabilities.figures,
    "band.csv": bands.figures,
}
