"""AutoNEB: its geometry by hand, analytic surfaces against grids, and chains of the stage."""

import json

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from conftest import QUICK, only
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import minimum_spanning_tree

import mc
from mc import plots
from mc.curve_model import CurveModel
from mc.lab import files
from mc.lab.graph import Run
from mc.lab.stages import neb as declared
from mc.neb import autoneb, geometry
from mc.neb.band import Band
from mc.neb.cycles import Schedule, State

# --- geometry

CORNER = np.array([[0, 0], [3, 0], [3, 4]], "float32")  # links of lengths 3 and 4
RIGHT, UP = np.array([1.0, 0.0]), np.array([0.0, 1.0])


def unit(v):
    return np.asarray(v) / np.linalg.norm(v)


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ([0, 1, 2], UP),  # to the higher neighbour, after
        ([2, 1, 0], RIGHT),  # or before
        ([0, 2, 1], unit(2 * UP + 1 * RIGHT)),  # a maximum: |rise| 1 after, 2 before
        ([1, 2, 0], unit(1 * UP + 2 * RIGHT)),
        ([2, 0, 1], unit(1 * UP + 2 * RIGHT)),  # a minimum
        ([1, 0, 2], unit(2 * UP + 1 * RIGHT)),
        ([1, 1, 1], unit(UP + RIGHT)),
        ([1, 1, 2], UP),  # level on one side: none of it
    ],
)
def test_the_tangent_turns_to_the_higher_neighbour(values, wanted):
    found = geometry.tangents(tf.constant(CORNER), tf.constant(values, tf.float32))
    np.testing.assert_allclose(found, [wanted], atol=1e-6)


def test_points_that_coincide_have_a_tangent():
    points = tf.constant([[0.0, 0.0], [0.0, 0.0], [1.0, 0.0]])
    found = geometry.tangents(points, tf.constant([1.0, 2.0, 1.0]))
    np.testing.assert_allclose(found, [RIGHT])
    same = geometry.tangents(tf.zeros([3, 2]), tf.constant([1.0, 2.0, 1.0]))
    np.testing.assert_array_equal(same, np.zeros((1, 2)))


@given(st.integers(0, 10**6), st.integers(3, 7))
def test_forces_are_across_the_band(seed, num):
    rng = np.random.default_rng(seed)
    points, values = rng.normal(size=(num, 4)), rng.normal(size=num)
    directions = geometry.tangents(tf.constant(points), tf.constant(values)).numpy()
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1)
    gradients = rng.normal(size=(num - 2, 4))
    forces = geometry.across(tf.constant(gradients), tf.constant(directions)).numpy()
    np.testing.assert_allclose(np.sum(forces * directions, axis=1), 0, atol=1e-12)
    off = gradients - forces  # what is taken away points along
    np.testing.assert_allclose(
        np.abs(np.sum(off * directions, 1)), np.linalg.norm(off, axis=1), atol=1e-12
    )


def test_pivots_are_spread_by_their_shares_along_the_corner():
    found = geometry.spread(tf.constant(CORNER), tf.constant([1.0, 1.0])).numpy()
    np.testing.assert_allclose(found[1], [3, 0.5])  # 3.5 along 3 + 4
    np.testing.assert_array_equal(found[[0, 2]], CORNER[[0, 2]])
    found = geometry.spread(tf.constant(CORNER), tf.constant([1.0, 6.0])).numpy()
    np.testing.assert_allclose(found[1], [1, 0])


@given(st.integers(0, 10**6), st.integers(3, 8))
def test_spreading_shortens_and_keeps_what_is_spread(seed, num):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(num, 3)).astype("float32")
    shares = rng.uniform(0.2, 1, num - 1).astype("float32")
    found = geometry.spread(tf.constant(points), tf.constant(shares)).numpy()
    np.testing.assert_array_equal(found[[0, -1]], points[[0, -1]])
    before, after = (np.linalg.norm(np.diff(p, axis=0), axis=1).sum() for p in (points, found))
    assert after <= before * (1 + 1e-5)
    straight = np.linspace(0, 1, num, dtype="float32")[:, None] * points[:1]
    same = geometry.spread(tf.constant(straight), tf.ones(num - 1))
    np.testing.assert_allclose(same, straight, atol=1e-5)


def test_points_between_cut_each_link_evenly():
    rows = geometry.between(3, 2)
    wanted = [[1, 0, 0], [0.5, 0.5, 0], [0, 1, 0], [0, 0.5, 0.5], [0, 0, 1]]
    np.testing.assert_allclose(rows, wanted)


def test_a_bump_between_two_pivots_gets_one():
    #         0              1              2              3
    values = [0, 0.1, 3, 0, 0, 5, 0.6, 0.3, 0, 0.1, 0.2, 0.3, 0.4]
    values = np.array(values, float)  # three parts a link... of four links
    found = geometry.highest(values, 3, count=2, threshold=0.1)
    assert found.links == [0, 1]
    np.testing.assert_allclose(found.places, [2 / 3, 2 / 3])
    rows = found.rows(5)
    np.testing.assert_allclose(rows[1], [1 / 3, 2 / 3, 0, 0, 0])
    np.testing.assert_allclose(rows[3], [0, 1 / 3, 2 / 3, 0, 0])
    assert rows.shape == (7, 5)
    np.testing.assert_allclose(rows[[0, 2, 4, 5, 6]], np.eye(5))
    np.testing.assert_allclose(found.shares([1, 3, 1, 1]), [2 / 3, 1 / 3, 2, 1, 1, 1])


def test_only_links_that_rise_enough_get_one():
    line = np.array([0, 1, 2, 3, 4.0])  # no excess at all
    assert geometry.highest(line, 2, count=2, threshold=0.0).links == []
    little = np.array([0, 1.3, 2, 3, 4.0])  # an excess of .3 of a range of 4
    assert geometry.highest(little, 2, count=2, threshold=0.1).links == []
    assert geometry.highest(little, 2, count=2, threshold=0.05).links == [0]
    assert geometry.highest(little, 2, count=0, threshold=0.05).links == []


# --- analytic surfaces


class Surface(keras.layers.Layer):
    """A potential of two weights, the same for every example."""

    def __init__(self, potential, at, **kwargs):
        super().__init__(**kwargs)
        self.potential, self.at = potential, at

    def build(self, shape):
        place = tf.constant(self.at, tf.float32)
        self.w = self.add_weight(shape=(2,), initializer=lambda shape, dtype=None: place, name="w")

    def call(self, x):
        return self.potential(self.w[0], self.w[1]) + 0 * x


def surface(potential, at):
    return keras.Sequential([keras.Input((1,)), Surface(potential, at)])


def height(y_true, y_pred):
    return y_pred[:, 0]


def double_well(x, y):
    return (x**2 - 1) ** 2 + y**2


MULLER = [
    (-200, -1, 0, -10, 1, 0),
    (-100, -1, 0, -10, 0, 0.5),
    (-170, -6.5, 11, -6.5, -0.5, 1.5),
    (15, 0.7, 0.6, 0.7, -1, 1),
]


def muller_brown(x, y, exp=tf.exp):
    """Mueller and Brown 1979: minima near (-.558, 1.442) and (.623, .028)."""
    return sum(
        a * exp(b * (x - x0) ** 2 + c * (x - x0) * (y - y0) + d * (y - y0) ** 2)
        for a, b, c, d, x0, y0 in MULLER
    )


def pass_of_grid(values, start, end):
    """The lowest highest value on any way over a grid from one cell to another, by a tree."""
    ny, nx = values.shape
    number = np.arange(ny * nx).reshape(ny, nx)
    pairs = [(number[:, :-1], number[:, 1:]), (number[:-1], number[1:])]
    pairs += [(number[:-1, :-1], number[1:, 1:]), (number[:-1, 1:], number[1:, :-1])]
    a, b = (np.concatenate([p[k].ravel() for p in pairs]) for k in (0, 1))
    flat = values.ravel() - values.min() + 1  # a tree of weights above 0
    tree = minimum_spanning_tree(csr_matrix((np.maximum(flat[a], flat[b]), (a, b)), [ny * nx] * 2))
    tree = (tree + tree.T).tocsr()
    reached, open_cells = {start: 0.0}, [start]
    while end not in reached:
        cell = open_cells.pop()
        row = slice(tree.indptr[cell], tree.indptr[cell + 1])
        for other, weight in zip(tree.indices[row], tree.data[row], strict=True):
            if other not in reached:
                reached[other] = max(reached[cell], weight)
                open_cells.append(other)
    return reached[end] + values.min() - 1


NO_DATA = (np.zeros((4, 1), "float32"), np.zeros((4, 1), "float32"))


def test_the_barrier_of_the_double_well_is_one():
    # The straight segment passes the saddle: from ends that are off the axis it does not.
    ends = surface(double_well, (-1, 0.8)), surface(double_well, (1, 0.8))
    curve, cycles = mc.autoneb(
        *ends, NO_DATA, height, steps=[200, 200], learning_rates=[0.02, 0.02], batch_size=4
    )
    assert cycles["train/loss/max"].iloc[0] == pytest.approx(1.64, abs=0.01)
    best = cycles[cycles["is_best"]].iloc[0]
    assert best["train/loss/max"] == pytest.approx(1.0, abs=0.02)
    np.testing.assert_array_equal(curve.control_points[[0, -1]], np.float32([[-1, 0.8], [1, 0.8]]))


@pytest.mark.slow
def test_the_pass_of_muller_and_brown_is_that_of_a_fine_grid():
    x, y = np.linspace(-1.3, 1.0, 461), np.linspace(-0.3, 1.8, 421)
    values = muller_brown(*np.meshgrid(x, y), np.exp)
    ends = [(-0.558, 1.442), (0.623, 0.028)]
    cells = [int(np.abs(y - b).argmin() * len(x) + np.abs(x - a).argmin()) for a, b in ends]
    wanted = pass_of_grid(values, *cells)
    assert wanted == pytest.approx(-40.665, abs=0.1)  # the saddle at (-.822, .624)
    networks = [surface(muller_brown, end) for end in ends]
    options = {"steps": [200] * 4, "learning_rates": [1e-5] * 4, "batch_size": 4, "insert": 3}
    curve, cycles = mc.autoneb(*networks, NO_DATA, height, **options)
    heights = cycles["train/loss/max"]
    assert heights.iloc[0] > 0  # of the straight segment
    assert heights.min() == pytest.approx(wanted, abs=1.0)
    assert curve.family.num_points - 2 == cycles.loc[heights.idxmin(), "pivots"] > 3
    # The highest point lies at the saddle.
    rows = geometry.between(curve.family.num_points, 40) @ curve.control_points
    top = rows[np.argmax([muller_brown(*row, np.exp) for row in rows.astype(float)])]
    np.testing.assert_allclose(top, (-0.822, 0.624), atol=0.1)


def test_the_best_cycle_is_kept_and_never_above_the_segment():
    # Where the segment passes the saddle already, steps that are too large climb out of the valley.
    ends = surface(double_well, (-1, 0.8)), surface(double_well, (1, 0.8))
    rough = {"optimizer": keras.optimizers.SGD, "batch_size": 4, "insert": 0}
    _, cycles = mc.autoneb(
        *(*ends, NO_DATA, height), steps=[50, 2], learning_rates=[0.02, 2.0], **rough
    )
    assert list(cycles["is_best"]) == [False, True, False]
    assert cycles["train/loss/max"].iloc[2] > cycles["train/loss/max"].iloc[1] + 0.1
    curve, cycles = mc.autoneb(*ends, NO_DATA, height, steps=[2], learning_rates=[2.0], **rough)
    assert list(cycles["is_best"]) == [True, False]
    assert cycles["length_ratio"].iloc[1] > 1
    np.testing.assert_allclose(curve.control_points[:, 1], 0.8)  # the segment


# --- a step


X = np.random.default_rng(0).normal(size=(12, 4)).astype("float32")
LABELS = np.arange(12) % 3


def classifier(seed):
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(6, "tanh"), keras.layers.Dense(3)]
    )


LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def test_a_step_is_the_gradient_across_of_every_pivot():
    a, b = classifier(1), classifier(2)
    middle = np.random.default_rng(1).normal(size=(2, len(mc.pack(a)))).astype("float32")
    points = np.stack([mc.pack(a), *middle, mc.pack(b)])
    shares = np.linalg.norm(np.diff(points, axis=0), axis=1)  # as they are spread already
    band = Band(a, points, shares, weight_decay=0.1)
    band.compile(keras.optimizers.SGD(0.5), LOSS)
    band.fit(X, LABELS, batch_size=12, epochs=1, verbose=0)
    network = classifier(3)
    losses, gradients = [], []
    for w in points:
        network.set_weights(mc.unpack(network, w))
        with tf.GradientTape() as tape:
            value = LOSS(LABELS, network(X))
        parts = tape.gradient(value, network.trainable_variables)
        losses.append(value.numpy() + 0.05 * np.sum(w**2))
        gradients.append(np.concatenate([np.ravel(p) for p in parts]) + 0.1 * w)
    found = band.control_points
    np.testing.assert_array_equal(found[[0, 3]], points[[0, 3]])
    before, after = unit(points[1] - points[0]), unit(points[2] - points[1])
    last = unit(points[3] - points[2])
    for k, (u, v) in {1: (before, after), 2: (after, last)}.items():
        low, own, high = losses[k - 1 : k + 2]
        rise, fall = abs(high - own), abs(low - own)
        if low < own < high or low > own > high:
            tangent = v if high > low else u
        else:
            large, small = max(rise, fall), min(rise, fall)
            tangent = unit(v * large + u * small if high > low else v * small + u * large)
        force = gradients[k] - gradients[k] @ tangent * tangent
        np.testing.assert_allclose(found[k], points[k] - 0.5 * force, atol=2e-5)


def test_schedules_are_checked():
    with pytest.raises(ValueError, match="one of each for every cycle; received steps=\\[1, 2\\]"):
        Schedule([1, 2], [0.1])
    with pytest.raises(ValueError, match="steps must be at least 1; received steps=\\[0\\]"):
        Schedule([0], [0.1])
    with pytest.raises(ValueError, match="learning_rates must be greater than 0"):
        Schedule([1], [0.0])
    with pytest.raises(ValueError, match="at least one pivot; received num_bends=0"):
        mc.autoneb(classifier(1), classifier(2), (X, LABELS), LOSS, num_bends=0)
    with pytest.raises(ValueError, match="both ends have the same weights"):
        mc.autoneb(classifier(1), classifier(1), (X, LABELS), LOSS)


# --- the stage

NEB = ["curve=polychain", "num_bends=2", "train.curve.method=autoneb"]
SMALL = [*QUICK, "build=true", *NEB]


def run(cli, *arguments):
    status, output = cli(*arguments)
    assert status == 0, output
    return output


def summary(folder):
    return json.loads((folder / "summary.json").read_text())


@pytest.mark.slow
def test_later_stages_take_the_chain(cli, tmp_path):
    told = run(cli, *SMALL, "stage=eval", "neb.threshold=0")
    assert told.count("task of kind") == 4  # two networks, the bands once, the evaluation
    folder = only(tmp_path, "curve/*autoneb*")
    cycles, band = pd.read_csv(folder / "cycles.csv"), pd.read_csv(folder / "band.csv")
    assert list(cycles["cycle"]) == [0, 1, 2]
    assert list(cycles["steps"]) == [0, 2, 2]
    assert list(cycles["gradients"]) == [0, 4, 2 * cycles["pivots"].iloc[2]]
    best = cycles[cycles["is_best"]].iloc[0]
    found = summary(folder)
    assert found["neb/train/loss/max"] == best["train/loss/max"] == cycles["train/loss/max"].min()
    assert found["neb/pivots"] == best["pivots"]
    assert found["neb/gradients"] == cycles["gradients"].sum()
    own = band[band["cycle"] == best["cycle"]]
    assert own["train/loss"].max() == best["train/loss/max"]
    assert own["is_pivot"].sum() == best["pivots"] + 2
    assert (folder / "figures" / "band.pdf").exists()
    network = keras.models.load_model(only(tmp_path, "base/*seed1*/model.keras"))
    curve = mc.load_curve(folder / "curve.npz", network)
    assert isinstance(curve, CurveModel)
    assert curve.family == mc.PolyChain(int(best["pivots"]))
    ends = [keras.models.load_model(only(tmp_path, f"base/*seed{k}*/model.keras")) for k in (1, 2)]
    np.testing.assert_array_equal(curve.control_points[[0, -1]], [mc.pack(end) for end in ends])
    for stage in (["stage=plane"], ["stage=hessian"], ["stage=posterior"], ["stage=ensemble"]):
        run(cli, *SMALL, *stage, "neb.threshold=0")


@pytest.mark.slow
def test_the_chain_does_not_depend_on_how_it_is_evaluated(cli, tmp_path):
    bn = ["smoke=true", "model=cnn_bn", "build=true", "stage=curve", *NEB]
    run(cli, *bn, f"output_dir={tmp_path / 'one'}")
    run(cli, *bn, f"output_dir={tmp_path / 'two'}", "eval.bn_batches=1", "eval.bn_batch_size=8")
    one, two = (only(tmp_path, f"{name}/curve/*") for name in ("one", "two"))
    assert one.name == two.name
    assert (one / "cycles.csv").read_text() == (two / "cycles.csv").read_text()


def test_between_cycles_of_one_height_the_mean_over_the_length_decides():
    ends = np.array([[0, 0], [1, 0], [4, 0]], "float32")  # links of 1 and 3
    first = State(ends, np.ones(2)).after(ends, {"train/loss": np.array([1, 0, 0.5])}, {})
    assert first.cycles[0]["train/loss/integral"] == pytest.approx((0.5 * 1 + 0.25 * 3) / 4)
    lower = first.after(ends, {"train/loss": np.array([1, 0.4, 0])}, {})
    assert lower.found().cycles["is_best"].tolist() == [True, False]
    assert lower.cycles[1]["train/loss/integral"] == pytest.approx((0.7 * 1 + 0.2 * 3) / 4)


@pytest.mark.slow
def test_a_killed_run_finds_the_same_chain(cli, tmp_path, monkeypatch):
    long = [*SMALL, "stage=curve", "smoke=false", "neb.steps=[6,4]", "train.base.epochs=1"]
    long += ["neb.learning_rates=[0.05,0.02]", "neb.subsample=2"]
    run(cli, *long, f"output_dir={tmp_path / 'whole'}")
    whole = only(tmp_path, "whole/curve/*")
    monkeypatch.setattr("mc.lab.work.neb.SECONDS", 0.0)
    monkeypatch.setattr(autoneb, "CHUNK", 2)
    for kill in (1, 3, 5):  # after the segment; within the first cycle; within the second
        seen, save = [], files.save_checkpoint

        def killed(folder, arrays, seen=seen, kill=kill, save=save):
            save(folder, arrays)
            seen.append(1)
            if len(seen) == kill:
                raise KeyboardInterrupt

        monkeypatch.setattr(files, "save_checkpoint", killed)
        status, _ = cli(*long, f"output_dir={tmp_path / f'killed{kill}'}")
        monkeypatch.setattr(files, "save_checkpoint", save)
        assert status != 0
        run(cli, *long, f"output_dir={tmp_path / f'killed{kill}'}")
        again = only(tmp_path, f"killed{kill}/curve/*")
        for name in ("cycles.csv", "band.csv"):
            assert (again / name).read_text() == (whole / name).read_text()
        one, other = (np.load(f / "curve.npz") for f in (whole, again))
        np.testing.assert_array_equal(one["control_points"], other["control_points"])


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (["curve=bezier"], "finds polygonal chains"),
        (["num_bends=0"], "at least one"),
        (["train.curve.fix_start=false"], "train.curve.fix_start: of train.curve.method=sampled"),
        (["train.curve.draws=2"], "train.curve.draws: of train.curve.method=sampled"),
        (["neb.steps=[5]"], "must have a number for each cycle"),
        (["neb.steps=[]", "neb.learning_rates=[]"], "must have a number for each cycle"),
        (["neb.insert=-1"], "neb.insert must be a number at least 0"),
        (["devices=2"], "trains on one device"),
        (["stage=eval", "eval.initial=true"], "AutoNEB begins on the straight segment"),
    ],
)
def test_what_does_not_go_together_is_refused(cli, typed, told):
    status, output = cli(*SMALL, "stage=curve", *typed)
    assert status != 0
    assert told in output


def test_every_setting_of_a_curve_is_of_one_method_or_both():
    known = {key.removeprefix("train.curve.") for key in Run.fields if "train.curve." in key}
    both = {"method", "batch_size", "weight_decay"}
    assert {*declared.SAMPLED, *declared.SCHEDULED, *both} == known


def test_the_figure_needs_the_segment_and_the_best():
    line = ([0.0, 1.0], [1.0, 2.0], [True, True])
    plots.band({0: line, 1: line}, 1, "train loss")
    with pytest.raises(ValueError, match="needs cycle 0, the straight segment, and the best, 2"):
        plots.band({0: line}, 2, "train loss")
