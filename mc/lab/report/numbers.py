"""Any number of the runs against any setting that varies, with mean and deviation."""

from pathlib import Path

import numpy as np
import pandas as pd
from bokeh.models import (
    ColumnDataSource,
    CustomJS,
    Div,
    FixedTicker,
    HoverTool,
    Select,
)
from bokeh.plotting import figure

from mc.lab.report.tables import headlines, is_metric, repeated, varied
from mc.lab.report.widgets import Section, cells, filtered, side_by_side
from mc.plots.style import CURVE, OTHERS, SEGMENT

CODE = (Path(__file__).parent / "numbers.js").read_text()
NONE = "nothing"
FIRST = "curve/test/error/max"  # the number that is shown at first, where there is one
TEXT = (
    "<h2>Numbers against settings</h2>Each point is the mean of all runs with that value that "
    "the filter leaves; bars reach one standard deviation of the sample."
)


def section(runs: pd.DataFrame) -> Section | None:
    """The plot and its controls; None, if no setting varies.

    Args:
        runs: of `tables.gather`.
    """
    keys = varied(runs)
    columns = [c for c in runs if is_metric(c) and runs[c].notna().any()]
    if not keys or not columns:
        return None
    numbers = {name: runs[name].to_numpy(np.float32) for name in columns}
    settings = ColumnDataSource(cells(runs[["folder", *keys]]))
    number, against, apart = _controls(runs, columns, keys)
    fits, _ = filtered(len(runs))
    panel, drawn = _panel()
    told = Div(text="")
    draw = CustomJS(
        args={
            "numbers": ColumnDataSource(numbers),
            "settings": settings,
            "filter": fits,
            "number": number,
            "against": against,
            "apart": apart,
            "axis": panel.xaxis[0],
            "y_axis": panel.yaxis[0],
            "told": told,
            "NONE": NONE,
            "curve": CURVE["color"],
            "segment": SEGMENT["color"],
            "palette": [look["color"] for look in OTHERS],
            **drawn,
        },
        code=CODE,
    )
    for control in (number, against, apart):
        control.js_on_change("value", draw)
    fits.js_on_change("booleans", draw)
    widgets = [Div(text=TEXT), side_by_side(number, against, apart), panel, told]
    return Section(widgets, fits, list(range(len(runs))), draw)


def _controls(
    runs: pd.DataFrame, columns: list[str], keys: list[str]
) -> tuple[Select, Select, Select]:
    """What is shown, against what, and what tells lines apart."""
    first = FIRST if FIRST in columns else [*headlines(runs), *columns][0]
    there = varied(runs[runs[first].notna()]) or keys
    # Numbers make the better axis; what repeats runs comes last, since means are over it.
    words = {key for key in there if not pd.api.types.is_numeric_dtype(runs[key])}
    repeats = repeated()
    best = sorted(there, key=lambda key: (key in repeats, key in words))
    apart = [key for key in best[1:] if key not in repeats]
    return (
        Select(title="number", value=first, options=sorted(columns), width=300),
        Select(title="against", value=best[0], options=keys, width=240),
        Select(title="apart by", value=[*apart, NONE][0], options=[NONE, *keys], width=240),
    )


def _panel():
    """The empty plot, and the sources of what it draws."""
    lines: dict[str, list] = {name: [] for name in ("x", "y", "colour", "label")}
    means: dict[str, list] = {name: [] for name in ("low", "high", "runs", "value", "std")}
    drawn = {
        "mean_lines": ColumnDataSource(lines),
        "means": ColumnDataSource(lines | means),
        "singles": ColumnDataSource({name: [] for name in ("x", "y", "colour", "folder")}),
    }
    panel = figure(
        height=380, min_width=300, sizing_mode="stretch_width", tools="pan,box_zoom,reset,save"
    )
    dots = panel.scatter("x", "y", source=drawn["singles"], color="colour", alpha=0.35, size=5)
    panel.multi_line("x", "y", source=drawn["mean_lines"], color="colour", line_width=2)
    bars = drawn["means"]
    panel.segment("x", "low", "x", "high", source=bars, color="colour", line_width=1.5)
    spots = panel.scatter("x", "y", source=drawn["means"], color="colour", size=9)
    mean = "@y{0.0000} ± @std{0.0000}"
    tips = [("value", "@value"), ("line", "@label"), ("mean", mean), ("runs", "@runs")]
    panel.add_tools(HoverTool(renderers=[spots], tooltips=tips))
    panel.add_tools(HoverTool(renderers=[dots], tooltips=[("run", "@folder"), ("", "@y{0.0000}")]))
    panel.xaxis.ticker = FixedTicker(ticks=[])
    return panel, drawn
