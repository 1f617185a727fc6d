"""Curve files: what comes back of a curve, and networks that are not the curve's."""

import keras
import numpy as np
import pytest
from conftest import CLASSES, arrays, build, logits_loss

import mc
from mc import saved_curves

X = np.random.default_rng(0).normal(size=(16, 4)).astype("float32")
Y = np.arange(16) % CLASSES


def functional(seed, *layers, dtype="float32"):
    keras.utils.set_random_seed(seed)
    inputs = x = keras.Input((4,))
    for layer in layers:
        x = layer(x)
    return keras.Model(inputs, keras.layers.Dense(CLASSES, dtype=dtype)(x))


def fitted(curve, **options):
    curve.compile(keras.optimizers.SGD(0.1), logits_loss())
    curve.fit(X, Y, batch_size=8, shuffle=False, verbose=0, **options)
    return curve


def test_a_loaded_curve_goes_on_with_its_own_seed_and_step(tmp_path):
    def network(seed):
        keras.utils.set_random_seed(seed)
        return functional(seed, keras.layers.Dense(4, "relu"))

    def start():
        return mc.connect(network(1), network(2), seed=7)

    whole = fitted(start(), epochs=4)
    half = fitted(start(), epochs=2)
    half.save(tmp_path / "half.npz")
    loaded = mc.load_curve(tmp_path / "half.npz", network(3))
    assert (loaded.seed, int(loaded.step)) == (7, 4)
    fitted(loaded, epochs=2)  # plain SGD has no state of its own
    np.testing.assert_array_equal(loaded.control_points, whole.control_points)


def test_a_network_in_bfloat16_is_saved_and_read_again(tmp_path):
    def network(seed):
        policy = {"dtype": "bfloat16"}
        layers = (keras.layers.Dense(4, **policy), keras.layers.BatchNormalization(**policy))
        return functional(seed, *layers, **policy)

    curve = fitted(mc.connect(network(1), network(2)))
    curve.save(tmp_path / "curve.npz")
    loaded = mc.load_curve(tmp_path / "curve.npz", network(3))
    for t in (0.0, 1.0):
        curve.t = loaded.t = t
        np.testing.assert_array_equal(np.float32(loaded(X)), np.float32(curve(X)))
    for ours, theirs in zip(loaded.state_values, curve.state_values, strict=True):
        assert ours.dtype == theirs.dtype == "bfloat16"
        np.testing.assert_array_equal(np.float32(ours), np.float32(theirs))
    with np.load(tmp_path / "curve.npz") as file:
        arrays = dict(file)
    assert arrays["state_0"].dtype == np.float32
    # A file of before holds the bytes of bfloat16, a type that NumPy alone reads as void.
    for name in [n for n in arrays if "state_" in n]:
        arrays[name] = arrays[name].astype(curve.state_values[0].dtype)
    np.savez(tmp_path / "before.npz", **arrays)
    before = mc.load_curve(tmp_path / "before.npz", network(3))
    for ours, theirs in zip(before.state_values, curve.state_values, strict=True):
        np.testing.assert_array_equal(np.float32(ours), np.float32(theirs))


@pytest.mark.parametrize("other", ["relu", "normalization"])
def test_a_network_that_computes_something_else_is_refused(other, tmp_path):
    def network(right):
        if other == "relu":
            return functional(1, keras.layers.Dense(4, "relu" if right else "tanh"))
        return functional(1, keras.layers.Normalization(mean=0.0 if right else 3.0, variance=1.0))

    mc.connect(network(True), network(True)).save(tmp_path / "curve.npz")
    mc.load_curve(tmp_path / "curve.npz", network(True))
    with pytest.raises(ValueError, match="computes something else than the one with which"):
        mc.load_curve(tmp_path / "curve.npz", network(False))


def test_a_network_with_another_vocabulary_is_refused(tmp_path):
    def network(words):
        inputs = keras.Input((1,), dtype="string")
        found = keras.layers.StringLookup(vocabulary=words, output_mode="one_hot")(inputs)
        return keras.Model(inputs, keras.layers.Dense(CLASSES)(found))

    mc.connect(network(["u", "v"]), network(["u", "v"])).save(tmp_path / "curve.npz")
    mc.load_curve(tmp_path / "curve.npz", network(["u", "v"]))
    with pytest.raises(ValueError, match=r"vocabulary of the layer string_lookup.* is not the one"):
        mc.load_curve(tmp_path / "curve.npz", network(["v", "u"]))
    beside = keras.Sequential([keras.Input((3,)), keras.layers.Dense(CLASSES)])
    with pytest.raises(ValueError, match="has 0 vocabularies, the curve's networks had 1"):
        mc.load_curve(tmp_path / "curve.npz", beside)
    with pytest.raises(ValueError, match="One network has 1 vocabularies, the other 0"):
        mc.connect(network(["u", "v"]), beside)


def test_a_curve_cannot_start_from_one_whose_fixed_ends_lie_elsewhere(tmp_path):
    pair = [build(s) for s in (1, 2)]
    free = mc.connect(*pair, fix_end=False)
    free.compile(keras.optimizers.SGD(0.1), logits_loss())
    free.fit(*arrays(1), verbose=0)
    free.save(tmp_path / "free.npz")
    with pytest.raises(ValueError, match=r"The end of the curve in .* \(fix_end=false\)"):
        saved_curves.start_from(mc.connect(*pair), tmp_path / "free.npz")
    again = mc.connect(*pair, fix_end=False)
    saved_curves.start_from(again, tmp_path / "free.npz")
    np.testing.assert_array_equal(again.control_points, free.control_points)
    again.check_on(arrays()[0])  # a free end has moved, which is no other network
