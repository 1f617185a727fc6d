"""stage=report: the table, the means, and the page in a real browser."""

import json
import re

import numpy as np
import pandas as pd
import pytest
import yaml
from bokeh.models import CheckboxButtonGroup

from mc.lab import files, folders, report
from mc.lab.report import lines

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
    files.save_table(folder, "points", pd.concat(tables))
    files.write_atomically(folder / "summary.json", f'{{"curve/test/error/max": {worst}}}')
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
    files.write_atomically(
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
        new = {"bn_batches": folders.SPREAD} if path.parent.name.endswith("1-1") else {}
        files.write_atomically(path.with_name("environment.json"), json.dumps(new))
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
    bezier = table[table["curve._target_"] == "mc.curves.Bezier"].set_index("networks")
    assert bezier["runs"].to_dict() == {"seed seed": 2, "seed@10 seed@10": 2}
    assert bezier.loc["seed@10 seed@10", "curve/test/error/max mean"] == 0.5


def test_means_do_not_mix_files(outputs):
    for i, ends in enumerate((["a.keras", "b.keras"], ["c.keras", "d.keras"])):
        made(outputs, "Bezier", 1, ends, 0.1 + i)
    table = report.grouped(report.gather(outputs))["eval"]
    bezier = table[table["curve._target_"] == "mc.curves.Bezier"].set_index("networks")
    assert bezier["runs"].to_dict() == {"seed seed": 2, "a.keras b.keras": 1, "c.keras d.keras": 1}


def test_equal_numbers_have_no_deviation(outputs):
    bezier, polychain = ([f"digits-{f}-1-{n}" for n in (1, 3)] for f in ("Bezier", "PolyChain"))
    numbers = {bezier[0]: "0.1", bezier[1]: repr(0.1 + 2e-17)}
    numbers |= {polychain[0]: "0.0", polychain[1]: "3.5e-18"}
    for name, number in numbers.items():
        summary = f'{{"curve/test/error/barrier_max": {number}}}'
        (outputs / "eval" / name / "summary.json").write_text(summary)
    table = report.grouped(report.gather(outputs))["eval"].set_index("curve._target_")
    assert table["curve/test/error/barrier_max std"].tolist() == [0, 0]
    assert table["curve/test/error/barrier_max mean"].tolist() == [0.1, 0]


def test_a_mean_over_a_run_that_is_not_finite_is_not_finite(outputs):
    name = "curve/test/error/max"
    (outputs / "eval/digits-Bezier-1-1/summary.json").write_text(f'{{"{name}": null}}')
    runs = report.gather(outputs)
    table = report.grouped(runs)["eval"].set_index("curve._target_")
    assert table[f"{name} mean"].isna().tolist() == [True, False]
    assert "digits-Bezier-1-1" in report.page(runs, outputs)


def test_runs_set_aside_and_unfinished_are_left_out(outputs):
    folder = outputs / "eval/digits-Bezier-1-1"
    folder.rename(folder.with_name(folder.name + ".old-1"))
    (outputs / "eval/digits-Bezier-1-3/summary.json").unlink()
    runs = report.gather(outputs)
    assert len(runs) == 2
    unfinished = folders.unfinished_runs(outputs)
    assert unfinished == [outputs / "eval/digits-Bezier-1-3"]
    told = re.search("Not finished, so left out: .*?/p", report.page(runs, outputs, unfinished))
    assert told[0].count("eval/digits-Bezier-1-3") == 2  # a link and its text
    assert "Not finished" not in report.page(runs, outputs)


def test_runs_that_have_made_nothing_are_told_in_one_line(cli, outputs):
    for name in ("-1-1", "-1-3"):
        folder = outputs / f"eval/digits-Bezier{name}"
        (folder / "summary.json").unlink()
        (folder / "points.csv").unlink()
    files.save_checkpoint(folder, {"step": 1})
    status, output = cli("stage=report")
    assert status == 0, output
    told = [line for line in output.splitlines() if "left out" in line]
    assert told[0].endswith(f"not finished, so left out: {folder}")
    assert told[1].endswith(f"rm -r {outputs}/eval/digits-Bezier-1-1")
    assert len(told) == 2


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


def test_lines_of_all_pairs_are_left_to_their_matrix(outputs):
    for stage in ("pairs", "own_stage"):  # of the latter it is not known what it draws
        folder = outputs / stage / "digits-1-2-3"
        folder.mkdir(parents=True)
        (folder / "config.yaml").write_text(f"stage: {stage}")
        (folder / "summary.json").write_text('{"pairs/test/error/barrier_max/mean": 0.5}')
        table = pd.DataFrame({"path": f"{stage} 1|2", "t": T, "test/error": T})
        files.save_table(folder, "points", table)
    runs = report.gather(outputs)
    assert runs["pairs/test/error/barrier_max/mean"].notna().sum() == 2
    section = lines.section(runs, outputs)
    paths = dict.fromkeys(label for found in section.widgets for label in labels_of(found))
    assert list(paths) == ["curve", "linear", "own_stage 1|2"]


def labels_of(widget):
    """The labels of the buttons that choose paths, in a widget or inside it."""
    return [
        label
        for model in widget.references()
        if isinstance(model, CheckboxButtonGroup)
        for label in model.labels
    ]


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


@pytest.mark.slow
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
