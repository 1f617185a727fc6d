"""Base networks that begin at another network, and networks that are named by folders."""

import json
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from conftest import QUICK, arrays, logits_loss, only, saved_network
from omegaconf import OmegaConf
from test_config import compose, run_of

import mc
from mc import curve_file, training
from mc.datasets import Split

SHORT = ["train.base.steps_per_epoch=5", "train.base.epochs=3", "train.base.batch_size=16"]
SMALL_BN = ["model._target_=conftest.small_bn", "~model.padding", *SHORT]


def folder_of(tmp_path, pattern):
    return only(tmp_path, f"base/{pattern}")


def weights(folder):
    """Every array of a saved network, and what its training left."""
    network = keras.models.load_model(folder / "model.keras")
    found = [np.array(w) for w in network.get_weights()]
    with np.load(folder / "moving.npz") as left:
        return [*found, *(left[name] for name in sorted(left))]


@pytest.mark.slow
@pytest.mark.parametrize("at", ["1@step7", pytest.param("1@2", marks=pytest.mark.long)])
def test_a_training_that_is_begun_again_equals_the_uninterrupted_one(cli, tmp_path, at):
    """Step 7 is within epoch 2; BatchNorm, momentum, and the order of examples go on too."""
    keeps = ["train.base.save_steps=[0,7,10]", "train.base.save_every=1"]
    status, output = cli("stage=base", *SMALL_BN, *keeps)
    assert status == 0, output
    whole = folder_of(tmp_path, "digits-small_bn-seed1-*")
    assert {p.name for p in (whole / "steps").iterdir()} == {"0.npz", "7.npz", "10.npz"}
    again = [f"train.base.start={at}", "train.base.start_schedule=continue"]
    status, output = cli("stage=base", *SMALL_BN, *again, "train.base.start_optimizer=keep")
    assert status == 0, output
    name = at.replace("@", "_")
    begun = folder_of(tmp_path, f"digits-small_bn-{name}-seed1-*")
    for expected, found in zip(weights(whole), weights(begun), strict=True):
        np.testing.assert_array_equal(expected, found)
    one, other = (pd.read_csv(f / "history.csv") for f in (whole, begun))
    assert other["epoch"].tolist() == ([2, 3] if at == "1@step7" else [3])
    np.testing.assert_array_equal(one["learning_rate"][3 - len(other) :], other["learning_rate"])
    assert one["train/loss"].iloc[-1] == other["train/loss"].iloc[-1]
    first = curve_file.read(whole / "steps/0.npz")
    assert first["step"] == 0
    assert curve_file.read(whole / "steps/7.npz")["step"] == 7


@pytest.mark.long
def test_without_its_optimizer_or_its_schedule_a_training_begins_another_way(cli, tmp_path):
    assert cli("stage=base", *SMALL_BN, "train.base.save_every=1")[0] == 0
    whole = weights(folder_of(tmp_path, "digits-small_bn-seed1-*"))
    for how in (["train.base.start_schedule=continue"], ["train.base.start_optimizer=keep"], []):
        overrides = ["stage=base", *SMALL_BN, "train.base.start=1@2", *how]
        status, output = cli(*overrides, f"output_dir={tmp_path}")
        assert status == 0, output
    found = [weights(f) for f in tmp_path.glob("base/digits-small_bn-1_2-seed1-*")]
    assert len(found) == 3
    for one in found:
        assert any(np.any(a != b) for a, b in zip(whole, one, strict=True))


@pytest.mark.slow
def test_fine_tunes_of_one_folder_are_joined_and_meet_networks_of_other_settings(cli, tmp_path):
    assert cli(*QUICK, "stage=base", "seed=3", "train.base.learning_rate=0.1")[0] == 0
    parent = folder_of(tmp_path, "smoke-digits-mlp-seed3-*")
    tuned = [*QUICK, f"train.base.start={parent}", "train.base.learning_rate=0.01"]
    status, output = cli(*tuned, "stage=curve", "build=true")
    assert status == 0, output  # two fine-tunes, and the curve
    title = parent.name[-14:]
    made = sorted(p.name for p in tmp_path.glob("base/*"))
    assert [name[:-9] for name in made] == [
        "smoke-digits-mlp-seed3",
        *(f"smoke-digits-mlp-{title}-seed{seed}" for seed in (1, 2)),
    ]
    tune = tmp_path / "base" / made[1]
    chain = [f"chain.networks=[{parent},1,{tune}]", "stage=chain"]
    status, output = cli(*QUICK, *chain, "build=true")
    assert status == 0, output
    points = pd.read_csv(only(tmp_path, "chain/*/points.csv"))
    for t, name in ((0.0, parent.name), (1.0, made[1])):
        base = json.loads((tmp_path / "base" / name / "summary.json").read_text())
        row = points[points["t"] == t].iloc[0]
        assert row["test/nll"] == pytest.approx(base["test/nll"], rel=1e-5)


def test_a_folder_and_a_seed_that_name_one_network_make_one_folder(cli, made_runs, tmp_path):
    folder = folder_of(tmp_path, "*seed1-*")
    status, output = cli(*QUICK, "stage=chain", f"chain.networks=[{folder},2]")
    assert status == 0, output
    status, output = cli(*QUICK, "stage=chain", "chain.networks=[1,2]", "plan=true")
    with_seed = {p.name[-8:] for p in tmp_path.glob("chain/*")}
    assert (status, len(with_seed)) == (0, 1)
    status, output = cli(*QUICK, "stage=chain", "chain.networks=[1,2]")
    assert {p.name[-8:] for p in tmp_path.glob("chain/*")} == with_seed


@pytest.mark.slow
def test_a_start_may_be_a_file_with_layers_of_its_own(cli, tmp_path):
    path = saved_network(tmp_path / "mine.keras", units=3)
    status, output = cli(*QUICK, "stage=base", f"train.base.start={path}")
    assert status == 0, output
    made = keras.models.load_model(folder_of(tmp_path, "*mine*") / "model.keras")
    assert next(w.shape for w in made.get_weights()) == (64, 3)
    status, output = cli(*QUICK, "stage=chain", f"train.base.start={path}", "build=true")
    assert status == 0, output  # of two such networks


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["train.base.start_schedule=continue"], "type train.base.start=NETWORK too"),
        (["train.base.start=1", "train.base.start_optimizer=keep"], "train.base.start=1@2"),
        (["train.base.start=fge:1"], "where one network is wanted"),
        (["train.base.start=1@9"], "no epoch 9"),
        (["train.base.save_steps=[]"], "must be numbers of steps"),
        (["lora.alpha=2"], "type lora.rank=4 too"),
        (
            ["train.base.start=1@2", "train.base.start_optimizer=keep", "lora.rank=2"],
            "is of other weights than those that are trained here",
        ),
        (
            ["train.base.start={base}", "train.base.start_schedule=continue", "dataset=regression"],
            "was trained on other data, whose steps",
        ),
        (["train.base.start={chain}"], "which makes no network. Name one of stage=base"),
        (["train.base.start=outputs/none"], "there is no saved Keras model at"),
        (["train.base.start={base}", "model.widths=[4]"], "is no network of model._target_="),
        (["train.base.start={base}@7"], "has no saved epoch 7; it has none"),
        (["train.base.start={base}@step7"], "has no saved step 7; it has none"),
    ],
)
def test_starts_that_cannot_be_are_told_in_one_message(
    cli, made_runs, tmp_path, overrides, message
):
    named = {"base": folder_of(tmp_path, "*seed1-*"), "chain": only(tmp_path, "curve/*")}
    typed = [o.format(**named) for o in overrides]
    status, output = cli(*QUICK, "train.base.epochs=2", "stage=base", *typed)
    assert status == 1, output
    assert message in output
    assert "Traceback" not in output


def test_the_steps_of_a_start_must_leave_some(cli, made_runs, tmp_path):
    overrides = ["stage=base", "train.base.start=1", "train.base.start_schedule=continue"]
    status, output = cli(*QUICK, *overrides)
    assert status == 1
    assert "goes on from step 4 of another, and ends after 2 epochs of 2 steps" in output


def test_steps_that_a_training_does_not_pass_are_refused_before_its_first(plain_networks):
    curve = mc.connect(*plain_networks)
    x, y = arrays(1)
    given = {"loss": logits_loss(), "metrics": [], "epochs": 2, "batch_size": 16, "seed": 0}
    rate = training.EpochRate(0.1, "constant", 2)
    with pytest.raises(ValueError, match="from step 0 to step 6, and these are to be kept: 9"):
        training.train(
            curve,
            Split(x, y),
            optimizer="sgd",
            rate=rate,
            after_steps={3: lambda: None, 9: lambda: None},
            **given,
        )
    assert curve.step.numpy() == 0


@pytest.mark.slow
def test_the_folder_of_fge_is_the_average_of_its_members(cli, made_runs, tmp_path):
    assert cli(*QUICK, "stage=fge")[0] == 0
    folder = only(tmp_path, "fge/*")
    status, output = cli(*QUICK, "stage=chain", f"chain.networks=[{folder},1]")
    assert status == 0, output
    points = pd.read_csv(only(tmp_path, "chain/*/points.csv"))
    found = json.loads((folder / "summary.json").read_text())
    assert points["test/nll"][0] == pytest.approx(found["swa/test/nll"], rel=1e-5)
    status, output = cli(*QUICK, "stage=chain", f"chain.networks=[{folder}@3,1]")
    assert (status, "stage=fge keeps no network on its way" in output) == (1, True)


def test_two_folders_of_one_seed_keep_their_numbers_apart(tmp_path):
    folders = []
    for rate in (0.1, 0.2):
        settings = ["stage=base", f"train.base.learning_rate={rate}", f"output_dir={tmp_path}"]
        run = run_of(compose(*settings))
        run.folder.mkdir(parents=True)
        OmegaConf.save(run.cfg, run.folder / "config.yaml", resolve=True)
        folders.append(str(run.folder))
    whole = run_of(compose("stage=all", f"endpoints=[{','.join(folders)}]", "force=true"))
    titles = [f"seed1-{folder[-8:]}" for folder in folders]
    assert list(whole.parts()) == [*(f"base_{title}/" for title in titles), "training/", ""]
    (Path(folders[0]) / "summary.json").write_text("{}")
    assert folders[0] not in [str(run.folder) for run in whole.needs()]  # given, not made again


@pytest.mark.parametrize(
    "typed",
    [
        ["dataset=regression", "model=mlp", "model.widths=[8]", "train.base.learning_rate=.01"],
        ["dataset._target_=own.data", "+dataset.text='a, \"b\" [c]'", "model=cnn", "lora.alpha=2"],
    ],
)
def test_the_command_for_a_folder_or_for_what_it_began_at_names_that_run(tmp_path, typed):
    run = run_of(compose("stage=base", "train.base.start=2", f"output_dir={tmp_path}", *typed))
    run.folder.mkdir(parents=True)
    OmegaConf.save(run.cfg, run.folder / "config.yaml", resolve=True)
    named = run.network(str(run.folder)).run
    (below,) = named.below
    for one, whole in ((named, run), (below, run.below[0])):
        words = one.words(["seed=7", "dataset=mnist"])  # of the command that named the folder
        assert run_of(compose(*words)).fingerprint == whole.fingerprint
