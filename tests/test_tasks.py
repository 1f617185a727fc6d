"""What the loss says that networks do, and the metrics of it, against scikit-learn and loops."""

import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats
import sklearn.metrics
import tensorflow as tf
from test_compiled import KINDS, own

from mc.evaluation import tasks

RNG = np.random.default_rng(3)


def metrics(task, y, outputs, weight=None):
    """The metrics of a task, from batches of uneven sizes."""
    totals = {}
    for part in (slice(0, 7), slice(7, 8), slice(8, None)):
        given = (None if v is None else tf.constant(v[part]) for v in (y, outputs, weight))
        for name, value in task.sums(*given).items():
            value, before = value.numpy()[np.newaxis], totals.get(name)
            join = np.add if name != "each" else lambda *parts: np.concatenate(parts, axis=1)
            totals[name] = value if before is None else join(before, value)
    return {name: value.item() for name, value in task.scores(totals).items()}


@pytest.mark.parametrize("axes", [0, 1, 2])
@pytest.mark.parametrize("logits", [True, False])
def test_labels_have_the_scores_of_sklearn_on_every_leading_axis(axes, logits):
    shape = (20, 3, 4)[: axes + 1]
    outputs, y = RNG.normal(size=(*shape, 5)), RNG.integers(0, 5, shape)
    weight = RNG.uniform(size=shape) * (RNG.random(shape) < 0.8)
    p = scipy.special.softmax(outputs, axis=-1)
    task = tasks.Labels(calibration=True, num_classes=5, logits=logits, axes=axes)
    found = metrics(task, y, outputs if logits else p, weight)
    flat, labels, w = p.reshape(-1, 5), y.ravel(), weight.ravel()
    predicted, weighed = flat.argmax(1), {"sample_weight": w}
    right, confidence = predicted == labels, flat.max(1)
    bins = np.ceil(confidence * 15)
    gaps = [((right - confidence) * w)[bins == b].sum() for b in range(1, 16)]
    nll = sklearn.metrics.log_loss(labels, flat, labels=range(5), **weighed)
    expected = {
        "nll": nll,
        "error": sklearn.metrics.zero_one_loss(labels, predicted, **weighed),
        "accuracy": sklearn.metrics.accuracy_score(labels, predicted, **weighed),
        "f1": sklearn.metrics.f1_score(labels, predicted, average="weighted", **weighed),
        "ece": np.abs(gaps).sum() / w.sum(),
        "brier": np.average(((flat - np.eye(5)[labels]) ** 2).sum(1), weights=w),
        "entropy": np.average(scipy.stats.entropy(flat, axis=1), weights=w),
    }
    if axes == 0:
        expected["ece_adaptive"] = found["ece_adaptive"]  # see test_uncertainty
    if axes == 1:
        expected["perplexity"] = np.exp(nll)
    if axes == 2:
        expected["iou"] = sklearn.metrics.jaccard_score(
            labels, predicted, average="macro", **weighed
        )
    assert found == pytest.approx(expected, rel=1e-6)


def test_labels_may_be_one_hot_or_in_a_column_and_one_may_be_ignored():
    outputs, y = RNG.normal(size=(20, 3, 5)), RNG.integers(0, 5, (20, 3))
    task = tasks.Labels(num_classes=5, axes=1)
    expected = metrics(task, y, outputs)
    assert metrics(task, np.eye(5)[y], outputs) == expected
    assert metrics(task, y[..., None], outputs) == expected
    without = metrics(task, y, outputs, (y != 2) * 1.0)
    assert metrics(tasks.Labels(num_classes=5, axes=1, ignored=2), y, outputs) == without
    outside = np.where(y == 2, -1, y)  # as of padding
    assert metrics(tasks.Labels(num_classes=5, axes=1, ignored=-1), outside, outputs) == without


@pytest.mark.parametrize("shape", [(20,), (20, 1), (20, 6, 6, 1)])
@pytest.mark.parametrize("logits", [True, False])
def test_yes_and_no_are_two_classes(shape, logits):
    z, y = RNG.normal(size=shape), RNG.integers(0, 2, shape)
    p = scipy.special.expit(z)
    axes = max(len(shape) - 2, 0)
    task = tasks.Decisions(calibration=True, logits=logits, axes=axes)
    found = metrics(task, y, z if logits else p)
    yes, said = y.ravel(), p.ravel() > 0.5
    expected = {
        "nll": sklearn.metrics.log_loss(yes, p.ravel(), labels=[0, 1]),
        "error": sklearn.metrics.zero_one_loss(yes, said),
        "accuracy": sklearn.metrics.accuracy_score(yes, said),
        "f1": sklearn.metrics.f1_score(yes, said, average="weighted"),
        "brier": 2 * sklearn.metrics.brier_score_loss(yes, p.ravel()),
        "entropy": scipy.stats.entropy([p.ravel(), 1 - p.ravel()]).mean(),
        "ece": found["ece"],
    }
    if axes == 0:
        expected["ece_adaptive"] = found["ece_adaptive"]
    if axes == 2:
        expected["iou"] = sklearn.metrics.jaccard_score(yes, said, average="macro")
    assert found == pytest.approx(expected, rel=1e-6)
    assert 0 <= found["ece"] <= 0.5


@pytest.mark.parametrize("leading", [(), (3,)])
def test_several_labels_that_may_hold_together(leading):
    z, y = RNG.normal(size=(2, 20, *leading, 4))
    y = (y > 0.4) * 1.0
    p = scipy.special.expit(z)
    found = metrics(tasks.Decisions(num_labels=4, axes=len(leading)), y, z)
    yes, said = y.reshape(-1, 4), p.reshape(-1, 4) > 0.5
    hamming = sklearn.metrics.hamming_loss(yes, said)
    expected = {
        "nll": keras.losses.binary_crossentropy(y, z, from_logits=True).numpy().mean(),
        "error": hamming,
        "accuracy": 1 - hamming,
        "f1": sklearn.metrics.f1_score(yes, said, average="weighted"),
    }
    assert found == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("loss", "targets", "outputs", "name"),
    [
        ("sparse_categorical_crossentropy", (4,), (4, 3), "labels"),
        ("sparse_categorical_crossentropy", (4, 6), (4, 6, 3), "dense labels"),
        ("sparse_categorical_crossentropy", (4, 6, 6, 1), (4, 6, 6, 3), "dense labels"),
        ("categorical_crossentropy", (4, 6, 6, 3), (4, 6, 6, 3), "dense labels"),
        ("crossentropy", (4, 6), (4, 6, 3), "dense labels"),
        ("binary_crossentropy", (4,), (4, 1), "binary"),
        ("binary_crossentropy", (4, 6, 6, 1), (4, 6, 6, 1), "binary"),
        ("binary_crossentropy", (4, 3), (4, 3), "multi-label"),
        ("hinge", (4, 1), (4, 1), "loss"),
        ("poisson", (4, 2), (4, 2), "regression"),
        ("mse", (4, 6, 2), (4, 6, 2), "regression"),
        ("mse", (4, 5), (4, 6, 2), "loss"),
        ("ctc", (4, 2), (4, 6, 3), "loss"),
        (own, (4,), (4, 3), "labels"),
        (own, (4, 6), (4, 6, 3), "loss"),
    ],
)
def test_the_loss_and_the_shapes_say_which_task_it_is(loss, targets, outputs, name):
    y = np.zeros(targets, "int64")
    out = np.full(outputs, 1 / outputs[-1], "float32")
    found = tasks.of(loss, y, out)
    assert found.name == name
    assert bool(found.why) == (name == "loss")
    assert bool(found.signature) == (name != "loss")


def test_a_task_that_is_named_takes_the_place_of_what_the_loss_says():
    y, outputs = np.zeros((4, 6), "int64"), np.zeros((4, 6, 3), "float32")
    assert tasks.of(own, y, outputs, named="labels") == tasks.Labels(num_classes=3, axes=1)
    assert tasks.of("mse", y, outputs, named="loss").name == "loss"
    with pytest.raises(ValueError, match=r"task must be one of labels, binary.*received 'label'"):
        tasks.of(own, y, outputs, named="label")
    with pytest.raises(ValueError, match=r"task=binary does not fit targets \(4, 6\) and outputs"):
        tasks.of(own, y, outputs, named="binary")
    with pytest.raises(ValueError, match="one for all, and the network has several outputs"):
        tasks.of(own, [y, y], [outputs, outputs], named="labels")


@pytest.mark.parametrize("kind", ["outputs by name", "outputs in a list"])
def test_each_of_several_outputs_has_its_own_task(kind):
    build, x, y, loss = KINDS[kind][:4]
    network = build()
    outputs = network(x)
    names = {"output_names": network.output_names}
    task = tasks.of(loss, y, outputs, **names)
    assert {name: own.name for name, own in task.tasks.items()} == {
        "a": "regression",
        "b": "labels",
    }
    found = {k: v[np.newaxis] for k, v in task.sums(y, outputs).items()}
    a, b = outputs.values() if isinstance(outputs, dict) else outputs
    real, labels = y.values() if isinstance(y, dict) else y
    scores = {k: v.item() for k, v in task.scores(found).items()}
    assert scores["a_mse"] == pytest.approx(np.mean((a.numpy()[:, 0] - real) ** 2), rel=1e-5)
    wrong = sklearn.metrics.zero_one_loss(labels, b.numpy().argmax(1))
    assert scores["b_error"] == pytest.approx(wrong)
    assert set(scores) == {"a_mse", "b_nll", "b_error", "b_accuracy", "b_f1"}
    alone = {"b": loss["b"]} if isinstance(loss, dict) else [None, loss[1]]
    assert tasks.of(alone, y, outputs, **names).tasks["a"].why == "it has no loss"
