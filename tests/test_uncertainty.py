"""Measures of uncertainty, against scikit-learn, SciPy, and formulas written out."""

import itertools

import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats
import sklearn.calibration
import sklearn.metrics
from conftest import arrays, build, logits_loss
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as of_numpy

from mc import plots
from mc.datasets import Split
from mc.ensembles import predictive
from mc.evaluation import mixtures, uncertainty
from mc.evaluation.mixtures import Mixture
from mc.evaluation.uncertainty import Together
from mc.network.weights import FlatNetwork, pack

RNG = np.random.default_rng(5)


def together(p):
    """What members with probabilities `[k, n, C]` predict together."""
    with np.errstate(divide="ignore"):  # probabilities of 0 are allowed
        first, *others = map(Together.of, np.log(p))
    for other in others:
        first = first.joined(other)
    return first


@st.composite
def probabilities(draw):
    """Of 1 to 5 members `[k, n, C]`; some of them 0 and 1, some equal."""
    shape = tuple(draw(st.integers(1, most)) for most in (5, 4, 4))
    weights = draw(of_numpy.arrays(float, shape, elements=st.sampled_from([0, 0.1, 1, 2, 1e3])))
    weights[..., 0] += weights.sum(-1) == 0
    return weights / weights.sum(-1, keepdims=True)


@given(probabilities())
def test_what_members_predict_together_is_what_the_formulas_say(p):
    found, mean = together(p), p.mean(0)
    np.testing.assert_allclose(np.exp(found.log_mean), mean, rtol=1e-12, atol=1e-300)
    entropy = scipy.stats.entropy(mean, axis=-1)
    np.testing.assert_allclose(found.entropy, entropy, rtol=1e-9, atol=1e-12)
    # The mutual information is the mean divergence of members from their mean too.
    divergence = scipy.special.rel_entr(p, mean).sum(-1).mean(0)
    np.testing.assert_allclose(found.mutual_information, divergence, rtol=1e-6, atol=1e-12)
    assert np.all(found.mutual_information >= 0)
    chosen = p.argmax(-1)
    differ = [a != b for a, b in itertools.combinations(chosen, 2)] or [chosen[0] != chosen[0]]
    np.testing.assert_allclose(found.disagreement, np.mean(differ, axis=0), atol=1e-12)


def test_one_member_has_nothing_to_disagree_with():
    p = scipy.special.softmax(RNG.normal(size=(1, 30, 4)), axis=-1)
    alone = together(p)
    np.testing.assert_array_equal(alone.mutual_information, 0)
    np.testing.assert_array_equal(alone.disagreement, 0)
    # Twins agree, though their sums are rounded otherwise.
    np.testing.assert_allclose(together(np.repeat(p, 3, 0)).mutual_information, 0, atol=1e-12)
    np.testing.assert_array_equal(together(np.repeat(p, 3, 0)).disagreement, 0)


def test_members_that_are_certain_of_different_classes_know_all_that_is_to_be_known():
    certain = together(np.eye(4)[:, np.newaxis])
    assert certain.entropy.item() == pytest.approx(np.log(4))
    assert certain.mutual_information.item() == pytest.approx(np.log(4))
    assert certain.disagreement.item() == 1


def test_members_with_other_classes_are_refused():
    with pytest.raises(ValueError, match=r"\(3, 4\) and \(3, 5\)"):
        Together.of(np.zeros((3, 4))).joined(Together.of(np.zeros((3, 5))))


def bins_of(confidence, right, edges):
    """Expected calibration error by a loop over bins `(low, high]`, the first with its low end."""
    error = 0.0
    for i, (low, high) in enumerate(itertools.pairwise(edges)):
        inside = (confidence > low) & (confidence <= high) | (i == 0) & (confidence == low)
        if inside.any():
            error += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return error


def test_fixed_bins_are_those_of_the_formula_with_confidences_of_0_and_1():
    confidence = np.concatenate([RNG.uniform(size=200), [0, 0, 1, 1, 1], np.arange(16) / 15])
    right = RNG.random(len(confidence)) < 0.6
    found = uncertainty.reliability(confidence, right)
    assert found.error == pytest.approx(bins_of(confidence, right, np.arange(16) / 15), rel=1e-12)
    assert found.weight.sum() == len(confidence)
    # scikit-learn's curve has the points of the bins that are not empty.
    curve = sklearn.calibration.calibration_curve(right, confidence, n_bins=15)
    filled = found.weight > 0
    np.testing.assert_allclose([found.accuracy[filled], found.confidence[filled]], curve)


def test_adaptive_bins_hold_one_number_of_examples_each():
    confidence, right = RNG.permutation(np.linspace(0.1, 1, 150)), RNG.random(150) < 0.5
    found = uncertainty.reliability(confidence, right, adaptive=True)
    np.testing.assert_array_equal(found.weight, 10)
    parts = np.split(np.argsort(confidence), 15)
    gaps = [abs(right[part].mean() - confidence[part].mean()) for part in parts]
    assert found.error == pytest.approx(np.mean(gaps), rel=1e-12)


@pytest.mark.parametrize("adaptive", [False, True])
def test_equal_confidences_share_a_bin_in_any_order(adaptive):
    confidence = np.repeat(values := [0.0, 0.3, 0.9, 1.0], [40, 40, 40, 60])
    right = RNG.random(len(confidence)) < confidence
    order = RNG.permutation(len(confidence))
    found, shuffled = (
        uncertainty.reliability(confidence[i], right[i], adaptive=adaptive)
        for i in (slice(None), order)
    )
    assert found.error == pytest.approx(shuffled.error, rel=1e-12)
    np.testing.assert_allclose(found.confidence[found.weight > 0], values)
    # So the error is that of the four values.
    by_value = [abs(right[confidence == c].mean() - c) * np.mean(confidence == c) for c in values]
    assert found.error == pytest.approx(sum(by_value), rel=1e-12)


@pytest.mark.parametrize("adaptive", [False, True])
def test_an_example_of_weight_two_is_two_examples(adaptive):
    confidence, right = RNG.uniform(size=60), RNG.random(60) < 0.5
    weight = RNG.integers(0, 3, 60)
    found = uncertainty.reliability(confidence, right, weight, adaptive=adaptive)
    twice = [np.repeat(a, weight) for a in (confidence, right)]
    spelt = uncertainty.reliability(*twice, adaptive=adaptive)
    np.testing.assert_allclose(found.weight, spelt.weight)
    assert found.error == pytest.approx(spelt.error, rel=1e-12)


@pytest.mark.parametrize("confidence", [0.0, 1.0])
@pytest.mark.parametrize("adaptive", [False, True])
def test_the_calibration_of_one_confidence_is_its_distance_from_the_accuracy(confidence, adaptive):
    right = np.arange(8) < 6
    found = uncertainty.reliability(np.full(8, confidence), right, adaptive=adaptive)
    assert found.error == abs(0.75 - confidence)


def test_what_is_no_confidence_is_refused():
    with pytest.raises(ValueError, match="pass probabilities, no logits"):
        uncertainty.reliability([0.5, 2.0], [1, 0])
    with pytest.raises(ValueError, match="pass probabilities, no logits"):
        uncertainty.reliability([0.5, np.nan], [1, 0])
    with pytest.raises(ValueError, match=r"\(2,\), \(1,\) and \(2,\)"):
        uncertainty.reliability([0.5, 1.0], [1])


SCORES = st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0, 3.0]), min_size=1, max_size=12)


@given(SCORES, SCORES)
@settings(max_examples=40)
def test_the_area_is_the_chance_of_the_higher_score_with_ties_by_half(inside, outside):
    found = uncertainty.told_apart(inside, outside)
    pairs = [(b > a) + (b == a) / 2 for a in inside for b in outside]
    assert found["auroc"] == pytest.approx(np.mean(pairs))
    assert found["auroc"] + uncertainty.told_apart(outside, inside)["auroc"] == pytest.approx(1)
    # By a loop over thresholds, the highest first.
    inside, outside = np.array(inside), np.array(outside)
    thresholds = np.unique(np.concatenate([inside, outside]))[::-1]
    recall = np.array([np.mean(outside >= t) for t in thresholds])
    found_in = np.array([np.sum(outside >= t) for t in thresholds])
    precision = found_in / (found_in + [np.sum(inside >= t) for t in thresholds])
    assert found["aupr"] == pytest.approx(np.sum(np.diff(recall, prepend=0) * precision))
    first = thresholds[np.argmax(recall >= 0.95)]
    assert found["fpr95"] == pytest.approx(np.mean(inside >= first))


def test_data_are_told_apart_wholly_not_at_all_and_the_wrong_way():
    low, high = RNG.uniform(size=50), RNG.uniform(2, 3, size=50)
    assert uncertainty.told_apart(low, high) == {"auroc": 1, "aupr": 1, "fpr95": 0}
    assert uncertainty.told_apart(low, low)["auroc"] == 0.5
    assert uncertainty.told_apart(np.ones(3), np.ones(5)) == {
        "auroc": 0.5,
        "aupr": 0.625,
        "fpr95": 1,
    }
    flipped = uncertainty.told_apart(high, low)
    assert (flipped["auroc"], flipped["fpr95"]) == (0, 1)


def test_scores_of_one_side_alone_and_scores_that_are_not_finite():
    with pytest.raises(ValueError, match="received 2 of those from inside and 0 of others"):
        uncertainty.told_apart([0.1, 0.2], [])
    found = uncertainty.told_apart([0.1, np.nan], [0.2])
    assert list(found) == ["auroc", "aupr", "fpr95"]
    assert np.isnan(list(found.values())).all()


MEANS, DEVIATIONS = RNG.normal(size=(3, 40, 2)), RNG.uniform(0.2, 2, size=(3, 40, 2))
Y = RNG.normal(size=(40, 2)) * 1.5


def test_the_density_and_the_distribution_of_a_mixture_are_means_over_members():
    mixture = Mixture(MEANS, DEVIATIONS)
    own = scipy.stats.norm(MEANS, DEVIATIONS)
    joint = own.pdf(Y).prod(-1)  # of both outputs
    np.testing.assert_allclose(mixture.log_density(Y), np.log(joint.mean(0)), rtol=1e-10)
    np.testing.assert_allclose(mixture.distribution(Y), own.cdf(Y).mean(0), rtol=1e-12)
    np.testing.assert_allclose(mixture.distribution(mixture.quantile(0.3)), 0.3, rtol=1e-9)


def test_one_member_is_a_normal_density():
    found = mixtures.scores(Y, Mixture(MEANS[:1], DEVIATIONS[:1]))
    own = scipy.stats.norm(MEANS[0], DEVIATIONS[0])
    low, high = own.interval(0.95)
    expected = {
        "lppd": own.logpdf(Y).sum(-1).mean(),
        "rmse": sklearn.metrics.root_mean_squared_error(Y.ravel(), MEANS[0].ravel()),
        "coverage": np.mean((low <= Y) & (high >= Y)),
        "interval_width": (high - low).mean(),
    }
    assert found == pytest.approx(expected, rel=1e-8)
    twins = Mixture(*(np.repeat(a[:1], 4, 0) for a in (MEANS, DEVIATIONS)))
    assert mixtures.scores(Y, twins) == pytest.approx(expected, rel=1e-8)


def test_the_interval_of_a_mixture_is_that_of_many_draws():
    n = 50_000
    mixture = Mixture(MEANS[:, :4], DEVIATIONS[:, :4])
    member = RNG.integers(0, 3, n)
    drawn = RNG.normal(mixture.means[member], mixture.deviations[member])  # [n, 4, 2]
    for probability in (0.025, 0.5, 0.975):
        found = mixture.quantile(probability)
        below = (drawn <= found).mean(0)
        np.testing.assert_allclose(below, probability, atol=5 * np.sqrt(0.25 / n))
    # Targets that are drawn from the density are covered as often as it says.
    wide = Mixture(*(np.repeat(a[:, :1, :1], n, 1) for a in (MEANS, DEVIATIONS)))
    covered = mixtures.scores(drawn[:, :1, 0], wide)["coverage"]
    assert covered == pytest.approx(0.95, abs=5 * np.sqrt(0.95 * 0.05 / n))


def test_far_members_leave_a_gap_inside_the_interval():
    mixture = Mixture([[[-50.0]], [[50.0]]], [[[1.0]], [[1.0]]])
    # Each holds half: its own quantile at .05.
    assert mixture.quantile(0.975).item() == pytest.approx(50 + scipy.stats.norm.ppf(0.95))
    assert mixtures.scores([[0.0]], mixture)["coverage"] == 1
    assert mixtures.scores([[0.0]], mixture)["lppd"] == pytest.approx(
        scipy.stats.norm.logpdf(50), rel=1e-12
    )


@pytest.mark.parametrize(
    ("means", "deviations", "y", "words"),
    [
        ([[1.0]], [[1.0]], [[1.0]], r"pass \[members, n, 1\]"),
        ([[[1.0]]], [[[1.0, 2.0]]], [[1.0]], r"\(1, 1, 1\) and \(1, 1, 2\)"),
        ([[[1.0]]], [[[0.0]]], [[1.0]], "greater than 0; received 0.0"),
        ([[[1.0]]], [[[1.0]]], [1.0], r"Targets must be \[n, outputs\]"),
        (np.zeros((0, 3, 1)), np.zeros((0, 3, 1)), np.zeros((3, 1)), r"\(0, 3, 1\)"),
    ],
)
def test_what_makes_no_mixture_is_refused(means, deviations, y, words):
    with pytest.raises(ValueError, match=words):
        mixtures.scores(y, Mixture(means, deviations))


def test_predictions_that_are_not_finite_leave_no_numbers():
    found = mixtures.scores(Y, Mixture(np.where(MEANS > 1, np.nan, MEANS), DEVIATIONS))
    assert np.isnan(list(found.values())).all()


@pytest.fixture(scope="module")
def joined():
    """Three networks, their members as they join beside other data, and these data."""
    networks = [build(seed) for seed in (1, 2, 3)]
    members = [
        predictive.Member(f"n{i}", pack(n), FlatNetwork(n).state()) for i, n in enumerate(networks)
    ]
    inside, other = arrays(7), (arrays(8)[0] * 3, np.zeros(48, int))
    kept = {"test": [], "ood": []}
    table = predictive.join(
        FlatNetwork(networks[0]),
        members,
        {"test": Split(*inside).batches(20)},
        logits_loss(),
        ood=Split(*other).batches(13),
        keep=lambda split, number, mean: kept[split].append(mean),
    )
    p = {
        name: np.array(
            [keras.ops.softmax(n.predict(x, verbose=0)).numpy().astype(float) for n in networks]
        )
        for name, x in (("test", inside[0]), ("ood", other[0]))
    }
    return table, p, inside[1], kept


def test_measures_of_members_that_join_are_those_of_their_probabilities(joined):
    table, p, y, kept = joined
    for k in (1, 2, 3):
        row, mean, own = table.iloc[k - 1], p["test"][:k].mean(0), p["test"][k - 1]
        entropies = scipy.stats.entropy(p["test"][:k], axis=-1)
        chosen = p["test"][:k].argmax(-1)
        pairs = list(itertools.combinations(chosen, 2))
        expected = {
            "test/entropy": entropies[-1].mean(),
            "test/ece_adaptive": uncertainty.reliability(
                own.max(1), own.argmax(1) == y, adaptive=True
            ).error,
            "ensemble/test/entropy": scipy.stats.entropy(mean, axis=-1).mean(),
            "ensemble/test/mutual_information": np.mean(
                scipy.stats.entropy(mean, axis=-1) - entropies.mean(0)
            ),
            "ensemble/test/disagreement": np.mean([a != b for a, b in pairs]) if pairs else 0,
            "ensemble/test/lppd": np.mean(np.log(mean[np.arange(len(y)), y])),
            "ensemble/test/ece": uncertainty.reliability(mean.max(1), mean.argmax(1) == y).error,
        }
        found = {name: row[name] for name in expected}
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-7), k
    assert table["ensemble/test/mutual_information"][0] == 0
    np.testing.assert_allclose(np.concatenate(kept["test"]), p["test"].mean(0), rtol=1e-5)
    np.testing.assert_allclose(np.concatenate(kept["ood"]), p["ood"].mean(0), rtol=1e-5)


def test_other_data_are_told_apart_by_the_entropies_of_members_and_of_all(joined):
    table, p, _, _ = joined
    for k in (1, 2, 3):
        for prefix, part in (("", slice(k - 1, k)), ("ensemble/", slice(k))):
            inside, outside = (
                scipy.stats.entropy(p[of][part].mean(0), axis=-1) for of in ("test", "ood")
            )
            row = table.iloc[k - 1]
            assert row[f"{prefix}ood/entropy"] == pytest.approx(outside.mean(), rel=1e-4)
            area = sklearn.metrics.roc_auc_score(
                [0] * len(inside) + [1] * len(outside), np.concatenate([inside, outside])
            )
            assert row[f"{prefix}ood/auroc"] == pytest.approx(area, abs=1e-3)
    found = predictive.summary(table)
    assert found["ensemble/ood/auroc"] == table["ensemble/ood/auroc"][2]
    assert found["member/ood/fpr95/mean"] == pytest.approx(table["ood/fpr95"].mean())


def test_other_data_need_the_test_data_and_one_label_an_example():
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    x, y = np.ones((8, 3), "float32"), np.ones((8, 1), "float32")
    flat, member = FlatNetwork(network), predictive.Member("a", pack(network), [])
    batches = Split(x, y).batches(4)
    with pytest.raises(ValueError, match="apart from the split test; received train"):
        predictive.join(flat, [member], {"train": batches}, "mse", ood=batches)
    for loss in ("mse", "hinge"):
        with pytest.raises(ValueError, match=r"this is a task of kind '(regression|loss)'"):
            predictive.join(flat, [member], {"test": batches}, loss, ood=batches)


def test_other_data_that_are_the_test_data_are_not_told_apart():
    network = build(1)
    member = predictive.Member("a", pack(network), FlatNetwork(network).state())
    split = Split(*arrays(7))
    table = predictive.join(
        FlatNetwork(network),
        [member, member],
        {"test": split.batches(20)},
        logits_loss(),
        ood=split.batches(20),
    )
    np.testing.assert_allclose(table[["ood/auroc", "ensemble/ood/auroc"]], 0.5, rtol=1e-12)


def legend_of(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_the_reliability_diagram_shows_accuracy_and_counts_of_bins_that_are_not_empty():
    confidence = np.repeat([0.0, 0.5, 0.9, 1.0], [1, 4, 10, 85])
    right = np.concatenate([[0], [1, 0, 0, 0], [1] * 10, [1] * 80, [0] * 5])
    figure = plots.reliability(*uncertainty.reliability(confidence, right))
    top, below = figure.axes
    accuracy, gaps = top.containers
    assert [bar.get_height() for bar in accuracy] == pytest.approx([0, 0.25, 1, 80 / 85])
    assert [bar.get_height() for bar in gaps] == pytest.approx([0, 0.25, -0.1, 5 / 85])
    assert [bar.get_height() for bar in below.containers[0]] == [1, 4, 10, 85]
    assert [round(bar.get_center()[0] * 30) for bar in below.containers[0]] == [1, 15, 27, 29]
    assert (top.get_ylabel(), below.get_xlabel()) == ("accuracy (fraction)", "confidence")
    assert below.get_yscale() == "log"
    assert set(legend_of(figure)) == {"accuracy", "gap to confidence", "calibrated"}
    with pytest.raises(ValueError, match="needs an example"):
        plots.reliability([0.0], [np.nan], [np.nan])


def test_entropies_of_two_data_sets_share_their_bins():
    inside, outside = RNG.uniform(0, 0.5, 300), RNG.uniform(0.5, 2, 200)
    figure = plots.entropies({"test data": inside, "other data": outside})
    (axes,) = figure.axes
    stairs = [patch for patch in axes.patches if patch.get_label() in legend_of(figure)]
    shares, edges, _ = zip(*(patch.get_data() for patch in stairs), strict=True)
    np.testing.assert_array_equal(*edges)
    np.testing.assert_allclose([share.sum() for share in shares], 1)
    np.testing.assert_allclose(shares[0], np.histogram(inside, edges[0])[0] / 300)
    assert axes.get_xlabel() == "predictive entropy (nats)"
    assert (
        len(plots.entropies({"test data": np.zeros(3)}).axes) == 1
    )  # of networks that are certain
    with pytest.raises(ValueError, match="needs data sets with examples"):
        plots.entropies({"test data": []})


def test_the_predictive_band_is_drawn_over_the_data():
    x = np.linspace(-1, 1, 5)
    figure = plots.predictive_band(x, x, x - 1, x + 2, (x, x**2), (x[:2], x[:2]))
    (axes,) = figure.axes
    corners = axes.collections[0].get_paths()[0].vertices
    assert (corners[:, 1].min(), corners[:, 1].max()) == (-2, 3)
    np.testing.assert_array_equal(axes.get_lines()[0].get_xydata(), np.stack([x, x], 1))
    assert legend_of(figure) == ["central 95 %", "mean", "train data", "test data"]
    with pytest.raises(ValueError, match="low <= high"):
        plots.predictive_band(x, x, x + 1, x, (x, x))
