"""Curve families and compiled networks of users' own in the laboratory."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import only, saved_network

OWN = """
from mc import Bezier

class Sharper:
    def __init__(self, bends=1):
        self._inner, self.num_points = Bezier(bends), bends + 2

    def coefficients(self, t):
        return self._inner.coefficients(t)

def local():
    class Local(Bezier):
        pass
    return Local(1)
"""


@keras.saving.register_keras_serializable("gone")
class Gone(keras.losses.Loss):
    """A loss that whoever reads the file does not have."""

    def call(self, y, p):
        return tf.reduce_mean(p**2, axis=-1)


@pytest.fixture
def ends(tmp_path, monkeypatch):
    """Two networks that were compiled with a loss that cannot be found when they are read."""
    (tmp_path / "own_family.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    paths = [saved_network(tmp_path / f"{name}.keras") for name in "ab"]
    for path in paths:
        network = keras.models.load_model(path)
        network.compile("sgd", Gone())
        network.save(path)
    del keras.saving.get_custom_objects()["gone>Gone"]
    with pytest.raises(TypeError, match="Gone"):
        keras.models.load_model(paths[0])
    return f"endpoints=[{','.join(map(str, paths))}]"


def test_a_plain_class_between_networks_compiled_by_their_user_is_trained_and_evaluated(
    cli, tmp_path, ends
):
    options = [ends, "curve._target_=own_family.Sharper", "+curve.bends=1", "smoke=true"]
    for stage in ("curve", "eval"):
        status, said = cli(f"stage={stage}", *options)
        assert status == 0, said
    with np.load(only(tmp_path, "curve/*/curve.npz")) as file:
        assert str(file["family"]) == "own_family.Sharper"


def test_a_family_that_cannot_be_saved_is_refused_before_training(cli, tmp_path, ends):
    status, said = cli("stage=curve", ends, "curve._target_=own_family.local", "smoke=true")
    assert status == 1
    assert "define it in a module" in said
    assert not list(tmp_path.glob("curve/*/history.csv"))
