"""One self-contained HTML page: a sortable table, the lines of chosen runs, and the figures."""

import logging
from base64 import b64encode
from html import escape
from io import BytesIO
from pathlib import Path

import pandas as pd
from bokeh.embed import file_html
from bokeh.layouts import column, row
from bokeh.models import (
    CheckboxButtonGroup,
    ColumnDataSource,
    CustomJS,
    DataTable,
    Div,
    HoverTool,
    HTMLTemplateFormatter,
    TableColumn,
)
from bokeh.palettes import Colorblind8
from bokeh.plotting import figure
from bokeh.resources import INLINE
from PIL import Image

from mc.metrics import SHOWN, label
from mc.report.tables import grouped, headlines, varied

log = logging.getLogger(__name__)

DASHES = {"curve": "solid", "linear": "dashed", "initial": "dotted", "chain": "dashdot"}
LINES = 5  # rows whose lines are shown at first
THUMBNAIL = 0.37  # of a figure's size for print
SWATCH = '<span style="color: <%= value %>">&#9644;</span>'  # of a run's lines
# Four digits of a number, as the tables of the console show them: 0.03125, 1e-5.
NUMBER = (
    '<%= value === null || value !== value ? "" : '
    "Number.isInteger(value) ? value : +value.toPrecision(4) %>"
)
LINK = '<a href="<%= value %>/" target="_blank"><%= value %></a>'


def page(runs: pd.DataFrame, output_dir: Path, unfinished=()) -> str:
    """The page of all runs; it needs no network, and links to the folders beside it.

    Rows of the upper table choose whose metrics along t are laid over one another: the curve solid,
    the straight segment dashed. Values show under the pointer; figures follow below.

    Args:
        runs: `tables.gather` of `output_dir`.
        output_dir: where their folders are.
        unfinished: folders of runs that are left out.
    """
    along = runs[[(output_dir / f / "points.csv").exists() for f in runs["folder"]]]
    title = f"<h1>{len(runs)} runs in {escape(output_dir.resolve().name)}</h1>"
    parts = [Div(text=title + _unfinished(unfinished, output_dir))]
    if len(along):
        parts += _lines(along, output_dir)
    for stage, table in grouped(runs).items():
        title = f"<h2>stage={stage}: mean and standard deviation over endpoints and seeds</h2>"
        parts += [
            Div(text=title),
            _table(ColumnDataSource(_cells(table)), list(table.columns)),
        ]
    parts += [Div(text="<h2>All runs</h2>"), _all_runs(runs)]
    parts += [Div(text=_figures(runs, output_dir))]
    return file_html(column(*parts, sizing_mode="stretch_width"), INLINE, title="mc report")


def _unfinished(folders: list[Path], output_dir: Path) -> str:
    named = [folder.relative_to(output_dir) for folder in folders]
    links = ", ".join(f'<a href="{name}/" target="_blank">{name}</a>' for name in named)
    return f"<p>Not finished, so left out: {links}</p>" if folders else ""


def _lines(runs: pd.DataFrame, output_dir: Path) -> list:
    """The table that chooses, and a panel a metric with the lines of the chosen runs."""
    lines = pd.concat([_of_run(i, r, output_dir) for i, (_, r) in enumerate(runs.iterrows())])
    if lines.empty:
        return []
    all_lines = ColumnDataSource(lines.to_dict("list"))
    shown = ColumnDataSource(lines[lines["run"] < LINES].to_dict("list"))
    keys = ["folder", *varied(runs)]
    metrics = headlines(runs)
    colours = [Colorblind8[i % 8] for i in range(len(runs))]
    source = ColumnDataSource({"colour": colours} | _cells(runs[keys + metrics]))
    source.selected.indices = list(range(min(LINES, len(runs))))
    paths = list(dict.fromkeys(lines["path"]))
    buttons = CheckboxButtonGroup(labels=paths, active=list(range(len(paths))))
    choose = CustomJS(
        args={"all": all_lines, "shown": shown, "table": source, "buttons": buttons},
        code="""
        const runs = new Set(table.selected.indices), found = {}
        const paths = new Set(buttons.active.map((i) => buttons.labels[i]))
        for (const key of Object.keys(all.data))
            found[key] = all.data[key].filter(
                (_, i) => runs.has(all.data.run[i]) && paths.has(all.data.path[i]))
        shown.data = found
    """,
    )
    source.selected.js_on_change("indices", choose)
    buttons.js_on_change("active", choose)
    there = [c for c in SHOWN if any(any(v == v for v in line) for line in lines[f"{c} values"])]
    panels = [_panel(shown, c, label(c)) for c in there]
    columns = ["colour", *keys, *metrics]
    table = _table(source, columns, selectable="checkbox", height=320)
    text = (
        "<h2>Along t</h2>Choose runs in the table and paths below it; click a column's head to "
        "sort by it."
    )
    return [Div(text=text), table, buttons, row(*panels, sizing_mode="stretch_width")]


def _of_run(number: int, run: pd.Series, output_dir: Path) -> pd.DataFrame:
    """A row a path of one run: its label, colour and dash, t, and the values of every panel."""
    path = output_dir / run["folder"] / "points.csv"
    try:
        points = pd.read_csv(path)
        paths, rows = points.groupby("path", sort=False), []
    except (KeyError, ValueError) as error:  # an empty or cut file
        log.warning("left out: the lines of %s, which is damaged (%s)", path, error)
        return pd.DataFrame()
    for path, own in paths:
        line = {"run": number, "path": path, "label": f"{run['folder'].rpartition('/')[2]}: {path}"}
        line |= {"colour": Colorblind8[number % 8], "dash": DASHES.get(path, "solid")}
        line["t"] = own["t"].tolist()
        none = [float("nan")] * len(own)  # a metric of other tasks
        line |= {f"{c} values": own[c].tolist() if c in own else none for c in SHOWN}
        rows.append(line)
    return pd.DataFrame(rows)


def _panel(shown: ColumnDataSource, metric: str, name: str):
    panel = figure(
        height=340, sizing_mode="stretch_width", tools="pan,box_zoom,wheel_zoom,reset,save"
    )
    drawn = panel.multi_line(
        "t", f"{metric} values", source=shown, color="colour", line_dash="dash", line_width=2
    )
    tips = [("run", "@label"), ("t", "$snap_x{0.000}"), (name, "$snap_y{0.0000}")]
    panel.add_tools(HoverTool(renderers=[drawn], tooltips=tips, line_policy="nearest"))
    panel.xaxis.axis_label, panel.yaxis.axis_label = "t, position on the path", name
    return panel


def _table(source: ColumnDataSource, columns: list[str], **options) -> DataTable:
    def shaped(name):
        longest = max([len(name), *(len(str(value)) for value in source.data[name])])
        if name == "colour":
            swatch = HTMLTemplateFormatter(template=SWATCH)
            return TableColumn(field=name, title="", formatter=swatch, width=30)
        if name == "folder":
            return TableColumn(
                field=name, title=name, formatter=HTMLTemplateFormatter(template=LINK), width=420
            )
        number = pd.api.types.is_numeric_dtype(pd.Series(source.data[name]))
        form = {"formatter": HTMLTemplateFormatter(template=NUMBER)} if number else {}
        width = 7 * (len(name) if number else longest) + 14
        return TableColumn(field=name, title=name, width=max(70, width), **form)

    height = options.pop("height", min(60 + 26 * len(next(iter(source.data.values()))), 400))
    return DataTable(
        source=source,
        columns=[shaped(name) for name in columns],
        height=height,
        autosize_mode="none",
        reorderable=False,
        sizing_mode="stretch_width",
        **options,
    )


def _all_runs(runs: pd.DataFrame) -> DataTable:
    columns = ["folder", *varied(runs), *headlines(runs)]
    return _table(ColumnDataSource(_cells(runs[columns])), columns)


def _cells(table: pd.DataFrame) -> dict[str, list]:
    """The columns of a table: numbers as they are, all else as text."""
    words = table.select_dtypes(exclude="number").columns
    text = table[words].astype(object).map(lambda value: "" if pd.isna(value) else str(value))
    return table.assign(**text).to_dict("list")


def _figures(runs: pd.DataFrame, output_dir: Path) -> str:
    """The first figure of every run, small, inside the page."""
    html = []
    for folder in runs["folder"]:
        for path in sorted((output_dir / folder / "figures").glob("[!.]*.png"))[:1]:
            try:
                image = _thumbnail(path)
            except OSError as error:  # Pillow's too
                log.warning("left out: %s, which is damaged (%s)", path, error)
                continue
            html.append(
                f'<h3><a href="{folder}/" target="_blank">{folder}</a></h3>'
                f'<img src="data:image/png;base64,{image}" alt="{path.stem} of {folder}">'
            )
    return "\n".join(["<h2>Figures</h2>", *html]) if html else ""


def _thumbnail(path: Path) -> str:
    """A small PNG of a figure, in base64."""
    with Image.open(path) as picture:
        picture.thumbnail([THUMBNAIL * side for side in picture.size])
        data = BytesIO()
        picture.convert("P", palette=Image.Palette.ADAPTIVE).save(data, "PNG")
    return b64encode(data.getvalue()).decode()
