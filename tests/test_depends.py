"""Which settings the report shows beside a run: those that its result depends on."""

import pytest

from mc.lab.report.lineage import lineage
from mc.lab.report.tables import without_seeds

SETTINGS = {
    "stage": "any",
    "seed": 1,
    "endpoints": [1, 2],
    "output_dir": "outputs",
    "precision": "float32",
    "smoke": False,
    "dataset._target_": "mc.datasets.tfds_images",
    "dataset.data_dir": None,
    "model._target_": "mc.models.cnn",
    "curve.num_bends": 1,
    "optimizer.momentum": 0.9,
    "loss._target_": None,
    "train.base.epochs": 20,
    "train.base.save_every": None,
    "train.curve.epochs": 40,
    "train.base.weight_decay": 5e-4,
    "train.curve.weight_decay": 5e-4,
    "eval.num_points": 61,
    "eval.t": None,
    "eval.splits": None,
    "eval.batch_size": 500,
    "eval.bn_batches": None,
    "chain.networks": None,
    "chain.num_points": 6,
    "plane.points": None,
    "plane.networks": None,
    "pairs.networks": None,
    "pairs.num_points": 11,
    "soup.networks": None,
    "soup.how": "uniform",
    "soup.start": None,
    "soup.scales": [0.5],
    "fge.start": 1,
    "fge.cycle": 2,
    "swag.start": 1,
    "swag.rank": 20,
    "ensemble.networks": None,
    "ensemble.num_points": 11,
}


def nested(settings):
    values = {}
    for key, value in settings.items():
        *path, last = key.split(".")
        inner = values
        for name in path:
            inner = inner.setdefault(name, {})
        inner[last] = value
    return values


ALL = {"precision", "smoke", "dataset._target_", "loss._target_"}
BASE = {"model._target_", "train.base.epochs", "train.base.weight_decay"}
CURVE = {"seed", "curve.num_bends", "train.curve.epochs", "train.curve.weight_decay"}
NETWORKS = {"train.base.weight_decay", "eval.bn_batches"}  # that no curve joins


@pytest.mark.parametrize(
    ("stage", "changes", "own"),
    [
        ("base", {}, {*BASE, "optimizer.momentum", "seed"}),
        ("curve", {}, {*BASE, *CURVE, "optimizer.momentum", "endpoints"}),
        ("curve", {"endpoints": ["a.keras", "b"]}, {*CURVE, "optimizer.momentum", "endpoints"}),
        (
            "curve",
            {"endpoints": ["1@160", "b.keras"]},
            {*BASE, *CURVE, "optimizer.momentum", "endpoints"},
        ),
        (
            "eval",
            {"endpoints": ["a.keras", "b.keras"]},
            {*CURVE, "optimizer.momentum", "endpoints", "eval.bn_batches", "eval.splits"}
            | {"eval.num_points", "eval.t"},
        ),
        (
            "eval",
            {"eval.t": [0.5]},
            {*BASE, *CURVE, "optimizer.momentum", "endpoints", "eval.bn_batches", "eval.splits"}
            | {"eval.t"},
        ),
        (
            "plane",
            {},
            {*BASE, *CURVE, "optimizer.momentum", "endpoints", "eval.bn_batches", "plane.points"},
        ),
        (
            "plane",
            {"plane.networks": [1, 2, 3]},
            {*BASE, *NETWORKS, "optimizer.momentum", "plane.networks"},
        ),
        ("plane", {"plane.networks": ["a", "b", "c"]}, {*NETWORKS, "plane.networks"}),
        (
            "chain",
            {"chain.networks": [3, 4]},
            {*BASE, *NETWORKS, "optimizer.momentum", "eval.splits"}
            | {"chain.networks", "chain.num_points"},
        ),
        (
            "chain",
            {"endpoints": ["a.keras", "b.keras"]},
            {*NETWORKS, "eval.splits", "endpoints", "chain.num_points"},
        ),
        (
            "pairs",
            {"pairs.networks": [3, "a.keras"]},
            {*BASE, *NETWORKS, "optimizer.momentum", "eval.splits"}
            | {"pairs.networks", "pairs.num_points"},
        ),
        ("soup", {}, {*BASE, "optimizer.momentum", "endpoints", "soup.how"}),
        (
            "soup",
            {"soup.networks": ["a.keras", "b.keras"], "soup.how": "tasks", "soup.start": 1},
            {*BASE, "optimizer.momentum", "soup.networks", "soup.how", "soup.start", "soup.scales"},
        ),
        (
            "fge",
            {},
            {*BASE, "optimizer.momentum", "seed", "fge.start", "fge.cycle"},
        ),
        (
            "fge",
            {"fge.start": "a.keras"},
            {"optimizer.momentum", "seed", "fge.start", "fge.cycle"},
        ),
        ("swag", {}, {*BASE, "optimizer.momentum", "seed", "swag.start", "swag.rank"}),
        (
            "ensemble",
            {"ensemble.networks": ["swag:a.keras/3"]},
            {"optimizer.momentum", "eval.splits", "ensemble.networks"} | {"swag.rank", "seed"},
        ),
        (
            "ensemble",
            {},
            {*BASE, *CURVE, "optimizer.momentum", "endpoints", "eval.bn_batches", "eval.splits"}
            | {"ensemble.num_points"},
        ),
        (
            "ensemble",
            {"ensemble.networks": [1, 2]},
            {*BASE, "optimizer.momentum", "eval.splits", "ensemble.networks"},
        ),
        (
            "ensemble",
            {"ensemble.networks": ["a.keras", "b.keras"]},
            {"eval.splits", "ensemble.networks"},
        ),
        (
            "ensemble",
            {"ensemble.networks": ["fge:a.keras"]},
            {"optimizer.momentum", "eval.splits", "ensemble.networks"} | {"fge.cycle", "seed"},
        ),
        (
            "curve",
            {"endpoints": ["fge:1/1", "fge:1/swa"]},
            {*BASE, *CURVE, "optimizer.momentum", "endpoints", "fge.cycle"},
        ),
    ],
)
def test_a_run_shows_what_it_depends_on_and_nothing_else(stage, changes, own):
    assert set(lineage(stage, nested(SETTINGS | changes))) == ALL | own


def test_a_stage_of_your_own_depends_on_all_but_where_and_how():
    aside = {"stage", "dataset.data_dir", "train.base.save_every", "eval.batch_size"}
    assert set(lineage("tangents", nested(SETTINGS))) == set(SETTINGS) - aside


@pytest.mark.parametrize(
    ("networks", "told"),
    [
        ([1, 2], "seed seed"),
        ([7], "seed"),
        (["1@160", "2@step100"], "seed@160 seed@step100"),
        (["fge:1/3", "fge:2@10", "fge:1/swa"], "fge:seed/3 fge:seed@10 fge:seed/swa"),
        (["a.keras", 3, "outputs/base/x-1"], "a.keras seed outputs/base/x-1"),
        (["fge:a.keras"], "fge:a.keras"),
        (["swag:1/3", "swag:2", "fge:swag:3/swa"], "swag:seed/3 swag:seed fge:swag:seed/swa"),
    ],
)
def test_repetitions_differ_in_seeds_alone(networks, told):
    assert without_seeds(networks) == told
