"""stage=report: the table, the means, and the page in a real browser."""

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
import yaml

from mc import report, store

T = np.linspace(0, 1, 5)


def made(output_dir, family, bends, endpoints, worst):
    """A finished evaluation, as the stages leave it."""
    folder = output_dir / "eval" / f"digits-{family}-{bends}-{endpoints[0]}"
    folder.mkdir(parents=True)
    config = {
        "stage": "eval",
        "seed": 1,
        "endpoints": endpoints,
        "output_dir": "elsewhere",
        "curve": {"_target_": f"mc.curves.{family}", "num_bends": bends},
        "dataset": {"_target_": "mc.datasets.digits"},
        "plane": {"grid_points": 5},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    paths = {"curve": worst * np.sin(np.pi * T), "linear": 10 * worst * np.sin(np.pi * T)}
    tables = [pd.DataFrame({"path": p, "t": T, "test/error": v}) for p, v in paths.items()]
    store.save_table(folder, "points", pd.concat(tables))
    store.write_atomically(folder / "summary.json", f'{{"curve/test/error/max": {worst}}}')
    return folder


@pytest.fixture
def outputs(tmp_path):
    """Two families and two pairs of endpoints."""
    for family, worst in (("Bezier", 0.02), ("PolyChain", 0.04)):
        for endpoints, more in (([1, 2], 0.0), ([3, 4], 0.02)):
            made(tmp_path, family, 1, endpoints, worst + more)
    return tmp_path


def test_a_row_a_run_and_what_varies(outputs):
    runs = report.gather(outputs)
    assert len(runs) == 4
    assert report.varied(runs) == ["endpoints", "curve._target_"]
    assert not [c for c in runs if c.startswith(("plane", "output_dir"))]
    assert runs["curve/test/error/max"].sum() == pytest.approx(0.16)
    assert all((outputs / folder).is_dir() for folder in runs["folder"])


def test_null_differs_from_a_value(outputs):
    for path in outputs.glob("eval/*/config.yaml"):
        config = yaml.safe_load(path.read_text())
        config["eval"] = {"t": [0.5] if "Bezier-1-1" in str(path) else None}
        path.write_text(yaml.safe_dump(config, sort_keys=False))
    runs = report.gather(outputs)
    assert "eval.t" in report.varied(runs)
    assert report.grouped(runs)["eval"]["runs"].tolist() == [1, 1, 2]


def test_means_are_over_endpoints_and_seeds(outputs):
    table = report.grouped(report.gather(outputs))["eval"].set_index("curve._target_")
    assert table["runs"].tolist() == [2, 2]
    bezier = table.loc["mc.curves.Bezier"]
    assert bezier["curve/test/error/max mean"] == pytest.approx(0.03)
    assert bezier["curve/test/error/max std"] == pytest.approx(np.std([0.02, 0.04], ddof=1))


def test_the_mean_over_a_run_that_is_not_finite_is_not_that_of_the_others(outputs):
    store.write_atomically(
        outputs / "eval" / "digits-Bezier-1-1" / "summary.json", '{"curve/test/error/max": null}'
    )
    runs = report.gather(outputs)
    assert runs["curve/test/error/max"].dtype == float
    table = report.grouped(runs)["eval"].set_index("curve._target_")
    assert np.isnan(table.loc["mc.curves.Bezier", "curve/test/error/max mean"])
    assert table.loc["mc.curves.PolyChain", "curve/test/error/max mean"] == pytest.approx(0.05)
    assert report.page(runs, outputs)


def test_statistics_of_the_first_batches_are_not_averaged_with_those_of_all(outputs):
    for path in outputs.glob("eval/*/config.yaml"):
        config = yaml.safe_load(path.read_text()) | {"eval": {"bn_batches": 2}}
        path.write_text(yaml.safe_dump(config, sort_keys=False))
        new = {"bn_batches": store.SPREAD} if path.parent.name.endswith("1-1") else {}
        store.write_atomically(path.with_name("environment.json"), json.dumps(new))
    table = report.grouped(report.gather(outputs))["eval"]
    assert table["runs"].tolist() == [1, 1, 1, 1]
    assert sorted(set(table["eval.bn_batches"].astype(str))) == ["2", "first 2"]


def test_means_do_not_mix_runs_with_a_setting_that_others_do_not_have(outputs):
    for path in outputs.glob("eval/*-3/config.yaml"):
        config = yaml.safe_load(path.read_text())
        config["loss"] = {"from_logits": True}  # as by +loss.from_logits=true
        path.write_text(yaml.safe_dump(config, sort_keys=False))
    runs = report.gather(outputs)
    assert "loss.from_logits" in report.varied(runs)
    assert report.grouped(runs)["eval"]["runs"].tolist() == [1, 1, 1, 1]


def test_means_do_not_mix_networks_of_different_epochs(outputs):
    for ends in (["1@10", "2@10"], ["3@10", "4@10"]):
        made(outputs, "Bezier", 1, ends, 0.5)
    table = report.grouped(report.gather(outputs))["eval"]
    bezier = table[table["curve._target_"] == "mc.curves.Bezier"].set_index("saved epochs")
    assert bezier["runs"].to_dict() == {"": 2, "10 10": 2}
    assert bezier.loc["10 10", "curve/test/error/max mean"] == 0.5


def test_runs_set_aside_and_unfinished_are_left_out(outputs):
    folder = outputs / "eval/digits-Bezier-1-1"
    folder.rename(folder.with_name(folder.name + ".old-1"))
    (outputs / "eval/digits-Bezier-1-3/summary.json").unlink()
    runs = report.gather(outputs)
    assert len(runs) == 2
    unfinished = store.unfinished_runs(outputs)
    assert unfinished == [outputs / "eval/digits-Bezier-1-3"]
    told = re.search("Not finished, so left out: .*?/p", report.page(runs, outputs, unfinished))
    assert told[0].count("eval/digits-Bezier-1-3") == 2  # a link and its text
    assert "Not finished" not in report.page(runs, outputs)


def test_a_network_named_like_a_folder_set_aside_is_not_left_out(outputs):
    folder = outputs / "eval/digits-Bezier-1-1"
    folder.rename(folder.with_name("digits-net.old-1-2-bezier-12345678"))
    assert len(report.gather(outputs)) == 4


def test_what_only_one_stage_depends_on_does_not_vary(outputs):
    folder = outputs / "base/digits-cnn-seed1"
    folder.mkdir(parents=True)
    settings = {"seed": 1, "dataset": {"_target_": "mc.datasets.digits"}, "model": {"units": 3}}
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))
    (folder / "summary.json").write_text('{"test/error": 0.1}')
    runs = report.gather(outputs)
    assert report.varied(runs) == ["endpoints", "curve._target_"]
    names = [("/" in column) for column in runs]
    assert names == sorted(names)  # settings first


def test_what_a_stage_of_your_own_makes_is_a_row_too(outputs):
    (outputs / "eval").rename(outputs / "tangents")
    runs = report.gather(outputs)
    assert set(runs["stage"]) == {"tangents"}
    assert "plane.grid_points" in runs


def test_an_empty_folder_is_an_error(cli, tmp_path):
    made = tmp_path / "misspelt"
    status, output = cli("stage=report", f"output_dir={made}")
    assert (status, "no finished run in output_dir" in output) == (1, True)
    assert not made.exists()


def test_damaged_runs_are_left_out_with_a_warning(outputs, caplog):
    (outputs / "eval/digits-Bezier-1-1/config.yaml").write_text("")
    (outputs / "eval/digits-Bezier-1-3/summary.json").write_text('{"curve/te')
    (outputs / "eval/digits-PolyChain-1-1/points.csv").write_text("")
    figure = outputs / "eval/digits-PolyChain-1-3/figures/along_t.png"
    figure.parent.mkdir()
    figure.write_bytes(b"PNG")
    runs = report.gather(outputs)
    assert runs["folder"].tolist() == ["eval/digits-PolyChain-1-1", "eval/digits-PolyChain-1-3"]
    report.page(runs, outputs)
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 4
    assert all(text.startswith("left out: ") and "damaged" in text for text in told)
    (outputs / "eval/digits-PolyChain-1-3/points.csv").write_text("pa")
    assert "PolyChain-1-3" in report.page(runs, outputs)  # without any lines
    for path in outputs.glob("eval/*/config.yaml"):
        path.unlink()
    with pytest.raises(ValueError, match="No run in output_dir="):
        report.gather(outputs)


def test_the_command_writes_tables_and_page(cli, tmp_path):
    for seed in (1, 2):
        assert cli("stage=base", "smoke=true", "model=mlp", f"seed={seed}")[0] == 0
    status, output = cli("stage=report")
    assert status == 0, output
    results = pd.read_csv(tmp_path / "results.csv")
    assert sorted(results["seed"]) == [1, 2]
    mean = pd.read_csv(tmp_path / "results_base.csv")
    assert mean["test/error mean"][0] == pytest.approx(results["test/error"].mean())
    page = (tmp_path / "report.html").read_text()
    assert "<script src=" not in page
    assert "<link " not in page


def test_the_page_works_in_a_browser_without_a_network(outputs):
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if browser is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs pip install playwright")
    for i, path in enumerate(sorted(outputs.glob("eval/*/config.yaml")), 1):
        config = yaml.safe_load(path.read_text())
        config |= {"smoke": i == 1, "train": {"curve": {"learning_rate": i * 1e-5}}}
        config["seed"] = 123456 + i
        path.write_text(yaml.safe_dump(config, sort_keys=False))
    html = outputs / "report.html"
    html.write_text(report.page(report.gather(outputs), outputs))
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": 1400, "height": 1200})
        problems = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.route("http*://**", lambda route: problems.append(route.request.url))
        page.goto(html.as_uri())
        rows = page.locator(".slick-row")
        rows.first.wait_for()
        for row, (word, rate) in enumerate([("True", "0.00001"), ("False", "0.00002")]):
            shown = rows.nth(row).inner_text().split()
            assert word in shown
            assert rate in shown
            assert str(123457 + row) in shown
        lines = """() => { const models = [...Bokeh.documents[0]._all_models.values()]
            return models.find(m => m.type == "MultiLine") &&
                models.find(m => m.type == "GlyphRenderer").data_source.data.label }"""
        assert len(page.evaluate(lines)) == 8  # all four runs, two paths each
        rows.first.locator("input[type=checkbox]").click()
        page.wait_for_function(f"({lines})().length == 6")
        left = page.evaluate(lines)
        assert not [name for name in left if "Bezier-1-1:" in name]
        page.get_by_role("button", name="linear").click()
        page.wait_for_function(f"({lines})().length == 3")
        assert all(name.endswith(": curve") for name in page.evaluate(lines))
        head = page.locator(".slick-header-column", has_text="curve/test/error/max").first
        head.click()
        head.click()  # descending: the largest comes first
        page.wait_for_timeout(300)
        assert "0.06" in rows.first.inner_text()
        link = rows.first.locator("a").get_attribute("href")
        assert (outputs / link).is_dir()
        chromium.close()
    assert problems == []
