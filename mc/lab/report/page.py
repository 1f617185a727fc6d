"""One self-contained HTML page: a filter, lines of runs, numbers, tables, and the figures."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

import pandas as pd
from bokeh.document import Document
from bokeh.embed import file_html
from bokeh.events import DocumentReady
from bokeh.layouts import column
from bokeh.models import ColumnDataSource, CustomJS, Div, TextInput
from bokeh.resources import INLINE

from mc.lab.report import lines, numbers, pictures
from mc.lab.report.tables import grouped, headlines, varied
from mc.lab.report.widgets import Section, cells, filtered, side_by_side, table

FILTER = (Path(__file__).parent / "filter.js").read_text()
TEMPLATE = """
{% block preamble %}
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body { margin: 1em; font-family: sans-serif; }</style>
{% endblock %}
"""


def page(runs: pd.DataFrame, output_dir: Path, unfinished: Sequence[Path] = ()) -> str:
    """The page of all runs; it needs no network, and links to the folders beside it.

    Words typed at its top choose the runs that all of it shows but the means. Rows of the upper
    table choose whose metrics along t are laid over one another; a plot shows any number against
    any setting that varies. Values show under the pointer; figures follow below.

    Args:
        runs: `tables.gather` of `output_dir`.
        output_dir: where their folders are.
        unfinished: folders of runs that are left out.
    """
    title = f"<h1>{len(runs)} runs in {escape(output_dir.resolve().name)}</h1>"
    found = [lines.section(runs, output_dir), numbers.section(runs), _all_runs(runs)]
    along, against, _ = found
    sections = [section for section in found if section]
    parts = [Div(text=title + _unfinished(unfinished, output_dir)), _filter(runs, sections)]
    parts += [widget for section in (along, against) if section for widget in section.widgets]
    for stage, means in grouped(runs).items():
        title = f"<h2>stage={stage}: mean and standard deviation over seeds</h2>"
        parts += [Div(text=title), table(ColumnDataSource(cells(means)), list(means.columns))]
    parts += [*sections[-1].widgets, Div(text=pictures.figures(runs, output_dir))]
    document = Document(title="mc report")
    document.add_root(column(*parts, sizing_mode="stretch_width"))
    if first := [section.draw for section in sections if section.draw]:
        document.js_on_event(DocumentReady, *first)
    return file_html(document, INLINE, template=TEMPLATE)


def _unfinished(folders: Sequence[Path], output_dir: Path) -> str:
    named = [folder.relative_to(output_dir) for folder in folders]
    links = ", ".join(f'<a href="{name}/" target="_blank">{name}</a>' for name in named)
    return f"<p>Not finished, so left out: {links}</p>" if folders else ""


def _filter(runs: pd.DataFrame, sections: list[Section]):
    """The line of words, and how many runs have all of them."""
    settings = cells(runs[["folder", *varied(runs)]])
    texts = [
        " ".join(f"{key}={value}" for key, value in zip(settings, row, strict=True)).lower()
        for row in zip(*settings.values(), strict=True)
    ]
    words = TextInput(
        title="Runs with these words in their folder or settings",
        placeholder="eval bends1 train.curve.epochs=40",
        sizing_mode="stretch_width",
        min_width=250,
        max_width=420,
    )
    told = Div(text=f"{len(runs)} of {len(runs)} runs", align="end")
    choose = CustomJS(
        args={
            "input": words,
            "texts": texts,
            "filters": [section.fits for section in sections],
            "places": [section.places for section in sections],
            "told": told,
        },
        code=FILTER,
    )
    words.js_on_change("value_input", choose)
    return side_by_side(words, told)


def _all_runs(runs: pd.DataFrame) -> Section:
    columns = ["folder", *varied(runs), *headlines(runs)]
    fits, view = filtered(len(runs))
    shown = table(ColumnDataSource(cells(runs[columns])), columns, view=view)
    return Section([Div(text="<h2>All runs</h2>"), shown], fits, list(range(len(runs))))
