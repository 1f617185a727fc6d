"""stage=soup: averages of weights, against NumPy and Keras alone."""

import json
import sys

import keras
import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import QUICK, only, saved_network, saved_weights
from hypothesis import given
from hypothesis import strategies as st
from test_config import compose
from test_kept import data_of, of_keras, statistics

from mc.datasets import digits
from mc.ensembles import soups
from mc.evaluation.evaluator import Evaluator
from mc.lab import check, objective
from mc.lab.graph import Run

VALID = [*QUICK, "dataset.valid_size=40", "train.base.save_every=1", "build=true"]


def summary(folder):
    return json.loads((folder / "summary.json").read_text())


def steps(folder):
    """What each line of steps.csv is, by its kind."""
    table = pd.read_csv(folder / "steps.csv", dtype={"name": str})
    return {what: own.reset_index(drop=True) for what, own in table.groupby("what", sort=False)}


def filled(model, w):
    """A Keras model with the flat weights w, trainable ones alone."""
    sizes = np.cumsum([v.numpy().size for v in model.trainable_variables])[:-1]
    for variable, part in zip(model.trainable_variables, np.split(w, sizes), strict=True):
        variable.assign(part.reshape(variable.shape))
    return model


def error_of(model, x, y):
    return float(np.mean(model.predict(x, verbose=0).argmax(-1) != y))


def validation():
    """The first 32, which smoke=true leaves, of the 40 examples that are held out."""
    return tuple(array[-40:][:32] for array in digits()["train"])


@given(st.integers(1, 6).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1)))))
def test_an_average_is_that_of_numpy(case):
    n, chosen = case
    if chosen:
        points = np.random.default_rng(n).normal(size=(n, 7))
        expected = np.mean([points[i] for i in chosen], axis=0)
        np.testing.assert_allclose(soups.average(chosen, n) @ points, expected, rtol=1e-5)


@given(st.lists(st.floats(-2, 2), min_size=1, max_size=5), st.integers(0, 3))
def test_task_vectors_are_added_to_the_start(scales, seed):
    start, *members = np.random.default_rng(seed).normal(size=(seed + 2, 7))
    rows = soups.task_vectors(len(members), scales)
    for row, scale in zip(rows, scales, strict=True):
        expected = start + scale * sum(w - start for w in members)
        np.testing.assert_allclose(row @ [start, *members], expected, rtol=1e-4, atol=1e-5)


@given(st.integers(1, 6), st.integers(0, 20))
def test_a_greedy_soup_is_recipe_1(n, seed):
    """Of linear classifiers, by the paper's words, with accuracies of averages that NumPy takes."""
    rng = np.random.default_rng(seed)
    x, truth = rng.normal(size=(30, 4)), rng.normal(size=(4, 3))
    y = (x @ truth).argmax(-1)
    members = [truth + rng.normal(size=truth.shape) for _ in range(n)]

    def accuracy(ingredients):
        return np.mean((x @ np.mean(ingredients, axis=0)).argmax(-1) == y)

    by_accuracy = sorted(range(n), key=lambda i: -accuracy([members[i]]))
    ingredients, kept = [], []
    for i in by_accuracy:
        tried = [*ingredients, members[i]]
        if not ingredients or accuracy(tried) >= accuracy(ingredients):
            ingredients, kept = tried, [*kept, i]

    asked = []

    def score(row):
        asked.append(row)
        return 1 - accuracy([np.tensordot(row.astype(float), members, axes=1)])

    found = soups.greedy([1 - accuracy([w]) for w in members], score)
    assert [step.member for step in found] == by_accuracy
    assert [step.member for step in found if step.kept] == kept
    assert len(asked) == n - 1  # each of the others once
    last = [step.row for step in found if step.kept][-1]
    np.testing.assert_allclose(last, np.isin(range(n), kept) / len(kept), rtol=1e-6)


def test_what_is_not_a_number_is_in_no_soup():
    scores = {(0, 1): 0.1, (1, 2): float("nan"), (0, 1, 2): float("nan")}
    found = soups.greedy(
        [0.2, 0.1, float("nan")], lambda row: scores[tuple(np.flatnonzero(row).tolist())]
    )
    assert [(step.member, step.kept) for step in found] == [(1, True), (0, True), (2, False)]
    assert soups.best([float("nan"), 0.3, 0.2, 0.2]) == 2


def test_a_uniform_soup_is_the_mean_of_the_weights(cli, made_runs, tmp_path):
    status, output = cli(*QUICK, "stage=soup", "eval.splits=[train]", "eval.bn_batches=1")
    assert status == 0, output
    folder = only(tmp_path, "soup/smoke-digits-mlp-1-2-*")
    w = [saved_weights(tmp_path, seed) for seed in (1, 2)]
    model = keras.models.load_model(folder / "model.keras")
    found = np.concatenate([np.ravel(v) for v in model.get_weights()])
    np.testing.assert_allclose(found, (w[0] + w[1]) / 2, rtol=1e-6, atol=1e-8)
    rebuilt = keras.models.clone_model(model)
    rebuilt.load_weights(folder / "model.weights.h5")
    np.testing.assert_array_equal(rebuilt.get_weights()[0], model.get_weights()[0])
    # Keras' own evaluate of the file; smoke=true leaves the first 32 examples.
    numbers = summary(folder)
    model.compile(
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"]
    )
    for split in ("train", "test"):
        x, y = (array[:32] for array in digits()[split])
        nll, accuracy = model.evaluate(x, y, batch_size=500, verbose=0)
        assert numbers[f"{split}/nll"] == pytest.approx(nll, rel=1e-5)
        assert numbers[f"{split}/accuracy"] == pytest.approx(accuracy)
        penalty = 0.5 * 5e-4 * float(found.astype(float) @ found)
        assert numbers[f"{split}/loss"] == pytest.approx(nll + penalty, rel=1e-5)
    # Members as their own training reported them.
    table = steps(folder)
    for row, seed in enumerate((1, 2)):
        base = summary(only(tmp_path, f"base/*seed{seed}*"))
        for name in base:
            assert table["member"][name][row] == pytest.approx(base[name], rel=1e-5)
    values = table["member"]["test/nll"]
    assert numbers["member/test/nll/min"] == pytest.approx(values.min())
    assert numbers["member/test/nll/mean"] == pytest.approx(values.mean())
    assert (numbers["num_members"], "scale" in numbers) == (2, False)
    assert {p.name for p in (folder / "figures").iterdir()} == {"soup.png", "soup.pdf"}


@pytest.mark.long
def test_the_soup_has_the_batchnorm_statistics_of_its_own_weights(cli, tmp_path):
    quick = ["smoke=true", "model._target_=conftest.small_bn"]
    of_curves = ["eval.bn_batch_size=8", "eval.bn_batches=1"]  # which networks do not follow
    status, output = cli(*quick, "stage=soup", "build=true", *of_curves)
    assert status == 0, output
    folder = only(tmp_path, "soup/*")
    for row, seed in enumerate((1, 2)):  # as their own training reported them
        base = summary(only(tmp_path, f"base/*seed{seed}*"))
        assert steps(folder)["member"]["test/nll"][row] == pytest.approx(base["test/nll"], rel=1e-5)
    bases = [keras.models.load_model(p) for p in sorted(tmp_path.glob("base/*/model.keras"))]
    weights = [[v.numpy() for v in model.trainable_variables] for model in bases]
    mean = np.concatenate([np.ravel((a + b) / 2) for a, b in zip(*weights, strict=True)])
    by_hand = filled(bases[0], mean)
    (x, _), (x_test, y_test) = data_of(*quick)  # so few that they are one batch
    soup = keras.models.load_model(folder / "model.keras")
    expected = of_keras(by_hand, x)
    assert max(np.abs(v).max() for v in statistics(soup)) > 0
    for found, own in zip(statistics(soup), expected, strict=True):
        np.testing.assert_allclose(found, own, rtol=1e-4, atol=1e-6)
    assert summary(folder)["test/error"] == pytest.approx(error_of(soup, x_test, y_test))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    nll = float(loss(y_test, soup.predict(x_test, verbose=0)))
    assert summary(folder)["test/nll"] == pytest.approx(nll, rel=1e-4)


@pytest.mark.slow
def test_greedy_soups_and_task_vectors_are_chosen_by_validation(cli, tmp_path, monkeypatch):
    names = ["1@1", "2", "1", "2@1"]
    greedy = [*VALID, "stage=soup", f"soup.networks=[{','.join(names)}]", "soup.how=greedy"]
    original, calls = Evaluator.__call__, []

    def killed(*arguments, **options):
        # The networks alone are one call, and so is every soup.
        if len(arguments[1]) in (1, len(names)) and arguments[0].bn_data is None:
            calls.append(len(calls))
            if len(calls) == 3 + 2:  # after those of both base runs
                raise KeyboardInterrupt
        return original(*arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(Evaluator, "__call__", killed)
        assert cli(*greedy)[0] == 1
    status, output = cli(*greedy)
    assert status == 0, output
    assert "Continuing after" in output
    assert "Chosen by valid/error" in output
    w = {str(seed): saved_weights(tmp_path, seed) for seed in (1, 2)}
    for seed in (1, 2):
        with np.load(only(tmp_path, f"base/*seed{seed}*/epochs/1.npz")) as file:
            w[f"{seed}@1"] = file["control_points"][0]
    model = keras.models.load_model(only(tmp_path, "base/*seed1*/model.keras"))
    valid, test = validation(), tuple(array[:32] for array in digits()["test"])

    def errors(weights):
        filled(model, np.mean(weights, axis=0))
        return error_of(model, *valid), error_of(model, *test)

    order = sorted(names, key=lambda name: errors([w[name]])[0])
    kept, lowest, expected = [], np.inf, []
    for name in order:
        found = errors([w[n] for n in (*kept, name)])
        stays = found[0] <= lowest
        expected.append((name, len(kept) + 1, bool(stays), *map(pytest.approx, found)))
        kept, lowest = ([*kept, name], found[0]) if stays else (kept, lowest)
    folder = only(tmp_path, "soup/*")
    table = steps(folder)
    columns = ["name", "members", "kept", "valid/error", "test/error"]
    assert list(table["soup"][columns].itertuples(index=False, name=None)) == expected
    assert dict(zip(table["member"]["name"], table["member"]["kept"], strict=True)) == {
        name: name in kept for name in names
    }
    soup = keras.models.load_model(folder / "model.keras")
    found = np.concatenate([np.ravel(v) for v in soup.get_weights()])
    np.testing.assert_allclose(found, np.mean([w[n] for n in kept], axis=0), rtol=1e-5, atol=1e-7)
    assert summary(folder)["num_members"] == len(kept)
    assert summary(folder)["test/error"] == pytest.approx(error_of(soup, *test))

    tasks = [*VALID, "stage=soup", "soup.networks=[1,2@1]", "soup.how=tasks", "soup.start=1@1"]
    status, output = cli(*tasks, "soup.scales=[0,0.3,1,-2]", "objective=scale")
    assert status == 0, output
    folder = only(tmp_path, "soup/smoke-digits-mlp-1_1-1-2_1-*")
    table, start = steps(folder), w["1@1"]
    assert table["start"]["name"].tolist() == ["1@1"]
    by_hand = []
    for scale in (0, 0.3, 1, -2):
        by_hand.append(start + scale * (w["1"] - start + w["2@1"] - start))
    expected = [errors([vector]) for vector in by_hand]
    np.testing.assert_allclose(table["soup"][["valid/error", "test/error"]], expected, rtol=1e-6)
    chosen = int(np.argmin([error for error, _ in expected]))
    assert table["soup"]["kept"].tolist() == [place == chosen for place in range(4)]
    assert summary(folder)["scale"] == [0, 0.3, 1, -2][chosen]
    soup = keras.models.load_model(folder / "model.keras")
    found = np.concatenate([np.ravel(v) for v in soup.get_weights()])
    np.testing.assert_allclose(found, by_hand[chosen], rtol=1e-4, atol=1e-6)
    values = yaml.safe_load((folder / "config.yaml").read_text())
    for name in summary(folder):
        objective.check(Run.stages["soup"](values), name)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["soup.networks=[1]"], "soup.networks must be at least two; received [1]"),
        (["soup.networks=[]"], "soup.networks must be at least two"),
        (["soup.how=greedy"], "Type dataset.valid_size=100"),
        (["soup.how=tasks", "soup.start=1"], "Type dataset.valid_size=100"),
        (["soup.how=tasks", "dataset.valid_size=9"], "Type for example soup.start=1"),
        (["soup.how=tasks", "soup.start=fge:1"], "is the list of all members"),
        (["soup.how=best"], "soup.how must be one of uniform, greedy, tasks"),
        (["soup.scales=[]"], "soup.scales must be one finite number or more"),
        (["soup.scales=[0,inf]"], "soup.scales must be one finite number or more"),
        (["objective=scale"], "objective=scale is not made by stage=soup"),
    ],
)
def test_a_soup_that_cannot_be_is_refused_before_anything_is_made(settings, words):
    with pytest.raises(ValueError, match=words.replace("[", r"\[")):
        check.check(compose("stage=soup", *settings))


@pytest.mark.parametrize(
    "settings",
    [
        ["soup.networks=[fge:1]"],
        ["soup.networks=[7]", "soup.how=tasks", "soup.start=1", "dataset.valid_size=9"],
        ["soup.how=greedy", "dataset._target_=conftest.arrays"],  # which may have some
    ],
)
def test_a_soup_that_may_be_is_not_refused(settings):
    check.check(compose("stage=soup", *settings))


OWN = """
from mc.datasets import digits as data
"""


def test_data_of_ones_own_without_validation_are_told(cli, tmp_path, monkeypatch):
    (tmp_path / "own_digits.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    a, b = (saved_network(tmp_path / f"{name}.keras") for name in "ab")
    own = ["smoke=true", "dataset._target_=own_digits.data", f"soup.networks=[{a},{b}]"]
    status, output = cli("stage=soup", *own, "soup.how=greedy")
    sys.modules.pop("own_digits", None)
    assert (status, "the dataset has none. Type dataset.valid_size=100" in output) == (1, True)


def test_members_of_other_weight_decays_have_one_loss():
    settings = ["stage=soup", "soup.networks=[1,fge:1]", "fge.weight_decay=0.0015"]
    run = Run.stages["soup"](compose(*settings))
    assert run.weight_decay == pytest.approx(1e-3)
    assert Run.stages["soup"](compose("stage=soup")).weight_decay == 5e-4


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        ("test/error valid/loss valid/nll valid/error", "valid/error"),
        ("valid/error valid/nll valid/perplexity valid/loss", "valid/nll"),  # of tokens
        ("valid/loss valid/mse", "valid/mse"),
        ("valid/loss", "valid/loss"),
    ],
)
def test_what_decides_what_is_in_a_soup(names, chosen):
    assert soups.chosen_by(names.split()) == chosen
