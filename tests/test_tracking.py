"""Tracking: offline runs are read back from W&B's own file; nothing reaches the network."""

import atexit
import json
import os
import pty
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import PATIENCE
from wandb_files import axes_of, history_of, items_of, of_kind, records_of, summary_of

from mc import plots
from mc.lab import tracking

ROOT = Path(__file__).resolve().parents[1]

# W&B leaves the temporary folders of its tables to the collector of garbage.
pytestmark = pytest.mark.filterwarnings("ignore:Implicitly cleaning up:ResourceWarning")


@pytest.fixture(autouse=True)
def only_what_the_test_sets(monkeypatch):
    """No W&B variable of whoever runs the tests takes part."""
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="module", autouse=True)
def no_warning_after_the_last_test():
    """Those folders that are left to the interpreter's exit; no session of another file's tests."""
    if "wandb" in sys.modules:
        sys.modules["wandb"].teardown()
    yield
    atexit.register(warnings.simplefilter, "ignore", ResourceWarning)


def offline(folder, **options):
    settings = {"project": "p", "run_id": tracking.new_id(), "config": {}} | options
    return tracking.start(mode="offline", folder=folder, **settings)


@pytest.fixture
def points():
    rows = [
        {"path": path, "t": t, "segment_length": 0.5, "test/error": t * k, "train/loss": k - t}
        for path, k in (("curve", 1.0), ("linear", 2.0))
        for t in (0.0, 0.5, 1.0)
    ]
    return pd.DataFrame(rows)


def test_ids_are_random_and_what_wandb_accepts():
    ids = {tracking.new_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(re.fullmatch("[a-z0-9]{8}", i) for i in ids)


def test_an_offline_run_holds_what_the_run_was_told(tmp_path, capfd):
    tracker = offline(
        tmp_path,
        run_id="abcd1234",
        entity="me",
        tags=["one", "two"],
        group="mnist_cnn",
        job_type="base",
        name="base-seed1",
        config={"seed": 1, "train": {"epochs": 2}},
    )
    assert tracker.url is None
    (folder,) = tmp_path.glob("wandb/offline-run-*")
    tracker.finish()
    assert tracking.sync_command({"abcd1234": tmp_path}) == f"wandb sync {folder}"
    assert capfd.readouterr() == ("", "")
    (run,) = of_kind(records_of(tmp_path), "run")
    assert (run.project, run.entity, run.run_id) == ("p", "me", "abcd1234")
    assert (run.run_group, run.job_type, run.display_name) == ("mnist_cnn", "base", "base-seed1")
    assert list(run.tags) == ["one", "two"]
    config = items_of(run.config.update)
    assert config["seed"] == 1
    assert config["train"] == {"epochs": 2}


def test_history_is_logged_against_the_epoch(tmp_path):
    tracker = offline(tmp_path)
    rows = [
        {"epoch": 1, "learning_rate": 0.1, "train/loss": 2.5},
        {"epoch": 2, "learning_rate": np.float32(0.5), "train/loss": 1.25, "valid/error": 0.5},
    ]
    for row in rows:
        tracker.history(row)
    tracker.finish()
    records = records_of(tmp_path)
    logged = history_of(records, "epoch")
    assert [{k: row[k] for k in row if k[0] != "_"} for row in logged] == rows
    axes = axes_of(records)
    assert axes["train/loss"] == axes["valid/error"] == axes["learning_rate"] == "epoch"
    assert summary_of(records)["train/loss"] == 1.25


def test_points_are_logged_against_t_with_a_table(tmp_path, points):
    tracker = offline(tmp_path)
    tracker.along_t(points)
    tracker.summary({"curve/test/error/max": 1.0, "curve/length": 2.0})
    tracker.finish()
    records = records_of(tmp_path)
    for path, k in (("curve", 1.0), ("linear", 2.0)):
        rows = history_of(records, f"{path}/test/error")
        assert [(row["t"], row[f"{path}/test/error"]) for row in rows] == [
            (0, 0),
            (0.5, k / 2),
            (1, k),
        ]
        assert [row[f"{path}/train/loss"] for row in rows] == [k, k - 0.5, k - 1]
    axes = axes_of(records)
    names = [f"{p}/{m}" for p in ("curve", "linear") for m in ("test/error", "train/loss")]
    assert {name: axes[name] for name in names} == dict.fromkeys(names, "t")
    assert "t" in axes
    summary = summary_of(records)
    assert summary["curve/test/error/max"] == 1.0
    assert summary["curve/length"] == 2.0
    assert "curve/test/error" not in summary
    (row,) = history_of(records, "points/path")
    (folder,) = tmp_path.glob("wandb/offline-run-*")
    content = json.loads((folder / "files" / row["points/path"]).read_text())
    assert content["columns"] == list(points.columns)
    assert content["data"] == points.to_numpy().tolist()


def test_members_are_logged_as_they_join(tmp_path):
    table = pd.DataFrame(
        {"members": [1, 2], "name": "a", "ensemble/test/error": [0.5, 0.25], "test/error": 0.5}
    )
    tracker = offline(tmp_path)
    tracker.members(table)
    tracker.summary({"ensemble/test/error": 0.25})
    tracker.finish()
    records = records_of(tmp_path)
    rows = history_of(records, "ensemble/test/error")
    assert [(row["members"], row["ensemble/test/error"]) for row in rows] == [(1, 0.5), (2, 0.25)]
    axes = axes_of(records)
    assert axes["ensemble/test/error"] == axes["member/test/error"] == "members"
    assert "test/error" not in axes  # which history logs by epoch
    assert summary_of(records)["ensemble/test/error"] == 0.25
    (row,) = history_of(records, "members_table/path")
    (folder,) = tmp_path.glob("wandb/offline-run-*")
    content = json.loads((folder / "files" / row["members_table/path"]).read_text())
    assert content["columns"] == list(table.columns)


def test_many_points_span_the_blocks_of_the_file(tmp_path):
    t = np.linspace(0, 1, 301)
    tracker = offline(tmp_path)
    tracker.along_t(pd.DataFrame({"path": "curve", "t": t, "test/error": t**2}))
    tracker.finish()
    rows = history_of(records_of(tmp_path), "curve/test/error")
    np.testing.assert_array_equal([row["t"] for row in rows], t)
    np.testing.assert_array_equal([row["curve/test/error"] for row in rows], t**2)


def test_values_that_are_not_finite_are_kept(tmp_path):
    tracker = offline(tmp_path)
    tracker.history({"epoch": 1, "train/loss": float("nan")})
    tracker.finish()
    (row,) = history_of(records_of(tmp_path), "epoch")
    assert np.isnan(float(row["train/loss"]))


def test_figures_are_logged_as_images(tmp_path):
    picture = tmp_path / "along_t.png"
    plots.along_t({"Loss": {"curve": ([0, 1], [1, 2])}}).savefig(picture)
    tracker = offline(tmp_path)
    tracker.figures({"along_t": picture})
    tracker.figures({})
    tracker.finish()
    (row,) = history_of(records_of(tmp_path), "figures/along_t/path")
    (copy,) = tmp_path.glob("wandb/offline-run-*/files/media/images/figures/*.png")
    assert copy.read_bytes() == picture.read_bytes()
    assert row["figures/along_t/path"].endswith(copy.name)


def test_the_exit_code_marks_a_failed_run(tmp_path):
    tracker = offline(tmp_path)
    tracker.finish(exit_code=1)
    tracker.finish()
    tracker.history({"epoch": 1})  # after the end nothing is logged, and nothing breaks
    records = records_of(tmp_path)
    assert [e.exit_code for e in of_kind(records, "exit")] == [1]
    assert history_of(records, "epoch") == []


def test_runs_of_one_process_stay_apart(tmp_path):
    one, two = offline(tmp_path / "one"), offline(tmp_path / "two")
    one.history({"epoch": 1, "train/loss": 1.0})
    two.history({"epoch": 1, "train/loss": 2.0})
    two.finish()
    one.history({"epoch": 2, "train/loss": 3.0})
    one.finish()
    losses = {
        name: [r["train/loss"] for r in history_of(records_of(tmp_path / name), "train/loss")]
        for name in ("one", "two")
    }
    assert losses == {"one": [1, 3], "two": [2]}


class Server:
    """What a server keeps of one online run, as `wandb.Run` shows it to who continues it."""

    offline, url = False, "http://server/run"

    def __init__(self):
        self.rows, self.starting_step = [], 0

    def log(self, row):
        self.rows.append(row)

    def define_metric(self, *_, **__):
        pass

    def finish(self, exit_code):
        self.starting_step = len(self.rows)


@pytest.mark.parametrize("arrived", [0, 1, 2, 3, 5])
def test_a_continued_online_run_sends_no_row_twice(points, arrived):
    def told(server, last):
        tracker = tracking.Tracker(server)
        for epoch in range(1, last + 1):
            tracker.history({"epoch": epoch, "train/loss": 1 / epoch})
        return tracker

    server, whole = Server(), Server()
    told(server, min(arrived, 3)).finish(exit_code=1)  # killed; its last rows may not have arrived
    if arrived > 3:  # killed while it told its results
        server = Server()
        told(server, 3).along_t(points[: arrived - 3])
        del server.rows[arrived:]
        server.finish(exit_code=1)
    for run in (server, whole):
        tracker = told(run, 3)
        tracker.along_t(points)
        tracker.finish()
    assert len(server.rows) == 3 + len(points) + 1
    assert server.rows[:-1] == whole.rows[:-1]  # the last is a table
    assert list(server.rows[-1]) == ["points"]


def test_disabled_leaves_nothing_and_does_not_import_wandb(tmp_path):
    code = f"""
import sys, pandas
from mc.lab import tracking
tracker = tracking.start(mode="disabled", folder={str(tmp_path)!r}, run_id="a")
tracker.history({{"epoch": 1, "train/loss": 1.0}})
tracker.along_t(pandas.DataFrame({{"path": ["curve"], "t": [0.5], "test/error": [0.1]}}))
tracker.summary({{"a": 1}})
tracker.figures({{"missing": "missing.png"}})
tracker.finish()
print(tracking.sync_command({{"a": {str(tmp_path)!r}}}), tracker.url, "wandb" in sys.modules)
"""
    assert python(code, tmp_path) == "None None False\n"
    assert list(tmp_path.iterdir()) == []


def test_history_needs_an_epoch(tmp_path):
    with pytest.raises(ValueError, match=r"key epoch.*train/loss"):
        tracking.start(mode="disabled", folder=tmp_path, run_id="a").history({"train/loss": 1})


def test_what_wandb_refuses_is_a_clean_error(tmp_path):
    with pytest.raises(ValueError, match=r"wandb.mode=offline: Weights & Biases refused.*project"):
        offline(tmp_path, project="a/b")


def test_variables_apply_where_nothing_is_given(tmp_path):
    code = f"""
from mc.lab import tracking
for folder, given in (("a", {{}}), ("b", {{"project": "given", "tags": ["given"]}})):
    folder = {str(tmp_path)!r} + "/" + folder
    tracking.start(mode="offline", folder=folder, run_id="x", **given).finish()
"""
    variables = {
        "WANDB_PROJECT": "mine",
        "WANDB_TAGS": "x,y",
        "WANDB_RUN_GROUP": "g",
        "WANDB_MODE": "online",
    }
    assert python(code, tmp_path, **variables) == ""
    for folder, project, tags in (("a", "mine", ["x", "y"]), ("b", "given", ["given"])):
        (run,) = of_kind(records_of(tmp_path / folder), "run")
        assert (run.project, list(run.tags), run.run_group) == (project, tags, "g")


@pytest.mark.parametrize("repository", ["here", "nowhere"])
def test_the_commit_is_that_of_the_working_directory(tmp_path, repository):
    work = tmp_path / "work"
    work.mkdir()
    commit = ""
    if repository == "here":
        git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c"]
        subprocess.run([*git, "init", "-q"], cwd=work, check=True)
        subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "a"], cwd=work, check=True)
        head = [*git, "rev-parse", "HEAD"]
        commit = subprocess.check_output(head, cwd=work, text=True).strip()
    code = f"""
from mc.lab import tracking
tracking.start(mode="offline", folder={str(tmp_path / "out")!r}, run_id="x").finish()
"""
    assert python(code, work) == ""
    (run,) = of_kind(records_of(tmp_path / "out"), "run")
    assert run.git.commit == commit


def test_wandb_dir_takes_the_place_of_the_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_DIR", str(tmp_path / "scratch"))
    offline(tmp_path / "run").finish()
    assert len(of_kind(records_of(tmp_path / "scratch"), "run")) == 1
    assert not (tmp_path / "run").exists()


def python(code: str, home: Path, terminal: int | None = None, **variables) -> str:
    """What a fresh Python prints, with an empty home, no key and no W&B variable but those given.

    W&B reads variables and credentials once a process, so tests of them need their own.
    """
    keep = {k: v for k, v in os.environ.items() if not k.startswith("WANDB_") and k != "NETRC"}
    environment = keep | {"HOME": str(home), "PYTHONPATH": str(ROOT)} | variables
    result = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        cwd=home,
        stdin=terminal if terminal is not None else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=terminal if terminal is not None else subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
    )
    return result.stdout


ONLINE = """
from mc.lab import tracking
try:
    tracking.start(mode="online", project="p", folder="run", run_id="a")
except ValueError as problem:
    print(problem)
"""


@pytest.mark.parametrize("terminal", [False, True])
def test_online_without_a_key_names_three_ways_out_and_never_asks(tmp_path, terminal):
    # A server that does not exist: a test that gets past the key fails, and reaches nobody.
    variables = {"WANDB_BASE_URL": "http://127.0.0.1:9", "WANDB_MODE": "offline"}
    ours, theirs = pty.openpty()
    try:
        told = python(ONLINE, tmp_path, theirs if terminal else None, **variables)
    finally:
        os.close(ours)
        os.close(theirs)
    assert told.startswith("wandb.mode=online needs an API key")
    for way_out in ("`wandb login`", "WANDB_API_KEY", "wandb.mode=offline"):
        assert way_out in told
    assert told.count("\n") == 1
    assert not (tmp_path / "run" / "wandb").exists()


def test_online_with_a_malformed_key_says_so(tmp_path):
    told = python(ONLINE, tmp_path, WANDB_BASE_URL="http://127.0.0.1:9", WANDB_API_KEY="short")
    assert told.startswith("wandb.mode=online needs an API key")
    assert "WANDB_API_KEY invalid" in told


@pytest.mark.parametrize("source", ["variable", "netrc"])
def test_online_finds_a_key_where_wandb_keeps_it(tmp_path, source):
    # With a key it goes on to the server, which is a closed port here: another reason is told.
    key = "0123456789" * 4
    variables = {"WANDB_BASE_URL": "http://127.0.0.1:9", "WANDB_INIT_TIMEOUT": "2"}
    if source == "variable":
        variables["WANDB_API_KEY"] = key
    else:
        netrc = tmp_path / ".netrc"
        netrc.write_text(f"machine 127.0.0.1:9\n  login user\n  password {key}\n")
        netrc.chmod(0o600)
    told = python(ONLINE, tmp_path, **variables)
    assert "wandb.mode=online needs" in told
    assert "No API key configured" not in told


def test_a_service_that_does_not_start_is_an_error_and_no_endless_wait(tmp_path):
    code = (
        "from mc.lab import tracking; from pathlib import Path; import sys;"
        "tracking.start(mode='offline', folder=Path(sys.argv[1]), run_id='a')"
    )
    environment = os.environ | {"WANDB_X_SERVICE_WAIT": "0"}  # not even a fast one is met
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 1
    assert "ValueError: wandb.mode=offline: Weights & Biases refused the run" in done.stderr
