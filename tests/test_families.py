"""Curve families as users write them: saved and read again, or refused before training."""

import json
import math
import subprocess
import sys
from dataclasses import dataclass, field

import numpy as np
import pytest
import tensorflow as tf
from conftest import build

import mc
from mc import curves, families, saved_curves


class Plain:
    """Arguments of other names than the attributes."""

    def __init__(self, bends, sharpness=1.0):
        self._chain = curves.PolyChain(bends)
        self._sharpness = np.float32(sharpness)
        self.num_points = bends + 2

    def coefficients(self, t):
        t = tf.convert_to_tensor(t, tf.float32)
        return self._chain.coefficients(t**self._sharpness)


class Slots:
    __slots__ = ("knots", "num_points")

    def __init__(self):
        self.knots, self.num_points = tf.constant([0.25, 0.75]), 2

    def coefficients(self, t):
        t = tf.convert_to_tensor(t, tf.float32)
        s = tf.where(t < self.knots[1], t, t * 1.0)
        return tf.stack([1 - s, s], -1)


@dataclass(frozen=True)
class Derived:
    """A dataclass with a field that is no argument."""

    num_bends: int = 1
    inner: curves.Bezier = field(init=False)

    def __post_init__(self):
        object.__setattr__(self, "inner", curves.Bezier(self.num_bends))

    num_points = property(lambda self: self.num_bends + 2)

    def coefficients(self, t):
        return self.inner.coefficients(t)


class Outer:
    class Nested(mc.Bezier):
        """Found only through the class that it is in."""


class Through(Plain):
    """Holds a function by name, and containers."""

    def __init__(self):
        super().__init__(1)
        self.distance, self.options = math.hypot, {"ends": (0, 1), "names": ["a"], "none": None}


OWN = {
    "plain": lambda: Plain(2, 1.5),
    "slots": Slots,
    "derived": Derived,
    "nested": lambda: Outer.Nested(2),
    "through": Through,
}


@pytest.mark.parametrize("name", OWN)
def test_a_family_of_ones_own_is_saved_and_read_again(name, tmp_path):
    curve = mc.connect(build(1), build(2), curve=OWN[name]())
    curve.save(tmp_path / "curve.npz")
    loaded = mc.load_curve(tmp_path / "curve.npz", build(3))
    assert type(loaded.family) is type(curve.family)
    t = np.linspace(0, 1, 11, dtype="float32")
    np.testing.assert_array_equal(loaded.family.coefficients(t), curve.family.coefficients(t))
    again = mc.connect(build(1), build(2), curve=OWN[name]())
    saved_curves.start_from(again, tmp_path / "curve.npz")  # although they are not ==


def test_what_a_family_holds_comes_back_as_it_was():
    made = families.restore(families.describe(Through()))
    assert (made.distance, made.options) == (math.hypot, Through().options)
    assert isinstance(made._sharpness, np.ndarray)
    assert tf.is_tensor(families.restore(families.describe(Slots())).knots)


def test_our_own_families_are_written_as_before():
    assert families.describe(mc.Bezier(2)) == {
        "family": "mc.curves.Bezier",
        "settings": json.dumps({"num_bends": 2}),
    }


class Holds(mc.Bezier):
    """Holds what no file can."""

    def __init__(self, value):
        super().__init__(1)
        object.__setattr__(self, "value", value)


class Forgets(Plain):
    """Comes back with other coefficients."""

    def __getstate__(self):
        return super().__getstate__() | {"_sharpness": 1.0}


def test_a_family_that_cannot_be_saved_is_told_when_it_is_connected(tmp_path):
    class Local(mc.Bezier):
        pass

    wrong = {
        "define it in a module": Local(1),
        r"Holds.value is of <class 'generator": Holds(n for n in range(3)),
        "would compute other coefficients": Forgets(1, 2.0),
    }
    for message, family in wrong.items():
        with pytest.warns(UserWarning, match=message):
            curve = mc.connect(build(1), build(2), curve=family)
        with pytest.raises(ValueError, match=message):
            curve.save(tmp_path / "curve.npz")
    assert not (tmp_path / "curve.npz").exists()


def test_a_family_that_is_none_is_refused():
    class Reversed(mc.Bezier):
        def coefficients(self, t):
            return super().coefficients(t)[..., ::-1]

    class OneAtATime(mc.Bezier):
        def coefficients(self, t):
            return tf.reshape(super().coefficients(t), [-1])

    with pytest.raises(
        ValueError, match=r"At t=0 the coefficients of .* must be \[1.0, 0.0, 0.0\]"
    ):
        mc.connect(build(1), build(2), curve=Reversed(1))
    with pytest.raises(ValueError, match=r"must give \[..., num_points\] = \[5, 3\]"):
        mc.connect(build(1), build(2), curve=OneAtATime(1))


SCRIPT = """
import sys
import keras
import mc

class Own(mc.Bezier):
    pass

def network():
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])

mc.connect(network(), network(), curve=Own(2)).save(sys.argv[1])
assert type(mc.load_curve(sys.argv[1], network()).family) is Own
"""


@pytest.mark.slow
def test_a_family_of_a_script_is_found_by_the_script_and_by_name_or_given_elsewhere(tmp_path):
    import keras

    (tmp_path / "own_script.py").write_text(SCRIPT)
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    run = {"cwd": tmp_path, "check": True}
    subprocess.run([sys.executable, "own_script.py", "script.npz"], **run)
    with pytest.raises(ValueError, match=r"Own is not found .* curve=\.\.\."):
        mc.load_curve(tmp_path / "script.npz", network)
    given = mc.load_curve(tmp_path / "script.npz", network, curve=mc.Bezier(2))
    assert given.family == mc.Bezier(2)
    with pytest.raises(ValueError, match="has 4 control points, but the family"):
        mc.load_curve(tmp_path / "script.npz", network, curve=mc.Bezier(1))
    subprocess.run([sys.executable, "-m", "own_script", "module.npz"], **run)
    with np.load(tmp_path / "module.npz") as file:
        assert str(file["family"]) == "own_script.Own"


def test_a_class_that_is_no_family_is_never_called(tmp_path):
    with pytest.raises(ValueError, match="is no curve family"):
        families.restore({"family": "os.system", "settings": '{"command": "exit 1"}'})
    with pytest.raises(ValueError, match="is not found"):
        families.restore({"family": "no_such_module.Own", "settings": "{}"})
