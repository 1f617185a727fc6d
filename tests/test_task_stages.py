"""Stages on data of tokens, of pixels, of yes and no, of several labels and several outputs."""

import json

import keras
import numpy as np
import pandas as pd
import pytest
from conftest import only

from mc.lab.words import TASKS
from mc.lab.work.growing import growing

LOSSES = {
    "sparse": "keras.losses.SparseCategoricalCrossentropy",
    "binary": "keras.losses.BinaryCrossentropy",
}


def random():
    """One generator a call: every run is given the same data."""
    return np.random.default_rng(5)


def both(x, y, **more):
    return {"train": (x[:32], y[:32]), "test": (x[32:], y[32:])} | more


def sentences():
    rng = random()
    x = [rng.integers(1, 7, n) for n in rng.integers(2, 7, 40)]
    y = [row % 3 for row in x]
    return both(x, y, token_characters=[1, 2, 1])


def tagger(input_shape, num_classes):
    tokens = keras.Input(input_shape, dtype="int64")
    x = keras.layers.Embedding(7, 4, mask_zero=True)(tokens)
    x = keras.layers.Dense(4, "tanh")(x)
    return keras.Model(tokens, keras.layers.Dense(num_classes)(x))


def without_mask(input_shape, num_classes):
    tokens = keras.Input(input_shape, dtype="int64")
    x = keras.layers.Embedding(7, 4)(tokens)
    return keras.Model(tokens, keras.layers.Dense(num_classes)(x))


def few_tokens(input_shape, num_classes):
    tokens = keras.Input(input_shape, dtype="int64")
    x = keras.layers.Embedding(5, 4, mask_zero=True)(tokens)
    return keras.Model(tokens, keras.layers.Dense(num_classes)(x))


def pictures():
    x = random().random((40, 4, 4, 1)).astype("float32")
    return both(x, (x > 0.5).astype(int) + (x > 0.8))


def per_pixel(input_shape, num_classes):
    inputs = keras.Input(input_shape)
    x = keras.layers.Conv2D(3, 3, padding="same", activation="relu")(inputs)
    return keras.Model(inputs, keras.layers.Conv2D(num_classes, 1)(x))


def yes_or_no():
    x = random().normal(size=(40, 3)).astype("float32")
    return both(x, (x[:, 0] > 0).astype(int))


def several_labels():
    x = random().normal(size=(40, 3)).astype("float32")
    return both(x, (x > 0).astype(int))


def two_parts():
    rng = random()
    x = {"a": rng.normal(size=(40, 3)), "b": rng.integers(0, 4, (40, 2))}
    y = {"size": x["a"].sum(1), "kind": x["b"][:, 0] % 3}
    cut = [
        tuple({k: v[part] for k, v in given.items()} for given in (x, y))
        for part in (slice(32), slice(32, None))
    ]
    return dict(zip(("train", "test"), cut, strict=True))


def two_headed(input_shape):
    types = {"a": "float32", "b": "int64"}
    inputs = {k: keras.Input(s, dtype=types[k], name=k) for k, s in input_shape.items()}
    b = keras.layers.Flatten()(keras.layers.Embedding(4, 2)(inputs["b"]))
    x = keras.layers.Dense(6, activation="relu")(keras.layers.Concatenate()([inputs["a"], b]))
    outputs = {"size": keras.layers.Dense(1)(x), "kind": keras.layers.Dense(3)(x)}
    return keras.Model(inputs, outputs)


def two_losses():
    kind = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return {"size": keras.losses.MeanSquaredError(), "kind": kind}


def of(data, model, loss):
    here = "test_task_stages."
    groups = [f"dataset._target_={here}{data}", "dataset.valid_size=0"]
    groups += [f"model._target_={here}{model}", "~model.padding"]
    logits = ["+loss.from_logits=true"] if loss in LOSSES else []
    return [*groups, f"loss._target_={LOSSES.get(loss, loss)}", *logits, "smoke=true"]


CASES = {
    "tokens": (of("sentences", "tagger", "sparse"), ["nll", "perplexity", "bits_per_character"]),
    "pixels": (of("pictures", "per_pixel", "sparse"), ["nll", "iou", "f1"]),
    "binary": ([*of("yes_or_no", "tagger", "binary"), "model=mlp"], ["nll", "error", "accuracy"]),
    "multi-label": ([*of("several_labels", "tagger", "binary"), "model=mlp"], ["nll", "f1"]),
    "several": (
        of("two_parts", "two_headed", "test_task_stages.two_losses"),
        ["size_mse", "kind_error", "kind_nll"],
    ),
}


def overrides_of(case):
    overrides = CASES[case][0]
    if "model=mlp" in overrides:
        gone = "~model.padding", "model._target_=test_task_stages.tagger"
        overrides = [o for o in overrides if o not in gone]
    return overrides


def of_run(tmp_path, pattern):
    return json.loads(only(tmp_path, f"{pattern}/summary.json").read_text())


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=[pytest.mark.slow] * (case != "tokens")) for case in CASES]
)
def test_networks_and_ensembles_of_every_task(cli, tmp_path, case):
    words = ["stage=ensemble", "ensemble.networks=[1,2]", "ensemble.predictions=true", "build=true"]
    status, output = cli(*overrides_of(case), *words)
    assert status == 0, output
    base = of_run(tmp_path, "base/*seed1*")
    table = pd.read_csv(only(tmp_path, "ensemble/*/members.csv"))
    for metric in CASES[case][1]:
        assert 0 <= base[f"test/{metric}"] < np.inf
        assert table[f"test/{metric}"][0] == pytest.approx(base[f"test/{metric}"], rel=1e-5)
    with np.load(only(tmp_path, "ensemble/*/predictions.npz")) as file:
        mean = file["mean" + "/kind" * (case == "several")]
    assert np.all((mean >= 0) & (mean <= 1))


def masks():
    x = random().random((40, 4, 4, 1)).astype("float32")
    return both(x, (x[..., 0] > 0.5).astype(int))


def one_channel(input_shape, num_outputs):
    assert num_outputs == 1
    inputs = keras.Input(input_shape)
    return keras.Model(inputs, keras.layers.Conv2D(num_outputs, 3, padding="same")(inputs))


def phrases():
    rng = random()
    return both(rng.normal(size=(40, 7, 3)).astype("float32"), rng.integers(1, 4, (40, 2)))


def listener(input_shape, num_classes):
    return keras.Sequential([keras.Input(input_shape), keras.layers.Dense(num_classes)])


def own_binary(y_true, y_pred):
    return keras.losses.binary_focal_crossentropy(y_true, y_pred, from_logits=True)


def focal():
    return own_binary


@pytest.mark.parametrize(
    ("overrides", "there", "gone"),
    [
        (of("masks", "one_channel", "binary"), "test/error", "test/mse"),
        (of("phrases", "listener", "keras.losses.CTC"), "test/loss", "test/nll"),
        (
            [*of("several_labels", "tagger", "test_task_stages.focal"), "task=multi-label"],
            "test/f1",
            "test/mse",
        ),
    ],
)
def test_what_only_the_loss_or_the_task_says(cli, tmp_path, overrides, there, gone):
    if "task=multi-label" in overrides:
        drop = "~model.padding", "model._target_=test_task_stages.tagger"
        overrides = [*(o for o in overrides if o not in drop), "model=mlp"]
    status, output = cli(*overrides, "stage=base")
    assert status == 0, output
    found = of_run(tmp_path, "base/*")
    assert there in found
    assert gone not in found


@pytest.mark.slow
@pytest.mark.parametrize("case", ["tokens", "several"])
def test_curves_of_tokens_and_of_several_outputs(cli, tmp_path, case):
    more = ["eval.predictions=[0,0.5]", "eval.num_points=3"]
    status, output = cli(*overrides_of(case), *more)
    assert status == 0, output
    found, base = of_run(tmp_path, "eval/*"), of_run(tmp_path, "base/*seed1*")
    for metric in CASES[case][1]:
        assert base[f"test/{metric}"] == pytest.approx(found[f"curve/test/{metric}/start"], 1e-5)
        is_barrier = metric.endswith(("nll", "error", "mse", "character"))
        assert (f"linear/test/{metric}/barrier_max" in found) == is_barrier
    with np.load(only(tmp_path, "eval/*/predictions.npz")) as file:
        outputs = file["curve" + "/kind" * (case == "several")]
    assert outputs.shape == ((2, 8, 3) if case == "several" else (2, 8, 6, 3))


def test_outputs_in_a_list_are_kept_under_their_names():
    x = keras.Input([2])
    model = keras.Model(x, [keras.layers.Dense(1, name=name)(x) for name in ("kind", "size")])
    with growing(model) as kept:
        for batch in ([1.0], [2.0, 3.0]):
            kept.add("curve", [np.array(batch), -np.array(batch)])
        found = {name: array.tolist() for name, array in kept.arrays().items()}
    assert found == {"curve/kind": [1, 2, 3], "curve/size": [-1, -2, -3]}


@pytest.mark.slow
def test_members_and_planes_of_tokens(cli, tmp_path):
    overrides = CASES["tokens"][0]
    assert cli(*overrides, "stage=fge", "build=true")[0] == 0
    words = ["stage=plane", "plane.networks=[1,fge:1/1,fge:1/swa]", "plane.grid_points=3"]
    assert cli(*overrides, *words)[0] == 0
    found = of_run(tmp_path, "fge/*")
    assert {"ensemble/test/perplexity", "swa/test/bits_per_character"} <= set(found)
    plane = of_run(tmp_path, "plane/*")
    assert plane["plane/test/perplexity/max"] >= plane["plane/test/perplexity/point_0"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["model._target_=test_task_stages.without_mask"], "masks nothing, but the dataset's"),
        (["model._target_=test_task_stages.few_tokens"], "knows the tokens 0 to 4"),
        (["task=regression"], "are of tokens to predict, and y are no classes"),
        (["task=classes"], "task must be one of auto, labels, binary, multi-label, regression"),
        (["objective=test/perplexities"], "objective=test/perplexities is not made"),
        (["loss._target_=null", "plan=true"], ""),  # of more than two classes, labels by themselves
    ],
)
def test_what_does_not_fit_is_told_in_one_message(cli, change, message):
    status, output = cli(*CASES["tokens"][0], "stage=base", *change)
    assert status == (1 if message else 0)
    assert message in output
    assert "Traceback" not in output


def test_the_tasks_that_may_be_typed_are_those_that_there_are():
    from mc.evaluation import tasks

    assert TASKS == tasks.NAMES
