"""The lines of chosen runs along t, and the table that chooses."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from bokeh.models import (
    CheckboxButtonGroup,
    ColumnDataSource,
    CustomJS,
    Div,
    HoverTool,
    RadioButtonGroup,
)
from bokeh.palettes import Colorblind8
from bokeh.plotting import figure

from mc.evaluation.metrics import label, may_be_shown, shown
from mc.lab.graph import Run
from mc.lab.report.tables import headlines, varied
from mc.lab.report.widgets import Section, cells, filtered, side_by_side, table
from mc.plots import PATHS
from mc.plots.style import looks

log = logging.getLogger(__name__)

CODE = (Path(__file__).parent / "lines.js").read_text()
TOOLS = "pan,box_zoom,wheel_zoom,reset,save"
CHOSEN = 5  # rows whose lines are shown at first
TEXT = (
    "<h2>Along t</h2>Choose runs in the table and paths below it; click a column's head to sort "
    "by it. Colours tell paths, as in all figures, or runs."
)


def section(runs: pd.DataFrame, output_dir: Path) -> Section | None:
    """The table and the panels; None, if no run has points.

    Args:
        runs: `tables.gather` of `output_dir`.
        output_dir: where their folders are.
    """
    with_points = [_has_lines(output_dir / folder) for folder in runs["folder"]]
    own = runs[with_points].reset_index(drop=True)
    points, lines = _read(own, output_dir)
    if lines.empty:
        return None
    keys, metrics = varied(own), headlines(own)
    source = ColumnDataSource({"colour": [""] * len(own)} | cells(own[["folder", *keys, *metrics]]))
    source.selected.indices = list(range(min(CHOSEN, len(own))))
    fits, view = filtered(len(own))
    paths = list(dict.fromkeys(lines["path"]))
    buttons = CheckboxButtonGroup(labels=paths, active=list(range(len(paths))))
    colours = RadioButtonGroup(labels=["colours of paths", "of runs"], active=0)
    shown = ColumnDataSource({name: [] for name in (*points, "label", "colour", "dash")})
    panels = {column: _panel(shown, column) for column in points if column != "t"}
    arguments = {
        "panels": panels,
        "table": source,
        "filter": fits,
        "view": view,
        "points": ColumnDataSource(points),
        "lines": ColumnDataSource(lines.to_dict("list")),
        "shown": shown,
        "buttons": buttons,
        "colours": colours,
        "looks": _looks(paths),
        "palette": list(Colorblind8),
    }
    choose = CustomJS(args=arguments, code=CODE)
    source.selected.js_on_change("indices", choose)
    fits.js_on_change("booleans", choose)
    for group in (buttons, colours):
        group.js_on_change("active", choose)
    chooser = table(source, ["colour", "folder", *keys, *metrics], view=view, selectable="checkbox")
    below = [side_by_side(buttons, colours), side_by_side(*panels.values())]
    return Section(
        [Div(text=TEXT), chooser, *below], fits, np.flatnonzero(with_points).tolist(), choose
    )


def _has_lines(folder: Path) -> bool:
    """Whether a run has points, whose stage shows them by no other figure than lines."""
    draws = getattr(Run.stages.get(folder.parent.name), "draws", ())
    return ("points.csv" in draws or not draws) and (folder / "points.csv").exists()


def _looks(paths: Sequence[str]) -> dict[str, dict]:
    """Colour and dashes of each path, those of the figures for print."""
    names = [PATHS.get(path, path) for path in paths]
    own = looks(names)
    return {
        path: {"colour": own[name]["color"], "dash": _dash(own[name]["linestyle"])}
        for path, name in zip(paths, names, strict=True)
    }


def _dash(style: Any) -> list[int]:
    named = {"-": [], "-.": [8, 3, 2, 3], ":": [2, 3]}
    return named[style] if isinstance(style, str) else [round(2 * part) for part in style[1]]


def _read(runs: pd.DataFrame, output_dir: Path) -> tuple[dict, pd.DataFrame]:
    """All points, a column a metric, `[n] float32`, and a row a line: where its own are."""
    tables = []
    for row, folder in enumerate(runs["folder"]):
        path = output_dir / folder / "points.csv"
        try:
            points = pd.read_csv(path, usecols=_is_read)
            points["t"] = points.pop("t").astype(np.float32)
            tables.append(points.assign(row=row, path=points["path"]))
        except (KeyError, ValueError) as error:  # an empty or cut file
            log.warning("left out: the lines of %s, which is damaged (%s)", path, error)
    if not sum(map(len, tables)):
        return {}, pd.DataFrame()
    # A metric of other tasks is nan.
    joined = pd.concat(tables, ignore_index=True)
    order = joined.groupby(["row", "path"], sort=False).ngroup().to_numpy()
    joined = joined.iloc[np.argsort(order, kind="stable")].reset_index(drop=True)
    first = np.flatnonzero(np.diff(np.sort(order), prepend=-1))
    lines = joined.loc[first, ["row", "path"]]
    lines = lines.assign(first=first, last=[*first[1:], len(joined)])
    kept = ["t", *(name for name in shown(joined.columns) if joined[name].notna().any())]
    return {name: joined[name].to_numpy(np.float32) for name in kept}, lines


def _is_read(column: str) -> bool:
    return column in ("path", "t") or may_be_shown(column)


def _panel(shown: ColumnDataSource, column: str):
    panel = figure(height=340, min_width=300, sizing_mode="stretch_width", tools=TOOLS)
    drawn = panel.multi_line(
        "t", column, source=shown, color="colour", line_dash="dash", line_width=2
    )
    name = label(column)
    tips = [("run", "@label"), ("t", "$snap_x{0.000}"), (name, "$snap_y{0.0000}")]
    panel.add_tools(HoverTool(renderers=[drawn], tooltips=tips, line_policy="nearest"))
    panel.xaxis.axis_label, panel.yaxis.axis_label = "t, position on the path", name
    return panel
