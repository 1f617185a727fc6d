"""The scripts that make the pages of experiments/."""

import json
import sys
from pathlib import Path

import many_runs
import matplotlib
import numpy as np
import pytest

from mc.lab import files, report

EXPERIMENTS = Path(__file__).parent.parent / "experiments"


@pytest.fixture
def scripts(monkeypatch):
    """Both scripts, imported."""
    for folder in (EXPERIMENTS, EXPERIMENTS / "digits_sweep"):
        monkeypatch.syspath_prepend(folder)
    import collect
    import draw

    yield collect, draw
    for name in ("collect", "draw"):
        sys.modules.pop(name)


def test_a_page_gets_files_and_table_of_a_run_with_a_number_that_is_not_finite(scripts, tmp_path):
    collect, _ = scripts
    page, run = tmp_path / "page", tmp_path / "run"
    (run / "figures").mkdir(parents=True)
    page.mkdir()
    (page / "README.md").write_text("before\n<!-- two -->\nold\n<!-- end of two -->\nafter\n")
    names = ("start", "end", "min", "max", "integral", "barrier_max")
    summary = {f"curve/test/error/{name}": 0.25 for name in names}
    summary["curve/test/error/max"] = None
    summary |= {f"curve/test/iou/{name}": 0.5 for name in names[:-1]}  # which has no barrier
    (run / "summary.json").write_text(json.dumps(summary))
    (run / "points.csv").write_text("path,t\n")
    (run / "figures" / "along_t.png").write_bytes(b"a figure")
    collect.collect(page, "two", run)
    text = (page / "README.md").read_text()
    row = "| curve: test error | 0.2500 | 0.2500 | 0.2500 | not finite | 0.2500 | 0.2500 |"
    assert text.startswith("before\n<!-- two -->\n| | start ")
    other = "| curve: test iou | 0.5000 | 0.5000 | 0.5000 | 0.5000 | 0.5000 |  |"
    assert f"\n{row}\n{other}\n<!-- end of two -->\nafter" in text
    made = {path.name for path in page.iterdir()}
    assert made == {"README.md", "two_summary.json", "two_points.csv", "two_along_t.png"}


def test_pairs_and_soups_have_tables_of_their_own(scripts):
    collect, _ = scripts
    values = dict(zip(("mean", "min", "max"), (0.25, 0.125, 0.5), strict=True))
    names = ("distance", "test/error/barrier_max", "test/error/barrier_mean")
    summary = {f"pairs/{name}/{s}": value for name in names for s, value in values.items()}
    assert collect.table(summary).splitlines() == [
        "| | mean | min | max |",
        "|---|---:|---:|---:|",
        "| distance | 0.2500 | 0.1250 | 0.5000 |",
        "| test error | 0.2500 | 0.1250 | 0.5000 |",
    ]
    members = {f"member/test/error/{s}": value for s, value in values.items()}
    summary = {"num_members": 2, "test/error": 0.2, "distance/max": 3.0, **members}
    assert collect.table(summary).splitlines() == [
        "| | test error |",
        "|---|---:|",
        "| soup | 0.2000 |",
        "| members, mean | 0.2500 |",
    ]


def test_a_surface_has_a_row_for_itself_and_one_for_each_edge(scripts):
    collect, _ = scripts
    summary = {"surface/test/error/max": 0.5, "surface/volume": 9.0, "surface/test/f1/max": 0.1}
    summary |= {"edge-1-2/test/error/max": 0.25, "edge-1-2/length": 3.0}
    assert collect.table(summary).splitlines() == [
        "| | test error, max | length |",
        "|---|---:|---:|",
        "| surface | 0.5000 |  |",
        "| edge 1-2 | 0.2500 | 3.0000 |",
    ]


def test_the_sweeps_figure_has_a_line_a_family_and_the_straight_segment(scripts, tmp_path):
    _, draw = scripts
    many_runs.write(tmp_path, 48)
    runs = report.gather(tmp_path)
    files.save_table(tmp_path, "results", runs)
    table = draw.gathered(tmp_path / "results.csv")
    figure = draw.draw(table)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(draw.STYLES)
    of = runs[(runs["curve._target_"] == "mc.curves.Bezier") & (runs["curve.num_bends"] == 2)]
    found = table[(table.family == "Bezier") & (table.num_bends == 2)].set_index("metric")
    for metric in draw.METRICS:
        values = of[f"curve/{metric}"]
        assert found.loc[metric, "mean"] == pytest.approx(values.mean())
        assert found.loc[metric, "std"] == pytest.approx(np.std(values, ddof=1))
    assert draw.markdown(table).count("\n") == 8  # head, rule, segment, two families of three
    assert matplotlib.colors.to_hex(figure.axes[0].get_lines()[0].get_color()) == "#d55e00"
