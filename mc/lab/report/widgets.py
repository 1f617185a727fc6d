"""What the sections of the page are made of."""

from dataclasses import dataclass
from typing import Any

import pandas as pd
from bokeh.layouts import row
from bokeh.models import (
    BooleanFilter,
    CDSView,
    ColumnDataSource,
    CustomJS,
)
from bokeh.models.widgets.tables import DataTable, HTMLTemplateFormatter, TableColumn

# Of a run's lines, where it has some.
SWATCH = '<span style="color: <%= value || "transparent" %>">&#9644;</span>'
# Four digits of a number, as the tables of the console show them: 0.03125, 1e-5.
NUMBER = (
    '<%= value === null || value !== value ? "" : '
    "Number.isInteger(value) ? value : +value.toPrecision(4) %>"
)
LINK = '<a href="<%= value %>/" target="_blank"><%= value %></a>'
ROW = 26  # pixels


@dataclass(frozen=True)
class Section:
    """A part of the page about some of the runs.

    Args:
        widgets: from above to below.
        fits: the filter of those runs.
        places: where each of them lies among all runs.
        draw: what shows it at first, if it is more than its widgets.
    """

    widgets: list
    fits: BooleanFilter
    places: list[int]
    draw: CustomJS | None = None


def side_by_side(*widgets: Any) -> Any:
    """A row that breaks where the page is narrow."""
    return row(*widgets, sizing_mode="stretch_width", styles={"flex-wrap": "wrap"})


def cells(table: pd.DataFrame) -> dict[str, list]:
    """The columns of a table: numbers as they are, all else as text."""
    words = table.select_dtypes(exclude="number").columns
    text = table[words].astype(object).map(lambda value: "" if pd.isna(value) else str(value))
    return table.assign(**text).to_dict("list")


def table(source: ColumnDataSource, columns: list[str], **options: Any) -> DataTable:
    """A sortable table of some columns, as high as its rows up to a limit.

    Args:
        source: `cells` of a table; in a column `colour`, those of the runs' lines.
        columns: which of them, in this order.
        options: of the `DataTable`.
    """
    height = options.pop("height", min(60 + ROW * len(next(iter(source.data.values()))), 400))
    return DataTable(
        source=source,
        columns=[_column(name, list(source.data[name])) for name in columns],
        height=height,
        autosize_mode="none",
        reorderable=False,
        sizing_mode="stretch_width",
        **options,
    )


def _column(name: str, values: list) -> TableColumn:
    if name == "colour":
        swatch = HTMLTemplateFormatter(template=SWATCH)
        return TableColumn(field=name, title="", formatter=swatch, width=30, sortable=False)
    if name == "folder":
        link = HTMLTemplateFormatter(template=LINK)
        return TableColumn(field=name, title=name, formatter=link, width=420)
    number = pd.api.types.is_numeric_dtype(pd.Series(values))
    form: dict[str, Any] = {"formatter": HTMLTemplateFormatter(template=NUMBER)} if number else {}
    longest = max([len(name), *(len(str(value)) for value in values)])
    width = 7 * (len(name) if number else longest) + 14
    return TableColumn(field=name, title=name, width=min(max(70, width), 420), **form)


def filtered(count: int) -> tuple[BooleanFilter, CDSView]:
    """A filter of so many rows, which the page sets, and the view that it gives to a table."""
    fits = BooleanFilter(booleans=[True] * count)
    return fits, CDSView(filter=fits)
