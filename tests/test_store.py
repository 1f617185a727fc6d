"""Folders, fingerprints, and files that are whole or not there."""

import errno
import fcntl
import hashlib
import json
import multiprocessing
import os
import shutil
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from mc.lab import files, fingerprints, folders

SETTINGS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=3), SETTINGS))
def test_order_of_keys_and_null_values_do_not_count(settings):
    shuffled = dict(reversed(settings.items()))
    assert fingerprints.of_settings(shuffled) == fingerprints.of_settings(settings)
    later = {**settings, "a key added later": None, "another": {"inner": 1, "null": None}}
    without = {**settings, "another": {"inner": 1}}
    assert fingerprints.of_settings(later) == fingerprints.of_settings(without)


@given(SETTINGS.filter(lambda s: s is not None), SETTINGS.filter(lambda s: s is not None))
def test_different_values_have_different_fingerprints(a, b):
    same = json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True)
    if same:
        assert fingerprints.of_settings({"k": a}) == fingerprints.of_settings({"k": b})
    elif "null" not in json.dumps([a, b]):
        assert fingerprints.of_settings({"k": a}) != fingerprints.of_settings({"k": b})


def test_fingerprint_is_sha256_of_canonical_json():
    expected = hashlib.sha256(b'{"a":[1,2.5],"b":"x"}').hexdigest()
    assert fingerprints.of_settings({"b": "x", "a": [1, 2.5], "c": None}) == expected
    assert (
        fingerprints.of_settings({"a": fingerprints.NULL})
        == hashlib.sha256(b'{"a":null}').hexdigest()
    )


def test_a_run_s_folder_is_its_label_and_eight_digits_of_its_hash(tmp_path):
    expected = tmp_path / "mnist_cnn_1-01234567"
    assert folders.of_run(tmp_path, "mnist cnn/1", "0123456789abcdef0") == expected
    assert folders.of_run(tmp_path, "x" * 230, "0" * 64).name == "x" * 230 + "-00000000"


def test_where_another_run_s_hash_begins_alike_the_second_gets_sixteen_digits(tmp_path):
    first, second = "01234567" + "a" * 56, "01234567" + "b" * 56
    folders.begin(tmp_path / "net-01234567", "", {"fingerprint": first})
    assert folders.of_run(tmp_path, "net", first).name == "net-01234567"
    other = folders.of_run(tmp_path, "net", second)
    assert other.name == "net-01234567bbbbbbbb"
    other.mkdir()
    shutil.rmtree(tmp_path / "net-01234567")
    assert folders.of_run(tmp_path, "net", second) == other  # it is still found
    assert folders.of_run(tmp_path, "net", first).name == "net-01234567"


def test_a_run_of_before_which_has_no_hash_inside_is_found(tmp_path):
    folders.begin(tmp_path / "net-01234567", "seed: 1\n", {})
    assert folders.of_run(tmp_path, "net", "0123456789").name == "net-01234567"


def test_a_label_that_is_too_long_for_a_file_s_name_loses_its_middle(tmp_path):
    label = "-".join(["digits", "mlp", *map(str, range(1, 111))])
    folder = folders.of_run(tmp_path / "ensemble", label, "f" * 64)
    with folders.lock(folder):
        folder.mkdir(parents=True)
    (folder / "x").touch()
    assert folders.set_aside(folder).is_dir()
    assert folder.name.startswith("digits-mlp-1-2-3-")
    assert folder.name.endswith("-109-110-ffffffff")
    assert "..." in folder.name


def test_file_fingerprint_is_sha256_of_the_bytes(tmp_path):
    (tmp_path / "f").write_bytes(b"abc")
    assert fingerprints.of_file(tmp_path / "f") == hashlib.sha256(b"abc").hexdigest()


def test_summary_marks_a_finished_run(tmp_path):
    assert folders.summary(tmp_path / "none") is None
    environment = folders.begin(tmp_path / "run", "seed: 1\n", {"wandb_id": "a"})
    files.save_checkpoint(tmp_path / "run", {"w": np.ones(2)})
    assert folders.summary(tmp_path / "run") is None
    folders.finish(tmp_path / "run", {"test/error": 0.25}, environment)
    assert folders.summary(tmp_path / "run") == {"test/error": 0.25}
    assert files.load_checkpoint(tmp_path / "run") is None
    assert (tmp_path / "run/config.yaml").read_text() == "seed: 1\n"
    saved = json.loads((tmp_path / "run/environment.json").read_text())
    assert saved["started"] <= saved["finished"]


def test_json_is_strict_and_what_is_not_finite_is_null(tmp_path):
    summary = {"loss": float("nan"), "max": [float("inf"), 1.0], "n": 3, "word": "NaN"}
    environment = folders.begin(tmp_path, "", {"wandb_id": "a"})
    folders.finish(tmp_path, summary, environment)
    text = (tmp_path / "summary.json").read_text()
    found = json.loads(text, parse_constant=pytest.fail)
    assert found == {"loss": None, "max": [None, 1.0], "n": 3, "word": "NaN"}
    assert folders.summary(tmp_path) == found
    (tmp_path / "summary.json").write_text('{"loss": NaN, "max": -Infinity}')  # as it was written
    assert folders.summary(tmp_path) == {"loss": None, "max": None}


def test_a_second_attempt_keeps_the_tracker_s_id_and_the_start(tmp_path):
    first = dict(folders.begin(tmp_path / "run", "", {"wandb_id": "a"}))
    second = folders.begin(tmp_path / "run", "", {"wandb_id": "b"})
    assert second["wandb_id"] == "a"
    assert second["started"] == first["started"]


def test_a_kill_at_the_end_leaves_the_state_or_the_summary(tmp_path, monkeypatch):
    environment = folders.begin(tmp_path / "run", "", {})
    files.save_checkpoint(tmp_path / "run", {"w": np.ones(2)})
    write = files.write_atomically

    def killed(path, text):
        if path.name == "summary.json":
            raise KeyboardInterrupt
        write(path, text)

    monkeypatch.setattr(folders, "write_atomically", killed)
    with pytest.raises(KeyboardInterrupt):
        folders.finish(tmp_path / "run", {"test/error": 0.25}, environment)
    assert files.load_checkpoint(tmp_path / "run")["w"].tolist() == [1, 1]


def test_what_killed_writes_have_left_goes_with_the_next_attempt(tmp_path):
    folder = tmp_path / "run"
    folders.begin(folder, "", {})
    (folder / "epochs").mkdir()
    left = [folder / ".123-checkpoint.npz", folder / "epochs/.7-2.npz"]
    left.append(folder / ".unfinished-99-model.weights.h5")
    for path in (*left, folder / ".own-notes"):
        path.write_text("half")
    folders.begin(folder, "", {})
    assert not any(path.exists() for path in left)
    assert (folder / ".own-notes").exists()


def test_an_error_of_the_disk_is_not_taken_for_a_damaged_file(tmp_path, monkeypatch):
    files.save_checkpoint(tmp_path, {"w": np.ones(2)})

    def stale(*_, **__):
        raise OSError(116, "Stale file handle")

    monkeypatch.setattr(np, "load", stale)
    with pytest.raises(OSError, match="Stale file handle"):
        files.load_checkpoint(tmp_path)


def test_damaged_files_say_so(tmp_path):
    (tmp_path / "summary.json").write_text('{"a": ')
    with pytest.raises(ValueError, match=r"damaged.* remove it"):
        folders.summary(tmp_path)
    (tmp_path / "checkpoint.npz").write_bytes(b"PK\x03\x04 not a whole archive")
    with pytest.raises(ValueError, match=r"damaged.* remove it"):
        files.load_checkpoint(tmp_path)


def fail_half_way(path):
    with files.replacing(path) as unfinished:
        unfinished.write_text("half")
        raise RuntimeError


def test_nothing_is_left_of_a_write_that_fails(tmp_path):
    (tmp_path / "a.txt").write_text("before")
    with pytest.raises(RuntimeError):
        fail_half_way(tmp_path / "a.txt")
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "before"


def test_setting_aside_keeps_every_earlier_run(tmp_path):
    folder = tmp_path / "run"
    assert folders.set_aside(folder) is None
    for n in (1, 2):
        folder.mkdir()
        (folder / "summary.json").write_text(str(n))
        assert folders.set_aside(folder) == tmp_path / f"run.old-{n}"
    assert (tmp_path / "run.old-1/summary.json").read_text() == "1"


def test_tables_keep_every_digit(tmp_path):
    table = pd.DataFrame({"t": [0.1, 1 / 3], "test/error": [1e-17, np.nan]})
    files.save_table(tmp_path, "points", table)
    read = pd.read_csv(tmp_path / "points.csv")
    pd.testing.assert_frame_equal(read, table, check_exact=False, rtol=1e-15, atol=0)


def test_figures_are_saved_for_screen_and_print_and_repeat(tmp_path):
    figure = Figure()
    figure.subplots().plot([0, 1], [0, 1])
    paths = files.save_figures(tmp_path, {"line": figure})
    assert paths == {"line": tmp_path / "figures/line.png"}
    first = {p.name: p.read_bytes() for p in (tmp_path / "figures").iterdir()}
    assert set(first) == {"line.png", "line.pdf"}
    files.save_figures(tmp_path, {"line": figure})
    assert {p.name: p.read_bytes() for p in (tmp_path / "figures").iterdir()} == first


def hold(folder, order):
    with folders.lock(folder):
        order.append("in")
        time.sleep(0.2)
        order.append("out")


def test_one_process_at_a_time_works_on_a_run(tmp_path):
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager:
        order = manager.list()
        folder = tmp_path / "outputs" / "base" / "run"
        processes = [context.Process(target=hold, args=(folder, order)) for _ in range(3)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        assert list(order) == ["in", "out"] * 3


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP])
def test_a_file_system_without_locks_is_told(tmp_path, monkeypatch, number):
    def flock(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    with (
        pytest.raises(OSError, match="output_dir must be on a file system with locks"),
        folders.lock(tmp_path / "base/run"),
    ):
        raise AssertionError("nothing may be written without a lock")
