"""The finished run that is nearly the missing one."""

import json

import pytest
from omegaconf import OmegaConf
from test_config import compose, run_of

from mc.lab import missing, near


@pytest.fixture
def made(tmp_path):
    """Makes as if the run of these overrides were finished; returns its folder."""

    def finish(*overrides):
        cfg = compose(f"output_dir={tmp_path}", *overrides)
        folder = run_of(cfg).folder
        folder.mkdir(parents=True)
        (folder / "config.yaml").write_text(OmegaConf.to_yaml(cfg, resolve=True))
        (folder / "summary.json").write_text(json.dumps({}))
        return folder

    return finish


def nearest(tmp_path, *overrides):
    return near.settings_of_nearest(run_of(compose(f"output_dir={tmp_path}", *overrides)))


@pytest.mark.parametrize(
    ("there", "wanted", "words"),
    [
        (["train.curve.epochs=10"], [], "train.curve.epochs=10"),
        ([], ["train.curve.epochs=10"], "train.curve.epochs=40"),
        (["num_bends=3"], [], "num_bends=3"),  # and not curve.num_bends, which follows it
        (["curve.num_bends=3"], [], "curve.num_bends=3"),
        (["train.base.steps_per_epoch=5"], [], "train.base.steps_per_epoch=5"),
        (["+model.units=[1,2]"], ["+model.units=[3]"], "model.units=[1,2]"),
        (["seed=4", "smoke=true"], [], "seed=4 smoke=true"),
        (["eval.num_points=5", "wandb.mode=offline", "train.curve.seed=1"][:2], [], None),  # same
        (["endpoints=[3,4]"], [], None),  # other networks are asked for
        (["model=mlp"], [], None),  # another experiment
        (
            ["train.curve.epochs=1", "num_bends=2", "seed=2", "train.curve.batch_size=1"],
            [],
            None,  # too much differs
        ),
    ],
)
def test_the_settings_that_lead_to_a_finished_run_are_named(made, tmp_path, there, wanted, words):
    made("stage=curve", *there)
    found = nearest(tmp_path, "stage=curve", *wanted)
    assert found == words
    if found:
        typed = OmegaConf.merge(
            compose(f"output_dir={tmp_path}", "stage=curve", *wanted),
            OmegaConf.from_dotlist(found.split(" ")),
        )
        assert (run_of(typed).folder / "summary.json").exists()


def test_the_nearest_of_several_is_named(made, tmp_path):
    made("stage=curve", "train.curve.epochs=1", "seed=2")
    made("stage=curve", "train.curve.epochs=3")
    made("stage=curve", "train.curve.epochs=7", "num_bends=5", "seed=2")
    assert nearest(tmp_path, "stage=curve") == "train.curve.epochs=3"


def test_a_network_of_another_seed_is_another_network(made, tmp_path):
    made("stage=base", "seed=1")
    curve = run_of(compose(f"output_dir={tmp_path}", "stage=curve"))
    assert near.settings_of_nearest(curve.of("base", seed=2)) is None


def test_what_is_missing_is_told_with_what_is_nearly_there(made, tmp_path):
    made("stage=base", "seed=1", "train.base.epochs=3")
    made("stage=base", "seed=2")
    with pytest.raises(ValueError, match="not finished") as caught:
        missing.check_made(
            run_of(compose(f"output_dir={tmp_path}", "stage=curve")), ["stage=curve"]
        )
    lines = str(caught.value).splitlines()
    assert lines[1:] == [
        "  python -m mc.run stage=base seed=1",
        "    (there is one with train.base.epochs=3)",
    ]


def test_a_damaged_run_is_passed_over(made, tmp_path):
    folder = made("stage=curve", "train.curve.epochs=3")
    (folder / "config.yaml").write_text("a: [")
    assert nearest(tmp_path, "stage=curve") is None
