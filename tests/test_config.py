"""The composed configuration: every option builds, and what a result depends on."""

import re
from dataclasses import replace
from pathlib import Path

import hydra
import numpy as np
import pytest
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

import mc
from mc import run
from mc.datasets import digits, make_data
from mc.lab import check, fingerprints, typed
from mc.lab.graph import Run
from mc.lab.view import View
from mc.lab.work import curves as stage_curves
from mc.lab.work import data as stage_data

CONF = Path(run.CONF)
SHARED = Path(__file__).parent.parent.parent / "shared" / "data"
GROUPS = {
    g: sorted(p.stem for p in (CONF / g).glob("*.yaml"))
    for g in ("dataset", "model", "curve", "optimizer", "experiment")
}


def compose(*overrides):
    GlobalHydra.instance().clear()
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose("config", overrides=list(overrides))


def run_of(cfg):
    """The run, or view, of a composed configuration."""
    return (Run.stages | View.views)[cfg.stage](cfg)


def test_the_defaults_pass_their_own_checks():
    cfg = compose()
    check.check(cfg)
    assert cfg.stage == "all"


@pytest.mark.parametrize("option", GROUPS["model"])
def test_every_model_builds(option):
    cfg = compose(f"model={option}")
    check.check(cfg)
    shape = (16,) if option == "gpt" else (32, 32, 3)  # tokens, or an image
    network = stage_data.instantiate(cfg.model, "model", input_shape=shape, num_classes=10)
    assert network.output_shape == ((None, 16, 10) if option == "gpt" else (None, 10))


@pytest.mark.parametrize("option", GROUPS["optimizer"])
def test_every_optimizer_builds_with_the_stage_s_learning_rate(option):
    cfg = compose(f"optimizer={option}", "train.curve.learning_rate=0.125")
    check.check(cfg)
    optimizer = stage_data.instantiate(
        cfg.optimizer, "optimizer", learning_rate=cfg.train.curve.learning_rate
    )
    assert float(optimizer.learning_rate.numpy()) == 0.125


@pytest.mark.parametrize("option", GROUPS["curve"])
def test_every_curve_builds_with_num_bends(option):
    networks = 4 if option in ("simplex", "bezier_surface") else 2
    cfg = compose(f"curve={option}", "num_bends=3", f"endpoints={list(range(1, networks + 1))}")
    check.check(cfg)
    family = stage_curves.family_of(cfg, networks)
    expected = {"simplex": networks + 3, "bezier_surface": 5 * 5}
    assert family.num_points == expected.get(option, 5)


@pytest.mark.parametrize("option", GROUPS["dataset"])
def test_every_dataset_builds(option, tmp_path):
    (tmp_path / "table.csv").write_text("1,2\n3,4\n5,6\n7,8\n9,10\n")
    needed = {
        "tfds": ["dataset.tfds_name=mnist"],
        "table": [f"dataset.path={tmp_path}/table.csv", "dataset.target=-1"],
    }
    cfg = compose(f"dataset={option}", *needed.get(option, []))
    check.check(cfg)
    name = OmegaConf.select(cfg, "dataset.tfds_name")
    if name and not (SHARED / "tfds" / name).is_dir():
        pytest.skip(f"{name} is not prepared in ../shared/data/tfds, and tests download nothing")
    if name:
        cfg = compose(
            f"dataset={option}",
            f"dataset.tfds_name={name}",
            "dataset.valid_size=10",
            f"dataset.data_dir={SHARED / 'tfds'}",
            "dataset.train_split='train[:50]'",
            "dataset.test_split='test[:20]'",
        )
        data = stage_data.load_data(cfg)
        assert (len(data.train), len(data.valid), len(data.test)) == (40, 10, 20)
        return
    data = stage_data.load_data(cfg)
    x, y = next(iter(data.train.batches(4)))
    assert tuple(x.shape[1:]) == data.input_shape
    assert len(y) == 4


@pytest.mark.parametrize("option", GROUPS["experiment"])
def test_every_experiment_composes(option):
    cfg = compose(f"+experiment={option}")
    check.check(cfg)
    header = (CONF / "experiment" / f"{option}.yaml").read_text()
    assert f"+experiment={option}" in header


def test_every_key_of_the_configuration_is_read_somewhere():
    package = "\n".join(p.read_text() for p in Path(mc.__file__).parent.rglob("*.py"))
    unread = []

    def walk(node, prefix=""):
        for key, value in node.items():
            if OmegaConf.is_dict(value) and not prefix.startswith("dataset"):
                walk(value, f"{prefix}{key}.")
            elif f".{key}" not in package and f'"{key}"' not in package:
                unread.append(prefix + key)

    cfg = compose()
    walk({k: v for k, v in cfg.items() if k not in ("dataset", "model", "curve", "optimizer")})
    assert unread == []


def folder(*overrides):
    return str(run_of(compose(*overrides)).folder)


def test_stages_find_one_another_by_configuration():
    curve = run_of(compose("stage=curve", "endpoints=[3,4]"))
    assert str(curve.of("base", seed=4).folder) == folder("stage=base", "seed=4")
    evaluation = run_of(compose("stage=eval", "endpoints=[3,4]"))
    assert evaluation.settings["curve"] == fingerprints.of_settings(curve.settings)


@pytest.mark.parametrize(
    "change",
    [
        "curve=polychain",
        "num_bends=4",
        "train.curve.epochs=3",
        "eval.num_points=5",
        "endpoints=[5,6]",
    ],
)
def test_a_base_network_does_not_depend_on_later_stages(change):
    assert folder("stage=base", "seed=1", change) == folder("stage=base", "seed=1")


@pytest.mark.parametrize(
    "change",
    [
        "output_dir=outputs",
        "train.base.save_every=5",
        "wandb.mode=disabled",
        "wandb.tags=[a]",
        "dataset=mnist dataset.data_dir=/x",
        "force=true",
    ],
)
def test_what_no_result_depends_on_does_not_count(change):
    first, *rest = change.split()
    same = [first] if rest else []
    for stage in ("base", "curve", "eval"):
        assert folder(f"stage={stage}", *change.split()) == folder(f"stage={stage}", *same)


@pytest.mark.parametrize(
    "change",
    [
        "seed=9",
        "precision=mixed_bfloat16",
        "smoke=true",
        "dataset.valid_size=100",
        "model=mlp",
        "optimizer=adam",
        "optimizer.momentum=0.8",
        "train.base.batch_size=32",
        "train.base.epochs=3",
        "train.base.learning_rate=0.1",
        "train.base.schedule=cosine",
        "train.base.weight_decay=0",
        "loss._target_=keras.losses.CategoricalHinge",
    ],
)
def test_every_setting_of_training_counts(change):
    for stage in ("base", "curve", "eval"):
        seeded = stage == "base" or change != "seed=9"
        assert folder(f"stage={stage}", change) != folder(f"stage={stage}") or not seeded
    assert folder("stage=curve", "seed=9") != folder("stage=curve")


def test_a_callable_of_ones_own_takes_nothing_from_the_option_it_replaces():
    overrides = ["model=cnn", "model._target_=my.net", "+model.width=3", "dataset._target_=my.data"]
    cfg = typed.typed_groups(compose(*overrides), overrides)
    assert OmegaConf.to_container(cfg.model) == {"_target_": "my.net", "width": 3}
    assert OmegaConf.to_container(cfg.dataset) == {"_target_": "my.data", "valid_size": 0}
    same = ["model=mlp", *overrides[1:]]
    other = typed.typed_groups(compose(*same), same)
    assert run_of(other).folder == run_of(cfg).folder


def test_positions_given_one_by_one_make_their_number_irrelevant():
    t = ["stage=eval", "eval.t=[0,1]"]
    assert folder(*t, "eval.num_points=5") == folder(*t)
    assert folder("stage=eval", "eval.splits=[test,train]") == folder(
        "stage=eval", "eval.splits=[train,test]"
    )


def test_a_folder_of_ones_own_data_counts():
    own = ["stage=base", "dataset._target_=my.data"]
    assert folder(*own, "+dataset.data_dir=/x") != folder(*own, "+dataset.data_dir=/y")


def test_a_data_file_counts_by_its_bytes(tmp_path):
    for name, content in (("a", b"1"), ("b", b"1"), ("c", b"2")):
        (tmp_path / f"{name}.npy").write_bytes(content)
    a, b, c = (
        folder("stage=base", "dataset=regression", f"dataset.path={tmp_path / n}.npy")
        for n in "abc"
    )
    assert a == b != c


def test_files_of_text_and_tables_count_by_their_bytes(tmp_path):
    for name, content in (("a", "1"), ("b", "1"), ("c", "2")):
        (tmp_path / f"{name}.txt").write_text(content)
    base = ["stage=base", "dataset=text"]
    a, b, c = (f"{tmp_path}/{name}.txt" for name in "abc")
    assert folder(*base, f"dataset.files={a}") == folder(*base, f"dataset.files={b}")
    assert folder(*base, f"dataset.files={a}") != folder(*base, f"dataset.files={c}")
    assert folder(*base, f"dataset.files={a}") != folder(*base, f"dataset.vocabulary_of={a}")
    every = folder(*base, f"dataset.files='{tmp_path}/*.txt'")
    assert every == folder(*base, f"dataset.files=[{a},{b},{c}]") != folder(*base)
    one, other = (folder(*base, f"dataset.files={{x: {x}, y: {y}}}") for x, y in ((a, c), (b, c)))
    assert one == other != folder(*base, f"dataset.files={{x: {c}, y: {a}}}")
    of_table = ["stage=base", "dataset=table", "dataset.target=-1"]
    one, other = (folder(*of_table, f"dataset.path={file}") for file in (a, b))
    assert one == other != folder(*of_table, f"dataset.path={c}")


def test_a_data_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"dataset\.path: there is no file"):
        folder("stage=base", "dataset=regression", f"dataset.path={tmp_path / 'none.npy'}")


def test_labels_are_readable():
    cfg = compose("stage=curve", "dataset=mnist", "model=cnn_bn", "endpoints=[1,42]")
    assert run_of(cfg).label == "mnist-cnn_bn-1-42-bezier-bends1-seed1"
    assert run_of(compose("stage=base", "seed=7")).label == "digits-cnn-seed7"


def test_other_data_are_an_option_of_the_group_and_count_for_what_looks_at_them():
    def folders(*words):
        cfg = typed.typed_groups(compose("ensemble.networks=[fge:1,2]", *words), words)
        check.check(cfg)
        return [run.folder for run in Run.stages["ensemble"](cfg).chain()]

    grey = ["+dataset@ood=cifar10", "ood.image_size=28", "ood.grey=true"]
    *below, ensemble = folders("dataset=mnist")
    *same, other = folders("dataset=mnist", *grey)
    assert below == same
    assert ensemble.name.startswith("mnist-cnn-fge_1-2-")
    assert other.name.startswith("mnist-cnn-fge_1-2-ood-cifar10-")
    assert folders("dataset=mnist", *grey, "ood.data_dir=/x")[-1] == other
    assert folders("dataset=mnist", *grey[:2])[-1] not in (ensemble, other)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("+ood.image_size=28", "must be an option of the group dataset, as +dataset@ood=cifar10"),
        ("ood=cifar10", "must be an option of the group dataset, as +dataset@ood=cifar10"),
        ("+dataset@ood=tfds", "ood.tfds_name must be given"),
        ("+ood._target_=nothing", "ood._target_ must be the import path of a callable"),
        ("+ood._target_=no_module.data", "there is no module no_module"),
    ],
)
def test_other_data_that_are_none_are_told(words, told):
    with pytest.raises(ValueError, match=re.escape(told)):
        check.check(compose("stage=ensemble", *words.split()))


@pytest.mark.parametrize(
    ("dataset", "other", "told"),
    [
        ("mnist", "cifar10", "Type ood.image_size=28 ood.grey=true."),
        ("mnist", "cifar10 ood.image_size=28", "Type ood.grey=true."),
        ("cifar10", "mnist", "Choose images of 3 channels."),
        ("mnist", "cifar10 ood.test_split=tset", "ood.test_split=tset is not a split"),
    ],
)
@pytest.mark.skipif(not (SHARED / "tfds").is_dir(), reason="../shared/data/tfds is not there")
def test_other_images_of_another_shape_say_what_to_type(monkeypatch, dataset, other, told):
    monkeypatch.setenv("TFDS_DATA_DIR", str(SHARED / "tfds"))
    few = ['dataset.train_split="train[:20]"', 'dataset.test_split="test[:10]"']
    option, *more = other.split()
    more += ['ood.test_split="test[:10]"'] * (not any("test_split" in word for word in more))
    cfg = compose(f"dataset={dataset}", *few, f"+dataset@ood={option}", *more)
    data = stage_data.load_data(cfg)
    with pytest.raises(ValueError, match=re.escape(told)):
        stage_data.load_ood(cfg, data)


def test_other_data_are_prepared_as_those_of_the_networks():
    def data():
        x, y = np.arange(96, dtype=np.uint8).reshape(6, 4, 4, 1), np.arange(6) % 2
        return make_data({"train": (x, y), "test": (x, y), "transform": lambda x: 2 * x - 1})

    cfg = compose("+ood._target_=mc.datasets.digits")
    own = data()
    own = replace(own, test=replace(own.test, x=np.zeros((3, 8, 8, 1), np.uint8)))
    other = stage_data.load_ood(cfg, own)
    (x, _), given = next(iter(other.batches(360))), digits()["test"][0]
    np.testing.assert_allclose(x, 2 * given - 1, atol=1e-6)
    assert stage_data.load_ood(compose(), own) is None
