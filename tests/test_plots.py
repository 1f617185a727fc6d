"""Figures: what they show, and that they save for print without a display."""

import matplotlib
import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mc import plots

T = np.linspace(0, 1, 61)
HILL = 0.001 + 3 * np.sin(np.pi * T) ** 4
FLAT = 0.001 + 0.004 * np.sin(np.pi * T)


def the_papers_figure():
    return plots.along_t(
        {
            "Train loss": {"curve": (T, FLAT), "straight segment": (T, HILL)},
            "Test error (fraction)": {
                "curve": (T, 0.02 + 0 * T),
                "straight segment": (T, HILL / 9),
            },
        }
    )


def a_fan(t=(0, 0.5, 1), test=None):
    positions = np.linspace(-1, 1, 30)
    functions = np.array([np.sin(3 * positions + k) for k in t])
    train = np.array([-0.5, 0.0, 0.5]), np.array([1.0, 0.5, 0.0])
    return plots.function_fan(train, test, positions, t, functions), positions, functions


def legend_of(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def lines_of(axes):
    return {line.get_label(): line for line in axes.get_lines()}


def test_along_t_draws_the_values_it_is_given():
    figure = the_papers_figure()
    left, right = figure.axes
    for axes, name, values in [
        (left, "curve", FLAT),
        (left, "straight segment", HILL),
        (right, "straight segment", HILL / 9),
    ]:
        np.testing.assert_array_equal(lines_of(axes)[name].get_xdata(), T)
        np.testing.assert_array_equal(lines_of(axes)[name].get_ydata(), values)


def test_along_t_labels_axes_and_has_one_legend():
    figure = the_papers_figure()
    assert [axes.get_xlabel() for axes in figure.axes] == ["t, position on the path"] * 2
    assert figure.axes[0].get_ylabel() == "Train loss, log scale"
    assert figure.axes[1].get_ylabel().startswith("Test error (fraction)")
    assert legend_of(figure) == ["curve", "straight segment", "endpoint networks"]
    assert len(figure.legends) == 1
    assert all(axes.get_legend() is None for axes in figure.axes)


def test_a_path_looks_the_same_in_all_panels_and_unlike_any_other():
    left, right = (lines_of(axes) for axes in the_papers_figure().axes)

    def look(line):
        return line.get_color(), line.get_linestyle(), line.get_marker()

    assert look(left["curve"]) == look(right["curve"])
    for mine, other in zip(look(left["curve"]), look(left["straight segment"]), strict=True):
        assert mine != other  # colour, dashes and marker each tell them apart


def test_ends_are_marked_where_they_are_known():
    figure = plots.along_t({"Loss": {"curve": (T, FLAT)}})
    np.testing.assert_array_equal(lines_of(figure.axes[0])["endpoint networks"].get_xdata(), [0, 1])
    assert 0 in lines_of(figure.axes[0])["curve"].get_markevery()
    assert 60 in lines_of(figure.axes[0])["curve"].get_markevery()
    figure = plots.along_t({"Loss": {"curve": ([0.5], [2.0])}})
    assert legend_of(figure) == ["curve"]


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ([0.001, 3.0, 0.001], "log"),
        ([1.0, 3.0, 1.0], "linear"),
        ([0.0, 3.0, 0.001], "linear"),  # an error of 0 has no logarithm
        ([-1.0, 90.0, 1.0], "linear"),
        ([0.001, np.nan, 3.0], "log"),
        ([np.nan, np.nan, np.nan], "linear"),
    ],
)
def test_the_axis_is_logarithmic_only_where_it_can_and_should_be(values, scale):
    (axes,) = plots.along_t({"Loss": {"curve": ([0, 0.5, 1], values)}}).axes
    assert axes.get_yscale() == scale
    assert axes.get_ylabel() == ("Loss, log scale" if scale == "log" else "Loss")


def test_the_table_of_an_evaluation_is_drawn():
    columns = {"t": [0, 1], "segment_length": [0, 3], "arc_length": [0, 3]}
    table = pd.concat(
        pd.DataFrame({"path": path, **columns, "train/loss": values, "test/nll": 9.0})
        for path, values in (("curve", [0.1, 0.2]), ("linear", [0.3, 0.4]), ("own", [0.5, 0.6]))
    )
    figure = plots.along_t(table)
    (axes,) = figure.axes
    assert axes.get_ylabel() == "train loss"
    assert legend_of(figure) == ["curve", "straight segment", "own", "endpoint networks"]
    np.testing.assert_array_equal(lines_of(axes)["straight segment"].get_ydata(), [0.3, 0.4])
    chosen = plots.along_t(plots.panels_of(table, ["test/nll"]))
    assert [axes.get_ylabel() for axes in chosen.axes] == ["test negative log-likelihood"]


def test_named_things_keep_their_looks_and_others_get_their_own():
    first = plots.along_t({"Loss": {"straight segment": (T, HILL), "own": (T, FLAT)}})
    second = plots.along_t({"Loss": {"own": (T, FLAT), "curve": (T, HILL)}})
    segment = lines_of(first.axes[0])["straight segment"]
    assert (
        segment.get_color() == lines_of(the_papers_figure().axes[0])["straight segment"].get_color()
    )
    lines = lines_of(second.axes[0])
    assert lines["curve"].get_color() == lines_of(the_papers_figure().axes[0])["curve"].get_color()
    assert len({segment.get_color(), lines["curve"].get_color(), lines["own"].get_color()}) == 3
    chain = plots.along_t({"Loss": {"chain of straight segments": (T, HILL)}})
    assert chain.axes[0].get_lines()[0].get_color() == segment.get_color()


def test_names_of_networks_stand_below_the_axis_where_there_is_room():
    panels = {"train loss": {"chain": (T, HILL)}}
    axes = plots.along_t(panels, networks={0.0: "1", 0.5: "2", 1.0: "3"}).axes[0]
    assert [t.get_text() for t in axes.get_xticklabels()] == [
        f"{t}\nnetwork {n}" for t, n in (("0", 1), ("0.5", 2), ("1", 3))
    ]
    many = plots.along_t(panels, networks={k / 109: f"{k}@160" for k in range(110)}).axes[0]
    assert not any("@" in t.get_text() for t in many.get_xticklabels())


def test_all_networks_of_a_chain_are_marked():
    panels = {"train loss": {"chain": (T, HILL)}}
    axes = plots.along_t(panels, networks=(0, 0.5, 1)).axes[0]
    rings = lines_of(axes)["networks"]
    np.testing.assert_allclose(rings.get_xdata(), [0, 0.5, 1])


def test_panels_stand_two_in_a_row():
    panels = {f"Metric {i}": {"curve": (T, FLAT)} for i in range(3)}
    figure = plots.along_t(panels)
    assert [axes.get_visible() for axes in figure.axes] == [True, True, True, False]
    assert figure.get_figwidth() == pytest.approx(6.8)
    assert plots.along_t({"Loss": {"curve": (T, FLAT)}}).get_figwidth() == pytest.approx(3.4)


def test_function_fan_draws_functions_and_data():
    test = np.array([0.1, 0.2]), np.array([0.3, 0.4])
    figure, positions, functions = a_fan(test=test)
    axes, bar = figure.axes
    for line, values in zip(axes.get_lines(), functions, strict=True):
        np.testing.assert_array_equal(line.get_xdata(), positions)
        np.testing.assert_array_equal(line.get_ydata(), values)
    start, middle, end = axes.get_lines()
    assert start.get_linewidth() == end.get_linewidth() > 2 * middle.get_linewidth()
    assert start.get_linestyle() != end.get_linestyle()
    assert len({start.get_color(), middle.get_color(), end.get_color()}) == 3
    np.testing.assert_allclose(axes.collections[1].get_offsets(), np.stack(test, axis=1))
    assert legend_of(figure) == ["t = 0", "t = 1", "train data", "test data"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("x", "y")
    assert bar.get_ylabel() == "t, position on the path"
    assert bar.get_ylim() == (0, 1)


def test_function_fan_without_test_data_or_ends():
    figure, _, functions = a_fan(t=(0.3, 0.6))
    assert legend_of(figure) == ["train data"]
    assert len(figure.axes[0].get_lines()) == len(functions)


@pytest.mark.parametrize(("suffix", "start"), [("png", b"\x89PNG"), ("pdf", b"%PDF")])
@pytest.mark.parametrize("draw", [the_papers_figure, lambda: a_fan()[0]])
def test_figures_save_for_print(tmp_path, draw, suffix, start):
    before = dict(matplotlib.rcParams)
    path = tmp_path / f"figure.{suffix}"
    draw().savefig(path)
    content = path.read_bytes()
    assert content.startswith(start)
    assert len(content) > 5000
    assert b"/Type3" not in content  # fonts as TrueType, which publishers ask for
    assert dict(matplotlib.rcParams) == before


def test_pictures_have_300_dots_an_inch_unless_asked_otherwise(tmp_path):
    image = pytest.importorskip("PIL.Image")
    figure = plots.along_t({"Loss": {"curve": (T, FLAT)}})
    figure.savefig(tmp_path / "a.png")
    figure.savefig(tmp_path / "b.png", dpi=100)
    with image.open(tmp_path / "a.png") as fine, image.open(tmp_path / "b.png") as coarse:
        assert (fine.width, coarse.width) == (1020, 340)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: plots.along_t({}), "at least one panel"),
        (lambda: plots.along_t({"Loss": {}}), "one path.*Loss"),
        (lambda: plots.along_t({"Loss": {"curve": ([0, 1], [1])}}), "'curve'.*one length"),
        (
            lambda: plots.function_fan(([0], [0]), None, [0, 1], [0.5], [[1]]),
            r"functions must be \[k, m\]",
        ),
        (
            lambda: plots.function_fan(([0], [0, 1]), None, [0], [0.5], [[1]]),
            "'train data'.*one length",
        ),
    ],
)
def test_shapes_that_do_not_fit_are_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def a_plane(height=3.0, change=lambda values: values, **options):
    """A valley along a curve that bends off the straight segment; `values` may be changed."""
    x, y = np.linspace(-1, 4, 21), np.linspace(-0.5, height - 0.5, 15)
    values = change(0.1 + (x - 1) ** 2 + 5 * y[:, None] ** 2)
    corners = np.array([[0, 0], [1.5, height - 1], [3, 0]])
    curve = np.stack([np.linspace(0, 3, 9), np.linspace(0, height - 1, 9)], axis=-1)
    options = {"curve": curve} | options
    return plots.plane(x, y, values, corners, label="train loss", **options), values


def entries_of(figure):
    return {text.get_text() for legend in figure.legends for text in legend.get_texts()}


def test_a_plane_shows_networks_curve_and_segment_in_the_looks_of_all_figures():
    figure, _ = a_plane(names=["1", "", "2"])
    axes = figure.axes[0]
    assert entries_of(figure) == {"curve", "straight segment", "bend", "networks"}
    lines = lines_of(axes)
    np.testing.assert_array_equal(lines["straight segment"].get_data(), [[0, 3], [0, 0]])
    np.testing.assert_array_equal(lines["networks"].get_xdata(), [0, 3])
    np.testing.assert_array_equal(lines["bend"].get_xdata(), [1.5])
    along = lines_of(the_papers_figure().axes[0])
    for name in ("curve", "straight segment"):
        assert lines[name].get_color() == along[name].get_color()
        assert lines[name]._unscaled_dash_pattern == along[name]._unscaled_dash_pattern
    assert [text.get_text() for text in axes.texts] == ["1", "", "2"]
    alone, _ = a_plane(curve=None, names=["3", "1", "2"])
    assert entries_of(alone) == {"networks"}
    assert lines_of(alone.axes[0])["networks"].get_xdata().tolist() == [0, 1.5, 3]
    with pytest.raises(ValueError, match="Pass a row for each y"):
        plots.plane([0, 1, 2], [0, 1], np.ones((3, 2)), np.ones((3, 2)), None, "train loss")


def test_bends_that_span_a_plane_are_no_networks_and_have_no_segment():
    figure, _ = a_plane(bends=np.array([1, 2]), names=np.array(["1", "bend 1", "bend 2"]))
    assert entries_of(figure) == {"curve", "bend", "networks"}
    assert lines_of(figure.axes[0])["bend"].get_xdata().tolist() == [1.5, 3]


def test_a_flat_plane_is_enlarged_and_says_so():
    flat, _ = a_plane(height=0.5)
    high, _ = a_plane(height=4.0)
    assert flat.axes[0].get_aspect() == pytest.approx(6)  # .6 high for 1 wide, in place of .1
    assert flat.axes[0].get_ylabel() == "distance across it\n(enlarged 6 times)"
    assert high.axes[0].get_aspect() == 1
    assert "enlarged" not in high.axes[0].get_ylabel() + flat.axes[0].get_xlabel()
    tall, _ = a_plane(height=11.0)
    assert "enlarged 2 times" in tall.axes[0].get_xlabel()


def test_the_colour_bar_is_as_high_as_the_plane():
    figure, _ = a_plane()
    figure.canvas.draw()
    axes = figure.axes[0]
    (bar,) = axes.child_axes
    assert bar.get_ylabel() == "train loss"
    for side in ("y0", "y1"):
        ends = [getattr(a.get_window_extent(), side) for a in (axes, bar)]
        assert ends[0] == pytest.approx(ends[1], abs=0.5)


def test_how_far_a_curve_lies_off_the_plane_is_told():
    figure, _ = a_plane(off=[0.0, 1.25, 0.0])
    assert "curve (up to 1.2 off the plane)" in entries_of(figure)
    figure, _ = a_plane(off=[0.0, 1e-4, 0.0])  # rounding
    assert "curve" in entries_of(figure)


@pytest.mark.parametrize("hole", [np.inf, -np.inf, np.nan])
def test_levels_of_a_plane_come_from_finite_values(hole):
    def torn(values):
        values[0, :] = hole
        return values

    figure, values = a_plane(change=torn)
    levels = figure.axes[0].collections[1].levels
    finite = values[np.isfinite(values)]
    assert levels[0] == pytest.approx(finite.min(), rel=0.1)
    assert levels[-1] == pytest.approx(np.quantile(finite, 0.9), rel=0.1)
    assert "not finite" in entries_of(figure)
    whole, _ = a_plane()
    assert "not finite" not in entries_of(whole)


def test_a_plane_without_any_finite_value_is_drawn(tmp_path):
    figure, _ = a_plane(change=lambda values: np.full_like(values, np.nan))
    figure.savefig(tmp_path / "plane.png")
    assert "not finite" in entries_of(figure)


@settings(deadline=None)
@given(
    low=st.floats(-1e6, 1e6),
    span=st.floats(1e-6, 1e12),
    power=st.floats(0.2, 6),
)
@example(low=5e-324, span=1.0, power=1.0)
@example(low=1.4e-320, span=1.0, power=1.0)
@example(low=0.0, span=5e-324, power=1.0)
@example(low=-5e-324, span=556.0, power=1.0)
def test_levels_are_round_increase_and_begin_at_the_minimum(low, span, power):
    values = low + span * np.linspace(0, 1, 50) ** power
    levels = plots.planes.levels(values)
    assert np.all(np.diff(levels) > 0)
    assert levels[0] <= values.min()
    assert len(levels) >= 2


def test_levels_of_a_flat_plane_and_of_a_valley():
    assert len(plots.planes.levels(np.full(9, 0.5))) >= 2
    found = plots.planes.levels(0.07 + 2 * np.linspace(0, 1, 100) ** 3)
    assert [f"{level:.6g}" for level in found][:3] == ["0.07", "0.078", "0.09"]


@settings(deadline=None)
@given(low=st.floats(0, 1), span=st.floats(0.01, 10), power=st.floats(0.5, 4))
@example(low=0.34, span=0.15, power=1.0)
def test_steps_between_levels_grow_evenly(low, span, power):
    values = low + span * np.linspace(0, 1, 1000) ** power
    gaps = np.diff(plots.planes.levels(values))
    assert len(gaps) >= plots.planes.STEPS - 1
    growth = gaps[1:-1] / gaps[:-2]
    assert np.all(growth >= 0.75 - 1e-9)  # dense in the valley, as round numbers can be
    # Of steps of which each is exactly a constant factor larger.
    factor = (gaps[-1] / gaps[0]) ** (1 / (len(gaps) - 1))
    assert np.all(growth < 2.5 * max(factor, 1))


def test_confusion_shows_the_fraction_of_each_true_class():
    figure = plots.confusion({"before": [[8, 2], [0, 5]], "after": [[10, 0], [0, 5]]})
    before, after = figure.axes[:2]
    assert [a.get_title() for a in (before, after)] == ["before", "after"]
    assert [text.get_text() for text in before.texts] == [".80", ".20", "1.00"]
    np.testing.assert_allclose(before.images[0].get_array()[0], [0.8, 0.2])
    assert before.get_ylabel() == "true class"
    with pytest.raises(ValueError, match="classes, classes"):
        plots.confusion({"bad": [[1, 2]]})


def test_densities_integrate_to_one_and_are_apart_by_path():
    given = np.random.default_rng(0).uniform(size=1000)
    figure = plots.true_class_density({"t = 0": {"curve": given, "straight segment": given**2}})
    (axes,) = figure.axes
    for patch in axes.patches:
        values, edges, _ = patch.get_data()
        assert np.sum(values * np.diff(edges)) == pytest.approx(1)
    assert legend_of(figure) == ["curve", "straight segment"]
    with pytest.raises(ValueError, match="from 0 to 1"):
        plots.true_class_density({"t = 0": {"curve": np.array([1.5])}})


def test_joining_members_are_points_and_ensembles_lines():
    values = {"single members": np.array([0.3, 0.2]), "ensemble": np.array([0.3, 0.1])}
    figure = plots.as_members_join([1, 2], {"test error (fraction)": values})
    lines = lines_of(figure.axes[0])
    assert lines["single members"].get_linestyle() == "None"
    assert lines["single members"].get_markeredgecolor() == "black"  # as networks elsewhere
    np.testing.assert_array_equal(lines["ensemble"].get_ydata(), [0.3, 0.1])
    assert figure.axes[0].get_xlabel() == "number of members"
    with pytest.raises(ValueError, match="at least one panel"):
        plots.as_members_join([1], {})


def test_among_many_members_lines_have_few_marks_and_members_all():
    n = np.arange(1, 31)
    values = {"single members": 0.2 / n, "ensemble": 0.1 / n, "network at the start": 0 * n + 0.3}
    lines = lines_of(plots.as_members_join(n, {"test error (fraction)": values}).axes[0])
    assert [lines[name].get_markevery() for name in values] == [1, 3, 3]


def test_pairs_are_a_symmetric_matrix_with_its_values_in_the_cells():
    values = np.array([[9, 0.25, 0.5], [0.25, 9, np.nan], [0.5, np.nan, 9]])
    figure = plots.pairs(["1", "fge:1/2", "3"], {"barrier of test error (fraction)": values})
    axes, bar = figure.axes
    shown = axes.images[0].get_array()
    np.testing.assert_array_equal(shown.mask, np.isnan(values) | np.eye(3, dtype=bool))
    assert axes.images[0].get_clim() == (0, 0.5)  # the diagonal is no pair
    texts = {tuple(text.get_position()): text.get_text() for text in axes.texts}
    assert texts == {(1, 0): ".250", (0, 1): ".250", (2, 0): ".500", (0, 2): ".500"}
    for ticks in (axes.get_xticklabels(), axes.get_yticklabels()):
        assert [tick.get_text() for tick in ticks] == ["1", "fge:1/2", "3"]
    assert bar.get_ylabel().replace("\n", " ") == "barrier of test error (fraction)"
    assert [patch.get_xy() for patch in axes.patches] == [(1.5, 0.5), (0.5, 1.5)]
    assert legend_of(figure) == ["not finite"]
    assert axes.get_xlabel() == axes.get_ylabel() == "network"


@pytest.mark.parametrize(
    ("top", "text"), [(0, "0"), (0.0118, ".0118"), (2.5, "2.50"), (23, "23.0"), (1e9, "1e+09")]
)
def test_values_in_cells_are_short(top, text):
    figure = plots.pairs(["1", "2"], {"barrier": np.full((2, 2), float(top))})
    assert {found.get_text() for found in figure.axes[0].texts} == {text}


def test_values_of_many_pairs_are_not_written_and_the_matrix_grows():
    few, many = (
        plots.pairs(list(map(str, range(n))), {"a": np.ones((n, n)), "b": np.ones((n, n))})
        for n in (5, 12)
    )
    assert len(few.axes[0].texts) == 20
    assert len(many.axes[0].texts) == 0
    assert many.get_figwidth() > few.get_figwidth()
    with pytest.raises(
        ValueError, match=r"matrices \[n, n\] for 2 names; received shapes \[\(3, 3"
    ):
        plots.pairs(["1", "2"], {"a": np.ones((3, 3))})


def a_soup(*rows):
    columns = ["what", "name", "members", "kept", "test/error"]
    return pd.DataFrame([dict(zip(columns, row, strict=True)) for row in rows])


def test_a_greedy_soup_is_drawn_in_the_order_in_which_members_are_tried():
    members = [("member", name, 1, True, v) for name, v in (("1", 0.3), ("2", 0.1), ("3", 0.2))]
    tried = [
        ("soup", "2", 1, True, 0.1),
        ("soup", "3", 2, False, 0.4),
        ("soup", "1", 2, True, 0.05),
    ]
    figure = plots.soup(a_soup(*members, *tried), {"test/error": "test error (fraction)"})
    lines = lines_of(figure.axes[0])
    np.testing.assert_array_equal(lines["single members"].get_ydata(), [0.1, 0.2, 0.3])
    np.testing.assert_array_equal(lines["average of weights"].get_ydata(), [0.1, 0.1, 0.05])
    np.testing.assert_array_equal(lines["tried and left out"].get_xydata(), [[2, 0.4]])
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ["2", "3", "1"]
    assert figure.axes[0].get_ylabel() == "test error (fraction)"
    with pytest.raises(ValueError, match="at least one metric"):
        plots.soup(a_soup(*members, *tried), {})


def test_a_uniform_soup_is_one_line_beside_its_members():
    rows = [("member", "1", 1, True, 0.3), ("member", "2", 1, True, 0.1)]
    figure = plots.soup(a_soup(*rows, ("soup", "uniform", 2, True, 0.2)), {"test/error": "error"})
    lines = lines_of(figure.axes[0])
    np.testing.assert_array_equal(lines["single members"].get_xydata(), [[1, 0.3], [2, 0.1]])
    np.testing.assert_array_equal(lines["average of weights"].get_ydata(), [0.2, 0.2])
    assert "tried and left out" not in lines


def test_members_whose_names_are_long_are_counted():
    rows = [("member", name * 30, 1, True, 0.3) for name in "abc"]
    figure = plots.soup(a_soup(*rows, ("soup", "uniform", 3, True, 0.2)), {"test/error": "error"})
    (axes,) = figure.axes
    assert axes.get_xlabel() == "number of the member"
    assert [tick for tick in axes.get_xticks() if tick % 1] == []


def test_task_vectors_are_drawn_by_scale_with_the_members_beside():
    table = a_soup(
        ("start", "1", 1, True, 0.5),
        ("member", "2", 1, True, 0.3),
        ("soup", "scale 1", 1, False, 0.3),
        ("soup", "scale 0", 1, False, 0.5),
        ("soup", "scale 0.5", 1, True, 0.1),
    ).assign(scale=[np.nan, np.nan, 1, 0, 0.5])
    (axes,) = plots.soup(table, {"test/error": "error"}).axes
    lines = lines_of(axes)
    expected = [[0, 0.5], [0.5, 0.1], [1, 0.3]]
    np.testing.assert_array_equal(lines["average of weights"].get_xydata(), expected)
    np.testing.assert_array_equal(lines["chosen"].get_xydata(), [[0.5, 0.1]])
    np.testing.assert_array_equal(lines["start"].get_xydata(), [[0, 0.5]])
    assert lines["single members"].get_xdata()[0] > 1
    assert axes.get_xticklabels()[-1].get_text() == "alone"


def test_what_is_told_of_the_weights_stands_above():
    told = "segments in the factors of adapters"
    soup = a_soup(("member", "1", 1, True, 0.3), ("soup", "uniform", 1, True, 0.2))
    drawn = [
        a_plane(told=told)[0],
        plots.pairs(["1", "2"], {"barrier": np.ones((2, 2))}, told),
        plots.soup(soup, {"test/error": "error"}, told),
    ]
    plane, pairs, soup = drawn
    assert pairs.get_suptitle() == told
    for figure in (plane, soup):  # above the legend, which it must not cover
        (legend,) = figure.legends
        assert legend.get_title().get_text() == told
    assert a_plane()[0].legends[0].get_title().get_text() == ""


@pytest.mark.parametrize("broken", ["one", "face", "all"])
def test_what_is_not_finite_is_a_gap_of_a_surface(broken):
    t = np.array([(i, j, 4 - i - j) for i in range(5) for j in range(5 - i)]) / 4
    values = 1 + t[:, 0]
    where = {"one": t[:, 0] == 1, "face": t[:, 2] < 1, "all": t[:, 2] < 2}[broken]
    figure = plots.simplex(t, np.where(where, np.nan, values), ["a", "b", "c"], "loss", 3)
    drawn = [area for one in figure.axes[0].collections for area in one.get_paths()]
    inside = [area for area in drawn if area.contains_point((0.5, 0.3))]
    assert bool(inside) == (broken == "one")
    near = [area for area in drawn if area.contains_point((0.03, 0.01))]  # the first corner
    assert not near


def test_a_square_has_its_networks_at_the_corners_and_a_line_its_values():
    axis = np.linspace(0, 1, 4)
    t = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    figure = plots.square(t, 1 + t[:, 0], ["1", "2", "3", "4"], "loss")
    names = {text.get_text(): text.xy for text in figure.axes[0].texts}
    assert {k: tuple(map(int, v)) for k, v in names.items()} == {
        "1": (0, 0),
        "2": (0, 1),
        "3": (1, 0),
        "4": (1, 1),
    }
    line = plots.simplex(np.array([[1.0, 0], [0, 1]]), np.array([2.0, 3]), ["a", "b"], "loss", 2)
    assert line.axes[0].get_lines()[0].get_ydata().tolist() == [2.0, 3.0]


def test_a_legend_of_long_names_fits_the_figure():
    names = ("curve", *(f"straight segment, {what}" for what in ("unaligned", "repaired", "other")))
    panels = {y: dict.fromkeys(names, (T, HILL)) for y in ("Train loss", "Test error")}
    figure = plots.along_t(panels)
    figure.canvas.draw()
    box, whole = figure.legends[0].get_window_extent(), figure.bbox
    assert whole.x0 <= box.x0
    assert box.x1 <= whole.x1
