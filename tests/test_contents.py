"""Hashes of what files hold, and notes that are compared."""

import json

import h5py
import numpy as np
import pytest
from conftest import build

from mc.lab import contents, files, folders


def test_content_is_the_arrays_and_not_the_bytes_of_a_file(tmp_path):
    network = build(1)
    network.save_weights(tmp_path / "a.weights.h5")
    with (
        h5py.File(tmp_path / "b.weights.h5", "w", track_order=True) as file,  # other bytes
        h5py.File(tmp_path / "a.weights.h5") as other,
    ):
        for name in reversed(list(other)):
            other.copy(name, file)
    files = [tmp_path / f"{name}.weights.h5" for name in "ab"]
    assert files[0].read_bytes() != files[1].read_bytes()
    assert contents.of_file(files[0]) == contents.of_file(files[1])
    weights = network.get_weights()
    weights[0].flat[0] = np.nextafter(weights[0].flat[0], np.float32(9))
    network.set_weights(weights)
    network.save_weights(tmp_path / "c.weights.h5")
    assert contents.of_file(files[0]) != contents.of_file(tmp_path / "c.weights.h5")


def test_content_of_other_files_is_their_bytes(tmp_path):
    first, second = tmp_path / "summary.json", tmp_path / "other.json"
    for file in (first, second):
        file.write_text('{"test/error": 0.5}')
    assert contents.of_file(first) == contents.of_file(second) is not None
    second.write_text('{"test/error": 0.25}')
    assert contents.of_file(first) != contents.of_file(second)


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ({"w": [1.0, 2.0], "endpoints": "elsewhere"}, True),  # where, and not what
        ({"w": [1.0, 2.0], "state_0": [0.0]}, False),
        ({"w": [[1.0, 2.0]]}, False),
        ({"w": [1, 2]}, False),
        ({"v": [1.0, 2.0]}, False),
    ],
)
def test_name_type_shape_and_values_of_arrays_count(tmp_path, other, same):
    files.save_arrays(tmp_path, "a", {"w": np.array([1.0, 2.0]), "endpoints": np.array("here")})
    files.save_arrays(tmp_path, "b", {name: np.array(value) for name, value in other.items()})
    found = [contents.of_file(tmp_path / f"{name}.npz") for name in "ab"]
    assert (found[0] == found[1]) == same


def test_a_file_that_is_gone_or_damaged_has_no_content(tmp_path):
    assert contents.of_file(tmp_path / "gone.npz") is None
    for name in ("broken.npz", "broken.weights.h5"):
        (tmp_path / name).write_bytes(b"PK\x03\x04 no archive")
        assert contents.of_file(tmp_path / name) is None


def test_a_run_of_before_is_compared_by_what_lies_there(tmp_path):
    base, curve = tmp_path / "base/one", tmp_path / "curve/two"
    base.mkdir(parents=True)
    files.save_arrays(base, "curve", {"w": np.ones(2)})  # any file
    folders.begin(curve, "", {"read": contents.read(curve, {"network 1": base / "curve.npz"})})
    assert contents.compare([curve]).changed == []
    files.save_arrays(base, "curve", {"w": np.zeros(2)})
    assert contents.compare([curve]).changed == [(curve, "network 1", base)]
    noted = json.loads((curve / "environment.json").read_text())["read"]["network 1"]
    assert noted["run"] == "../../base/one"  # outputs may be moved
    (base / "curve.npz").unlink()
    assert contents.compare([curve]).changed == []
    assert "is not there any more" in contents.compare([curve]).unknown[0]
