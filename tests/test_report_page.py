"""The report's page in a real browser, without a network, and with the runs of a large sweep."""

import logging
import shutil
import time

import many_runs
import pytest

from mc.lab import folders, report
from mc.lab.report import pictures
from mc.lab.stages.views import Report
from mc.lab.work import report as stage

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
RUNS = 24  # one pair of networks

# What the page shows, asked of Bokeh itself.
LINES = """() => { const models = [...Bokeh.documents[0]._all_models.values()]
    const glyph = models.find(m => m.type == "GlyphRenderer" && m.glyph.type == "MultiLine" &&
        m.data_source.data.dash)
    return glyph.data_source.data }"""
MEANS = """() => { const models = [...Bokeh.documents[0]._all_models.values()]
    const glyph = models.find(m => m.type == "GlyphRenderer" && m.glyph.type == "Scatter" &&
        m.data_source.data.runs)
    return glyph.data_source.data }"""


@pytest.fixture(scope="module")
def chromium():
    """A browser; skips where there is none."""
    if BROWSER is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs pip install playwright")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """A folder of runs and its page."""
    folder = tmp_path_factory.mktemp("outputs")
    many_runs.write(folder, RUNS)
    runs = report.gather(folder)
    (folder / "report.html").write_text(report.page(runs, folder))
    return folder, runs


@pytest.fixture
def page(chromium, outputs):
    """The page, loaded; no error, and nothing asked of a network, until the test ends."""
    page = chromium.new_page(viewport={"width": 1400, "height": 1200})
    page.set_default_timeout(120_000)
    problems = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.route("http*://**", lambda route: problems.append(route.request.url))
    page.goto((outputs[0] / "report.html").as_uri())
    page.locator(".slick-row").first.wait_for()
    page.wait_for_function(f"({LINES})().label.length > 0")
    yield page
    page.close()
    assert problems == []


def test_lines_of_chosen_runs_and_paths_in_the_colours_of_all_figures(page):
    shown = page.evaluate(LINES)
    assert len(shown["label"]) == 10  # five runs, two paths each
    looks = {
        label.split(": ")[1]: colour
        for label, colour in zip(shown["label"], shown["colour"], strict=True)
    }
    assert looks == {"curve": "#0072B2", "linear": "#D55E00"}
    assert {len(line) for line in shown["t"]} == {61}
    page.locator(".slick-row").first.locator("input[type=checkbox]").click()
    page.wait_for_function(f"({LINES})().label.length == 8")
    page.get_by_role("button", name="linear").click()
    page.wait_for_function(f"({LINES})().label.length == 4")
    shown = page.evaluate(LINES)
    assert all(label.endswith(": curve") for label in shown["label"])
    assert set(shown["colour"]) == {"#0072B2"}
    page.get_by_role("button", name="of runs").click()
    page.wait_for_function(f"new Set(({LINES})().colour).size == 4")
    page.locator('.slick-row span[style*="#"]').nth(3).wait_for()  # swatches beside the four runs


def test_tables_sort_and_link_to_folders(page, outputs):
    folder, runs = outputs
    head = page.locator(".slick-header-column", has_text="curve/test/error/max").first
    head.click()
    head.click()  # descending: the largest comes first
    worst = runs.loc[runs["curve/test/error/max"].idxmax(), "folder"]
    first = page.locator(".slick-row").first.locator("a")
    first.filter(has_text=worst.split("/")[1]).wait_for()
    assert (folder / first.get_attribute("href")).is_dir()


def test_a_number_against_a_setting_with_mean_and_deviation(page, outputs):
    runs = outputs[1]
    number = "linear/test/nll/max"
    page.get_by_label("number").select_option(number)
    page.get_by_label("against").select_option("train.curve.learning_rate")
    page.get_by_label("apart by").select_option("curve._target_")
    page.wait_for_function(f"({MEANS})().label.includes('mc.curves.PolyChain')")
    page.wait_for_function(f"({MEANS})().value.includes('0.001')")
    shown = page.evaluate(MEANS)
    rows = {
        (label, float(value)): (y, std, n)
        for label, value, y, std, n in zip(
            *(shown[key] for key in ("label", "value", "y", "std", "runs")), strict=True
        )
    }
    groups = runs.groupby(["curve._target_", "train.curve.learning_rate"])[number]
    expected = groups.agg(["mean", "std", "size"])
    assert len(rows) == len(expected) == 8
    for key, row in expected.iterrows():
        assert rows[key] == pytest.approx(tuple(row), rel=1e-5)
    told = page.get_by_text("Means and standard deviations are over: curve.num_bends.")
    told.wait_for()
    # Rates of three decades stand at their logarithms.
    assert min(shown["x"]) == pytest.approx(-3)
    page.get_by_label("against").select_option("curve._target_")
    page.get_by_label("apart by").select_option("nothing")
    page.wait_for_function(f"({MEANS})().value.includes('mc.curves.Bezier')")
    assert set(page.evaluate(MEANS)["colour"]) == {"#D55E00"}  # as the straight segment elsewhere


def test_words_choose_the_runs_of_all_sections(page):
    words = page.get_by_label("Runs with these words")
    words.fill("polychain bends3")
    page.get_by_text(f"4 of {RUNS} runs").wait_for()
    page.wait_for_function(f"({MEANS})().runs.reduce((a, b) => a + b, 0) == 4")
    links = page.locator(".slick-row a:visible").evaluate_all("all => all.map(a => a.innerText)")
    assert links
    assert all("bends3" in link for link in links)
    chosen = page.evaluate(LINES)["label"]
    assert all("bends3" in label for label in chosen)
    words.fill("no such run")
    page.get_by_text(f"0 of {RUNS} runs").wait_for()
    page.wait_for_function(f"({LINES})().label.length == 0")
    words.fill("")
    page.get_by_text(f"{RUNS} of {RUNS} runs").wait_for()
    page.wait_for_function(f"({LINES})().label.length == 10")


def test_a_narrow_page_needs_no_scrolling_sideways(chromium, outputs):
    page = chromium.new_page(viewport={"width": 420, "height": 900})
    page.goto((outputs[0] / "report.html").as_uri())
    page.locator(".slick-row").first.wait_for()
    width = page.evaluate("document.documentElement.scrollWidth")
    page.close()
    assert width <= 420


def test_figures_beyond_the_room_are_read_from_the_folders(outputs, monkeypatch):
    folder, runs = outputs
    inside = '<img src="data:image/png;base64,'
    whole = pictures.figures(runs, folder)
    assert whole.count(inside) == RUNS
    assert "not inside this page" not in whole
    monkeypatch.setattr(pictures, "ROOM", 1)
    short = pictures.figures(runs, folder)
    assert short.count(inside) == 1
    assert short.count("/figures/along_t.png") == RUNS - 1
    assert f"The figures of the last {RUNS - 1} runs are not inside this page" in short


@pytest.mark.long
def test_a_page_of_1200_runs_is_made_in_20_seconds_and_10_megabytes(tmp_path):
    many_runs.write(tmp_path, 1200)
    began = time.process_time()  # of this process: whatever else the machine does
    made = stage.show(Report({"output_dir": str(tmp_path)}))
    seconds = time.process_time() - began
    size = (tmp_path / "report.html").stat().st_size
    logging.getLogger(__name__).warning("%.1f s, %.1f MB", seconds, size / 1e6)
    assert made == {"num_eval": 1200}
    assert seconds < 20
    assert size < 10e6
    assert len(folders.finished_runs(tmp_path)) == 1200
