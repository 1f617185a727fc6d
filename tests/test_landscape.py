"""Landscapes: filters of every layer, directions, views, and the stage."""

import json
import shlex

import keras
import numpy as np
import pytest
from conftest import QUICK, only
from keras import layers
from test_config import compose, run_of
from test_curvature import X

from mc import plots
from mc.lab.work import landscape as work
from mc.lab.work import measure
from mc.landscape import directions, view
from mc.landscape.filters import axes_of
from mc.landscape.view import View
from mc.network.weights import FlatNetwork, pack, unpack

RNG = np.random.default_rng(5)


class Adapted(keras.Model):
    """A dense layer with an adapter."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(4)

    def call(self, x):
        return self.dense(x)


def flat(*parts, shape):
    built = keras.Sequential([keras.Input(shape), *parts])
    return FlatNetwork(built)


LAYERS = {  # layer, input shape, index of the weight, and the axes that number its filters
    "dense": (layers.Dense(5), (3,), 0, (1,)),
    "conv": (layers.Conv2D(5, 3), (6, 6, 2), 0, (3,)),
    "depthwise": (layers.DepthwiseConv2D(3, depth_multiplier=2), (6, 6, 2), 0, (2, 3)),
    "separable": (layers.SeparableConv2D(5, 3), (6, 6, 2), 0, (2, 3)),
    "pointwise": (layers.SeparableConv2D(5, 3), (6, 6, 2), 1, (3,)),
    "transposed": (layers.Conv2DTranspose(5, 3), (6, 6, 2), 0, (2,)),
    "embedding": (layers.Embedding(7, 3), (4,), 0, (0,)),
    "query": (layers.EinsumDense("abc,cde->abde", (None, 2, 3)), (4, 6), 0, (1, 2)),
    "out": (layers.EinsumDense("abcd,cde->abe", (None, 5)), (4, 2, 3), 0, (2,)),
    "ellipsis": (layers.EinsumDense("...x,xy->...y", (5,)), (4, 6), 0, (1,)),
    "recurrent": (layers.LSTM(3), (4, 2), 0, (1,)),
    "bias": (layers.Dense(5), (3,), 1, None),
    "einsum bias": (
        layers.EinsumDense("abc,cde->abde", (None, 2, 3), bias_axes="de"),
        *((4, 6), 1, None),
    ),
    "scale": (layers.BatchNormalization(), (3,), 0, None),
    "layer scale": (layers.LayerNormalization(axis=(1, 2)), (3, 2), 0, None),
}


@pytest.mark.parametrize("kind", LAYERS)
def test_a_filter_is_all_that_feeds_one_output(kind):
    layer, shape, number, axes = LAYERS[kind]
    network = flat(layer, shape=shape)
    assert axes_of(network)[number] == axes
    d = directions.random(network, pack(network.model), 1)
    own, found = (unpack(network.model, v)[number].astype(float) for v in (pack(network.model), d))
    if axes is None:
        assert not found.any()
        return
    others = tuple(axis for axis in range(own.ndim) if axis not in axes)
    norms = (
        np.linalg.norm(
            np.moveaxis(v, others, range(len(others))).reshape((-1, *(own.shape[a] for a in axes))),
            axis=0,
        )
        for v in (own, found)
    )
    np.testing.assert_allclose(*norms, rtol=1e-5, atol=1e-7)


def test_the_axes_of_an_attention_number_heads_and_their_units():
    x = keras.Input((4, 6))
    own = FlatNetwork(keras.Model(x, layers.MultiHeadAttention(2, 3)(x, x)))
    found = dict(zip((p.rpartition("attention/")[2] for p in own.paths), axes_of(own), strict=True))
    assert found["query/kernel"] == found["value/kernel"] == (1, 2)
    assert found["attention_output/kernel"] == (2,)
    assert found["query/bias"] is found["attention_output/bias"] is None


def test_of_an_adapter_the_directions_of_its_update_are_filters():
    own = Adapted()
    own(np.zeros((1, 3), "float32"))
    own.dense.enable_lora(2)
    network = FlatNetwork(own)
    names = [path.rpartition("/")[2] for path in network.paths]
    found = dict(zip(names, axes_of(network), strict=True))
    assert (found["lora_kernel_a"], found["lora_kernel_b"]) == ((1,), (0,))


@pytest.fixture
def network():
    keras.utils.set_random_seed(1)
    parts = [layers.Dense(5, "relu"), layers.BatchNormalization(), layers.Dense(3)]
    return flat(*parts, shape=(4,))


@pytest.mark.parametrize("norm", directions.NORMS)
def test_directions_are_as_long_as_the_norm_says(network, norm):
    w = pack(network.model)
    d = directions.random(network, w, 3, norm, biases=True)
    plain = directions.random(network, w, 3, "none", biases=True)
    own, of_w, of_plain = (unpack(network.model, v) for v in (d, w, plain))
    for found, values, raw in zip(own, of_w, of_plain, strict=True):
        if norm == "filter":
            axis = 0 if values.ndim == 2 else None
            expected = raw * np.linalg.norm(values, axis=axis) / np.linalg.norm(raw, axis=axis)
        else:
            factors = {"layer": np.linalg.norm(values) / np.linalg.norm(raw)}
            expected = raw * (factors | {"weight": np.abs(values), "none": 1.0})[norm]
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-7)
    np.testing.assert_array_equal(d, directions.random(network, w, 3, norm, biases=True))
    assert not np.array_equal(d, directions.random(network, w, 4, norm, biases=True))


def test_filters_of_zeros_stay_zeros(network):
    d = directions.random(network, np.zeros(network.size, np.float32), 1)
    np.testing.assert_array_equal(d, 0)
    with pytest.raises(ValueError, match="filter, layer, weight, none"):
        directions.random(network, pack(network.model), 1, "unit")


def test_a_view_is_the_plane_through_the_ends_of_its_directions():
    w, first, second = RNG.normal(size=(3, 40)).astype("float32")
    own = View.around(w, [first, second])
    x = RNG.normal(size=(6, 2))
    rows = own.coefficients(x)
    expected = w + x @ np.stack([first, second])
    np.testing.assert_allclose(rows @ np.stack(own.points), expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(own.lengths(), np.linalg.norm([first, second], axis=1), rtol=1e-5)
    found, off = own.project(rows.astype(float))
    np.testing.assert_allclose(found, x, atol=1e-5)
    np.testing.assert_allclose(off, 0, atol=1e-3)


def test_three_epochs_lie_in_the_plane_of_their_principal_components():
    points = list(RNG.normal(size=(3, 40)).astype("float32"))
    rows, shares = directions.principal(points)
    assert shares.sum() == pytest.approx(1.0)
    assert shares[0] >= shares[1]
    own = View(points, np.eye(3)[-1], rows)
    np.testing.assert_allclose(own.lengths(), 1.0, rtol=1e-6)
    x, off = own.project(np.eye(3))
    np.testing.assert_allclose(off, 0, atol=1e-5)
    np.testing.assert_allclose(x[-1], 0, atol=1e-9)  # the last epoch is the middle
    made = own.coefficients(x) @ np.stack(points)
    np.testing.assert_allclose(made, points, atol=1e-5)


def test_shares_and_axes_are_those_of_a_singular_value_decomposition():
    points = RNG.normal(size=(6, 40)) @ np.diag(np.linspace(3, 0.1, 40))
    rows, shares = directions.principal(list(points.astype("float32")))
    _, s, v = np.linalg.svd(points - points.mean(0), full_matrices=False)
    np.testing.assert_allclose(shares, (s**2 / np.sum(s**2))[:2], rtol=1e-5)
    np.testing.assert_allclose(np.abs(np.sum(rows @ points * v[:2], axis=1)), 1.0, rtol=1e-5)
    assert (rows @ points @ (points[-1] - points.mean(0)) >= 0).all()


def test_what_spans_no_plane_is_refused():
    with pytest.raises(ValueError, match=r"train\.base\.save_every=1"):
        directions.principal(list(RNG.normal(size=(2, 5))))
    line = np.outer(np.arange(4.0), RNG.normal(size=5))
    with pytest.raises(ValueError, match="lie on one line"):
        directions.principal(list(line))


def test_grids_may_begin_at_zero_and_the_first_axis_moves_fastest():
    (x, y), both = view.grid([(0, 1), (-1, 0)], 3)
    np.testing.assert_array_equal(x, [0, 0.5, 1])
    np.testing.assert_array_equal(y, [-1, -0.5, 0])
    np.testing.assert_array_equal(both[:4], [[0, -1], [0.5, -1], [1, -1], [0, -0.5]])
    (only_x,), one = view.grid([(0, 2)], 3)
    np.testing.assert_array_equal(one[:, 0], only_x)


def test_a_network_with_rescaled_filters_has_the_same_landscape(network):
    """Of a layer before BatchNorm whose statistics follow (Li et al. 2018)."""
    scales = np.array([0.1, 1.0, 3.0, 10.0, 0.5], "float32")
    first, bias, *rest = unpack(network.model, pack(network.model))
    parts = [first * scales, bias * scales, *rest]
    scaled = np.concatenate([part.ravel() for part in parts])
    found = []
    for w in (pack(network.model), scaled):
        d = directions.random(network, w, 2)
        outputs = []
        for step in (-0.5, 0.0, 1.0):
            values = unpack(network.model, w + np.float32(step) * d)
            hidden = np.maximum(X @ values[0] + values[1], 0)
            hidden = (hidden - hidden.mean(0)) / np.sqrt(hidden.var(0) + 1e-12)
            outputs.append((hidden * values[2] + values[3]) @ values[4] + values[5])
        found.append(outputs)
    np.testing.assert_allclose(found[0], found[1], rtol=1e-3, atol=1e-3)


BUILD = [*QUICK, "build=true", "stage=landscape"]


def run(cli, *arguments):
    status, output = cli(*arguments)
    assert status == 0, output
    return output


def arrays_of(folder):
    with np.load(folder / "landscape.npz") as file:
        return dict(file)


def test_the_middle_has_the_numbers_of_the_network(cli, made_runs):
    run(cli, *BUILD, "landscape.x=[0,1]", "landscape.repeats=2", "landscape.examples=32")
    folder = only(made_runs, "landscape/*")
    found = json.loads((folder / "summary.json").read_text())
    base = json.loads((only(made_runs, "base/*seed1*") / "summary.json").read_text())
    arrays = arrays_of(folder)
    assert arrays["train/loss"].shape == (1, 3, 3)  # of the smoke run
    for name in ("train/loss", "test/error"):
        assert found[f"landscape/{name}/centre"] == pytest.approx(base[name], rel=1e-5)
        assert arrays[name][0, 1, 0] == pytest.approx(base[name], rel=1e-5)  # at x = 0, y = 0
    assert (folder / "figures" / "landscape_train_loss.png").exists()


def test_directions_to_networks_pass_through_them(cli, made_runs):
    run(
        *(cli, *BUILD, "landscape.dims=1", "landscape.directions=networks"),
        *("landscape.networks=[2]", "landscape.x=[0,1]"),
    )
    folder = only(made_runs, "landscape/*")
    arrays = arrays_of(folder)
    other = json.loads((only(made_runs, "base/*seed2*") / "summary.json").read_text())
    assert arrays["train/nll"].shape == (1, 3)
    assert arrays["test/error"][0, -1] == pytest.approx(other["test/error"], rel=1e-5)
    assert (folder / "figures" / "profile.png").exists()


@pytest.mark.parametrize("more", [["landscape.directions=hessian"], ["landscape.t=0.5"]])
def test_other_middles_and_directions_are_looked_at(cli, made_runs, more):
    run(cli, *BUILD, *more)
    arrays = arrays_of(only(made_runs, "landscape/*"))
    assert np.isfinite(arrays["train/loss"]).all()
    if "hessian" in more[0]:
        np.testing.assert_allclose(arrays["lengths"], 1.0, rtol=1e-4)


PRINCIPAL = ["model=mlp", "model.widths=[8]", "stage=landscape", "landscape.directions=principal"]
PRINCIPAL += ["train.base.epochs=4", "landscape.grid_points=3", "build=true"]


@pytest.mark.slow
def test_a_training_is_drawn_in_its_plane(cli, tmp_path):
    run(cli, *PRINCIPAL, "train.base.save_every=1")
    (folder,) = tmp_path.glob("landscape/*")
    arrays = arrays_of(folder)
    assert arrays["path"].shape == (4, 2)
    np.testing.assert_allclose(arrays["path"][-1], 0, atol=1e-5)
    assert arrays["off"].max() > 0
    # Around an epoch on the way only what comes before it is drawn.
    run(cli, *PRINCIPAL, "train.base.save_every=1", "landscape.network=1@3")
    (other,) = set(tmp_path.glob("landscape/*")) - {folder}
    arrays = arrays_of(other)
    assert arrays["path"].shape == (3, 2)
    np.testing.assert_allclose(arrays["path"][-1], 0, atol=1e-5)
    # Fewer epochs are another view.
    names = [run_of(compose(*PRINCIPAL, f"train.base.save_every={n}")).folder for n in (1, 2)]
    assert names[0] != names[1]


@pytest.mark.slow
def test_a_training_that_has_kept_no_epochs_is_told_how_to_keep_them(cli, tmp_path):
    status, output = cli(*PRINCIPAL)
    assert status != 0
    assert "type train.base.save_every=1" in output
    assert not list(tmp_path.glob("base/*"))  # before hours of training
    run(cli, *PRINCIPAL[:2], "stage=base", "train.base.epochs=4")
    status, output = cli(*PRINCIPAL, "train.base.save_every=1")
    assert status != 0
    (command,) = [line for line in output.splitlines() if "force=true" in line]
    run(cli, *shlex.split(command)[3:])
    run(cli, *PRINCIPAL, "train.base.save_every=1")


def test_what_a_training_has_kept_is_kept_when_it_is_trained_again(cli, tmp_path):
    base = ["smoke=true", "model=mlp", "model.widths=[4]", "stage=base"]
    run(cli, *base, "train.base.save_steps=[1]", "train.base.save_every=2")
    for start, every, steps in (("1@step0", 2, "[0,1]"), ("1@1", 1, "[1]")):
        status, output = cli(*base, "seed=2", f"train.base.start={start}")
        told = f"train.base.save_every={every} 'train.base.save_steps={steps}' force=true"
        assert (status, told in output) == (1, True), output


def test_statistics_of_the_middle_are_of_networks_that_have_some(cli, tmp_path):
    quick = ["smoke=true", "model=mlp", "build=true", "stage=landscape", "landscape.dims=1"]
    status, output = cli(*quick, "landscape.batchnorm=fixed")
    assert (status, "of networks with BatchNorm, and this has none" in output) == (1, True)


@pytest.mark.slow
def test_statistics_of_the_middle_may_be_kept(cli, tmp_path):
    quick = ["smoke=true", "model=cnn_bn", "build=true", "stage=landscape", "landscape.dims=1"]
    found = {}
    for how in ("estimated", "fixed"):
        run(cli, *quick, f"landscape.batchnorm={how}")
        new = set(tmp_path.glob("landscape/*")) - {folder for folder, _ in found.values()}
        (folder,) = new
        found[how] = folder, arrays_of(folder)["train/loss"][0]
    estimated, fixed = found["estimated"][1], found["fixed"][1]
    assert estimated[1] == pytest.approx(fixed[1], rel=1e-4)  # in the middle
    assert np.abs(estimated - fixed).max() > 1e-3


@pytest.mark.slow
def test_a_killed_view_goes_on_along_the_same_directions(cli, made_runs, monkeypatch):
    command = [*BUILD, "landscape.directions=hessian"]
    run(cli, *command)
    folder = only(made_runs, "landscape/*")
    expected = arrays_of(folder)

    def dies(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(measure, "in_blocks", dies)
    assert cli(*command, "force=true")[0] != 0
    monkeypatch.undo()
    monkeypatch.setattr(work, "spectrum", dies)  # the directions are there
    run(cli, *command)
    for name, array in arrays_of(only(made_runs, "landscape/*-????????")).items():
        np.testing.assert_array_equal(array, expected[name])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["landscape.dims=3"], "landscape.dims must be 1"),
        (["landscape.x=[1,0]"], "landscape.x must be two increasing numbers"),
        (["landscape.t=2"], "landscape.t must be a position"),
        (["landscape.directions=networks"], "type for example 'landscape.networks=[2,3]'"),
        (["landscape.directions=principal", "landscape.t=0.5"], "type landscape.network=1"),
        (["landscape.directions=principal", "landscape.dims=1"], "leave landscape.dims out"),
        (["landscape.directions=principal", "landscape.repeats=2"], "landscape.repeats: of other"),
        (["landscape.norm=unit"], "filter, layer, weight, none"),
        (["landscape.directions=hessian", "landscape.norm=layer"], "landscape.norm: of other"),
        (["landscape.dims=1", "landscape.y=[0,1]"], "landscape.y: of other views"),
        (["landscape.networks=[2,3]"], "landscape.networks: of other views"),
        (["landscape.directions=networks", "landscape.networks=[1,2]"], "none of them the one"),
        (["align=weights"], "type align=none"),
        (["landscape.directions=principal"], "leave one of them out"),
        (["objective=landscape/explained"], "landscape.directions=principal"),
    ],
)
def test_what_is_no_view_is_refused_at_once(cli, tmp_path, settings, words):
    status, output = cli(*BUILD, *settings)
    assert status != 0
    assert words.lower() in output.lower()
    assert not list(tmp_path.glob("base/*/model.keras"))


def test_figures_need_values_that_fit():
    x = np.linspace(-1, 1, 4)
    with pytest.raises(ValueError, match="a row for each y"):
        plots.landscape(x, x[:3], np.ones((4, 3)), "loss", ("a", "b"), {})
    with pytest.raises(ValueError, match="panels must be"):
        plots.profile(x, {"loss": np.ones(4)}, "x")
    figure = plots.profile(x, {"loss": np.arange(8.0).reshape(2, 4)}, "x")
    assert len(figure.axes[0].lines) == 2 + 1 + 1  # two directions, their mean, and the middle
